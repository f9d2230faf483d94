"""Preprocessing as bijections: the logit of bounded data, and scales."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from genframe import Context, Encoder, Real, Space

from .bijection import Bijection
from .encoder import FlowEncoder
from .mixing import deviations
from .specs.preprocessing import bounded
from .whitening import Whitener

if TYPE_CHECKING:
    from .specs.preprocessing import Logit, Scaling, Whitening

__all__ = ["LogitMap", "Rescaling", "Standardisation", "logit", "scaling", "whitening"]


class LogitMap(Bijection):
    """y = log s - log(1 - s), s = alpha + (1 - 2 alpha) (x - low) / (high - low).

    1 - s is made of the distance to the upper bound, so that it is as precise there as s is at the lower one.
    """

    def __init__(self, data: Real, low: float, high: float, alpha: float) -> None:
        super().__init__()
        self.low, self.high, self.alpha = low, high, alpha
        self.slope = (1 - 2 * alpha) / (high - low)
        self.log_volume = data.dims * math.log(self.slope)

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return y and the sum of log dy/dx = log slope - log s - log(1 - s)."""
        log_below = torch.log(self.alpha + self.slope * (x - self.low))
        log_above = torch.log(self.alpha + self.slope * (self.high - x))
        return log_below - log_above, self.log_volume - (log_below + log_above).flatten(1).sum(1)

    def inverse(self, y: Tensor, context: Context | None = None) -> Tensor:
        """Return x, within the bounds."""
        return (self.low + (torch.sigmoid(y) - self.alpha) / self.slope).clamp(self.low, self.high)


class Rescaling(Bijection):
    """y = scale x + shift, with scale and shift for each value or for all."""

    scale: Tensor
    shift: Tensor

    def __init__(self, data: Real, scale: Tensor, shift: Tensor, *, learnt: bool = False) -> None:
        super().__init__()
        self.repeats = data.dims // scale.numel()
        self.register_buffer("scale", scale, persistent=learnt)
        self.register_buffer("shift", shift, persistent=learnt)

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return y and the sum of the logarithms of the scale."""
        return torch.addcmul(self.shift, x, self.scale), self.scale.log().sum() * self.repeats

    def inverse(self, y: Tensor, context: Context | None = None) -> Tensor:
        """Return (y - shift) / scale."""
        return (y - self.shift) / self.scale


class Standardisation(Rescaling):
    """A rescaling that gives each dimension of training data mean 0 and deviation 1."""

    def __init__(self, data: Real) -> None:
        super().__init__(data, torch.ones(data.shape), torch.zeros(data.shape), learnt=True)

    def initialise(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Take mean and deviation from data (N, ...); a dimension that does not change keeps its scale."""
        scale = deviations(x).reciprocal()
        self.scale.copy_(scale)
        self.shift.copy_(-x.mean(0) * scale)
        return super().initialise(x, context)


def logit(spec: Logit, data: Space) -> Encoder:
    """Return the logit of data between their bounds."""
    return FlowEncoder(LogitMap(*bounded(data, spec.type, ""), spec.alpha))


def scaling(spec: Scaling, data: Real) -> Encoder:
    """Return the scaling that the spec gives, or one to be fitted."""
    if spec.fitted:
        return FlowEncoder(Standardisation(data))
    scale, shift = map(torch.tensor, spec.constants(data))
    return FlowEncoder(Rescaling(data, scale, shift))


def whitening(spec: Whitening, data: Real) -> Encoder:
    """Return the whitening, to be fitted."""
    return FlowEncoder(Whitener(data, turned_back=spec.rotation == "zca", eps=spec.eps))
