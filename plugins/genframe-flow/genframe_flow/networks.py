"""Factories of the networks of couplings, for flows that are made without a spec."""

from __future__ import annotations

from torch import nn

from genframe import ContextSpace, Networks, Real, Space
from genframe_nets import Activation, GridDecoder, PerceptronDecoder

from .spaces import unbounded

__all__ = ["convolutions", "perceptrons"]


def perceptrons(
    context: int = 0, hidden: tuple[int, ...] = (256, 256), activation: Activation = "relu", *, zero: bool = True
) -> Networks:
    """Return a factory of multilayer perceptrons, for couplings of vectors.

    :param context: the size of the context's vector; 0 for no context.
    :param hidden: the units of each hidden layer.
    :param activation: what follows each hidden layer.
    :param zero: start the last layer at zero, so that a coupling starts as the identity.

    >>> import torch
    >>> network = perceptrons(context=3, hidden=(16,))(Real((2,)), Real((4,)))
    >>> network(torch.zeros(5, 2), context=torch.zeros(5, 3)).shape
    torch.Size([5, 4])
    """

    def build(source: Space, target: Space) -> nn.Module:
        spaces = unbounded(source.shape), unbounded(target.shape), _space(context)
        return PerceptronDecoder(*spaces, hidden=hidden, activation=activation, zero=zero)

    return build


def convolutions(
    context: int = 0, channels: int = 64, blocks: int = 1, *, residual: bool = False, zero: bool = True
) -> Networks:
    """Return a factory of convolutional networks that keep the grid, for couplings of images.

    :param context: the size of the context's vector, which scales and shifts the hidden channels; 0 for no context.
    :param channels: the hidden channels.
    :param blocks: the hidden depth: convolutions of kernel 1, or residual blocks.
    :param residual: have residual blocks.
    :param zero: start the last layer at zero, so that a coupling starts as the identity.

    >>> import torch
    >>> network = convolutions(channels=8)(Real((2, 4, 4)), Real((4, 4, 4)))
    >>> network(torch.zeros(5, 2, 4, 4)).shape
    torch.Size([5, 4, 4, 4])
    """

    def build(source: Space, target: Space) -> nn.Module:
        spaces = unbounded(source.shape), unbounded(target.shape), _space(context)
        return GridDecoder(*spaces, channels=channels, blocks=blocks, residual=residual, zero=zero)

    return build


def _space(context: int) -> ContextSpace | None:
    return ContextSpace(Real((context,))) if context else None
