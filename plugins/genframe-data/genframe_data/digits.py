"""Scikit-learn's handwritten digits."""

from __future__ import annotations

from typing import Final

import torch
from sklearn.datasets import load_digits
from torch import Tensor

from genframe import Categorical, DataError, Dataset

from .specs import Digits
from .splits import Part, cut, divided, image_dataset, shuffled

__all__ = ["load"]

TEST_SEED: Final = 0
TEST_SHARE: Final = 0.2


def load(spec: Digits) -> Dataset:
    """Read the digits; the test split is the same for every spec.

    :raises DataError: if scikit-learn's copy has another shape.
    """
    bunch = load_digits()
    x = torch.from_numpy(bunch.images).to(torch.uint8).unsqueeze(1)
    labels: Tensor = torch.from_numpy(bunch.target).long()
    if x.shape != (1797, 1, 8, 8) or int(x.max()) != 16:
        raise DataError(f"expected scikit-learn's 1797 digits of 8×8, found {tuple(x.shape)}")
    train, test = cut(shuffled(Part(x, labels if spec.labels else None), TEST_SEED), TEST_SHARE, "test")
    parts = divided(train, spec.validation, test, by="random", seed=spec.seed, limit=spec.limit)
    return image_dataset(spec, parts, 17, Categorical((), 10) if spec.labels else None, (x,))
