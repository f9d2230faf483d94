"""The spaces of flows of several scales. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from genframe import ContextSpace, DecoderSpec, Mismatch, Real, Space, Spaces, at, require_real

if TYPE_CHECKING:
    from genframe import Decoder, Encoder

__all__ = ["Convolution", "code_sizes", "entries", "halved", "squeezed"]


def squeezed(space: Real) -> Real:
    """Return the space in which blocks of two positions along each axis have become channels."""
    channels, *grid = space.shape
    return Real((channels * 2 ** len(grid), *(size // 2 for size in grid)))


def halved(space: Real) -> Real:
    """Return the space of what stays of the channels when half of them leaves."""
    channels, *grid = space.shape
    return Real((channels // 2, *grid))


def entries(data: Real, scales: int, squeezes: int, who: str) -> list[Real]:
    """Return the space that enters each of ``scales``, where ``squeezes`` of them halve the grid.

    :raises Mismatch: where ``data`` have no grid, or one that cannot be halved so often.
    """
    with at("scales"):
        if not 2 <= len(data.shape) <= 4:
            raise Mismatch(
                f"{who} with scales needs channels and 1 to 3 spatial axes, found {data}",
                "leave 'scales' out of flow/realnvp, which then takes data of any shape",
            )
        if any(size % 2**squeezes for size in data.shape[1:]):
            raise Mismatch(
                f"{who} with {scales} scale{'s' * (scales > 1)} halves each axis {squeezes}×, which {data} does not allow",
                _mend(data, scales, squeezes),
            )
    found = [Real(data.shape)]
    for _ in range(scales - 1):
        found.append(halved(squeezed(found[-1])))
    return found


def _mend(data: Real, scales: int, squeezes: int) -> str:
    """Say what would do: other data, or fewer scales where any number would fit."""
    possible = max(times for times in range(squeezes) if all(size % 2**times == 0 for size in data.shape[1:]))
    most = scales - squeezes + possible
    fewer = f", or set 'scales' to at most {most}" if most > 0 else ""
    return f"pad or resize the data to multiples of {2**squeezes}{fewer}"


def code_sizes(ends: list[Real]) -> tuple[int, ...]:
    """Return how many values leave each scale, from the spaces at the ends of the scales."""
    return (*(space.dims - halved(space).dims for space in ends[:-1]), ends[-1].dims)


class Convolution(DecoderSpec):
    """One convolution of kernel 3 that starts at zero: what Kingma & Dhariwal 2018 ask about the half that leaves a scale."""

    type: Literal["flow/convolution"] = "flow/convolution"

    def accepts(self, latent: Space, data: Space, context: ContextSpace | None = None) -> None:
        """Accept any channels on the same grid."""
        if require_real(latent, self.type).shape[1:] != require_real(data, self.type).shape[1:]:
            raise Mismatch(f"{self.type} keeps the grid, found {latent} and {data}")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Decoder:
        """Make the decoder."""
        from ..multiscale import LeastConvolution

        return LeastConvolution(require_real(spaces.latent, self.type), require_real(spaces.data, self.type))
