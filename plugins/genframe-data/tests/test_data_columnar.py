"""Tables of typed columns: Parquet, Arrow and Feather."""

from __future__ import annotations

import datetime
import importlib.util
import sys
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
import torch
from pyarrow import feather

from genframe import DataError, Real
from genframe_data import Table

ALL = {"split": "block", "validation": 0, "test": 0, "standardise": False}
COLUMNS = {
    "width": [1.5, 2.25, None, 4.0],
    "count": [3, 1, 2, 4],
    "wet": [True, False, True, True],
    "species": ["fox", "owl", "fox", "owl"],
    "day": [datetime.date(2024, 1, 1 + i) for i in range(4)],
}


def _write(path: Path, table: pyarrow.Table) -> Path:
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(table, path)
    else:
        feather.write_feather(table, path)
    return path


@pytest.fixture(params=[".parquet", ".feather", ".arrow"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The table in each format."""
    return _write(tmp_path / f"table{request.param}", pyarrow.table(COLUMNS))


@pytest.mark.parametrize(
    "fields",
    [
        {"columns": ("count", "wet")},
        {"columns": ("wet", 0), "missing": "drop"},
        {"columns": ("width",), "categories": ("species",), "missing": "mean"},
        {"columns": ("count",), "label": "species"},
    ],
)
def test_the_same_is_read_as_from_text(path: Path, tmp_path: Path, fields: dict[str, object]) -> None:
    """Both readers give the same values, spaces, reports and digests."""
    lines = [",".join("" if cell is None else str(cell) for cell in row) for row in zip(*COLUMNS.values(), strict=True)]
    text = tmp_path / "table.csv"
    text.write_text("\n".join([",".join(COLUMNS), *lines]))
    typed, plain = (Table(path=where, **ALL, **fields) for where in (path, text))  # type: ignore[arg-type]
    assert typed.data_space() == plain.data_space()
    assert typed.report() == plain.report()
    one, other = typed.load(), plain.load()
    assert torch.equal(one.split("train").stored, other.split("train").stored)
    assert one.split("train").protocol == other.split("train").protocol
    assert (one.report, one.classes, one.files) == (other.report, other.classes, other.files)


def test_numbers_of_every_type(path: Path) -> None:
    """Whole and short ones, dictionaries and decimals; indices of classes are none."""
    numbers = pyarrow.table(
        {
            "short": pyarrow.array([1.5, 2.5], pyarrow.float32()),
            "byte": pyarrow.array([0, 255], pyarrow.uint8()),
            "exact": pyarrow.array([1, 2]).cast(pyarrow.decimal128(21, 1)),
            "coded": pyarrow.array(["4", "0.5"]).dictionary_encode(),
        }
    )
    spec = Table(path=_write(path, numbers), **ALL)
    assert spec.data_space() == Real((4,))
    assert spec.load().split("train").stored.tolist() == [[1.5, 0, 1, 4], [2.5, 255, 2, 0.5]]


def test_what_is_no_number_is_named_by_row(path: Path) -> None:
    """All columns at once, only where they are asked for; missing values too."""
    with pytest.raises(DataError, match=r"species \('fox' at row 1\), day \(the date '2024-01-01' at row 1\); save dates"):
        Table(path=path, columns=("species", "day")).load()
    with pytest.raises(DataError, match=r"missing values in width \(1, first at row 3\)"):
        Table(path=path, columns=("width",)).load()
    _write(path, pyarrow.table({"a": [1.0, float("inf")]}))
    with pytest.raises(DataError, match=r"a \('inf' at row 2\)"):
        Table(path=path).load()


def test_a_damaged_file_is_refused(path: Path) -> None:
    """By its name, also where text lies under it."""
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match=rf"{path.name}: expected a whole (Parquet|Arrow) file, found a damaged one"):
        Table(path=path).data_space()
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=rf"{path.name}: expected a whole (Parquet|Arrow) file, found a damaged one"):
        Table(path=path).load()


def test_the_first_bytes_tell_too(path: Path, tmp_path: Path) -> None:
    """A file of another name is read as what it is."""
    other = path.rename(tmp_path / "table.data")
    assert str(Table(path=other, columns=("count",)).report()) == "took 1 of 5 columns: count"


def test_without_the_package_it_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the extra that brings it; text is read without."""
    real = importlib.util.find_spec
    monkeypatch.setattr("genframe_data.columnar.find_spec", lambda name: None if name == "pyarrow" else real(name))
    with pytest.raises(DataError, match=r"need the package pyarrow, .*; pip install 'genframe-data\[tables\]', or save"):
        Table(path=path).data_space()
    path.with_suffix(".csv").write_text("a\n1\n")
    for name in [name for name in sys.modules if name.partition(".")[0] == "pyarrow"]:
        monkeypatch.delitem(sys.modules, name)
    assert Table(path=path.with_suffix(".csv")).data_space() == Real((1,))
    assert "pyarrow" not in sys.modules


def test_two_columns_of_one_name(tmp_path: Path) -> None:
    """Parquet cannot tell them apart: asked for, they are refused."""
    twice = pyarrow.Table.from_arrays([pyarrow.array([1.0]), pyarrow.array([2.0]), pyarrow.array([3.0])], names=["a", "a", "b"])
    path = _write(tmp_path / "table.parquet", twice)
    assert Table(path=path, columns=("b",), **ALL).load().split("train").stored.tolist() == [[3.0]]
    with pytest.raises(DataError, match="two columns are named a; choose others by 'columns'"):
        Table(path=path, columns=(1,)).load()
