"""The strided convolutional network as encoder and decoder."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from genframe import (
    Context,
    ContextSpace,
    DecoderNetwork,
    EncoderNetwork,
    Real,
    into_space,
    vector_dims,
    vector_of,
)

from .activations import Activation
from .activations import activation as named
from .film import FiLM
from .inputs import checked
from .layers import Entrance, Exit, Norm, Upsample, convolution, normalisation
from .spaces import grids

__all__ = ["ConvolutionalDecoder", "ConvolutionalEncoder"]


class ConvolutionalEncoder(EncoderNetwork):
    """Stages of stride 2, each a convolution, normalisation, context and activation. LeCun et al. 1989.

    :param data: the space of the data: channels and 1, 2 or 3 spatial axes, which each stage halves, rounded up.
    :param context: the space of the context; its vector scales and shifts the channels of each stage.
    :param channels: channels of each stage, from the data to the smallest grid.
    :param dim: size of a last linear layer over the flattened features; ``None`` leaves them spatial.
    :param norm: normalisation before each activation.
    :param norm_first: normalise the first stage as well.
    :param kernel: size of the convolutions.

    >>> _ = torch.manual_seed(0)
    >>> encoder = ConvolutionalEncoder(Real((1, 28, 28)), channels=(16, 32))
    >>> encoder(torch.randn(5, 1, 28, 28)).shape
    torch.Size([5, 32, 7, 7])
    """

    def __init__(
        self,
        data: Real,
        context: ContextSpace | None = None,
        *,
        channels: Sequence[int] = (32, 64),
        activation: Activation = "silu",
        dim: int | None = None,
        norm: Norm = "none",
        norm_first: bool = True,
        kernel: Literal[3, 5] = 3,
    ) -> None:
        super().__init__()
        self.data = data
        grid, dims = grids(data, len(channels))[-1], vector_dims(context)
        self.stages = nn.ModuleList()
        before: Activation | None = None
        for inputs, outputs in pairwise((data.shape[0], *channels)):
            stage_norm: Norm = norm if self.stages or norm_first else "none"
            resize = convolution(len(grid), inputs, outputs, before, kernel=kernel, stride=2, bias=stage_norm != "batch")
            self.stages.append(_Stage(activation, stage_norm, resize, outputs, len(grid), dims))
            before = activation
        self.exit = Exit(Real((channels[-1], *grid)), dim, activation)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Return features: (B, data), (B, context) -> (B, dim) or (B, C, ...)."""
        encoded: Tensor = self.exit(self._activations(x, context)[-1])
        return encoded

    def activations(self, x: Tensor, context: Context | None = None) -> list[Tensor]:
        """Return what each stage gives: (B, data) -> (B, C, grid) each."""
        return self._activations(x, vector_of(context))

    def _activations(self, x: Tensor, context: Tensor | None) -> list[Tensor]:
        x, found = checked(x, self.data), []
        for stage in self.stages:
            x = stage(x, context)
            found.append(x)
        return found


class ConvolutionalDecoder(DecoderNetwork):
    """The latent on the smallest grid, then stages that double it; the last gives the data's channels. Radford et al. 2016.

    A sigmoid maps into the bounds of bounded data.

    :param latent: a vector, or features on the smallest grid.
    :param data: the space of the data: channels and 1, 2 or 3 spatial axes.
    :param context: the space of the context; its vector scales and shifts the channels of each stage.
    :param channels: channels of each stage, from the data to the smallest grid, as the encoder's.
    :param norm: normalisation before each activation.

    >>> _ = torch.manual_seed(0)
    >>> decoder = ConvolutionalDecoder(Real((8,)), Real((1, 28, 28), 0.0, 1.0), channels=(16, 32))
    >>> decoder(torch.randn(5, 8)).shape
    torch.Size([5, 1, 28, 28])
    """

    def __init__(
        self,
        latent: Real,
        data: Real,
        context: ContextSpace | None = None,
        *,
        channels: Sequence[int] = (32, 64),
        activation: Activation = "silu",
        norm: Norm = "none",
    ) -> None:
        super().__init__()
        self.data = data
        *sizes, grid = grids(data, len(channels))
        dims, bias = vector_dims(context), norm != "batch"  # batch normalisation cancels a bias before it
        entrance = Entrance(latent, Real((channels[-1], *grid)), bias=bias)
        self.stages = nn.ModuleList([_Stage(activation, norm, entrance, channels[-1], len(grid), dims)])
        for (inputs, outputs), size in zip(pairwise(channels[::-1]), sizes[:0:-1], strict=True):
            resize = Upsample(inputs, outputs, size, activation, bias=bias)
            self.stages.append(_Stage(activation, norm, resize, outputs, len(grid), dims))
        self.out = Upsample(channels[0], data.shape[0], sizes[0], activation)

    def forward(self, latent: Tensor, context: Tensor | None = None) -> Tensor:
        """Return data: (B, latent), (B, context) -> (B, data)."""
        x = latent
        for stage in self.stages:
            x = stage(x, context)
        return into_space(self.out(x), self.data)


class _Stage(nn.Module):
    """A layer that changes the grid, then normalisation, context and activation."""

    def __init__(self, name: Activation, norm: Norm, resize: nn.Module, channels: int, axes: int, context_dims: int) -> None:
        super().__init__()
        self.resize = resize
        self.norm = nn.Identity() if norm == "none" else normalisation(norm, axes, channels)[0]
        self.film = FiLM(context_dims, channels)
        self.activation = named(name, inplace=True)

    def forward(self, x: Tensor, context: Tensor | None) -> Tensor:
        """Return (B, inputs, ...) -> (B, channels, ...)."""
        activated: Tensor = self.activation(self.film(self.norm(self.resize(x)), context))
        return activated
