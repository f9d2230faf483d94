"""Priors with weights that are not those they start from."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from genframe import ContextSpace, PriorSpec, Space
from genframe.testing import part
from genframe_autoregressive.sequence import AutoregressivePrior


def built(spec: PriorSpec, code: Space, context: ContextSpace | Space | None = None, seed: int = 0) -> AutoregressivePrior:
    """Return a prior in evaluation mode, with noise on all weights."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        prior = part(spec, code=code, context=context).eval()
        with torch.no_grad():
            for parameter in prior.parameters():
                fan_in = parameter[0].numel() if parameter.dim() > 1 else 1
                parameter.add_(torch.randn_like(parameter) / math.sqrt(fan_in))
    assert isinstance(prior, AutoregressivePrior)
    return prior


@pytest.fixture
def build() -> Callable[..., AutoregressivePrior]:
    """Make a prior in evaluation mode, with noise on all weights."""
    return built
