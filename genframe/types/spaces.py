"""What a tensor means: the spaces between which the parts of a model map.

Shapes leave out the batch. No space knows torch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeAlias

from .errors import DataError, Mismatch

__all__ = [
    "Categorical",
    "ContextSpace",
    "Real",
    "Space",
    "Spaces",
    "alike",
    "format_shape",
    "projected",
    "require_categorical",
    "require_real",
    "space_from_dict",
    "vector_dims",
]

ENCODE: Final = "encode classes first, with core/one_hot or nets/embedding"


def format_shape(shape: tuple[int, ...]) -> str:
    """Return ``(1, 8, 8)`` as ``1×8×8``, a scalar's shape as ``scalar``."""
    return "×".join(map(str, shape)) or "scalar"


def _checked_shape(shape: object) -> tuple[int, ...]:
    if not isinstance(shape, (tuple, list)) or any(type(size) is not int or size < 1 for size in shape):
        raise ValueError(f"a shape is a list of whole numbers of at least 1, found {shape!r}")
    return tuple(shape)


@dataclass(frozen=True)
class Real:
    """Float tensors of ``shape``, within ``[low, high]`` where bounds are given.

    ``levels`` remembers that values lie on a grid of so many equidistant values from ``low`` to
    ``high`` (8-bit images: 256). ``dequantised`` says that uniform noise of one bin was added, so
    that bin k of ``levels`` covers ``low + (high - low) * [k, k + 1) / levels`` and a continuous
    density makes sense. Both are needed for honest bits per dimension.
    """

    shape: tuple[int, ...]
    low: float | None = None
    high: float | None = None
    levels: int | None = None
    dequantised: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", _checked_shape(self.shape))
        if (self.low is None) != (self.high is None):
            raise ValueError("give both of low and high, or neither")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError(f"low must be less than high, found [{self.low}, {self.high}]")
        if self.levels is not None and (self.levels < 2 or self.low is None):
            raise ValueError("levels needs bounds and a number of at least 2")
        if self.dequantised and self.levels is None:
            raise ValueError("a dequantised space says from how many levels")

    @property
    def dims(self) -> int:
        """Number of dimensions: the product of the shape."""
        return math.prod(self.shape)

    @property
    def bounded(self) -> bool:
        """Whether values lie within ``[low, high]``."""
        return self.low is not None

    @property
    def discrete(self) -> bool:
        """Whether values lie on a grid, so that a continuous density of them would be meaningless."""
        return self.levels is not None and not self.dequantised

    @property
    def bin_width(self) -> float:
        """Width of one dequantised bin, in units of the data.

        :raises ValueError: where the space has no levels.
        """
        if self.levels is None or self.low is None or self.high is None:
            raise ValueError(f"{self} has no levels")
        return (self.high - self.low) / self.levels

    def to_dict(self) -> dict[str, Any]:
        """Return plain data from which :func:`space_from_dict` makes the space again."""
        return {"kind": "real", **asdict(self), "shape": list(self.shape)}

    def __str__(self) -> str:
        text = f"Real({format_shape(self.shape)}"
        if self.low is not None and self.high is not None:
            text += f", {self.low:g} to {self.high:g}"
        if self.levels is not None:
            text += f", {self.levels} levels" + (" dequantised" if self.dequantised else "")
        return text + ")"


@dataclass(frozen=True)
class Categorical:
    """int64 tensors of ``shape`` with values ``0 .. size - 1``."""

    shape: tuple[int, ...]
    size: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", _checked_shape(self.shape))
        if self.size < 2:
            raise ValueError(f"a categorical space has at least 2 values, found {self.size}")

    @property
    def dims(self) -> int:
        """Number of dimensions: the product of the shape."""
        return math.prod(self.shape)

    @property
    def discrete(self) -> bool:
        """Always true: the values are classes."""
        return True

    def to_dict(self) -> dict[str, Any]:
        """Return plain data from which :func:`space_from_dict` makes the space again."""
        return {"kind": "categorical", **asdict(self), "shape": list(self.shape)}

    def __str__(self) -> str:
        return f"Categorical({format_shape(self.shape)}, {self.size} values)"


Space: TypeAlias = Real | Categorical


