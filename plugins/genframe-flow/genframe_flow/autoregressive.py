"""Autoregressive layers: each value is transformed as the values before it say."""

from __future__ import annotations

import torch
from torch import Tensor

from genframe import Context, ContextSpace, ask, vector_dims
from genframe_nets.activations import Activation
from genframe_nets.masked import MaskedPerceptron

from .bijection import Bijection
from .elementwise import Elementwise

__all__ = ["Autoregressive", "Inverted"]


class Autoregressive(Bijection):
    """y_i = f(x_i; network(x_1 ... x_{i-1}, context)) for vectors; ``flipped`` goes through the values from the last one.

    Its Jacobian is triangular. Papamakarios et al. 2017, sec. 3.1.
    """

    def __init__(
        self,
        dims: int,
        elementwise: Elementwise,
        hidden: tuple[int, ...],
        activation: Activation,
        context: ContextSpace | None,
        *,
        flipped: bool,
        zero: bool = True,
    ) -> None:
        super().__init__()
        self.elementwise = elementwise
        self.order = tuple(range(dims))[::-1] if flipped else tuple(range(dims))
        self.network = MaskedPerceptron(
            dims, elementwise.count, hidden, activation, vector_dims(context), self.order, zero=zero
        )

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return y and the sum of the log-derivatives, in one pass of the network."""
        y, log_derivative = self.elementwise(x, ask(self.network, x, context))
        return y, log_derivative.sum(1)

    def inverse(self, y: Tensor, context: Context | None = None) -> Tensor:
        """Return x, a value a pass: as many passes of the network as there are values."""
        x = torch.zeros_like(y)
        for i in self.order:
            parameters = ask(self.network, x, context)[:, :, i : i + 1]
            value = self.elementwise.inverse(y[:, i : i + 1], parameters)
            x = torch.cat((x[:, :i], value, x[:, i + 1 :]), 1)
        return x


class Inverted(Bijection):
    """A bijection the other way round; gradients go through its inverse."""

    def __init__(self, base: Bijection) -> None:
        super().__init__()
        self.base = base

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return the inverse of the base, and minus the base's log-determinant at what was found."""
        y = self.base.inverse(x, context)
        return y, -self.base(y, context)[1]

    def inverse(self, y: Tensor, context: Context | None = None) -> Tensor:
        """Return what the base makes of ``y``."""
        x: Tensor = self.base(y, context)[0]
        return x
