"""The strided convolutional network as encoder and decoder."""

from __future__ import annotations

from itertools import pairwise

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

from .activations import Activation, activation
from .film import FiLM
from .grids import grids
from .inputs import checked
from .layers import Entrance, Exit, Norm, Upsample, convolution, normalisation
from .specs.conv import Conv, ConvDecoder

__all__ = ["ConvolutionalDecoder", "ConvolutionalEncoder"]


class ConvolutionalEncoder(EncoderNetwork):
    """Stages of stride 2, each a convolution, normalisation, context and activation."""

    def __init__(self, spec: Conv, data: Real, context: ContextSpace | None) -> None:
        super().__init__()
        self.data = data
        grid, dims = grids(data, len(spec.channels))[-1], vector_dims(context)
        self.stages = nn.ModuleList()
        before: Activation | None = None
        for inputs, outputs in pairwise((data.shape[0], *spec.channels)):
            norm = spec.norm if self.stages or spec.norm_first else "none"
            resize = convolution(len(grid), inputs, outputs, before, kernel=spec.kernel, stride=2, bias=norm != "batch")
            self.stages.append(_Stage(spec.activation, norm, resize, outputs, len(grid), dims))
            before = spec.activation
        self.exit = Exit(Real((spec.channels[-1], *grid)), spec.dim, spec.activation)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Return features: (B, data) -> (B, dim) or (B, C, ...)."""
        encoded: Tensor = self.exit(self._activations(x, context)[-1])
        return encoded

    def activations(self, x: Tensor, context: Context | None = None) -> list[Tensor]:
        """Return what :meth:`_activations` gives."""
        return self._activations(x, vector_of(context))

    def _activations(self, x: Tensor, context: Tensor | None) -> list[Tensor]:
        """Return what each stage gives: (B, data) -> (B, C, grid) each."""
        x, found = checked(x, self.data), []
        for stage in self.stages:
            x = stage(x, context)
            found.append(x)
        return found


class ConvolutionalDecoder(DecoderNetwork):
    """The latent on the smallest grid, then stages that double it; the last gives the data's channels."""

    def __init__(self, spec: ConvDecoder, latent: Real, data: Real, context: ContextSpace | None) -> None:
        super().__init__()
        self.data = data
        *sizes, grid = grids(data, len(spec.channels))
        dims, bias = vector_dims(context), spec.norm != "batch"  # batch normalisation would take it away again
        entrance = Entrance(latent, Real((spec.channels[-1], *grid)), bias=bias)
        self.stages = nn.ModuleList([_Stage(spec.activation, spec.norm, entrance, spec.channels[-1], len(grid), dims)])
        for (inputs, outputs), size in zip(pairwise(spec.channels[::-1]), sizes[:0:-1], strict=True):
            resize = Upsample(inputs, outputs, size, spec.activation, bias=bias)
            self.stages.append(_Stage(spec.activation, spec.norm, resize, outputs, len(grid), dims))
        self.out = Upsample(spec.channels[0], data.shape[0], sizes[0], spec.activation)

    def forward(self, latent: Tensor, context: Tensor | None = None) -> Tensor:
        """Return data: (B, latent) -> (B, data)."""
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
        self.activation = activation(name, inplace=True)

    def forward(self, x: Tensor, context: Tensor | None) -> Tensor:
        """Return (B, inputs, ...) -> (B, channels, ...)."""
        activated: Tensor = self.activation(self.film(self.norm(self.resize(x)), context))
        return activated
