"""The spaces between the layers of a flow. No torch."""

from __future__ import annotations

from typing import TypeAlias

from genframe import Mismatch, Real, at

__all__ = ["Shape", "code_sizes", "entries", "glow_ends", "halved", "parameter_space", "realnvp_ends", "squeezed", "unbounded"]

Shape: TypeAlias = int | tuple[int, ...] | Real
"""The shape of one example: a number of values, a shape, or a space."""


def unbounded(shape: Shape) -> Real:
    """Return the space of a shape, without bounds.

    >>> str(unbounded(3)), str(unbounded((3, 32, 32)))
    ('Real(3)', 'Real(3×32×32)')
    """
    if isinstance(shape, Real):
        shape = shape.shape
    return Real((shape,) if isinstance(shape, int) else shape)


def parameter_space(target: Real, count: int) -> Real:
    """Return the space of ``count`` parameters for each value of ``target``, stacked along its first axis."""
    return Real((count * target.shape[0], *target.shape[1:]))


def squeezed(space: Real) -> Real:
    """Return the space in which blocks of two positions along each axis have become channels."""
    channels, *grid = space.shape
    return Real((channels * 2 ** len(grid), *(size // 2 for size in grid)))


def halved(space: Real) -> Real:
    """Return the space of the channels that stay when half of them leaves."""
    channels, *grid = space.shape
    return Real((channels // 2, *grid))


def entries(data: Real, scales: int, squeezes: int, who: str) -> list[Real]:
    """Return the space that enters each of ``scales``, where ``squeezes`` of them halve the grid.

    :raises Mismatch: if ``data`` has no grid, or one that cannot be halved as often.
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
                _hint(data, scales, squeezes),
            )
    found = [Real(data.shape)]
    for _ in range(scales - 1):
        found.append(halved(squeezed(found[-1])))
    return found


def _hint(data: Real, scales: int, squeezes: int) -> str:
    """Say what would fit: other data, or fewer scales where there is such a number."""
    possible = max(times for times in range(squeezes) if all(size % 2**times == 0 for size in data.shape[1:]))
    most = scales - squeezes + possible
    fewer = f", or set 'scales' to at most {most}" if most > 0 else ""
    return f"pad or resize the data to multiples of {2**squeezes}{fewer}"


def realnvp_ends(data: Real, scales: int, who: str) -> list[Real]:
    """Return the space at the end of each scale of a RealNVP; all but the last have halved the grid.

    :raises Mismatch: if ``data`` does not allow this number of scales.
    """
    *inner, last = entries(data, scales, scales - 1, who)
    return [*map(squeezed, inner), last]


def glow_ends(data: Real, scales: int, who: str) -> list[Real]:
    """Return the space at the end of each scale of a Glow, before half of the channels leaves. Vectors have one scale.

    :raises Mismatch: if ``data`` does not allow this number of scales.
    """
    if len(data.shape) > 1:
        return [squeezed(entry) for entry in entries(data, scales, scales, who)]
    if not data.shape:
        raise Mismatch(f"{who} mixes the entries of the first axis, found {data}")
    if scales > 1:
        with at("scales"):
            raise Mismatch(f"vectors have one scale, found {data}", "leave 'scales' out")
    return [Real(data.shape)]


def code_sizes(ends: list[Real]) -> tuple[int, ...]:
    """Return how many values leave each scale, given the spaces at the ends of the scales."""
    return (*(space.dims - halved(space).dims for space in ends[:-1]), ends[-1].dims)
