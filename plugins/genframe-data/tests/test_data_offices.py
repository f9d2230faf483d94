"""Tables as offices write them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genframe import DataError, Real
from genframe.cli import main
from genframe_data import Table

ROWS = [[f"{value:.3f}" for value in row] for row in np.random.RandomState(0).randn(60, 3) * [1, 20, 3] + [5, 100, 0]]
ALL = {"split": "block", "validation": 0, "test": 0, "standardise": False}


def _write(folder: Path, heading: str, lines: list[str], encoding: str = "utf-8") -> Path:
    path = folder / "table.csv"
    path.write_text("\n".join([heading, *lines]), encoding=encoding)
    return path


def _numbers(spec: Table) -> np.ndarray:
    return spec.load().split("train").stored.numpy()


@pytest.mark.parametrize(
    ("heading", "line", "fields"),
    [
        ("width,mass,shift", "{0},{1},{2}", {}),
        ("2019,2020,2021", "{0},{1},{2}", {"heading": True, "columns": ("2019", "2020")}),
        ("width,mass,shift", "{0},{1},", {"columns": ("width", "mass")}),
        ('"width","mass","shift"', '"{0}","{1}","{2}"', {}),
        ("site,width,mass", "north,{0},{1}", {"columns": ("width", "mass")}),
        ("day,width,mass", "2024-01-31,{0},{1}", {"columns": (1, 2)}),
        ("width,mass,mode", "{0},{1},7", {"drop_constant": True}),
    ],
)
def test_columns_that_are_asked_for_are_read_whatever_the_others_hold(
    tmp_path: Path, heading: str, line: str, fields: dict[str, Any]
) -> None:
    """Plain, years, missing values, quotes, words, dates, constants: the same numbers, in the space that check tells."""
    path = _write(tmp_path, heading, [line.format(*row) for row in ROWS])
    spec = Table(path=path, **ALL, **fields)
    numbers = _numbers(spec)
    assert np.array_equal(numbers[:, :2], np.array(ROWS, np.float32)[:, :2])
    assert spec.data_space() == Real(numbers.shape[1:])


def test_headings_quotes_and_other_encodings_are_read(tmp_path: Path) -> None:
    """They give the same numbers; columns are taken by name."""
    plain = np.array(ROWS, np.float64)
    quoted = [",".join(f'"{value}"' for value in row) for row in ROWS]
    for encoding, said in (("utf-8", ""), ("utf-8-sig", ""), ("utf-16", "; read as UTF-16"), ("utf-16-le", "; read as UTF-16")):
        path = _write(tmp_path, '"width","mass, dry","shift"', quoted, encoding)
        assert Table(path=path).data_space() == Real((3,))
        assert str(Table(path=path, columns=("shift", 0)).report()) == "took 2 of 3 columns: shift, width" + said
        assert np.array_equal(_numbers(Table(path=path, **ALL)), plain.astype(np.float32))
        assert np.array_equal(_numbers(Table(path=path, columns=("shift", 0), **ALL)), plain[:, [2, 0]].astype(np.float32))


def test_a_heading_of_numbers_is_asked_about(tmp_path: Path) -> None:
    """Years over a table of decimals may be a row or a heading."""
    path = _write(tmp_path, "2019,2020,2021", [",".join(row) for row in ROWS])
    with pytest.raises(DataError, match="2019, 2020, 2021, may be a heading; say heading: true or heading: false"):
        Table(path=path).data_space()
    assert len(_numbers(Table(path=path, heading=True, **ALL))) == 60
    assert len(_numbers(Table(path=path, heading=False, **ALL))) == 61
    assert np.array_equal(
        _numbers(Table(path=path, heading=True, columns=("2020",), **ALL)).flatten(), np.float32(np.array(ROWS)[:, 1])
    )


def test_decimal_commas_are_read_where_they_are_said(tmp_path: Path) -> None:
    """A dot is then no decimal, and never dropped in silence."""
    path = _write(tmp_path, "a;b", ["1,5;2", "2,5;-3,25"])
    assert _numbers(Table(path=path, decimal=",", **ALL)).tolist() == [[1.5, 2], [2.5, -3.25]]
    with pytest.raises(DataError, match=r"found 2 of others: a \('1,5' at line 2\), b"):
        Table(path=path, **ALL).load()
    _write(tmp_path, "a;b", ["1.5;2,5"])
    with pytest.raises(DataError, match=r"found 1 of others: a \('1.5' at line 2\)"):
        Table(path=path, decimal=",", **ALL).load()


def test_missing_values_are_counted_or_left_out(tmp_path: Path) -> None:
    """All columns with some are named at once; those that are not asked for do no harm."""
    rows = [list(row) for row in ROWS]
    for number, text in enumerate(("", "NA", "nan", "?")):
        rows[17 * number + 3][1] = text
    path = _write(tmp_path, "width,mass,shift", [",".join(row) for row in rows])
    with pytest.raises(DataError, match=r"missing values in mass \(4, first at line 5\); leave their rows out"):
        Table(path=path).load()
    data = Table(path=path, missing="drop", **ALL).load()
    assert len(data.split("train")) == 56
    assert data.split("train").protocol["rows"] == {"taken": 56, "with missing values": 4}
    assert str(data.report) == "took 56 rows of 3 columns; left out 4 rows with missing values"
    assert len(_numbers(Table(path=path, columns=("width", "shift"), **ALL))) == 60


def test_text_and_dates_are_refused_by_name(tmp_path: Path) -> None:
    """All at once, and only where they are asked for; true and false are 1 and 0."""
    lines = [f"north,2024-01-{i % 28 + 1:02},{row[0]},{str(i % 2 == 0).lower()}" for i, row in enumerate(ROWS)]
    path = _write(tmp_path, "site,day,width,wet", lines)
    with pytest.raises(
        DataError, match=r"site \('north' at line 2\), day \(the date '2024-01-01' at line 2\); save dates as numbers"
    ):
        Table(path=path).load()
    assert _numbers(Table(path=path, columns=("width", "wet"), **ALL))[:2, 1].tolist() == [1, 0]
    with pytest.raises(DataError, match="from 0 to 3 or of site, day, width, wet, found 9, depth in 'columns'"):
        Table(path=path, columns=(9, "width", "depth")).data_space()


def test_constant_columns_are_named_at_once_or_left_out(tmp_path: Path) -> None:
    """The report says which."""
    path = _write(tmp_path, "width,flag,mode", [f"{row[0]},1,7" for row in ROWS])
    with pytest.raises(DataError, match="columns flag, mode are constant; say drop_constant: true"):
        Table(path=path).load()
    spec = Table(path=path, drop_constant=True)
    assert spec.data_space() == Real((1,))
    assert str(spec.load().report) == "took 60 rows of 1 columns; left out constant columns: flag, mode"


def test_samples_come_back_in_the_units_of_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With its headings, though the model learned standardised columns."""
    path, run = _write(tmp_path, "width,mass,shift", [",".join(row) for row in ROWS]), tmp_path / "run"
    words = [f"data.path={path}", "data.dequantise=false", "train.steps=1", "train.batch_size=8", "--run", str(run)]
    assert main(["train", "gmm-table", *words, "evaluate.metrics=[]"]) == 0
    units = json.loads((run / "table.json").read_text())
    assert units["columns"] == ["width", "mass", "shift"]
    for name in ("rows.csv", "raw.npz"):
        assert main(["sample", str(run), "-n", "5", "--out", str(tmp_path / name)]) == 0
    heading, *rows = csv.reader((tmp_path / "rows.csv").read_text().splitlines())
    assert heading == units["columns"]
    raw = np.load(tmp_path / "raw.npz")["x"].astype(float)
    np.testing.assert_allclose(np.array(rows, float), raw * units["scale"] + units["mean"], rtol=1e-6)
    _keeps_damage_apart(run, tmp_path, units, capsys)