@dataclass(frozen=True)
class ContextSpace:
    """What a condition is encoded to: a vector of any shape, a sequence (L, D) of L tokens of D values, or both."""

    vector: Real | None = None
    sequence: Real | None = None

    def __post_init__(self) -> None:
        if self.vector is None and self.sequence is None:
            raise ValueError("a context is a vector, a sequence, or both; found neither")
        if self.sequence is not None and len(self.sequence.shape) != 2:
            raise ValueError(f"a sequence has the shape (L, D), found {self.sequence}")

    @staticmethod
    def of(space: Space) -> ContextSpace:
        """Return the context that an encoder's output of ``space`` makes: a sequence where it is (L, D), else a vector.

        :raises Mismatch: if the output is of classes.
        """
        real = require_real(space, "a context")
        return ContextSpace(sequence=real) if len(real.shape) == 2 else ContextSpace(real)

    def __str__(self) -> str:
        vector = f"a vector of {format_shape(self.vector.shape)}" if self.vector is not None else ""
        sequence = "a sequence of {} vectors of {}".format(*self.sequence.shape) if self.sequence is not None else ""
        return " and ".join(part for part in (vector, sequence) if part)


@dataclass(frozen=True)
class Spaces:
    """The spaces between the parts of a model; ``context`` is that of the encoded condition, where there is one."""

    data: Space
    latent: Space
    code: Space
    context: ContextSpace | None = None

    def between(self, latent: Space, data: Space) -> Spaces:
        """Return the spaces around a network within a part, which maps ``latent`` to ``data`` and reads the same context.

        A part never hands its own spaces on to its network, whose output is seldom the part's own: the network of a likelihood
        gives parameters, not data.
        """
        return Spaces(data, latent, latent, self.context)


def alike(one: Space, other: Space) -> bool:
    """Check that data of both differ at most in their bounds, and in noise within their levels."""
    if isinstance(one, Real) and isinstance(other, Real):
        return one == other or (one.bounded and (one.shape, one.levels, True) == (other.shape, other.levels, other.bounded))
    return one == other


def space_from_dict(value: object) -> Space:
    """Return the space that ``to_dict`` described.

    :raises DataError: if it is not the description of a space.
    """
    kinds: dict[object, type[Real] | type[Categorical]] = {"real": Real, "categorical": Categorical}
    if not isinstance(value, Mapping) or value.get("kind") not in kinds:
        raise DataError(f"expected a space with kind real or categorical, found {value!r}")
    try:
        return kinds[value["kind"]](**{key: entry for key, entry in value.items() if key != "kind"})
    except (TypeError, ValueError) as error:
        raise DataError(f"not a space: {error}") from None


def require_real(space: Space, who: str, *, rank: int | None = None, continuous: bool = False, hint: str = ENCODE) -> Real:
    """Return ``space`` if it is real, has ``rank`` axes where given, and has no grid where ``continuous`` values are needed.

    :raises Mismatch: otherwise, naming ``who`` needs it; without a ``hint`` what fits is listed.
    """
    if not isinstance(space, Real):
        raise Mismatch(f"{who} needs real values, found {space}", hint)
    if rank is not None and len(space.shape) != rank:
        raise Mismatch(f"{who} needs {rank} {'axis' if rank == 1 else 'axes'}, found {space}")
    if continuous and space.discrete:
        raise Mismatch(f"{who} needs continuous values, found {space}", "set dequantise: true in the data")
    return space


def require_categorical(space: Space, who: str, hint: str = "") -> Categorical:
    """Return ``space`` if it is of classes.

    :raises Mismatch: otherwise, naming ``who`` needs it; without a ``hint`` what fits is listed.
    """
    if not isinstance(space, Categorical):
        raise Mismatch(f"{who} needs classes, found {space}", hint)
    return space


def projected(features: Space, channels: int) -> Real:
    """Return the space of features after a linear head: ``channels`` in the place of their first axis."""
    return Real((channels, *require_real(features, "a linear head").shape[1:]))


def vector_dims(context: ContextSpace | None) -> int:
    """Return the size of the context's flattened vector, zero where there is none."""
    return context.vector.dims if context is not None and context.vector is not None else 0
