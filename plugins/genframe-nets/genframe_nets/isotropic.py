"""The convolutional network that keeps the grid, as decoder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from genframe import ContextSpace, DecoderNetwork, Real, into_space, vector_dims

from .activations import Activation
from .activations import activation as named
from .film import FiLM
from .initialisation import zeroed
from .inputs import checked
from .layers import Norm, ResidualBlock, convolution, normalisation

__all__ = ["GridDecoder"]


class GridDecoder(DecoderNetwork):
    """Convolutions from a latent to data on the same grid of 1, 2 or 3 spatial axes. Sandler et al. 2019.

    By default it is the network of Glow's couplings (Kingma & Dhariwal 2018). A sigmoid maps into the bounds of bounded data.

    :param context: the space of the context; its vector scales and shifts the hidden channels (FiLM, Perez et al. 2018).
    :param channels: hidden channels.
    :param blocks: hidden depth: convolutions of kernel 1, or residual blocks.
    :param residual: use residual blocks of two convolutions of kernel 3 each (He et al. 2016, fig. 1b).
    :param norm: normalisation before each activation.
    :param zero: start the last convolution at zero.

    >>> _ = torch.manual_seed(0)
    >>> decoder = GridDecoder(Real((2, 8, 8)), Real((6, 8, 8)), channels=16)
    >>> decoder(torch.randn(5, 2, 8, 8)).shape
    torch.Size([5, 6, 8, 8])
    """

    def __init__(
        self,
        latent: Real,
        data: Real,
        context: ContextSpace | None = None,
        *,
        channels: int = 64,
        blocks: int = 1,
        residual: bool = False,
        activation: Activation = "relu",
        norm: Norm = "none",
        zero: bool = False,
    ) -> None:
        super().__init__()
        self.latent, self.data = latent, data
        axes = len(data.shape) - 1
        hidden = _Hidden(axes, channels, vector_dims(context), activation, norm)
        first = convolution(axes, latent.shape[0], channels, None)
        last = convolution(axes, channels, data.shape[0], activation)
        middle = hidden.residual(blocks) if residual else hidden.plain(blocks)
        self.layers = nn.ModuleList([first, *middle, zeroed(last) if zero else last])
        if axes == 2:  # in Glow on two CPU cores 0.86 of a step's time and 0.73 of a sample's
            self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in its stub

    def forward(self, latent: Tensor, context: Tensor | None = None) -> Tensor:
        """Return data on the latent's grid: (B, C, ...), (B, context) -> (B, C', ...)."""
        x = checked(latent, self.latent)
        for layer in self.layers:
            x = layer(x, context) if isinstance(layer, FiLM) else layer(x)
        return into_space(x, self.data)


@dataclass(frozen=True)
class _Hidden:
    """Makes what stands between the first and the last convolution; FiLM is there only where there is a context."""

    axes: int
    channels: int
    context_dims: int
    activation: Activation
    norm: Norm

    def plain(self, blocks: int) -> Iterator[nn.Module]:
        """Yield an activation, and ``blocks`` convolutions of kernel 1 with theirs."""
        yield from self._activated()
        for _ in range(blocks):
            yield convolution(self.axes, self.channels, self.channels, self.activation, kernel=1)
            yield from self._activated()

    def residual(self, blocks: int) -> Iterator[nn.Module]:
        """Yield residual blocks, with the context before each and at the end, and an activation."""
        for _ in range(blocks):
            yield from self._film()
            yield ResidualBlock(self.axes, self.channels, self.activation, self.norm)
        yield from self._activated()

    def _activated(self) -> Iterator[nn.Module]:
        yield from normalisation(self.norm, self.axes, self.channels)
        yield from self._film()
        yield named(self.activation, inplace=True)  # no gradient needs the layer's output before it

    def _film(self) -> Iterator[nn.Module]:
        if self.context_dims:
            yield FiLM(self.context_dims, self.channels)
