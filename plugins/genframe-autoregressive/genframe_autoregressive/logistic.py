"""Mixtures of discretised logistics over the channels of a pixel. Salimans et al. 2017, sections 2.1 and 2.2."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["LEAST_LOG_SCALE", "log_mass"]

LEAST_LOG_SCALE: Final = -7.0


def log_mass(unit: Tensor, location: Tensor, log_scale: Tensor, levels: int) -> Tensor:
    """Return the log-probability in nats of the bin around ``unit``, one of ``levels`` even numbers from -1 to 1.

    A bin is as wide as the distance of two levels; the outer ones reach to infinity. With a and b the bin's edges in units
    of the scale, sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a)), whose logarithm is exact far out too.
    All three tensors broadcast.
    """
    half = 1 / (levels - 1)
    inverse_scale = torch.exp(-log_scale)
    below = F.logsigmoid((unit - location + half) * inverse_scale)
    above = F.logsigmoid((location - unit + half) * inverse_scale)
    width = torch.log(-torch.expm1(-2 * half * inverse_scale))
    first, last = unit < half - 1, unit > 1 - half
    inner = torch.where(last, 0.0, below) + torch.where(first, 0.0, above)
    return inner + torch.where(first | last, 0.0, width)
