"""Priors that go through an image pixel by pixel: what is around the network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genframe import Categorical, Context, Space

from .alphabet import Alphabet
from .pixel import LogisticPixel, Pixel, SoftmaxPixel
from .sequence import AutoregressivePrior, Step

__all__ = ["Line", "PixelInputs", "RasterNetwork", "RasterPrior", "Rows", "Scan", "as_matrix"]

Scan: TypeAlias = "Callable[[Tensor | None], Tensor]"
"""Takes the inputs (n, I) of the pixel before, ``None`` at first, and gives the features (n, F) of the next pixel."""


class RasterNetwork(nn.Module, ABC):
    """Features of each pixel that depend on the pixels before it, row by row, and on the context."""

    @abstractmethod
    def forward(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return (B, I, H, W) -> (B, F, H, W)."""

    @abstractmethod
    def scan(self, n: int, context: Context | None = None) -> Scan:
        """Return a function that gives the same features pixel by pixel, and computes nothing twice."""


class PixelInputs(nn.Module):
    """What a network sees of a pixel: levels as numbers from -1 to 1 beside a one, or the sum of its classes' vectors.

    The one tells pixels from the zeros around the image.
    """

    def __init__(self, alphabet: Alphabet, features: int) -> None:
        super().__init__()
        self.alphabet = alphabet
        self.table = None
        self.count = alphabet.channels + 1
        if isinstance(alphabet.space, Categorical):
            self.table = nn.Embedding(alphabet.channels * alphabet.size, features)
            self.count = features

    def forward(self, pixel: Tensor) -> Tensor:
        """Return (..., C) -> (..., I)."""
        if self.table is not None:
            offset = torch.arange(self.alphabet.channels, device=pixel.device) * self.alphabet.size
            vectors: Tensor = self.table(pixel + offset).sum(-2)
            return vectors
        return F.pad(self.alphabet.unit(pixel), (0, 1), value=1.0)


class RasterPrior(AutoregressivePrior):
    """A network over pixels and an output layer over the channels of each.

    :param code: a space of images (H, W) or (C, H, W) of discrete values.
    :param channels: the features of each pixel.
    :param mixture: mix so many discretised logistics; a probability for each level where it is ``None``.
    :param make: makes the network from the number of its inputs per pixel and the grid (H, W).
    """

    def __init__(
        self, code: Space, channels: int, mixture: int | None, make: Callable[[int, tuple[int, int]], RasterNetwork]
    ) -> None:
        super().__init__(code)
        self.grid = (code.shape[-2], code.shape[-1])
        self.inputs = PixelInputs(self.alphabet, channels)
        self.network = make(self.inputs.count, self.grid)
        self.pixel: Pixel = (
            SoftmaxPixel(channels, self.alphabet) if mixture is None else LogisticPixel(channels, self.alphabet, mixture)
        )

    def _pixels(self, indices: Tensor) -> Tensor:
        return indices.reshape(len(indices), *self.grid, self.alphabet.channels)

    def _features(self, pixels: Tensor, context: Context | None) -> Tensor:
        """Return the features of each pixel's place: (B, H, W, C) -> (B, H, W, F)."""
        features: Tensor = self.network(self.inputs(pixels).permute(0, 3, 1, 2), context)
        return features.permute(0, 2, 3, 1)

    def logits(self, indices: Tensor, context: Context | None = None) -> Tensor:
        """Return the logits of each value given those before it: (B, D) -> (B, D, values)."""
        pixels = self._pixels(indices)
        return self.pixel.logits(self._features(pixels, context), pixels).reshape(*indices.shape, self.alphabet.size)

    def sequence_log_prob(self, indices: Tensor, context: Context | None = None) -> Tensor:
        """Return the log-probability in nats: (B, D) -> (B,)."""
        pixels = self._pixels(indices)
        return self.pixel.log_prob(self._features(pixels, context), pixels).flatten(1).sum(1)

    def step(self, n: int, context: Context | None = None) -> Step:
        """Return a function that gives logits one after another, from features that are computed once."""
        channels, scan = self.alphabet.channels, self.network.scan(n, context)
        pixel = torch.zeros(n, channels, dtype=torch.long, device=next(self.parameters()).device)
        features = torch.empty(0)
        channel = 0

        def step(previous: Tensor | None) -> Tensor:
            nonlocal features, channel
            if previous is not None:
                pixel[:, channel] = previous
                channel = (channel + 1) % channels
            if channel == 0:
                features = scan(None if previous is None else self.inputs(pixel))
            return self.pixel.next(features, pixel[:, :channel])

        return step


class Rows:
    """The last ``count`` rows of some features, with zeros around the image: what a vertical kernel sees."""

    def __init__(self, like: Tensor, n: int, channels: int, count: int, width: int, reach: int) -> None:
        self.padded = like.new_zeros(n, channels, count, width + 2 * reach)
        self._inner = slice(reach, reach + width)

    def push(self, row: Tensor) -> None:
        """Append a row (n, channels, W) and forget the first one."""
        if self.padded.shape[2] > 1:
            self.padded[:, :, :-1] = self.padded[:, :, 1:].clone()
        self.padded[:, :, -1, self._inner] = row


class Line:
    """Some features of the present row, with ``reach`` zeros before it: what a horizontal kernel sees."""

    def __init__(self, like: Tensor, n: int, channels: int, width: int, reach: int) -> None:
        self.reach, self.channels = reach, channels
        self.padded = like.new_zeros(n, reach + width, channels)
        self._flat = self.padded.flatten(1)  # a view: columns beside each other are one vector

    def put(self, column: int, x: Tensor) -> None:
        """Keep the features (n, channels) of a column."""
        self.padded[:, self.reach + column] = x

    def window(self, column: int, width: int) -> Tensor:
        """Return ``width`` columns from ``reach`` before ``column`` on, beside each other: (n, width * channels)."""
        return self._flat[:, column * self.channels : (column + width) * self.channels]

    @property
    def row(self) -> Tensor:
        """The whole row: (n, channels, W)."""
        return self.padded[:, self.reach :].transpose(1, 2)


def as_matrix(convolution: nn.Conv2d) -> Tensor:
    """Return the weight of a horizontal kernel as a matrix for :meth:`Line.window`: (width * inputs, outputs)."""
    return convolution.weight.squeeze(2).permute(2, 1, 0).flatten(0, 1).contiguous()
