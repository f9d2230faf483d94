"""Flows of several scales: at each, part of the values is done and leaves, the rest goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

from genframe import Context, DecoderNetwork, Real

from .bijection import Bijection
from .chain import Chain
from .coupling import Coupling
from .elementwise import Affine
from .specs.multiscale import Convolution

__all__ = ["LeastConvolution", "MultiScale", "learned_split"]

FIRST_ROWS: Final = 256  # as in Kingma & Dhariwal 2018's code; each gives as many values for a channel as it has positions


class MultiScale(Bijection):
    """Scales one after another: of the result of each but the last, the second half of the channels leaves.

    The latent (B, D) holds what left each scale, flattened, in the order of the scales: from fine to coarse.
    Dinh et al. 2017, eq. 13 to 16.
    """

    def __init__(self, scales: Sequence[Chain], ends: Sequence[Real]) -> None:
        super().__init__()
        self.scales = nn.ModuleList(scales)
        channels = [space.shape[0] for space in ends]
        self.splits = [(size // 2, size - size // 2) for size in channels[:-1]]
        leaving = [size for _, size in self.splits] + channels[-1:]
        self.shapes = [(size, *space.shape[1:]) for size, space in zip(leaving, ends, strict=True)]
        self.sizes = [Real(shape).dims for shape in self.shapes]

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return the latent (B, D) and the sum of the log-determinants."""
        parts: list[Tensor] = []
        log_det = x.new_zeros(())
        for number, scale in enumerate(self.scales):
            x, log_abs_det = scale(x, context)
            log_det = log_det + log_abs_det
            x, leaving = self._parted(number, x)
            parts.append(leaving.flatten(1))
        return torch.cat(parts, 1), log_det

    def inverse(self, y: Tensor, context: Context | None = None) -> Tensor:
        """Return x, from the coarsest scale to the finest."""
        parts = [part.unflatten(1, shape) for part, shape in zip(y.split(self.sizes, 1), self.shapes, strict=True)]
        x = self._scale(-1).inverse(parts[-1], context)
        for number in reversed(range(len(self.splits))):
            x = self._scale(number).inverse(torch.cat((x, parts[number]), 1), context)
        return x

    def initialise(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Let each scale take its state from what stays in the scales before it, and return y of the data that were used.

        The first 256 are, which are enough for channels, because many more would not fit into memory.
        """
        x, context = x[:FIRST_ROWS], None if context is None else context[:FIRST_ROWS]
        parts: list[Tensor] = []
        for number in range(len(self.scales)):
            x, leaving = self._parted(number, self._scale(number).initialise(x, context))
            parts.append(leaving.flatten(1))
        return torch.cat(parts, 1)

    def _parted(self, number: int, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return what stays and what leaves; all leaves the last scale."""
        if number == len(self.splits):
            return x, x
        stays, leaves = x.split(self.splits[number], 1)
        return stays, leaves

    def _scale(self, number: int) -> Bijection:
        return self.scales[number]  # type: ignore[return-value]


def learned_split(data: Real, bound: float) -> Bijection:
    """Return what normalises the half that leaves by a mean and a scale which the half that stays gives.

    So it has the density N(mean, scale²) under the prior N(0, I). Kingma & Dhariwal 2018's code, ``split2d_prior``: both come
    from one convolution that starts at zero.
    """
    return Coupling(data, Affine("tanh", bound), Convolution(), None, flipped=False)


class LeastConvolution(DecoderNetwork):
    """One convolution of kernel 3 with weights of zero at first."""

    def __init__(self, latent: Real, data: Real) -> None:
        super().__init__()
        layer = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[len(data.shape) - 2]
        self.convolution = layer(latent.shape[0], data.shape[0], 3, padding=1)
        for parameter in self.parameters():
            nn.init.zeros_(parameter)

    def forward(self, latent: Tensor, context: Tensor | None = None) -> Tensor:
        """Return (B, C, ...) -> (B, C', ...)."""
        decoded: Tensor = self.convolution(latent)
        return decoded
