"""The residual network as encoder and decoder."""

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

from .activations import activation
from .film import FiLM
from .grids import grids
from .inputs import checked
from .layers import Entrance, Exit, ResidualBlock, Upsample, convolution, normalisation
from .specs.resnet import ResNet, ResNetDecoder

__all__ = ["ResidualDecoder", "ResidualEncoder"]


class ResidualEncoder(EncoderNetwork):
    """Stages of a strided convolution, the context and residual blocks; normalised and activated in the end."""

    def __init__(self, spec: ResNet, data: Real, context: ContextSpace | None) -> None:
        super().__init__()
        self.data = data
        grid, dims = grids(data, len(spec.channels))[-1], vector_dims(context)
        self.stages = nn.ModuleList()
        for inputs, outputs in pairwise((data.shape[0], *spec.channels)):
            resize = convolution(len(grid), inputs, outputs, None, stride=2)
            self.stages.append(_Stage(spec, resize, outputs, len(grid), dims))
        self.end = nn.Sequential(
            *normalisation("group", len(grid), spec.channels[-1]), activation(spec.activation, inplace=True)
        )
        self.exit = Exit(Real((spec.channels[-1], *grid)), spec.dim, spec.activation)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Return features: (B, data) -> (B, dim) or (B, C, ...)."""
        encoded: Tensor = self.exit(self._activations(x, context)[-1])
        return encoded

    def activations(self, x: Tensor, context: Context | None = None) -> list[Tensor]:
        """Return what :meth:`_activations` gives."""
        return self._activations(x, vector_of(context))

    def _activations(self, x: Tensor, context: Tensor | None) -> list[Tensor]:
        """Return what each stage gives, the last normalised and activated: (B, data) -> (B, C, grid) each."""
        x, found = checked(x, self.data), []
        for stage in self.stages:
            x = stage(x, context)
            found.append(x)
        return [*found[:-1], self.end(x)]


class ResidualDecoder(DecoderNetwork):
    """The latent on the smallest grid, then stages of the context and residual blocks; a doubling of the grid between them."""

    def __init__(self, spec: ResNetDecoder, latent: Real, data: Real, context: ContextSpace | None) -> None:
        super().__init__()
        self.data = data
        *sizes, grid = grids(data, len(spec.channels))
        dims = vector_dims(context)
        entrance = Entrance(latent, Real((spec.channels[-1], *grid)))
        self.stages = nn.ModuleList([_Stage(spec, entrance, spec.channels[-1], len(grid), dims)])
        for (inputs, outputs), size in zip(pairwise(spec.channels[::-1]), sizes[:0:-1], strict=True):
            resize = Upsample(inputs, outputs, size, before=None)
            self.stages.append(_Stage(spec, resize, outputs, len(grid), dims))
        self.end = nn.Sequential(
            *normalisation("group", len(grid), spec.channels[0]), activation(spec.activation, inplace=True)
        )
        self.out = Upsample(spec.channels[0], data.shape[0], sizes[0], spec.activation)

    def forward(self, latent: Tensor, context: Tensor | None = None) -> Tensor:
        """Return data: (B, latent) -> (B, data)."""
        x = latent
        for stage in self.stages:
            x = stage(x, context)
        return into_space(self.out(self.end(x)), self.data)


class _Stage(nn.Module):
    """A layer that changes the grid, then the context and residual blocks."""

    def __init__(self, spec: ResNet | ResNetDecoder, resize: nn.Module, channels: int, axes: int, context_dims: int) -> None:
        super().__init__()
        self.resize = resize
        self.film = FiLM(context_dims, channels)
        self.blocks = nn.Sequential(*(ResidualBlock(axes, channels, spec.activation, "group") for _ in range(spec.blocks)))

    def forward(self, x: Tensor, context: Tensor | None) -> Tensor:
        """Return (B, inputs, ...) -> (B, channels, ...)."""
        features: Tensor = self.blocks(self.film(self.resize(x), context))
        return features
