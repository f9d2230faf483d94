"""How the flows of the papers stack their layers, as encoders."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from genframe import Networks, Real

from .bijection import Bijection
from .chain import Chain
from .choices import MaskedOrder, Memory, Order
from .coupling import CheckerboardCoupling, Coupling
from .elementwise import Affine
from .encoder import FlowEncoder
from .mixing import ActNorm, Diagonal, Linear, NormalisedLinear
from .multiscale import MultiScale, learned_split
from .shapes import Flatten, Permutation, Squeeze
from .spaces import entries, glow_ends, realnvp_ends, squeezed

__all__ = ["glow_stack", "realnvp_stack", "vector_stack"]


def vector_stack(
    data: Real,
    layer: Callable[[bool], Bijection],
    layers: int = 8,
    order: Order | MaskedOrder = "halves",
    memory: Memory = "ordinary",
    *,
    scaled: bool = False,
) -> FlowEncoder:
    """Return layers of flattened data, and before each one what mixes the values.

    :param data: the space of the data.
    :param layer: makes a layer of vectors, flipped where its argument is true.
    :param layers: how many layers.
    :param order: ``halves``, ``even_odd`` and ``reversed`` flip every second layer, ``even_odd`` after moving the even entries
        to the front; ``shuffled`` puts a random permutation before each layer, ``linear`` a learned matrix.
    :param memory: ``constant`` lets the backward pass find activations by the inverse instead of keeping them.
    :param scaled: end with a scale for each value.
    """
    made: list[Bijection] = [Flatten(data)]
    for number in range(layers):
        made += _mixing(order, data.dims, number)
        made.append(layer(order in ("halves", "even_odd", "reversed") and bool(number % 2)))
    return FlowEncoder(Chain([*made, Diagonal(data.dims)] if scaled else made, memory))


def _mixing(order: Order | MaskedOrder, dims: int, number: int) -> list[Bijection]:
    if order == "linear":
        return [Linear(dims)]
    if order == "shuffled":
        return [Permutation(torch.randperm(dims))]
    if order == "even_odd" and number == 0:
        return [Permutation(torch.cat((torch.arange(0, dims, 2), torch.arange(1, dims, 2))))]
    return []


def realnvp_stack(
    data: Real,
    affine: Affine,
    networks: Networks,
    scales: int = 2,
    checkerboards: int = 3,
    channelwise: int = 3,
    memory: Memory = "ordinary",
) -> FlowEncoder:
    """Return affine couplings of images at several scales, each after an actnorm. Dinh et al. 2017, sec. 3.6.

    :param data: channels and 1 to 3 spatial axes.
    :param affine: what the couplings apply.
    :param networks: makes the network of each coupling.
    :param scales: how many scales; all but the last halve the axes.
    :param checkerboards: checkerboard couplings of each scale; the last has one more.
    :param channelwise: couplings of the channels of each scale but the last.
    :param memory: ``constant`` lets the backward pass find activations by the inverse instead of keeping them.
    :raises Mismatch: if the data cannot be halved so often.
    """

    def checkerboard(space: Real, count: int) -> Iterator[Bijection]:
        for number in range(count):
            yield ActNorm(space.shape[0])
            yield CheckerboardCoupling(space, affine, networks, flipped=bool(number % 2))

    def scale(entry: Real) -> Iterator[Bijection]:
        yield from checkerboard(entry, checkerboards)
        yield Squeeze(len(entry.shape) - 1)
        space = squeezed(entry)
        for number in range(channelwise):
            yield ActNorm(space.shape[0])
            yield Coupling(space, affine, networks, flipped=bool(number % 2))

    *inner, last = entries(data, scales, scales - 1, "RealNVP")
    chains = [Chain(scale(entry), memory) for entry in inner]
    chains.append(Chain(checkerboard(last, checkerboards + 1), memory))
    return FlowEncoder(MultiScale(chains, realnvp_ends(data, scales, "RealNVP")))


def glow_stack(
    data: Real,
    affine: Affine,
    networks: Networks,
    scales: int = 1,
    steps: int = 8,
    memory: Memory = "ordinary",
    *,
    split: bool = True,
) -> FlowEncoder:
    """Return steps of actnorm, an invertible matrix and an affine coupling, at several scales. Kingma & Dhariwal 2018, fig. 2.

    :param data: channels and 1 to 3 spatial axes, or a vector, which has one scale.
    :param affine: what the couplings apply; its bound is that of the learned splits too.
    :param networks: makes the network of each coupling.
    :param scales: how many scales (L); each halves the axes.
    :param steps: how many steps each scale has (K).
    :param memory: ``constant`` lets the backward pass find activations by the inverse instead of keeping them.
    :param split: normalise the half that leaves a scale by what is read from the half that stays.
    :raises Mismatch: if the data cannot be halved so often.
    """

    def step(space: Real) -> Iterator[Bijection]:
        for _ in range(steps):
            yield NormalisedLinear(space.shape[0])
            yield Coupling(space, affine, networks)

    ends = glow_ends(data, scales, "Glow")
    if len(data.shape) == 1:
        return FlowEncoder(Chain(step(ends[0]), memory))
    chains: list[Chain] = []
    for number, end in enumerate(ends):
        layers = [Squeeze(len(data.shape) - 1), *step(end)]
        if split and number < len(ends) - 1:
            layers.append(learned_split(end, affine.bound))
        chains.append(Chain(layers, memory))
    return FlowEncoder(MultiScale(chains, ends))
