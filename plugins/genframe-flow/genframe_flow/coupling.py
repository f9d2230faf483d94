"""Couplings: one part of the values passes unchanged, and a network reads from it how the other part is transformed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, overload

import torch
from torch import Tensor

from genframe import Context, Networks, Real, ask

from .bijection import Bijection, Rebuilt
from .elementwise import Elementwise
from .spaces import Shape, parameter_space, unbounded

__all__ = ["CheckerboardCoupling", "Coupling", "Parts"]

Parts: TypeAlias = tuple[Tensor, Tensor]


class Coupling(Bijection):
    """y_a = x_a, y_b = f(x_b; network(x_a, context)), with a and b the first and the last entries of the first axis.

    Dinh et al. 2014, eq. 2.

    :param data: the shape of one example; its first axis has at least two entries.
    :param elementwise: the function f of each value.
    :param networks: called once, with the space of x_a and that of the parameters: ``elementwise.count`` for each value of
        x_b, stacked along the first axis.
    :param flipped: let the last entries pass and transform the first, which spares a permutation between couplings.
    :raises ValueError: if there is only one entry to divide.

    >>> from torch import nn
    >>> from genframe_flow import Affine
    >>> _ = torch.manual_seed(0)
    >>> coupling = Coupling(4, Affine(), lambda source, target: nn.Linear(source.dims, target.dims))
    >>> x = torch.randn(3, 4)
    >>> y, log_det = coupling(x)
    >>> y.shape, log_det.shape, torch.equal(y[:, :2], x[:, :2])
    (torch.Size([3, 4]), torch.Size([3]), True)
    >>> bool(torch.allclose(coupling.inverse(y), x, atol=1e-5))
    True
    """

    def __init__(self, data: Shape, elementwise: Elementwise, networks: Networks, *, flipped: bool = False) -> None:
        super().__init__()
        size, *axes = unbounded(data).shape
        if size < 2:
            raise ValueError(f"a coupling divides the entries of the first axis in two, found {unbounded(data)}")
        self.sizes, self.flipped = (size - size // 2, size // 2), flipped
        passing, changed = self.sizes[::-1] if flipped else self.sizes
        self.elementwise = elementwise
        self.network = networks(Real((passing, *axes)), parameter_space(Real((changed, *axes)), elementwise.count))

    @overload
    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]: ...

    @overload
    def forward(self, x: Parts, context: Context | None = None) -> tuple[Parts, Tensor]: ...

    def forward(self, x: Tensor | Parts, context: Context | None = None) -> tuple[Tensor | Parts, Tensor]:
        """Return y and the sum of the log-derivatives of the values that change: (B, ...) -> (B, ...), (B,).

        Given x as its two parts, return y as its two parts.
        """
        passing, changed = self._turned(self.parts(x))
        changed, log_derivative = self.elementwise(changed, self._ask(passing, context))
        y = self._turned((passing, changed))
        return torch.cat(y, 1) if isinstance(x, Tensor) else y, log_derivative.flatten(1).sum(1)

    @overload
    def inverse(self, y: Tensor, context: Context | None = None) -> Tensor: ...

    @overload
    def inverse(self, y: Parts, context: Context | None = None) -> Parts: ...

    def inverse(self, y: Tensor | Parts, context: Context | None = None) -> Tensor | Parts:
        """Return x, at the cost of forward; as two parts if y is given as two parts."""
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


class CheckerboardCoupling(Bijection):
    """y = x where the sum of a position's indices is even, else f(x; network(x where it is even, 0 elsewhere, context)).

    Dinh et al. 2017, sec. 3.4.

    :param data: the shape of one example: channels and a grid of any number of axes.
    :param elementwise: the function f of each value.
    :param networks: called once, with the space of x and that of ``elementwise.count`` parameters for each value of x,
        stacked along the first axis.
    :param flipped: let the odd positions pass and transform the even ones.

    >>> from torch import nn
    >>> from genframe_flow import Affine
    >>> _ = torch.manual_seed(0)
    >>> networks = lambda source, target: nn.Conv2d(source.shape[0], target.shape[0], 3, padding=1)
    >>> coupling, x = CheckerboardCoupling((1, 4, 4), Affine(), networks), torch.randn(2, 1, 4, 4)
    >>> y, log_det = coupling(x)
    >>> log_det.shape, (y == x)[0, 0, 0].tolist()
    (torch.Size([2]), [True, False, True, False])
    >>> bool(torch.allclose(coupling.inverse(y), x, atol=1e-5))
    True
    """

    passes: Tensor

    def __init__(self, data: Shape, elementwise: Elementwise, networks: Networks, *, flipped: bool = False) -> None:
        super().__init__()
        space = unbounded(data)
        indices = torch.meshgrid(*map(torch.arange, space.shape[1:]), indexing="ij")
        passes = torch.stack(indices).sum(0) % 2 == int(flipped)
        self.register_buffer("passes", passes, persistent=False)  # (H, W)
        self.elementwise = elementwise
        self.network = networks(space, parameter_space(space, elementwise.count))

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
