"""Flows of vectors, made of couplings or of autoregressive layers."""

from __future__ import annotations

from collections.abc import Callable

import torch

from genframe import ContextSpace, DecoderSpec, Encoder, Real

from .autoregressive import Autoregressive, Inverted
from .bijection import Bijection
from .chain import Chain
from .coupling import Coupling
from .elementwise import Additive, Affine, Elementwise
from .encoder import FlowEncoder
from .mixing import Linear, Scaling
from .shapes import Flatten, Permutation
from .specs.autoregressive import Iaf, Maf, MaskedFlow
from .specs.coupling import Nice, Order, VectorCouplings
from .specs.spline import Spline
from .spline import RationalQuadratic

__all__ = ["couplings", "iaf", "maf", "mixed", "nice", "spline"]


def couplings(
    spec: VectorCouplings, network: DecoderSpec, elementwise: Elementwise, data: Real, context: ContextSpace | None
) -> list[Bijection]:
    """Return couplings of flattened data, and before each one what mixes its halves."""
    vector = Real((data.dims,))

    def coupling(flipped: bool) -> Bijection:
        return Coupling(vector, elementwise, network, context, flipped=flipped)

    return mixed(spec.order, spec.couplings, data, coupling)


def mixed(order: Order, count: int, data: Real, layer: Callable[[bool], Bijection]) -> list[Bijection]:
    """Return ``count`` layers of flattened data, of which every second is flipped, or mixed before, as ``order`` says."""
    layers: list[Bijection] = [Flatten(data)]
    for number in range(count):
        layers += _mixing(order, data.dims, number)
        layers.append(layer(order in ("halves", "even_odd") and bool(number % 2)))
    return layers


def _mixing(order: Order, dims: int, number: int) -> list[Bijection]:
    if order == "linear":
        return [Linear(dims)]
    if order == "shuffled":
        return [Permutation(torch.randperm(dims))]
    if order == "even_odd" and number == 0:
        return [Permutation(torch.cat((torch.arange(0, dims, 2), torch.arange(1, dims, 2))))]
    return []


def nice(spec: Nice, data: Real, context: ContextSpace | None) -> Encoder:
    """Return additive couplings and a scaling."""
    layers = couplings(spec, spec.network, Additive(), data, context)
    return FlowEncoder(Chain([*layers, Scaling(Real((data.dims,)))], spec.memory))


def spline(spec: Spline, data: Real, context: ContextSpace | None) -> Encoder:
    """Return splines in couplings or in autoregressive layers."""
    elementwise = RationalQuadratic(spec.bins, spec.bound)
    if spec.layer == "coupling":
        return FlowEncoder(Chain(couplings(spec, spec.network, elementwise, data, context), spec.memory))
    network = spec.masked_network()

    def layer(flipped: bool) -> Bijection:
        return Autoregressive(
            data.dims, elementwise, network.hidden, network.activation, context, flipped=flipped, zero=network.zero
        )

    return FlowEncoder(Chain(mixed(spec.order, spec.couplings, data, layer), spec.memory))


def maf(spec: Maf, data: Real, context: ContextSpace | None) -> Encoder:
    """Return affine autoregressive layers from data to latents."""
    return FlowEncoder(Chain(mixed(_order(spec), spec.layers, data, _affine(spec, data, context)), spec.memory))


def iaf(spec: Iaf, data: Real, context: ContextSpace | None) -> Encoder:
    """Return affine autoregressive layers from latents to data."""
    layer = _affine(spec, data, context)
    return FlowEncoder(Chain(mixed(_order(spec), spec.layers, data, lambda flipped: Inverted(layer(flipped))), spec.memory))


def _order(spec: MaskedFlow) -> Order:
    """Return the couplings' name of the order."""
    return "halves" if spec.order == "reversed" else spec.order


def _affine(spec: MaskedFlow, data: Real, context: ContextSpace | None) -> Callable[[bool], Bijection]:
    """Return what makes an affine autoregressive layer."""
    elementwise = Affine(spec.scale, spec.bound)
    return lambda flipped: Autoregressive(data.dims, elementwise, spec.hidden, spec.activation, context, flipped=flipped)
