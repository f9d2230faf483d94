"""Autoregressive layers: each value is transformed in a way that a network reads from the values before it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from genframe import Context, ask
from genframe_nets.activations import Activation
from genframe_nets.masked import MaskedPerceptron

from .bijection import Bijection
from .elementwise import Elementwise

__all__ = ["Autoregressive", "Inverted"]


class Autoregressive(Bijection):
    """y_i = f(x_i; network(x_1 ... x_{i-1}, context)), for vectors. Papamakarios et al. 2017, sec. 3.1.

    The Jacobian is triangular. The network is a perceptron with masked weights (Germain et al. 2015).

    :param dims: how many values there are.
    :param elementwise: the function f of each value.
    :param hidden: the units of each hidden layer of the network.
    :param activation: what follows each hidden layer.
    :param context: the size of the context's vector; 0 for no context.
    :param flipped: go through the values from the last to the first.
    :param zero: start the network's last layer at zero.

    >>> from genframe_flow import RationalQuadratic
    >>> _ = torch.manual_seed(0)
    >>> layer = Autoregressive(3, RationalQuadratic(bins=4), (16,), context=2, zero=False)
    >>> x, context = torch.randn(5, 3), Context(torch.randn(5, 2))
    >>> y, log_det = layer(x, context)
    >>> y.shape, log_det.shape
    (torch.Size([5, 3]), torch.Size([5]))
    >>> bool(torch.allclose(layer.inverse(y, context), x, atol=1e-4))
    True
    """

    def __init__(
        self,
        dims: int,
        elementwise: Elementwise,
        hidden: Sequence[int] = (256, 256),
        activation: Activation = "relu",
        context: int = 0,
        *,
        flipped: bool = False,
        zero: bool = True,
    ) -> None:
        super().__init__()
        self.elementwise = elementwise
        self.order = tuple(range(dims))[::-1] if flipped else tuple(range(dims))
        self.network = MaskedPerceptron(dims, elementwise.count, hidden, activation, context, self.order, zero=zero)

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return y (B, D) and the sum of the log-derivatives (B,), in one pass of the network."""
        y, log_derivative = self.elementwise(x, ask(self.network, x, context))
        return y, log_derivative.sum(1)

    def inverse(self, y: Tensor, context: Context | None = None) -> Tensor:
        """Return x (B, D), one value per pass: as many passes of the network as there are values."""
        x = torch.zeros_like(y)
        for i in self.order:
            parameters = ask(self.network, x, context)[:, :, i : i + 1]  # (B, count, 1)
            value = self.elementwise.inverse(y[:, i : i + 1], parameters)
            x = torch.cat((x[:, :i], value, x[:, i + 1 :]), 1)
        return x


class Inverted(Bijection):
    """A bijection the other way round; gradients go through its inverse.

    >>> from genframe_flow import Affine
    >>> _ = torch.manual_seed(0)
    >>> base = Autoregressive(3, Affine(), (16,), zero=False)
    >>> x = torch.randn(5, 3)
    >>> bool(torch.allclose(Inverted(base)(base(x)[0])[0], x, atol=1e-5))
    True
    """

    def __init__(self, base: Bijection) -> None:
        super().__init__()
        self.base = base

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return the inverse of the base, and minus the base's log-determinant there."""
        y = self.base.inverse(x, context)
        return y, -self.base(y, context)[1]

    def inverse(self, y: Tensor, context: Context | None = None) -> Tensor:
        """Return the base's y."""
        x: Tensor = self.base(y, context)[0]
        return x
