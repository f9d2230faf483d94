"""A small quantising model, and data for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from genframe import Dataset, ModelSpec, Real, Split
from genframe.core import CategoricalPrior
from genframe_nets import Conv, ConvDecoder
from genframe_vq import Quantizer, VqVae

SPACE = Real((1, 8, 8), 0, 1)


@pytest.fixture
def vqvae() -> Callable[..., ModelSpec]:
    """Make a spec of a small VQ-VAE of 8×8 images from fields of its quantiser, and parts in place of its own."""

    def make(fields: dict[str, Any] | None = None, **parts: Any) -> ModelSpec:
        quantizer = Quantizer(**{"network": Conv(channels=(8, 8)), "size": 8, "dim": 4, **(fields or {})})
        decoder = ConvDecoder(channels=(8, 8))
        return ModelSpec(**{"encoder": quantizer, "decoder": decoder, "prior": CategoricalPrior(), "loss": VqVae(), **parts})

    return make


@pytest.fixture
def stripes() -> Dataset:
    """400 images of four horizontal stripes each, black or white."""
    bits = torch.randint(2, (400, 1, 4, 1), generator=torch.Generator().manual_seed(0)).float()
    x = bits.repeat_interleave(2, 2).expand(-1, 1, 8, 8).contiguous()
    splits = {name: Split(name, x[rows]) for name, rows in (("train", slice(0, 300)), ("test", slice(300, 400)))}
    return Dataset(SPACE, splits)
