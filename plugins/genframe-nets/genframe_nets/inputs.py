"""Tensors on their way into a network, checked and flattened, and out of it, in the shape of the data."""

from __future__ import annotations

import torch
from torch import Tensor

from genframe import ContextSpace, Real

__all__ = ["checked", "flat", "flat_context", "shaped", "token_dims", "with_context"]


def checked(x: Tensor, space: Real) -> Tensor:
    """Return ``x``.

    :raises ValueError: if its shape is not that of ``space`` with a batch in front.
    """
    if x.shape[1:] != space.shape:
        raise ValueError(f"expected (B, {', '.join(map(str, space.shape))}), found {tuple(x.shape)}")
    return x


def flat(x: Tensor, space: Real) -> Tensor:
    """Return ``x`` of ``space`` as vectors: (B, ...) -> (B, D). Vectors stay as they are, which saves a node of the graph."""
    checked(x, space)
    return x if x.ndim == 2 else x.reshape(x.shape[0], space.dims)


def shaped(x: Tensor, space: Real) -> Tensor:
    """Return vectors ``x`` as data of ``space``: (B, D) -> (B, ...); unchanged where these are vectors."""
    return x if len(space.shape) == 1 else x.reshape(x.shape[0], *space.shape)


def flat_context(context: Tensor | None, dims: int) -> Tensor:
    """Return the context as vectors: (B, ...) -> (B, dims).

    :raises ValueError: if there is none.
    """
    if context is None:
        raise ValueError(f"this network was built to read a context of {dims} values, found none")
    return context if context.shape[1:] == (dims,) else context.reshape(context.shape[0], dims)


def token_dims(context: ContextSpace | None) -> int:
    """Return the size of each token of the context's sequence, zero where there is none."""
    return context.sequence.shape[1] if context is not None and context.sequence is not None else 0


def with_context(x: Tensor, context: Tensor | None, dims: int) -> Tensor:
    """Return vectors ``x`` followed by the context of ``dims`` values: (B, D), (B, ...) -> (B, D + dims)."""
    return torch.cat((x, flat_context(context, dims)), 1) if dims else x
