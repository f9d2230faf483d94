"""How samples are drawn: in chunks that do not depend on how many are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from types import MethodType
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from ..roles import generator_for, no_compiler
from ..types import Categorical, Context, Space, Unsupported
from .parts import Parts

__all__ = ["Chunk", "Samples", "chunks", "compiled", "whole_chunk"]

LEAST_SAMPLED, FIRST_SAMPLED, MOST_SAMPLED = 64, 512, 4096  # samples in any chunk, in the first, in the largest
FIRST_VALUES, MOST_VALUES = 1 << 15, 1 << 20  # values in the first chunk and in the largest


@dataclass(frozen=True)
class Samples:
    """Data drawn from a model: ``x`` (n, data), with the space they live in and the seed that drew them."""

    x: Tensor
    space: Space
    seed: int

    @staticmethod
    def of(parts: Sequence[Tensor], n: int, space: Space, seed: int) -> Samples:
        """Return the first ``n`` data of the chunks, in single precision whatever networks ran in."""
        x = (torch.cat(tuple(parts)) if len(parts) > 1 else parts[0])[:n]
        return Samples(x.float() if x.dtype == torch.bfloat16 else x, space, seed)

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        return f"Samples({len(self)} of {self.space}, seed {self.seed})"

    def _repr_png_(self) -> bytes | None:
        from ..output.picture import png_bytes

        return png_bytes(self.x, self.space)


@cache
def _compiled_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the method of a class compiled; a second size of chunk compiles it for all. Wrapping alone takes milliseconds."""
    return torch.compile(function)


@contextmanager
def compiled(model: Parts) -> Iterator[None]:
    """Compile what samplers ask of the decoder, and of nested models'; torch keeps the compiled code for the next time.

    :raises Unsupported: if there is no compiler on this machine.
    """
    if reason := no_compiler(model.device):
        raise Unsupported(f"{reason}; install a compiler, such as g++, or sample without compiling")
    asked = ("decode", "likelihood", "denoise")
    methods = [(each.decoder, name) for each in (model, *model.nested) for name in asked if hasattr(type(each.decoder), name)]
    try:
        for decoder, name in methods:
            vars(decoder)[name] = MethodType(_compiled_function(getattr(type(decoder), name)), decoder)
        yield
    finally:
        for decoder, name in methods:
            vars(decoder).pop(name, None)  # its class's own comes to light again


class Chunk(NamedTuple):
    """Samples that are drawn together: their rows, their context, and the generator of their noise."""

    rows: range
    context: Context | None
    generator: Generator


def chunks(model: Parts, n: int, condition: Any, seed: int, device: torch.device) -> Iterator[Chunk]:
    """Yield the chunks, each whole, in which ``n`` samples are drawn by a model on ``device``.

    :raises ValueError: if ``condition`` does not have ``n`` rows.
    :raises Unsupported: if it is the number of a class, and the model has no such class.
    """
    if isinstance(condition, int):
        condition = _class(condition, n, model.composition.condition).to(device)
    if condition is not None and len(condition) != n:
        raise ValueError(f"expected {n} conditions, one for each sample, found {len(condition)}")
    composition = model.composition
    for number, rows in enumerate(_chunks_of(n, composition.data.dims, direct=composition.sampling == "direct")):
        yield Chunk(rows, model.context(whole_chunk(condition, rows)), generator_for(device, seed, number))


def _class(number: int, n: int, space: Space | None) -> Tensor:
    if not isinstance(space, Categorical) or space.shape or not 0 <= number < space.size:
        raise Unsupported(f"the condition {number} is none of this model, whose condition is {space}")
    return torch.full((n,), number)


def _chunks_of(n: int, dims: int, *, direct: bool) -> Iterator[range]:
    """Yield the rows of each chunk up to ``n``: first 64, or more of small data drawn directly, then as many as before.

    Where chunks begin does not depend on ``n``, so that neither does a sample. After the
    first chunk, less than half of what is drawn is discarded.
    """
    start, most = 0, _fitting(MOST_VALUES, dims)
    size = min(FIRST_SAMPLED, _fitting(FIRST_VALUES, dims)) if direct else LEAST_SAMPLED
    while start < n:
        yield range(start, start + size)
        start += size
        size = min(start, most)


def _fitting(values: int, dims: int) -> int:
    """Return how many data of ``dims`` values are not much more than ``values`` together: a power of two."""
    return min(max(LEAST_SAMPLED, 1 << max(0, (values // dims).bit_length() - 1)), MOST_SAMPLED)


def whole_chunk(condition: Any, rows: range) -> Any:
    """Return what is given for each sample, such as its condition, for a chunk's rows; the last one is repeated to fill it."""
    if condition is None:
        return None
    return condition[torch.arange(rows.start, rows.stop, device=condition.device).clamp(max=len(condition) - 1)]
