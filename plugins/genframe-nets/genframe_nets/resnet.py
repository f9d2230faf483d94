"""The residual network as encoder and decoder."""

from __future__ import annotations

from collections.abc import Sequence
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

from .activations import Activation
from .activations import activation as named
from .film import FiLM
from .inputs import checked
from .layers import Entrance, Exit, ResidualBlock, Upsample, convolution, normalisation
from .spaces import grids

__all__ = ["ResidualDecoder", "ResidualEncoder"]


class ResidualEncoder(EncoderNetwork):
    """Stages of a strided convolution, the context and residual blocks; then normalised and activated. He et al. 2016.

    :param data: the space of the data: channels and 1, 2 or 3 spatial axes, which each stage halves, rounded up.
    :param context: the space of the context; its vector scales and shifts the channels of each stage.
    :param channels: channels of each stage, from the data to the smallest grid.
    :param dim: size of a last linear layer over the flattened features; ``None`` leaves them spatial.
    :param blocks: residual blocks of each stage.

    >>> _ = torch.manual_seed(0)
    >>> encoder = ResidualEncoder(Real((3, 16, 16)), channels=(16, 32), dim=8, blocks=1)
    >>> encoder(torch.randn(5, 3, 16, 16)).shape
    torch.Size([5, 8])
    """

    def __init__(
        self,
        data: Real,
        context: ContextSpace | None = None,
        *,
        channels: Sequence[int] = (32, 64),
        activation: Activation = "silu",
        dim: int | None = None,
        blocks: int = 2,
    ) -> None:
        super().__init__()
        self.data = data
        grid, dims = grids(data, len(channels))[-1], vector_dims(context)
        self.stages = nn.ModuleList()
        for inputs, outputs in pairwise((data.shape[0], *channels)):
            resize = convolution(len(grid), inputs, outputs, None, stride=2)
            self.stages.append(_Stage(activation, blocks, resize, outputs, len(grid), dims))
        self.end = nn.Sequential(*normalisation("group", len(grid), channels[-1]), named(activation, inplace=True))
        self.exit = Exit(Real((channels[-1], *grid)), dim, activation)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Return features: (B, data), (B, context) -> (B, dim) or (B, C, ...)."""
        encoded: Tensor = self.exit(self._activations(x, context)[-1])
        return encoded

    def activations(self, x: Tensor, context: Context | None = None) -> list[Tensor]:
        """Return what each stage gives, the last normalised and activated: (B, data) -> (B, C, grid) each."""
        return self._activations(x, vector_of(context))

    def _activations(self, x: Tensor, context: Tensor | None) -> list[Tensor]:
        x, found = checked(x, self.data), []
        for stage in self.stages:
            x = stage(x, context)
            found.append(x)
        return [*found[:-1], self.end(x)]


class ResidualDecoder(DecoderNetwork):
    """The latent on the smallest grid, then stages of the context and residual blocks, with the grid doubled between them.

    A sigmoid maps into the bounds of bounded data. He et al. 2016, fig. 1b.

    :param latent: a vector, or features on the smallest grid.
    :param data: the space of the data: channels and 1, 2 or 3 spatial axes.
    :param context: the space of the context; its vector scales and shifts the channels of each stage.
    :param channels: channels of each stage, from the data to the smallest grid, as the encoder's.
    :param blocks: residual blocks of each stage.

    >>> _ = torch.manual_seed(0)
    >>> decoder = ResidualDecoder(Real((32, 4, 4)), Real((3, 16, 16)), channels=(16, 32), blocks=1)
    >>> decoder(torch.randn(5, 32, 4, 4)).shape
    torch.Size([5, 3, 16, 16])
    """

    def __init__(
        self,
        latent: Real,
        data: Real,
        context: ContextSpace | None = None,
        *,
        channels: Sequence[int] = (32, 64),
        activation: Activation = "silu",
        blocks: int = 2,
    ) -> None:
        super().__init__()
        self.data = data
        *sizes, grid = grids(data, len(channels))
        dims = vector_dims(context)
        entrance = Entrance(latent, Real((channels[-1], *grid)))
        self.stages = nn.ModuleList([_Stage(activation, blocks, entrance, channels[-1], len(grid), dims)])
        for (inputs, outputs), size in zip(pairwise(channels[::-1]), sizes[:0:-1], strict=True):
            resize = Upsample(inputs, outputs, size, before=None)
            self.stages.append(_Stage(activation, blocks, resize, outputs, len(grid), dims))
        self.end = nn.Sequential(*normalisation("group", len(grid), channels[0]), named(activation, inplace=True))
        self.out = Upsample(channels[0], data.shape[0], sizes[0], activation)

    def forward(self, latent: Tensor, context: Tensor | None = None) -> Tensor:
        """Return data: (B, latent), (B, context) -> (B, data)."""
        x = latent
        for stage in self.stages:
            x = stage(x, context)
        return into_space(self.out(self.end(x)), self.data)


class _Stage(nn.Module):
    """A layer that changes the grid, then the context and residual blocks."""

    def __init__(self, name: Activation, blocks: int, resize: nn.Module, channels: int, axes: int, context_dims: int) -> None:
        super().__init__()
        self.resize = resize
        self.film = FiLM(context_dims, channels)
        self.blocks = nn.Sequential(*(ResidualBlock(axes, channels, name, "group") for _ in range(blocks)))

    def forward(self, x: Tensor, context: Tensor | None) -> Tensor:
        """Return (B, inputs, ...) -> (B, channels, ...)."""
        features: Tensor = self.blocks(self.film(self.resize(x), context))
        return features
