"""RealNVP: affine couplings, of vectors or of images at several scales."""

from __future__ import annotations

from collections.abc import Iterator

from genframe import ContextSpace, Encoder, Real

from .bijection import Bijection
from .chain import Chain
from .checkerboard import CheckerboardCoupling
from .coupling import Coupling
from .elementwise import Affine
from .encoder import FlowEncoder
from .flows import couplings
from .mixing import ActNorm
from .multiscale import MultiScale
from .specs.coupling import RealNvp
from .specs.multiscale import entries, squeezed
from .squeeze import Squeeze

__all__ = ["realnvp"]


def realnvp(spec: RealNvp, data: Real, context: ContextSpace | None) -> Encoder:
    """Return affine couplings of vectors, or of images at each scale."""
    if spec.scales is None:
        layers = couplings(spec, spec.conditioner, Affine(spec.scale, spec.bound), data, context)
        return FlowEncoder(Chain(layers, spec.memory))
    *inner, last = entries(data, spec.scales, spec.scales - 1, spec.type)
    scales = [Chain(_scale(spec, entry, context), spec.memory) for entry in inner]
    scales.append(Chain(_checkerboards(spec, spec.checkerboards + 1, last, context), spec.memory))
    return FlowEncoder(MultiScale(scales, [*map(squeezed, inner), last]))


def _scale(spec: RealNvp, entry: Real, context: ContextSpace | None) -> Iterator[Bijection]:
    yield from _checkerboards(spec, spec.checkerboards, entry, context)
    yield Squeeze(len(entry.shape) - 1)
    space, elementwise = squeezed(entry), Affine(spec.scale, spec.bound)
    for number in range(spec.channelwise):
        yield ActNorm(space.shape[0])
        yield Coupling(space, elementwise, spec.conditioner, context, flipped=bool(number % 2))


def _checkerboards(spec: RealNvp, count: int, space: Real, context: ContextSpace | None) -> Iterator[Bijection]:
    elementwise = Affine(spec.scale, spec.bound)
    for number in range(count):
        yield ActNorm(space.shape[0])
        yield CheckerboardCoupling(space, elementwise, spec.conditioner, context, flipped=bool(number % 2))
