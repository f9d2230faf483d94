"""Headings of tables: which first rows are taken as names, refused or asked about."""

from __future__ import annotations

from pathlib import Path

import pytest

from genframe import DataError
from genframe_data import Table

ALL = {"split": "block", "validation": 0, "test": 0, "standardise": False}


def _table(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "table.csv"
    path.write_bytes(text.encode(encoding))
    return path


def _rows(path: Path, **fields: object) -> list[list[float]]:
    return Table(path=path, **ALL, **fields).load().split("train").stored.tolist()  # type: ignore[arg-type]


def _took(path: Path, **fields: object) -> str:
    return str(Table(path=path, **fields).report())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("2019,2020\n5,7\n8,9\n", "2019, 2020"),  # years over whole numbers
        ("2019\n5\n8\n", "2019"),
        ("2019,2020\n0.5,0.7\n", "2019, 2020"),
        ("0,1,2\n5,6,7\n8,9,9\n", "0, 1, 2"),  # columns that were counted
        ("1,2\n0.5,0.7\n", "1, 2"),
        ("id,2020\n1,5\n2,6\n", "id, 2020"),  # a number among names
        ("2024-01-01,north\n2024-01-02,south\n", "2024-01-01, north"),  # a row of a table without numbers
    ],
)
def test_a_row_that_may_be_a_heading_is_asked_about(tmp_path: Path, text: str, first: str) -> None:
    """Check and train ask alike, with the field that decides; no row is lost in silence."""
    spec = Table(path=_table(tmp_path, text))
    for ask in (spec.data_space, spec.load):
        with pytest.raises(DataError) as caught:
            ask()
        assert str(caught.value).endswith(f": the first row, {first}, may be a heading; say heading: true or heading: false")


def test_the_field_decides(tmp_path: Path) -> None:
    """Years are names or a row, as it says; a name that is a number is a text."""
    path = _table(tmp_path, "2019,2020\n5,7\n8,9\n")
    assert _rows(path, heading=True) == [[5, 7], [8, 9]]
    assert _rows(path, heading=False) == [[2019, 2020], [5, 7], [8, 9]]
    assert _rows(path, heading=True, columns=("2020",)) == [[7], [9]]
    with pytest.raises(DataError, match="2020, found 2020 in 'columns'; write names that are numbers in quotes: '2020'"):
        Table(path=path, heading=True, columns=(2020,)).data_space()
    path = _table(tmp_path, "id,2020\n1,5\n2,6\n")
    assert _rows(path, heading=True) == [[1, 5], [2, 6]]
    assert _took(path, heading=True) == "took 2 of 2 columns: id, 2020"


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("1,2\n3,4\n", [[1, 2], [3, 4]]),
        ("2019,2020\n2021,2022\n", [[2019, 2020], [2021, 2022]]),
        ("true,false\ntrue,true\n", [[1, 0], [1, 1]]),
        ("1,2\n1.5,3\n", [[1, 2], [1.5, 3]]),
    ],
)
def test_a_row_like_those_below_is_none(tmp_path: Path, text: str, rows: list[list[float]]) -> None:
    """Numbers over such numbers are a row."""
    assert _rows(_table(tmp_path, text)) == rows


def test_rows_without_numbers_are_told_from_names(tmp_path: Path) -> None:
    """A first row of missing values is a row, and infinite values below whole numbers are no decimals."""
    path = _table(tmp_path, "nan,NA\n1,2\n")
    assert _rows(path, missing="drop") == [[1, 2]]
    assert str(Table(path=path, missing="drop", **ALL).load().report).startswith("took 1 rows of 2 columns; left out 1 rows")
    assert _rows(_table(tmp_path, "1,2\nnan,3\n"), missing="drop") == [[1, 2]]
    with pytest.raises(DataError, match=r"found 1 of others: 1 \('inf' at line 2\); choose others by 'columns'"):
        Table(path=_table(tmp_path, "1,2\nnan,inf\n")).load()


