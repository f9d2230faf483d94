"""Glow: actnorm, 1×1 convolution and affine coupling, step by step."""

from __future__ import annotations

from collections.abc import Iterator

from genframe import ContextSpace, Encoder, Real

from .bijection import Bijection
from .chain import Chain
from .coupling import Coupling
from .elementwise import Affine
from .encoder import FlowEncoder
from .mixing import NormalisedLinear
from .multiscale import MultiScale, learned_split
from .specs.glow import Glow
from .squeeze import Squeeze

__all__ = ["glow"]


def glow(spec: Glow, data: Real, context: ContextSpace | None) -> Encoder:
    """Return the scales, or for vectors the steps alone."""
    if len(data.shape) == 1:
        return FlowEncoder(Chain(_steps(spec, data, context), spec.memory))
    ends = spec.ends(data)
    scales: list[Chain] = []
    for number, end in enumerate(ends):
        layers: list[Bijection] = [Squeeze(len(data.shape) - 1), *_steps(spec, end, context)]
        if spec.learned_split and number < len(ends) - 1:
            layers.append(learned_split(end, spec.bound))
        scales.append(Chain(layers, spec.memory))
    return FlowEncoder(MultiScale(scales, ends))


def _steps(spec: Glow, space: Real, context: ContextSpace | None) -> Iterator[Bijection]:
    elementwise, network = Affine(spec.scale, spec.bound), spec.conditioner(space)
    for _ in range(spec.steps):
        yield NormalisedLinear(space.shape[0])
        yield Coupling(space, elementwise, network, context, flipped=False)
