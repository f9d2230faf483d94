"""Every error that genframe raises on purpose.

    GenframeError
    ├── SpecError           a spec, an override or a composition is wrong; carries its problems
    ├── PluginError         a plugin is broken, missing or leaves its namespace
    ├── DataError           a data set is missing or not what its spec says
    ├── RunError            a run folder cannot be used (locked, not a run, already there)
    ├── CheckpointError     a checkpoint is damaged, hostile or of another model
    ├── StorageError        the volume is full or refuses to be written
    ├── NonFiniteError      training met NaN or infinity
    │   └── SpikeError      a loss jumped, and training is not to go on from there
    └── Unsupported         a model is asked for what its composition cannot do

A message says where, what was expected, what was found and what would do. The command line prints
it as it is and exits with the class's ``exit_code``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from .text import printable

__all__ = [
    "CheckpointError",
    "DataError",
    "GenframeError",
    "Mismatch",
    "NonFiniteError",
    "PluginError",
    "Problem",
    "RunError",
    "SpecError",
    "SpikeError",
    "StorageError",
    "Unsupported",
    "at",
]


class GenframeError(Exception):
    """Root of all errors that a user's input, plugins or files can cause."""

    exit_code = 1


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a spec, and where.

    ``path`` is dotted (``model.encoder.dim``), ``source`` the file, ``line`` and ``column`` count from 1.
    ``hint`` says what would do.
    """

    path: str
    message: str
    hint: str = ""
    source: str = ""
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        place = self.source
        if self.line is not None:
            place = f"{place or '<text>'}:{self.line}" + (f":{self.column}" if self.column is not None else "")
        head = " ".join(part for part in (f"{place}:" if place else "", f"{self.path}:" if self.path else "") if part)
        text = f"{head} {self.message}" if head else self.message
        return printable(f"{text}; {self.hint}" if self.hint else text)


class SpecError(GenframeError):
    """A spec, an override or a composition that cannot be; ``problems`` lists all that was found, its text the first twenty."""

    exit_code = 2
    shown = 20

    def __init__(self, problems: Sequence[Problem] | Problem | str) -> None:
        if isinstance(problems, str):
            problems = Problem("", problems)
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        more = len(self.problems) - self.shown
        told = [*map(str, self.problems[: self.shown]), *([f"and {more} problem{'s' * (more > 1)} more"] if more > 0 else [])]
        super().__init__("\n".join(told))


class PluginError(GenframeError):
    """A plugin that is broken or missing."""

    exit_code = 3


class DataError(GenframeError):
    """A data set that is missing or is not what its spec says."""

    exit_code = 4


class RunError(GenframeError):
    """A run folder that cannot be used."""

    exit_code = 5


class CheckpointError(GenframeError):
    """A checkpoint that is damaged, hostile or belongs to another model."""

    exit_code = 6


class StorageError(GenframeError):
    """The volume is full, over quota or read-only."""

    exit_code = 7


class NonFiniteError(GenframeError):
    """Training met NaN or infinity."""

    exit_code = 8


class SpikeError(NonFiniteError):
    """A loss jumped, in step ``first`` or later, which often ends in NaN; ``train.on_spike`` says not to continue."""

    def __init__(self, message: str, first: int) -> None:
        super().__init__(message)
        self.first = first


class Unsupported(GenframeError):
    """The model's composition cannot do what was asked; the message says why and what can."""

    exit_code = 9


class Mismatch(Exception):
    """Raised by a spec's pure functions when a space does not fit.

    ``check`` turns it into a :class:`SpecError` with the whole path; ``path`` holds what is known so far,
    innermost part first added by :func:`at`.
    """

    def __init__(self, message: str, hint: str = "", path: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.problem = Problem(".".join(path), message, hint)
        self.path = path

    def under(self, *path: str) -> Mismatch:
        """Return the same mismatch, seen from ``path`` above it."""
        return Mismatch(self.problem.message, self.problem.hint, (*path, *self.path))


@contextmanager
def at(*path: str) -> Iterator[None]:
    """Put ``path`` in front of the path of any :class:`Mismatch` raised inside."""
    try:
        yield
    except Mismatch as mismatch:
        raise mismatch.under(*path) from None
