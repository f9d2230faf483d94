"""Cells of tables: notations of numbers, missing values, booleans, dates."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from genframe import DataError, SpecError
from genframe_data import Table
from genframe_data import lines as module

ALL = {"split": "block", "validation": 0, "test": 0, "standardise": False}


def _table(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text)
    return path


def _rows(path: Path, **fields: object) -> list[list[float]]:
    return Table(path=path, **ALL, **fields).load().split("train").stored.tolist()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "fields", "hint"),
    [
        ("a;b\n0,0;2\n", {}, 'say decimal: ","'),
        ("0,0;0,0\n1,5;2,5\n", {}, 'say decimal: ","'),
        ("a;b\n1.5;2\n", {"decimal": ","}, 'say decimal: "."'),
        ("a;b\n1.000,5;2\n", {"decimal": ","}, 'say thousands: "."'),
        ("a;b\n1.000,5;2\n", {}, 'say decimal: "," and thousands: "."'),
        ("a;b\n1,000.5;2\n", {}, 'say thousands: ","'),
        ("a;b\n1 000;2\n", {}, 'say thousands: " "'),
        ("a;b\n1,000;2\n", {}, 'say decimal: "," or thousands: ","'),
        ("a;b\n1_00;2\n", {}, "write numbers without underscores"),
        ("a;b\n2024-01-31;2\n", {}, "save dates as numbers, such as days"),
        ("a;b\n31.01.2024;2\n", {}, "save dates as numbers, such as days"),
        ("a;b\nfox;2\n", {}, "take words as classes by categories: [a]"),
        ("a;b\n1.00,5;2\n", {"decimal": ",", "thousands": "."}, "choose others by 'columns'"),
    ],
)
def test_what_would_read_a_cell_is_told(tmp_path: Path, text: str, fields: dict[str, str], hint: str) -> None:
    """Nothing but numbers in the notation that is said is read as one."""
    with pytest.raises(DataError) as caught:
        Table(path=_table(tmp_path, text), **fields).load()  # type: ignore[arg-type]
    assert f"); {hint}" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "fields", "rows"),
    [
        ("a;b\n1.000,5;-2\n", {"decimal": ",", "thousands": "."}, [[1000.5, -2]]),
        ("a;b\n1,234,000.5;2\n", {"thousands": ","}, [[1234000.5, 2]]),
        ("a;b\n1\u00a0000,5;2\n", {"decimal": ",", "thousands": " "}, [[1000.5, 2]]),
        ("1,5\n2,5\n", {"decimal": ","}, [[1.5], [2.5]]),  # one column
        ('"1,5","2"\n"3,5","4"\n', {"decimal": ","}, [[1.5, 2], [3.5, 4]]),
    ],
)
def test_numbers_are_read_in_the_notation_that_is_said(
    tmp_path: Path, text: str, fields: dict[str, str], rows: list[list[float]]
) -> None:
    """With groups of three digits, and decimals."""
    assert _rows(_table(tmp_path, text), **fields) == rows


def test_one_mark_cannot_be_both(tmp_path: Path) -> None:
    """It is refused before any file is read."""
    with pytest.raises(SpecError, match='decimal and thousands are both ","; say another of them'):
        Table(path=tmp_path, decimal=",", thousands=",")


def test_missing_values_become_the_mean_of_the_training_rows(tmp_path: Path) -> None:
    """Rows held out have no part in it; the protocol and the report count what was filled."""
    path = _table(tmp_path, "a,b\n1,2\n,4\n6,NA\n100,200\n,300\n")
    spec = Table(path=path, missing="mean", split="block", validation=0, test=2, standardise=False)
    data = spec.load()
    assert data.split("train").stored.tolist() == [[1, 2], [3.5, 4], [6, 3]]
    assert data.split("test").stored.tolist() == [[100, 200], [3.5, 300]]
    assert data.split("train").protocol["missing"] == {"filled by the training rows' mean": {"a": 2, "b": 1}}
    said = "took 5 rows of 2 columns; filled 3 missing values by the training rows' mean: 2 of a, 1 of b"
    assert str(data.report) == said
    standard = spec.model_copy(update={"standardise": True}).load()
    torch.testing.assert_close(standard.split("train").stored.mean(0), torch.zeros(2), atol=1e-6, rtol=0)


def test_a_column_without_a_mean_is_refused(tmp_path: Path) -> None:
    """Of numbers where no training row has one, and of words."""
    with pytest.raises(DataError, match="no training row has a value of a; choose others by 'columns'"):
        Table(path=_table(tmp_path, "a,b\n,2\n,4\n5,6\n"), missing="mean", split="block", validation=0, test=1).load()
    with pytest.raises(DataError, match=r"\(1, first at line 3\): classes have no mean; leave rows out with missing: drop"):
        Table(path=_table(tmp_path, "s,b\nfox,2\n,4\nowl,6\n"), missing="mean", categories=("s",)).load()


def test_true_and_false_are_said(tmp_path: Path) -> None:
    """They are 1 and 0."""
    path = _table(tmp_path, "a,wet\n1,True\n2,false\n")
    assert _rows(path) == [[1, 1], [2, 0]]
    assert str(Table(path=path, **ALL).load().report) == "took 2 rows of 2 columns; read true and false as 1 and 0 in wet"


@pytest.mark.parametrize("cell", ["north", "2024-01-31", "", "1_00", '"a;\nb"'])
def test_columns_that_are_not_asked_for_do_no_harm(tmp_path: Path, cell: str) -> None:
    """Whatever they hold."""
    path = _table(tmp_path, f"site;width\n{cell};1.5\n{cell};2.5\n")
    assert _rows(path, columns=("width",)) == [[1.5], [2.5]]


def test_other_bytes_far_below_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The encoding is found from the start of a file; what does not fit it is named by its line."""
    monkeypatch.setattr(module, "CHUNK", 8)
    monkeypatch.setattr(module, "PROBED", 16)
    path = tmp_path / "table.csv"
    path.write_bytes(b"a,b\n" + b"1,2\n" * 10 + b"\xe9,3\n")
    with pytest.raises(DataError, match=r"table.csv:12: expected utf-8 as before, found other bytes; save it in one encoding"):
        Table(path=path).load()


def test_a_spreadsheet_is_refused(tmp_path: Path) -> None:
    """With what would do."""
    path = tmp_path / "table.csv"
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(DataError, match="found a spreadsheet or another archive; save it as CSV"):
        Table(path=path).data_space()
