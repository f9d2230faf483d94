"""Couplings: one part of the values passes through and says how the other is transformed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from genframe import Decoder, DecoderSpec, Real, Space

from .bijection import Bijection, Rebuilt
from .elementwise import Elementwise

__all__ = ["Coupling", "conditioner", "parameter_space"]


def conditioner(network: DecoderSpec, source: Real, target: Real, count: int, context: Space | None) -> Decoder:
    """Return the network from values of ``source`` to ``count`` parameters for each value of ``target``."""
    return network.build(source, parameter_space(target, count), context, None)


def parameter_space(target: Real, count: int) -> Real:
    """Return the space of ``count`` parameters for each value of ``target``, stacked along its first axis."""
    return Real((count * target.shape[0], *target.shape[1:]))


class Coupling(Bijection):
    """y_a = x_a, y_b = f(x_b; network(x_a, context)), with a and b the first and the last entries of the first axis.

    ``flipped`` lets the last ones pass and transforms the first, which spares the permutation between couplings.
    Dinh et al. 2014, eq. 2.
    """

    def __init__(
        self, data: Real, elementwise: Elementwise, network: DecoderSpec, context: Space | None, *, flipped: bool
    ) -> None:
        super().__init__()
        size, *axes = data.shape
        self.sizes, self.flipped = (size - size // 2, size // 2), flipped
        passing, changed = self.sizes[::-1] if flipped else self.sizes
        source, target = Real((passing, *axes)), Real((changed, *axes))
        self.elementwise = elementwise
        self.network = conditioner(network, source, target, elementwise.count, context)

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return y and the sum of the log-derivatives of the values that change."""
        passing, changed = self._split(x)
        changed, log_derivative = self.elementwise(changed, self._ask(passing, context))
        return self.joined((passing, changed)), log_derivative.flatten(1).sum(1)

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        """Return x, at the cost of forward."""
        passing, changed = self._split(y)
        return self.joined((passing, self.elementwise.inverse(changed, self._ask(passing, context))))

    def rebuild(self, y: Tensor, context: Tensor | None = None) -> Rebuilt:
        """Return the step that led to ``y``; the network runs once, for the inverse and for the graph."""
        passing, changed = (part.detach() for part in self._split(y))
        passing.requires_grad_()
        changed, result, log_derivative = self.elementwise.rebuild(changed, self._ask(passing, context))
        return Rebuilt((passing, changed), self.joined((passing, result)), log_derivative.flatten(1).sum(1))

    def joined(self, leaves: Sequence[Tensor]) -> Tensor:
        """Return both parts in their places."""
        return torch.cat(tuple(leaves[::-1]) if self.flipped else tuple(leaves), 1)

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return what passes and what changes."""
        first, last = x.split(self.sizes, 1)
        return (last, first) if self.flipped else (first, last)

    def _ask(self, passing: Tensor, context: Tensor | None) -> Tensor:
        parameters: Tensor = self.network.decode(passing, context).unflatten(1, (self.elementwise.count, -1))
        return parameters
