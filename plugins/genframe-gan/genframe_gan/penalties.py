"""Penalties on the critic's gradient with respect to what it sees."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["gradient_penalty", "gradients", "zero_centred"]


def gradients(scores: Tensor, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return the gradient of each row's mean score with respect to ``inputs``, itself differentiable.

    Scores (N, P), inputs (N, ...) each; a row's score may depend on no other row.
    """
    return torch.autograd.grad(scores.sum() / scores.shape[1], inputs, create_graph=True)


def zero_centred(gradient: Sequence[Tensor]) -> Tensor:
    """Return E |gradient|² / 2. Mescheder et al. 2018, eq. 9 and 10, for weight 1.

    >>> zero_centred([torch.ones(5, 4)])
    tensor(2.)
    """
    squares = [tensor.square().sum() for tensor in gradient]
    return sum(squares[1:], start=squares[0]) / (2 * len(gradient[0]))


def gradient_penalty(gradient: Sequence[Tensor]) -> Tensor:
    """Return E (|gradient| - 1)². Gulrajani et al. 2017, eq. 3, for weight 1.

    >>> gradient_penalty([torch.ones(5, 4)])
    tensor(1.)
    """
    smallest = 1e-24  # the root has no gradient at 0
    squares = torch.stack([tensor.flatten(1).square().sum(1) for tensor in gradient]).sum(0)
    return ((squares + smallest).sqrt() - 1).square().mean()