def _keeps_damage_apart(run: Path, folder: Path, units: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """A damaged record is refused in one line, since other units would look right; an archive is written all the same."""
    hostile = [
        [],
        None,
        {**units, "mean": ["a"] * 3},
        {**units, "mean": [True] * 3},
        {**units, "mean": [1e400] * 3},
        {**units, "mean": [10**400] * 3},
        {**units, "scale": [1.0]},
        {**units, "columns": [["a"]] * 3},
        {**units, "columns": ["a"], "mean": [1.0], "scale": [1.0]},
        {**units, "categories": 5},
        {**units, "categories": [{"name": "k", "start": 2, "classes": ["x", "y"]}]},
        {**units, "categories": [{"name": "k", "start": -1, "classes": ["x"]}]},
        {**units, "label": 7},
    ]
    for damaged in hostile:
        (run / "table.json").write_text(json.dumps(damaged))
        capsys.readouterr()
        assert main(["sample", str(run), "-n", "2", "--out", str(folder / "none.csv")]) == 5
        printed = capsys.readouterr().err
        assert "table.json does not say the columns of the table and their units" in printed
        assert printed.count("\n") == 1
    assert not (folder / "none.csv").exists()
    assert main(["sample", str(run), "-n", "2", "--out", str(folder / "some.npz")]) == 0
