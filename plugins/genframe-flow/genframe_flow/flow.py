"""Densities in a line: an encoder that is one to one, before a standard normal."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch import Generator, Tensor

from genframe import Context, Networks, Prior
from genframe.core import StandardNormal

from .autoregressive import Autoregressive, Inverted
from .bijection import Bijection
from .choices import MaskedOrder, Memory, Order
from .coupling import Coupling
from .elementwise import Additive, Affine
from .encoder import FlowEncoder
from .networks import convolutions, perceptrons
from .spaces import Shape, unbounded
from .spline import RationalQuadratic
from .stacks import glow_stack, realnvp_stack, vector_stack

__all__ = ["Flow", "Given", "glow", "iaf", "maf", "nice", "nsf", "realnvp"]

Given: TypeAlias = Context | Tensor | float | None
"""A condition: a context, its vector (B, D), one number for all rows, or nothing."""
Hidden: TypeAlias = tuple[int, ...]


class Flow(Prior):
    """log p(x) = log base(f(x)) + log |det df/dx|, with f an encoder that is one to one. Rezende & Mohamed 2015.

    :param encoder: f.
    :param base: a density of the latents.

    >>> from genframe_flow import LogisticPrior
    >>> _ = torch.manual_seed(0)
    >>> flow = Flow(nice(2, hidden=(16,)).encoder, LogisticPrior(2))
    >>> flow.log_prob(flow.sample(3)).shape
    torch.Size([3])
    """

    def __init__(self, encoder: FlowEncoder, base: Prior) -> None:
        super().__init__()
        self.encoder, self.base = encoder, base

    def forward(self, x: Tensor, context: Given = None) -> Tensor:
        """Return :meth:`log_prob`."""
        return self.log_prob(x, context)

    def log_prob(self, code: Tensor, context: Given = None) -> Tensor:
        """Return the log-density of the data in nats: (B, data) -> (B,)."""
        given = self._context(context, len(code))
        latent, log_det = self.encoder.forward_and_log_det(code, given)
        density: Tensor = self.base(latent, given)
        return density + log_det

    def sample(self, n: int, context: Given = None, generator: Generator | None = None) -> Tensor:
        """Return ``n`` draws (n, data), one for each row of the context where there is one."""
        given = self._context(context, n)
        return self.encoder.inverse(self.base.sample(n, given, generator), given)

    def forward_and_log_det(self, x: Tensor, context: Given = None) -> tuple[Tensor, Tensor]:
        """Return the latent f(x) (B, latent) and log |det df/dx| in nats (B,)."""
        return self.encoder.forward_and_log_det(x, self._context(context, len(x)))

    def inverse(self, latent: Tensor, context: Given = None) -> Tensor:
        """Return the data of each latent: (B, latent) -> (B, data)."""
        return self.encoder.inverse(latent, self._context(context, len(latent)))

    def initialise(self, x: Tensor, context: Given = None) -> None:
        """Take the first state from data (N, ...), as actnorm in Glow and RealNVP and the scale of NICE do."""
        self.encoder.initialise(x, self._context(context, len(x)))

    def _context(self, given: Given, rows: int) -> Context | None:
        if given is None or isinstance(given, Context):
            return given
        if isinstance(given, Tensor):
            return Context.of(given)
        return Context(torch.full((rows, 1), float(given), device=next(self.parameters()).device))


def nice(
    data: Shape,
    context: int = 0,
    *,
    couplings: int = 4,
    order: Order = "halves",
    hidden: Hidden = (256, 256),
    networks: Networks | None = None,
    memory: Memory = "ordinary",
) -> Flow:
    """Return additive couplings and a scale for each value. Dinh et al. 2014, sec. 3.

    :param data: the number of values, or the shape of one example, which is flattened.
    :param context: the size of the context's vector; 0 for no context.
    :param couplings: how many couplings.
    :param order: what each coupling divides, see :func:`vector_stack`.
    :param hidden: the hidden layers of the network of each coupling.
    :param networks: makes the network of each coupling; perceptrons unless given.
    :param memory: ``constant`` lets the backward pass find activations by the inverse instead of keeping them.

    >>> _ = torch.manual_seed(0)
    >>> flow = nice(4)
    >>> flow.log_prob(torch.zeros(3, 4)).shape, flow.sample(3).shape
    (torch.Size([3]), torch.Size([3, 4]))
    """
    space = unbounded(data)
    networks = networks or perceptrons(context, hidden)

    def layer(flipped: bool) -> Bijection:
        return Coupling(space.dims, Additive(), networks, flipped=flipped)

    return _before_normal(vector_stack(space, layer, couplings, order, memory, scaled=True), data)


def nsf(
    data: Shape,
    context: int = 0,
    *,
    layer: Literal["coupling", "autoregressive"] = "coupling",
    layers: int = 8,
    bins: int = 8,
    order: Order = "linear",
    hidden: Hidden = (256, 256),
    networks: Networks | None = None,
    memory: Memory = "ordinary",
) -> Flow:
    """Return a neural spline flow: rational-quadratic splines between -3 and 3. Durkan et al. 2019.

    :param data: the number of values, or the shape of one example, which is flattened.
    :param context: the size of the context's vector; 0 for no context.
    :param layer: whether half of the values says how the other half changes, or the values before say it of each value.
    :param layers: how many layers.
    :param bins: the bins of each spline.
    :param order: what mixes the values between layers, see :func:`vector_stack`.
    :param hidden: the hidden layers of the network of each layer.
    :param networks: makes the network of each coupling; perceptrons unless given.
    :param memory: ``constant`` lets the backward pass find activations by the inverse instead of keeping them.

    >>> _ = torch.manual_seed(0)
    >>> x, c = torch.randn(5, 2), torch.randn(5, 3)
    >>> nsf(2).log_prob(x).shape, nsf(2).sample(3).shape
    (torch.Size([5]), torch.Size([3, 2]))
    >>> nsf(2, context=3).log_prob(x, c).shape
    torch.Size([5])
    """
    space, spline = unbounded(data), RationalQuadratic(bins)
    networks = networks or perceptrons(context, hidden)

    def coupling(flipped: bool) -> Bijection:
        return Coupling(space.dims, spline, networks, flipped=flipped)

    def autoregressive(flipped: bool) -> Bijection:
        return Autoregressive(space.dims, spline, hidden, context=context, flipped=flipped)

    made = coupling if layer == "coupling" else autoregressive
    return _before_normal(vector_stack(space, made, layers, order, memory), data)


def maf(
    data: Shape,
    context: int = 0,
    *,
    layers: int = 5,
    order: MaskedOrder = "reversed",
    hidden: Hidden = (256, 256),
    memory: Memory = "ordinary",
) -> Flow:
    """Return a masked autoregressive flow, whose density is fast and whose sampling is slow. Papamakarios et al. 2017.

    :param data: the number of values, or the shape of one example, which is flattened.
    :param context: the size of the context's vector; 0 for no context.
    :param layers: how many autoregressive layers.
    :param order: the order of the values: to and fro, or mixed before each layer; see :func:`vector_stack`.
    :param hidden: the hidden layers of the network of each layer.
    :param memory: ``constant`` lets the backward pass find activations by the inverse instead of keeping them.

    >>> _ = torch.manual_seed(0)
    >>> flow = maf(4, context=1, hidden=(64,))
    >>> flow.log_prob(torch.zeros(3, 4), 0.5).shape, flow.sample(3, 0.5).shape
    (torch.Size([3]), torch.Size([3, 4]))
    """
    space = unbounded(data)

    def layer(flipped: bool) -> Bijection:
        return Autoregressive(space.dims, Affine(), hidden, context=context, flipped=flipped)

    return _before_normal(vector_stack(space, layer, layers, order, memory), data)


def iaf(
    data: Shape,
    context: int = 0,
    *,
    layers: int = 5,
    order: MaskedOrder = "reversed",
    hidden: Hidden = (256, 256),
    memory: Memory = "ordinary",
) -> Flow:
    """Return an inverse autoregressive flow, whose sampling is fast and whose density is slow. Kingma et al. 2016, sec. 3.

    Its arguments are those of :func:`maf`.

    >>> _ = torch.manual_seed(0)
    >>> flow = iaf(4)
    >>> flow.log_prob(torch.zeros(3, 4)).shape, flow.sample(3).shape
    (torch.Size([3]), torch.Size([3, 4]))
    """
    space = unbounded(data)

    def layer(flipped: bool) -> Bijection:
        return Inverted(Autoregressive(space.dims, Affine(), hidden, context=context, flipped=flipped))

    return _before_normal(vector_stack(space, layer, layers, order, memory), data)


def realnvp(
    data: Shape,
    context: int = 0,
    *,
    couplings: int = 8,
    scales: int = 2,
    networks: Networks | None = None,
    memory: Memory = "ordinary",
) -> Flow:
    """Return affine couplings: of vectors, or of images at several scales. Dinh et al. 2017.

    :param data: the number of values, or the shape of one example: channels and 1 to 3 spatial axes.
    :param context: the size of the context's vector; 0 for no context.
    :param couplings: how many couplings of vectors.
    :param scales: how many scales of images; all but the last halve the axes.
    :param networks: makes the network of each coupling; unless given, perceptrons for vectors and residual networks for images.
    :param memory: ``constant`` lets the backward pass find activations by the inverse instead of keeping them.
    :raises Mismatch: if the images cannot be halved so often.

    >>> _ = torch.manual_seed(0)
    >>> realnvp(4).log_prob(torch.zeros(3, 4)).shape
    torch.Size([3])
    >>> flow = realnvp((1, 8, 8))
    >>> flow.log_prob(torch.zeros(3, 1, 8, 8)).shape, flow.sample(2).shape
    (torch.Size([3]), torch.Size([2, 1, 8, 8]))
    """
    space = unbounded(data)
    if len(space.shape) > 1:
        networks = networks or convolutions(context, 64, 2, residual=True)
        return _before_normal(realnvp_stack(space, Affine(), networks, scales, memory=memory), data)
    networks = networks or perceptrons(context)

    def layer(flipped: bool) -> Bijection:
        return Coupling(space, Affine(), networks, flipped=flipped)

    return _before_normal(vector_stack(space, layer, couplings, memory=memory), data)


def glow(
    data: Shape,
    context: int = 0,
    *,
    scales: int = 1,
    steps: int = 8,
    networks: Networks | None = None,
    memory: Memory = "ordinary",
) -> Flow:
    """Return steps of actnorm, an invertible 1×1 convolution and an affine coupling. Kingma & Dhariwal 2018.

    Call ``initialise`` with data before training: actnorm starts from them.

    :param data: the number of values, or the shape of one example: channels and 1 to 3 spatial axes.
    :param context: the size of the context's vector; 0 for no context.
    :param scales: how many scales of images; each halves the axes.
    :param steps: how many steps each scale has.
    :param networks: makes the network of each coupling; unless given, perceptrons for vectors and convolutions for images.
    :param memory: ``constant`` lets the backward pass find activations by the inverse instead of keeping them.
    :raises Mismatch: if the images cannot be halved so often.

    >>> _ = torch.manual_seed(0)
    >>> flow = glow((3, 32, 32), steps=2)
    >>> flow.initialise(torch.randn(8, 3, 32, 32))
    >>> flow.log_prob(torch.zeros(3, 3, 32, 32)).shape, flow.sample(2).shape
    (torch.Size([3]), torch.Size([2, 3, 32, 32]))
    """
    space = unbounded(data)
    if networks is None:
        networks = perceptrons(context) if len(space.shape) == 1 else convolutions(context, 128)
    return _before_normal(glow_stack(space, Affine("tanh", 2.0), networks, scales, steps, memory), data)


def _before_normal(encoder: FlowEncoder, data: Shape) -> Flow:
    return Flow(encoder, StandardNormal(unbounded(unbounded(data).dims)))
