"""Monotone rational-quadratic splines."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn import functional as F

from .elementwise import Elementwise

__all__ = ["RationalQuadratic"]

LEAST_BIN: Final = 1e-3  # of the box's side, as in the paper's code
LEAST_DERIVATIVE: Final = 1e-3
UNIT_DERIVATIVE: Final = math.log(math.expm1(1 - LEAST_DERIVATIVE))  # softplus of it, and the least derivative, are 1


@dataclass(frozen=True)
class Bin:
    """The bin of each value, in a box of side 1: its lower left corner, its sides, and the derivatives at its ends."""

    left: Tensor
    low: Tensor
    width: Tensor
    height: Tensor
    at_left: Tensor
    at_right: Tensor


class RationalQuadratic(Elementwise):
    """A quotient of quadratics in each bin between -bound and bound, and the identity outside. Durkan et al. 2019, sec. 3.1.

    The 3 · bins - 1 parameters of a value are logits of the widths of the bins, logits of their heights, and derivatives at
    the inner knots before a softplus. All zero, they give the identity.

    :param bins: the number of bins, at least 2.
    :param bound: half the side of the box in which the spline lies.

    >>> _ = torch.manual_seed(0)
    >>> spline = RationalQuadratic(bins=4)
    >>> x, parameters = torch.randn(5, 2), torch.randn(5, spline.count, 2)
    >>> y, log_derivative = spline(x, parameters)
    >>> y.shape, log_derivative.shape
    (torch.Size([5, 2]), torch.Size([5, 2]))
    >>> bool(torch.allclose(spline.inverse(y, parameters), x, atol=1e-5))
    True
    """

    def __init__(self, bins: int = 8, bound: float = 3.0) -> None:
        super().__init__()
        self.bins, self.bound, self.count = bins, bound, 3 * bins - 1

    def forward(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Return y by eq. 4 and log dy/dx by eq. 5."""
        inside, u = self._into_box(x)
        found = self._bin(u, parameters, axis=0)
        slope = found.height / found.width
        t = (u - found.left) / found.width
        rest = 1 - t
        both = t * rest
        divisor = slope + (found.at_left + found.at_right - 2 * slope) * both
        v = found.low + found.height * (slope * t.square() + found.at_left * both) / divisor
        quadratic = found.at_right * t.square() + 2 * slope * both + found.at_left * rest.square()
        log_derivative = ((slope / divisor).square() * quadratic).log()
        return torch.where(inside, self._out_of_box(v), x), torch.where(inside, log_derivative, 0.0)

    def inverse(self, y: Tensor, parameters: Tensor) -> Tensor:
        """Return x by eq. 6 to 8, in the form of the quadratic's root that loses no digits."""
        inside, v = self._into_box(y)
        found = self._bin(v, parameters, axis=1)
        slope = found.height / found.width
        rise = v - found.low
        excess = rise * (found.at_left + found.at_right - 2 * slope)
        a = found.height * (slope - found.at_left) + excess
        b = found.height * found.at_left - excess
        c = -slope * rise
        # positive but for rounding; the bound keeps the root's derivative finite
        discriminant = (b.square() - 4 * a * c).clamp(min=torch.finfo(y.dtype).tiny)
        t = 2 * c / (-b - discriminant.sqrt())
        return torch.where(inside, self._out_of_box(found.left + t * found.width), y)

    def _into_box(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return which values lie within the bounds, and all as parts of the box's side, those outside at its ends."""
        return x.abs() <= self.bound, x.clamp(-self.bound, self.bound) / (2 * self.bound) + 0.5

    def _out_of_box(self, u: Tensor) -> Tensor:
        return 2 * self.bound * u - self.bound

    def _bin(self, u: Tensor, parameters: Tensor, *, axis: int) -> Bin:
        """Return the bin of each value: of ``axis`` 0 for x, of 1 for y."""
        logits, raw = parameters.split((2 * self.bins, self.bins - 1), 1)
        shares = torch.softmax(logits.unflatten(1, (2, self.bins)), 2)  # (B, 2 axes, bins, ...)
        free = 1 - self.bins * LEAST_BIN
        with torch.no_grad():
            cumulative = shares.cumsum(2)
            least = LEAST_BIN * torch.arange(1, self.bins, device=u.device, dtype=u.dtype)
            knots = cumulative[:, axis, :-1] * free + _along_bins(least, u)
            index = (u.unsqueeze(1) >= knots).sum(1)  # kept as an axis, it would not fuse with what follows
        before, share, derivatives = _Select.apply(shares, cumulative, raw, index)  # type: ignore[no-untyped-call]
        left, low = (LEAST_BIN * index.unsqueeze(1).to(u.dtype) + free * before).unbind(1)  # not int · float, which is float32
        width, height = (LEAST_BIN + free * share).unbind(1)
        at_left, at_right = (LEAST_DERIVATIVE + F.softplus(derivatives + UNIT_DERIVATIVE)).unbind(1)
        return Bin(left, low, width, height, at_left, at_right)


class _Select(torch.autograd.Function):
    """What belongs to the bin at ``index`` (B, ...): the shares before it and its own, and both ends' raw derivatives.

    It is gather, but for the backward pass: that of gather scatters, which is slow and fuses with nothing; masks do.
    """

    @staticmethod
    def forward(shares: Tensor, cumulative: Tensor, raw: Tensor, index: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return (B, 2 axes, ...), (B, 2 axes, ...), (B, 2 ends, ...)."""
        index = index.unsqueeze(1)
        place = index.unsqueeze(1).expand(-1, 2, *index.shape[1:])
        share = shares.gather(2, place).squeeze(2)
        ends = F.pad(raw, (*(0, 0) * (raw.dim() - 2), 1, 1))  # zero, which is a derivative of one, at the box's corners
        return cumulative.gather(2, place).squeeze(2) - share, share, ends.gather(1, torch.cat((index, index + 1), 1))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
        """Keep the index."""
        ctx.save_for_backward(inputs[3])
        ctx.bins = inputs[0].shape[2]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, Tensor, None]:
        """Spread the gradients over the bins."""
        (index,) = ctx.saved_tensors
        before, share, derivatives = gradients
        bins = _along_bins(torch.arange(ctx.bins, device=index.device), index)
        index = index.unsqueeze(1)
        place = index.unsqueeze(1)
        shares = torch.where(bins < place, before.unsqueeze(2), torch.where(bins == place, share.unsqueeze(2), 0.0))
        knots, (first, last) = bins[:-1], derivatives.split(1, 1)
        return shares, None, torch.where(knots == index - 1, first, torch.where(knots == index, last, 0.0)), None


def _along_bins(values: Tensor, x: Tensor) -> Tensor:
    """Return the bins' values so that they meet ``x`` of (B, ...) with bins behind the batch: (K,) -> (K, 1, ...)."""
    return values.reshape(-1, *(1,) * (x.dim() - 1))
