"""What goes into a network: checked shapes, flattened, with the context beside it; and what comes out, in its shape."""

from __future__ import annotations

import torch
from torch import Tensor

from genframe import Real

__all__ = ["checked", "flat", "flat_context", "shaped", "with_context"]


def checked(x: Tensor, space: Real) -> Tensor:
    """Return ``x``.

    :raises ValueError: if its shape is not that of ``space`` with a batch in front.
    """
    if x.shape[1:] != space.shape:
        raise ValueError(f"expected (B, {', '.join(map(str, space.shape))}), found {tuple(x.shape)}")
    return x


def flat(x: Tensor, space: Real) -> Tensor:
    """Return ``x`` of ``space`` as vectors: (B, ...) -> (B, D). Vectors stay as they are, which spares gradients a node."""
    checked(x, space)
    return x if x.ndim == 2 else x.reshape(x.shape[0], space.dims)


def shaped(x: Tensor, space: Real) -> Tensor:
    """Return vectors ``x`` as data of ``space``: (B, D) -> (B, ...). Where these are vectors, as they are."""
    return x if len(space.shape) == 1 else x.reshape(x.shape[0], *space.shape)


def flat_context(context: Tensor | None, dims: int) -> Tensor:
    """Return the context as vectors: (B, ...) -> (B, dims).

    :raises ValueError: if there is none.
    """
    if context is None:
        raise ValueError(f"this network was built to read a context of {dims} values, found none")
    return context.reshape(context.shape[0], dims)


def with_context(x: Tensor, context: Tensor | None, dims: int) -> Tensor:
    """Return vectors ``x`` with the context of ``dims`` values behind: (B, D), (B, ...) -> (B, D + dims)."""
    return torch.cat((x, flat_context(context, dims)), 1) if dims else x