def test_a_name_that_two_columns_have(tmp_path: Path) -> None:
    """The others keep theirs; asked for by it, the choice is told."""
    path = _table(tmp_path, "a,b,a\n1,2,3\n")
    assert _rows(path) == [[1, 2, 3]]
    assert _rows(path, columns=("b", 2)) == [[2, 3]]
    assert _took(path, columns=("b", 2)) == "took 2 of 3 columns: b, a"
    with pytest.raises(DataError, match="a names columns 0 and 2; say their numbers in 'columns'"):
        Table(path=path, columns=("a",)).data_space()


def test_a_column_without_a_name_has_its_number(tmp_path: Path) -> None:
    """As the first one that pandas writes."""
    path = _table(tmp_path, ",a\n0,1.5\n1,2.5\n")
    assert _took(path) == "took 2 of 2 columns: 0, a"
    assert _rows(path, columns=("a",)) == [[1.5], [2.5]]


def test_names_behind_a_mark_of_comments(tmp_path: Path) -> None:
    """A comment above the first row with a name for each column is the heading; later ones are counted."""
    path = _table(tmp_path, "# of 2024\n#id,mass\n1,2.5\n#2,3.5\n4,5\n")
    said = "took the names from the comment above the first row"
    assert _took(path) == f"took 2 of 2 columns: id, mass; {said}; left out 1 lines that start with #"
    assert _rows(path, columns=("mass",)) == [[2.5], [5]]
    assert _took(path, heading=False).startswith("took 2 of 2 columns: 0, 1; left out")
    assert _took(_table(tmp_path, "# made by hand\n1,2.5\n")) == "took 2 of 2 columns: 0, 1"


def test_a_comment_is_none_within_quotes(tmp_path: Path) -> None:
    """A line that a quoted cell begins or goes through is of the table."""
    path = _table(tmp_path, '"a","of\n#1"\n1,2\n"#4",3\n')
    assert _took(path) == "took 2 of 2 columns: a, of #1"
    assert _rows(path, columns=("of #1",)) == [[2], [3]]


def test_names_with_blanks_between_tabs(tmp_path: Path) -> None:
    """A tab separates, also where names have blanks."""
    path = _table(tmp_path, "mass dry\twidth\n1\t2\n3\t4\n")
    assert _took(path) == "took 2 of 2 columns: mass dry, width"
    assert _rows(path, columns=("mass dry",)) == [[1], [3]]


def test_names_with_line_breaks_and_marks(tmp_path: Path) -> None:
    """Quoted line breaks become blanks, lines are counted as an editor does, and a mark within a name is none."""
    path = _table(tmp_path, '"mass\ndry",b\n1,2\n3,x\n')
    assert _rows(path, columns=("mass dry",)) == [[1], [3]]
    with pytest.raises(DataError, match=r"b \('x' at line 4\)"):
        Table(path=path).load()
    assert _took(_table(tmp_path, "mass (kg; dry),b\n1,2\n")) == "took 2 of 2 columns: mass (kg; dry), b"


def test_a_quote_without_end_is_refused(tmp_path: Path) -> None:
    """It would swallow rows, even where its column is not asked for."""
    path = _table(tmp_path, 'a,b\n1,2\n3,"4\n5,6\n')
    with pytest.raises(DataError, match=r"table.csv:4: expected whole quoted cells, found others: unexpected end of data"):
        Table(path=path, columns=("a",)).load()


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", ""),
        ("utf-8-sig", ""),
        ("utf-16", "; read as UTF-16"),
        ("utf-16-be", "; read as UTF-16"),
        ("latin-1", "; read as Latin-1"),
    ],
)
def test_names_in_any_encoding(tmp_path: Path, encoding: str, said: str) -> None:
    """The report says which was found, but for UTF-8."""
    path = _table(tmp_path, "Größe,b\n1,2\n3,4\n", encoding)
    assert _took(path) == "took 2 of 2 columns: Größe, b" + said
    assert _rows(path, columns=("Größe",)) == [[1], [3]]
    assert str(Table(path=path, **ALL).load().report) == "took 2 rows of 2 columns" + said
