"""Couplings: one part of the values passes through and says how the other is transformed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, overload

import torch
from torch import Tensor

from genframe import Context, ContextSpace, Decoder, DecoderSpec, Real, Spaces, ask

from .bijection import Bijection, Rebuilt
from .elementwise import Elementwise
from .specs.base import parameter_space

__all__ = ["Coupling", "Parts", "conditioner"]

Parts: TypeAlias = tuple[Tensor, Tensor]


def conditioner(network: DecoderSpec, source: Real, target: Real, count: int, context: ContextSpace | None) -> Decoder:
    """Return the network from values of ``source`` to ``count`` parameters for each value of ``target``."""
    return network.build(Spaces(parameter_space(target, count), source, source, context))


class Coupling(Bijection):
    """y_a = x_a, y_b = f(x_b; network(x_a, context)), with a and b the first and the last entries of the first axis.

    ``flipped`` lets the last ones pass and transforms the first, which spares the permutation between couplings.
    Dinh et al. 2014, eq. 2.
    """

    def __init__(
        self, data: Real, elementwise: Elementwise, network: DecoderSpec, context: ContextSpace | None, *, flipped: bool
    ) -> None:
        super().__init__()
        size, *axes = data.shape
        self.sizes, self.flipped = (size - size // 2, size // 2), flipped
        passing, changed = self.sizes[::-1] if flipped else self.sizes
        source, target = Real((passing, *axes)), Real((changed, *axes))
        self.elementwise = elementwise
        self.network = conditioner(network, source, target, elementwise.count, context)

    @overload
    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]: ...

    @overload
    def forward(self, x: Parts, context: Context | None = None) -> tuple[Parts, Tensor]: ...

    def forward(self, x: Tensor | Parts, context: Context | None = None) -> tuple[Tensor | Parts, Tensor]:
        """Return y and the sum of the log-derivatives of the values that change; both parts by themselves if x is given so."""
        passing, changed = self._turned(self.parts(x))
        changed, log_derivative = self.elementwise(changed, self._ask(passing, context))
        y = self._turned((passing, changed))
        return torch.cat(y, 1) if isinstance(x, Tensor) else y, log_derivative.flatten(1).sum(1)

    @overload
    def inverse(self, y: Tensor, context: Context | None = None) -> Tensor: ...

    @overload
    def inverse(self, y: Parts, context: Context | None = None) -> Parts: ...

    def inverse(self, y: Tensor | Parts, context: Context | None = None) -> Tensor | Parts:
        """Return x, at the cost of forward; both parts by themselves if y is given so."""
        passing, changed = self._turned(self.parts(y))
        x = self._turned((passing, self.elementwise.inverse(changed, self._ask(passing, context))))
        return torch.cat(x, 1) if isinstance(y, Tensor) else x

    def rebuild(self, y: Tensor, context: Context | None = None) -> Rebuilt:
        """Return the step that led to ``y``; the network runs once, for the inverse and for the graph."""
        passing, changed = (part.detach() for part in self._turned(self.parts(y)))
        passing.requires_grad_()
        changed, result, log_derivative = self.elementwise.rebuild(changed, self._ask(passing, context))
        return Rebuilt((passing, changed), self.joined((passing, result)), log_derivative.flatten(1).sum(1))

    def joined(self, leaves: Sequence[Tensor]) -> Tensor:
        """Return what passes and what changes in their places."""
        passing, changed = leaves
        return torch.cat(self._turned((passing, changed)), 1)

    def parts(self, x: Tensor | Parts) -> Parts:
        """Return the first and the last entries."""
        if not isinstance(x, Tensor):
            return x
        first, last = x.split(self.sizes, 1)
        return first, last

    def _turned(self, parts: Parts) -> Parts:
        """Return first and last entries as what passes and what changes, and the other way round."""
        return parts[::-1] if self.flipped else parts

    def _ask(self, passing: Tensor, context: Context | None) -> Tensor:
        parameters: Tensor = ask(self.network, passing, context).unflatten(1, (self.elementwise.count, -1))
        return parameters
