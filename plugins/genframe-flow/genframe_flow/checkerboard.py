"""Couplings of the black and the white fields of a checkerboard."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from genframe import Context, ContextSpace, DecoderSpec, Real, ask

from .bijection import Bijection, Rebuilt
from .coupling import conditioner
from .elementwise import Elementwise

__all__ = ["CheckerboardCoupling"]


class CheckerboardCoupling(Bijection):
    """y = x where the sum of a position's indices is even, else f(x; network(x where it is even, 0 elsewhere, context)).

    ``flipped`` lets the odd positions pass. The network keeps the grid. Dinh et al. 2017, sec. 3.4.
    """

    passes: Tensor

    def __init__(
        self, data: Real, elementwise: Elementwise, network: DecoderSpec, context: ContextSpace | None, *, flipped: bool
    ) -> None:
        super().__init__()
        grid = data.shape[1:]
        indices = torch.meshgrid(*map(torch.arange, grid), indexing="ij")
        passes = torch.stack(indices).sum(0) % 2 == int(flipped)
        self.register_buffer("passes", passes, persistent=False)  # (H, W)
        self.elementwise = elementwise
        self.network = conditioner(network, data, data, elementwise.count, context)

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return y and the sum of the log-derivatives of the values that change."""
        changed, log_derivative = self.elementwise(x, self._ask(x, context))
        return self.joined((x, changed)), self._sum(log_derivative)

    def inverse(self, y: Tensor, context: Context | None = None) -> Tensor:
        """Return x, at the cost of forward."""
        return self.joined((y, self.elementwise.inverse(y, self._ask(y, context))))

    def rebuild(self, y: Tensor, context: Context | None = None) -> Rebuilt:
        """Return the step that led to ``y``; the network runs once, for the inverse and for the graph."""
        passing = y.detach().requires_grad_()
        changed, result, log_derivative = self.elementwise.rebuild(y.detach(), self._ask(passing, context))
        return Rebuilt((passing, changed), self.joined((passing, result)), self._sum(log_derivative))

    def joined(self, leaves: Sequence[Tensor]) -> Tensor:
        """Return the first where values pass, the second elsewhere."""
        return torch.where(self.passes, leaves[0], leaves[1])

    def _ask(self, x: Tensor, context: Context | None) -> Tensor:
        seen = torch.where(self.passes, x, 0)
        parameters: Tensor = ask(self.network, seen, context).unflatten(1, (self.elementwise.count, -1))
        return parameters

    def _sum(self, log_derivative: Tensor) -> Tensor:
        return torch.where(self.passes, 0, log_derivative).flatten(1).sum(1)
