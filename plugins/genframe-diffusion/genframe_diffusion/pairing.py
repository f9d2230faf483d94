"""Pairs of data and noise within a batch."""

from __future__ import annotations

import torch
from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]
from torch import Tensor

__all__ = ["optimal_pairs"]


def optimal_pairs(clean: Tensor, noise: Tensor) -> Tensor:
    """Return ``noise`` in the order of least total squared distance to ``clean``: (B, ...), (B, ...) -> (B, ...).

    An exact assignment, whose time grows with the cube of the batch: 2 ms for 128. Tong et al. 2024, sec. 3.2.

    >>> optimal_pairs(torch.tensor([[0.0], [5.0]]), torch.tensor([[4.0], [1.0]]))
    tensor([[1.],
            [4.]])
    """
    cost = torch.cdist(clean.flatten(1), noise.flatten(1)).square()
    _, columns = linear_sum_assignment(cost.cpu().numpy())
    return noise[torch.as_tensor(columns, device=noise.device)]
