"""Layers that are the same for one, two and three spatial axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from torch import Tensor, nn

from genframe import Real

from .activations import Activation, activation
from .initialisation import initialised, zeroed
from .inputs import checked, flat

__all__ = ["Entrance", "Exit", "Norm", "ResidualBlock", "Upsample", "convolution", "group_norm", "normalisation"]

Norm: TypeAlias = Literal["none", "group", "batch"]
CONV: Final[dict[int, Callable[..., nn.Module]]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED: Final[dict[int, Callable[..., nn.Module]]] = {
    1: nn.ConvTranspose1d,
    2: nn.ConvTranspose2d,
    3: nn.ConvTranspose3d,
}
BATCH_NORM: Final[dict[int, Callable[[int], nn.Module]]] = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


def convolution(
    axes: int, inputs: int, outputs: int, before: Activation | None, *, kernel: int = 3, stride: int = 1, bias: bool = True
) -> nn.Module:
    """Return a convolution of an odd ``kernel`` that keeps the axes, or halves them, rounded up, with stride 2."""
    return initialised(CONV[axes](inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=bias), before)


def group_norm(channels: int) -> nn.Module:
    """Return group normalisation with at most 32 groups of at least 4 channels. Wu & He 2018."""
    most = min(32, max(1, channels // 4))
    return nn.GroupNorm(next(groups for groups in range(most, 0, -1) if channels % groups == 0), channels)


def normalisation(norm: Norm, axes: int, channels: int) -> list[nn.Module]:
    """Return the one layer that normalises channels, or none; ``batch`` cancels a bias before it."""
    if norm == "none":
        return []
    return [group_norm(channels) if norm == "group" else BATCH_NORM[axes](channels)]


class ResidualBlock(nn.Module):
    """x + conv(f(norm(conv(f(norm(x)))))), the identity at first. He et al. 2016, fig. 1b."""

    def __init__(self, axes: int, channels: int, name: Activation, norm: Norm) -> None:
        super().__init__()
        bias = norm != "batch"
        last = zeroed(convolution(axes, channels, channels, name, bias=bias))
        self.residual = nn.Sequential(
            *normalisation(norm, axes, channels),
            activation(name, inplace=norm != "none"),  # never x itself, which is added in the end
            convolution(axes, channels, channels, name, bias=bias),
            *normalisation(norm, axes, channels),
            activation(name, inplace=True),
            last,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, ...) -> (B, C, ...)."""
        out: Tensor = x + self.residual(x)
        return out


class Upsample(nn.Module):
    """A transposed convolution of kernel 4 that doubles the axes, cropped at their ends to exactly ``size``."""

    def __init__(
        self, inputs: int, outputs: int, size: tuple[int, ...], before: Activation | None, *, bias: bool = True
    ) -> None:
        super().__init__()
        self.conv = initialised(TRANSPOSED[len(size)](inputs, outputs, 4, stride=2, padding=1, bias=bias), before)
        self.crop = (..., *map(slice, size))

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, inputs, ...) -> (B, outputs, *size)."""
        grown: Tensor = self.conv(x)[self.crop]
        return grown


class Exit(nn.Module):
    """The end of an encoder: a linear layer over the flattened features, or the features as they are."""

    def __init__(self, features: Real, dim: int | None, before: Activation) -> None:
        super().__init__()
        self.features = features
        self.linear = initialised(nn.Linear(features.dims, dim), before) if dim is not None else None

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, ...) -> (B, dim), or ``x``."""
        return x if self.linear is None else self.linear(flat(x, self.features))


class Entrance(nn.Module):
    """The start of a decoder: from a vector by a linear layer, from features on the same grid by a convolution."""

    def __init__(self, latent: Real, features: Real, *, bias: bool = True) -> None:
        super().__init__()
        channels, *axes = features.shape
        self.latent, self.shape = latent, features.shape
        self.map = (
            initialised(nn.Linear(latent.dims, features.dims, bias=bias), before=None)
            if len(latent.shape) == 1
            else convolution(len(axes), latent.shape[0], channels, before=None, bias=bias)
        )

    def forward(self, latent: Tensor) -> Tensor:
        """Return (B, D) or (B, D, ...) -> (B, C, ...)."""
        x: Tensor = self.map(checked(latent, self.latent))
        return x.reshape(x.shape[0], *self.shape)
