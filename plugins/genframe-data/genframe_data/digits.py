"""Scikit-learn's handwritten digits."""

from __future__ import annotations

from typing import Final

import torch
from sklearn.datasets import load_digits
from torch import Tensor

from genframe import Categorical, DataError, Dataset

from .preparation import Preparation
from .splits import Part, cut, divided, image_dataset, shuffled

__all__ = ["load"]

TEST_SEED: Final = 0
TEST_SHARE: Final = 0.2


def load(prepared: Preparation, *, labels: bool, validation: float, limit: int | None) -> Dataset:
    """Read the digits; the test split is always the same.

    :raises DataError: if scikit-learn's copy has another shape.
    """
    bunch = load_digits()
    x = torch.from_numpy(bunch.images).to(torch.uint8).unsqueeze(1)
    classes: Tensor = torch.from_numpy(bunch.target).long()
    if x.shape != (1797, 1, 8, 8) or int(x.max()) != 16:
        raise DataError(f"expected scikit-learn's 1797 digits of 8×8, found {tuple(x.shape)}")
    train, test = cut(shuffled(Part(x, classes if labels else None), TEST_SEED), TEST_SHARE, "test")
    parts = divided(train, validation, test, by="random", seed=prepared.seed, limit=limit)
    return image_dataset("data/digits", parts, 17, Categorical((), 10) if labels else None, (x,), prepared)
