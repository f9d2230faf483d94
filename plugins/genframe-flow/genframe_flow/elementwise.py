"""Monotone functions of single values, whose parameters a network gives: what couplings and autoregressive layers apply."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

import torch
from torch import Tensor

from .choices import LogScale

__all__ = ["Additive", "Affine", "Elementwise"]

LEAST_SCALE: Final = 1e-3
FIRST_LOGIT: Final = 2.0


class Elementwise(ABC):
    """A monotone function of each value with ``count`` parameters, stacked along the second axis: (B, count, ...).

    It holds no tensors, so that layers may share it. It is no module, so that an error names the layer.
    """

    count: int

    def __call__(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Return :meth:`forward`."""
        return self.forward(x, parameters)

    @abstractmethod
    def forward(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Return y and log dy/dx of each value: (B, ...), (B, count, ...) -> (B, ...), (B, ...)."""

    @abstractmethod
    def inverse(self, y: Tensor, parameters: Tensor) -> Tensor:
        """Return x: (B, ...), (B, count, ...) -> (B, ...)."""

    def rebuild(self, y: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return x as a leaf, and what :meth:`forward` gives for it; override where inverse and forward share work."""
        with torch.no_grad():
            x = self.inverse(y, parameters)
        return x.requires_grad_(), *self(x, parameters)


class Additive(Elementwise):
    """y = x + t. Dinh et al. 2014, eq. 9.

    >>> y, log_derivative = Additive()(torch.tensor([[1.0, 2.0]]), torch.tensor([[[0.5, -0.5]]]))
    >>> y.tolist(), log_derivative.tolist()
    ([[1.5, 1.5]], [[0.0, 0.0]])
    """

    count = 1

    def forward(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Return x + t and zeros, which take no memory."""
        return x + parameters.squeeze(1), x.new_zeros(()).expand_as(x)

    def inverse(self, y: Tensor, parameters: Tensor) -> Tensor:
        """Return y - t."""
        return y - parameters.squeeze(1)


class Affine(Elementwise):
    """y = exp(s) x + t. Dinh et al. 2017, eq. 7. The network gives t and a raw value u, in this order.

    :param scale: how u gives s. ``exp``: s = u. ``tanh``: s = bound · tanh(u / bound). ``sigmoid``: exp(s) = sigmoid(u + 2)
        + 0.001, as in Kingma & Dhariwal's code. At u = 0 the first two are the identity.
    :param bound: the largest |s|, where the scale is ``tanh``.

    >>> affine, x = Affine(), torch.tensor([[1.0, -2.0]])
    >>> parameters = torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])  # (B, 2, values): shifts, then raw scales
    >>> y, log_derivative = affine(x, parameters)
    >>> y.tolist(), log_derivative.tolist()
    ([[2.0, -2.0]], [[0.0, 0.0]])
    >>> affine.inverse(y, parameters).tolist()
    [[1.0, -2.0]]
    """

    count = 2

    def __init__(self, scale: LogScale = "tanh", bound: float = 3.0) -> None:
        self.scale, self.bound = scale, bound

    def forward(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Return exp(s) x + t and s."""
        shift, raw = parameters.unbind(1)
        scale, log_scale = self._scale(raw)
        return torch.addcmul(shift, x, scale), log_scale

    def rebuild(self, y: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return x by the scale of which y is made again."""
        shift, raw = parameters.unbind(1)
        scale, log_scale = self._scale(raw)
        with torch.no_grad():
            x = (y - shift) / scale
        return x.requires_grad_(), torch.addcmul(shift, x, scale), log_scale

    def inverse(self, y: Tensor, parameters: Tensor) -> Tensor:
        """Return exp(-s) (y - t)."""
        shift, raw = parameters.unbind(1)
        return (y - shift) / (self._sigmoid(raw) if self.scale == "sigmoid" else self._scale(raw)[0])

    def _scale(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Return exp(s) and s."""
        if self.scale == "sigmoid":
            scale = self._sigmoid(raw)
            return scale, scale.log()
        log_scale = raw if self.scale == "exp" else self.bound * torch.tanh(raw * (1 / self.bound))
        return log_scale.exp(), log_scale

    def _sigmoid(self, raw: Tensor) -> Tensor:
        return torch.sigmoid(raw + FIRST_LOGIT) + LEAST_SCALE
