"""The spec of a data set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ..types.report import Report
from ..types.spaces import Categorical, Space
from ..types.text import Tokenizer
from .base import ComponentSpec, Kind

if TYPE_CHECKING:
    from ..roles.data import Dataset

__all__ = ["DatasetSpec"]


class DatasetSpec(ComponentSpec):
    """Where data come from and how they are split and prepared."""

    kind: ClassVar[Kind] = "dataset"

    def data_space(self) -> Space:
        """Return the space of one example; may read a file's header, never its content.

        :raises DataError: where the files are missing or not what the spec says.
        """
        raise NotImplementedError(f"{type(self).__name__}.data_space")

    def condition_space(self) -> Space | None:
        """Return the space of the condition (labels), or ``None`` where the data has none."""
        return None

    def attributes(self) -> Mapping[str, tuple[str, ...]]:
        """Return the labels that the data have, by name, each with the names of its classes in their order.

        They need not be given as the condition; :meth:`labelled` gives them. Unless a data set says more, it has its condition,
        under the name ``label``.

        :raises DataError: where the files are missing or not what the spec says.
        """
        space = self.condition_space()
        return {"label": tuple(map(str, range(space.size)))} if isinstance(space, Categorical) and not space.shape else {}

    def label_name(self) -> str | None:
        """Return which of :meth:`attributes` is given as the condition, or ``None``."""
        return "label" if self.condition_space() is not None else None

    def labelled(self, attribute: str) -> DatasetSpec:
        """Return the same data, in the same splits and order, with one of :meth:`attributes` as the condition."""
        return self

    def report(self) -> Report | None:
        """Return what the files would give, what would be skipped and what is empty; ``None`` where there is nothing to say.

        Reads no more than :meth:`data_space` and :meth:`condition_space` do.

        :raises DataError: where the files are missing or not what the spec says.
        """
        return None

    def tokenizer(self, run: Path | None = None) -> Tokenizer | None:
        """Return what turns examples, which are tokens of text, into text and back; ``None`` for other data.

        Where the folder of a ``run`` on the data keeps it, the data's own files are not read.

        :raises DataError: where it cannot be read.
        """
        return None

    def load(self) -> Dataset:
        """Read the data.

        :raises DataError: where the files are missing or not what the spec says.
        """
        raise NotImplementedError(f"{type(self).__name__}.load")
