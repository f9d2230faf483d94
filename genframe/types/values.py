"""The values that pass between parts: a batch, a context, what a loss gives, a step of a walk.

Every tensor has its rows (the batch) in front. None of these needs torch before it holds a tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor, device

__all__ = ["Batch", "Context", "LossOutput", "Precision", "Role", "State", "vector_of"]

Role: TypeAlias = Literal["encoder", "decoder", "prior"]
Precision: TypeAlias = Literal["float32", "bfloat16"]
NO_EXTRAS: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True)
class Batch:
    """Rows of a dataset, as they pass from the data to a loss.

    ``x``: (B, data). ``condition``: (B, ...) before it is encoded, or several tensors by name. ``extras``: more tensors by
    name, (B, ...) each, such as a weight or a mask.
    """

    x: Tensor
    condition: Any = None
    extras: Mapping[str, Tensor] = field(default_factory=lambda: NO_EXTRAS)

    def __len__(self) -> int:
        return len(self.x)

    def map(self, each: Callable[[Tensor], Tensor]) -> Batch:
        """Return the batch with ``each`` applied to all of its tensors."""
        return Batch(each(self.x), _mapped(self.condition, each), {name: each(extra) for name, extra in self.extras.items()})

    def to(self, device: device | str, *, non_blocking: bool = False) -> Batch:
        """Return the batch on a device."""
        return self.map(lambda tensor: tensor.to(device, non_blocking=non_blocking))


def _mapped(condition: Any, each: Callable[[Tensor], Tensor]) -> Any:
    if condition is None:
        return None
    return {name: each(tensor) for name, tensor in condition.items()} if isinstance(condition, Mapping) else each(condition)


@dataclass(frozen=True)
class Context:
    """The encoded condition of each row: a vector, a sequence of vectors (tokens), or both.

    ``vector``: (B, ...). ``sequence``: (B, L, D), of which ``mask`` (B, L) says by true which tokens are there; without a mask
    all are. ``nothing`` stands for leaving the condition out, row by row, where the encoder of the condition knows it.
    """

    vector: Tensor | None = None
    sequence: Tensor | None = None
    mask: Tensor | None = None
    nothing: Context | None = None

    def __post_init__(self) -> None:
        if self.vector is None and self.sequence is None:
            raise ValueError("a context is a vector, a sequence, or both; found neither")

    @staticmethod
    def of(encoded: Tensor) -> Context:
        """Return the context of one tensor: a sequence where it is (B, L, D), else a vector."""
        return Context(sequence=encoded) if encoded.dim() == 3 else Context(encoded)

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The vector and the sequence, as far as they are there."""
        return tuple(tensor for tensor in (self.vector, self.sequence) if tensor is not None)

    @property
    def device(self) -> device:
        """The device of its tensors."""
        return self.tensors[0].device

    def __len__(self) -> int:
        return len(self.tensors[0])

    def map(self, each: Callable[[Tensor], Tensor]) -> Context:
        """Return the context with ``each`` applied to all of its tensors, those of ``nothing`` too."""
        vector, sequence, mask = (each(one) if one is not None else None for one in (self.vector, self.sequence, self.mask))
        return Context(vector, sequence, mask, self.nothing.map(each) if self.nothing is not None else None)

    def __getitem__(self, rows: Any) -> Context:
        """Return the rows at an index, a slice, or a tensor of indices or truths."""
        return self.map(lambda tensor: tensor[rows])

    def detach(self) -> Context:
        """Return the context without its graph."""
        return self.map(lambda tensor: tensor.detach())

    def repeat(self, n: int) -> Context:
        """Return all rows ``n`` times over: B -> n * B."""
        return self.map(lambda tensor: tensor.repeat(n, *[1] * (tensor.dim() - 1)))

    def repeat_interleave(self, n: int) -> Context:
        """Return each row ``n`` times, neighbours together: B -> B * n."""
        return self.map(lambda tensor: tensor.repeat_interleave(n, 0))

    def split(self, rows: int) -> list[Context]:
        """Return the context in pieces of so many rows; the last may have fewer."""
        return [self[start : start + rows] for start in range(0, len(self), rows)]

    def where(self, keep: Tensor, other: Context) -> Context:
        """Return the rows of this context where ``keep`` (B,) is true, and those of ``other`` elsewhere."""
        import torch

        def chosen(mine: Tensor | None, theirs: Tensor | None) -> Tensor | None:
            if mine is None or theirs is None:
                return None
            return torch.where(keep.reshape(-1, *(1,) * (mine.dim() - 1)), mine, theirs)

        mask, others = self.mask, other.mask
        if self.sequence is not None and other.sequence is not None and (mask is None) != (others is None):
            mask, others = _masks(self, self.sequence), _masks(other, other.sequence)
        vector, sequence = chosen(self.vector, other.vector), chosen(self.sequence, other.sequence)
        return Context(vector, sequence, chosen(mask, others), self.nothing)

    @staticmethod
    def cat(parts: Sequence[Context]) -> Context:
        """Return the rows of all ``parts``, one after another; sequences must be of one length."""
        import torch

        def joined(tensors: Sequence[Tensor | None]) -> Tensor | None:
            found = [tensor for tensor in tensors if tensor is not None]
            return torch.cat(found) if len(found) == len(tensors) else None

        nothing = [part.nothing for part in parts if part.nothing is not None]
        vector, sequence, mask = map(joined, zip(*((part.vector, part.sequence, part.mask) for part in parts), strict=True))
        return Context(vector, sequence, mask, Context.cat(nothing) if len(nothing) == len(parts) else None)


def _masks(context: Context, sequence: Tensor) -> Tensor:
    """Return the mask of a sequence; all tokens are there where none was given."""
    return context.mask if context.mask is not None else sequence.new_ones(sequence.shape[:2]).bool()


@dataclass
class LossOutput:
    """A scalar to minimise, and scalars to report by name, detached from the graph."""

    total: Tensor
    metrics: dict[str, Tensor] = field(default_factory=dict)


@dataclass
class State:
    """A step of a sampler's walk: the data so far (n, data), the number of the step, and how many there will be."""

    x: Tensor
    step: int
    steps: int


def vector_of(context: Context | None) -> Tensor | None:
    """Return the context's vector (B, ...), where there is one."""
    return context.vector if context is not None else None
