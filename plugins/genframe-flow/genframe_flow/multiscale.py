"""Flows of several scales: at the end of each, part of the values leaves and the rest goes on to the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

from genframe import Context, Real, Space

from .bijection import Bijection
from .chain import Chain
from .coupling import Coupling
from .elementwise import Affine
from .spaces import Shape

__all__ = ["LeastConvolution", "MultiScale", "learned_split"]

FIRST_ROWS: Final = 256  # as in Kingma & Dhariwal 2018's code; each gives as many values for a channel as it has positions


class MultiScale(Bijection):
    """Scales one after another: of the result of each but the last, the second half of the channels leaves.

    The latent (B, D) holds what left each scale, flattened, from the finest scale to the coarsest. Dinh et al. 2017, eq. 13
    to 16.

    :param scales: the layers of each scale.
    :param ends: the space at the end of each scale, before half of the channels leaves.

    >>> from genframe_flow import Squeeze
    >>> flow = MultiScale([Chain([Squeeze(2)]), Chain([Squeeze(2)])], [Real((4, 2, 2)), Real((8, 1, 1))])
    >>> x = torch.randn(3, 1, 4, 4)
    >>> latent, _ = flow(x)
    >>> latent.shape, flow.level_sizes, torch.equal(flow.inverse(latent), x)
    (torch.Size([3, 16]), (8, 8), True)
    """

    def __init__(self, scales: Sequence[Chain], ends: Sequence[Real]) -> None:
        super().__init__()
        self.scales = nn.ModuleList(scales)
        channels = [space.shape[0] for space in ends]
        self.splits = [(size // 2, size - size // 2) for size in channels[:-1]]
        leaving = [size for _, size in self.splits] + channels[-1:]
        self.shapes = [(size, *space.shape[1:]) for size, space in zip(leaving, ends, strict=True)]
        self.level_sizes = tuple(Real(shape).dims for shape in self.shapes)

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
        parts = [part.unflatten(1, shape) for part, shape in zip(y.split(list(self.level_sizes), 1), self.shapes, strict=True)]
        x = self._scale(-1).inverse(parts[-1], context)
        for number in reversed(range(len(self.splits))):
            x = self._scale(number).inverse(torch.cat((x, parts[number]), 1), context)
        return x

    def initialise(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Let each scale take its state from what stays in the scales before it, and return y of the rows that were used.

        These are the first 256: enough for the channels, while many more would not fit into memory.
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


def learned_split(data: Shape, bound: float = 2.0) -> Coupling:
    """Return the coupling that normalises the half that leaves, by a mean and a scale read from the half that stays.

    So the half that leaves has the density N(mean, scale²) under the prior N(0, I). Kingma & Dhariwal 2018's code,
    ``split2d_prior``: both come from one convolution that starts at zero.

    :param data: the shape of one example at the end of a scale.
    :param bound: the largest logarithm of a scale.
    """
    return Coupling(data, Affine("tanh", bound), LeastConvolution)


class LeastConvolution(nn.Module):
    """One convolution of kernel 3 whose weights start at zero, from a space to another on the same grid.

    >>> LeastConvolution(Real((2, 4, 4)), Real((6, 4, 4)))(torch.zeros(1, 2, 4, 4)).shape
    torch.Size([1, 6, 4, 4])
    """

    def __init__(self, source: Space, target: Space) -> None:
        super().__init__()
        layer = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[len(target.shape) - 2]
        self.convolution = layer(source.shape[0], target.shape[0], 3, padding=1)
        for parameter in self.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, ...) -> (B, C', ...)."""
        y: Tensor = self.convolution(x)
        return y
