"""Tables of columns with types, Parquet and Arrow (Feather), read by the package pyarrow."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np

from genframe import DataError

from .columns import Column, TableFile
from .files import require_memory

__all__ = ["Columnar", "is_columnar"]

SUFFIXES: Final = frozenset({".parquet", ".feather", ".arrow"})
MARKS: Final = (b"PAR1", b"ARRO", b"FEA1")


def is_columnar(path: Path) -> bool:
    """Return whether a file is Parquet, Arrow or Feather, by its name or its first bytes."""
    if path.suffix.lower() in SUFFIXES:
        return True
    try:
        with path.open("rb") as stream:
            return stream.read(4) in MARKS
    except OSError:
        return False  # the reader of text says why


class Columnar:
    """A table of typed columns; only its schema is read at once.

    :raises DataError: if pyarrow is not installed, or the file is damaged.
    """

    unit: Final = "row"

    def __init__(self, file: TableFile) -> None:
        self.path = file.file()
        if find_spec("pyarrow") is None:
            raise DataError(
                f"{self.path}: Parquet and Arrow files need the package pyarrow, which is not installed; "
                "pip install 'genframe-data[tables]', or save the table as CSV"
            )
        with self.path.open("rb") as stream:
            self._parquet = stream.read(4) == b"PAR1" or self.path.suffix.lower() == ".parquet"
        self.names: tuple[str, ...] = tuple(self._read(None).names)

    def notes(self) -> tuple[str, ...]:
        """Return nothing: such files leave no choice."""
        return ()

    def fill(self, places: Sequence[int], columns: Sequence[Column]) -> None:
        """Read the columns at ``places``.

        :raises DataError: if they do not fit into memory, or are damaged.
        """
        table = self._read(sorted(places))
        for place, column in zip(places, columns, strict=True):
            _fill(column, table.column(sorted(places).index(place)))

    def _read(self, places: list[int] | None) -> Any:
        """Return the schema, or the table of the columns at ``places``."""
        import pyarrow

        try:
            return self._parquet_table(places) if self._parquet else self._arrow_table(places)
        except (pyarrow.ArrowException, OSError, ValueError) as error:
            what, said = "Parquet" if self._parquet else "Arrow", str(error).splitlines()[0][:200]
            raise DataError(f"{self.path}: expected a whole {what} file, found a damaged one ({said})") from None

    def _parquet_table(self, places: list[int] | None) -> Any:
        from pyarrow.parquet import ParquetFile

        with ParquetFile(self.path) as found:
            if places is None:
                return found.schema_arrow
            require_memory(16 * found.metadata.num_rows * len(places), str(self.path))
            names = [self.names[place] for place in places]
            twice = [name for name in names if self.names.count(name) > 1]
            if twice:
                raise DataError(f"{self.path}: two columns are named {twice[0]}; choose others by 'columns'")
            return found.read(columns=names).select(names)

    def _arrow_table(self, places: list[int] | None) -> Any:
        import pyarrow
        from pyarrow import ipc

        with pyarrow.OSFile(str(self.path)) as source:
            if places is None:
                return ipc.open_file(source).schema
            options = ipc.IpcReadOptions(included_fields=places)
            return ipc.open_file(source, options=options).read_all()


def _fill(column: Column, found: Any) -> None:
    """Read a column: numbers at once, all else cell by cell, as text is read."""
    from pyarrow import types

    if (types.is_integer(found.type) or types.is_floating(found.type)) and not column.of_classes:
        values = found.cast("float64", safe=False).to_numpy()
        if np.isfinite(values).all():
            column.values = array("d", values.tobytes())
            return
    for row, value in enumerate(found.to_pylist(), start=1):
        column.add(_text(value), row)


def _text(value: Any) -> str:
    """Return a value as a table of text has it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return value.strip() if isinstance(value, str) else str(value)
