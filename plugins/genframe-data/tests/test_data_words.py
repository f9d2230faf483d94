"""Columns of words: classes among the numbers, and as the condition."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from genframe import Categorical, DataError, Real
from genframe.cli import main
from genframe_data import Table

ALL = {"split": "block", "validation": 0, "test": 0, "standardise": False}
SPECIES = ("fox", "owl", "roe deer")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A table of 90 animals."""
    stream, path = np.random.RandomState(0), tmp_path / "animals.csv"
    rows = [f"{SPECIES[i % 3]},{stream.normal(10 ** (i % 3), 0.1):.3f},{('north', 'south')[i % 2]}" for i in range(90)]
    path.write_text("\n".join(["species,mass,site", *rows]))
    return path


def test_classes_are_columns_of_one_space(path: Path) -> None:
    """A column for each class, 1 where the row is of it; the names say which."""
    spec = Table(path=path, categories=("species",), columns=("species", "mass"), **ALL)
    data = spec.load()
    assert spec.data_space() == data.space == Real((4,))
    stored = data.split("train").stored
    assert torch.equal(stored[:3, :3], torch.eye(3))
    assert json.loads(data.files["table.json"]) == {
        "columns": ["species=fox", "species=owl", "species=roe deer", "mass"],
        "mean": [0, 0, 0, 0],
        "scale": [1, 1, 1, 1],
        "categories": [{"name": "species", "start": 0, "classes": list(SPECIES)}],
    }
    assert str(data.report) == "took 90 rows of 2 columns"
    added = Table(path=path, columns=("mass",), categories=("species",), **ALL).load()
    assert torch.equal(added.split("train").stored, stored[:, [3, 0, 1, 2]])


def test_a_class_without_training_rows_is_no_constant(path: Path) -> None:
    """Its column stays 0 where the others are standardised."""
    path.write_text("s,a\n" + "fox,1\nowl,2\n" * 4 + "elk,3\n")
    data = Table(path=path, categories=("s",), split="block", validation=0, test=1).load()
    assert data.split("train").stored[:, 0].tolist() == [0] * 8
    assert data.split("test").stored[0, 0] == 1


def test_a_label_is_the_condition(path: Path) -> None:
    """Its column is not among the data; the classes keep their names and their order."""
    spec = Table(path=path, columns=("mass",), label="species", **ALL)
    data = spec.load()
    assert (spec.data_space(), spec.condition_space()) == (Real((1,)), Categorical((), 3))
    assert (data.space, data.condition_space, data.classes) == (Real((1,)), Categorical((), 3), SPECIES)
    condition = data.split("train").condition
    assert condition is not None
    assert condition[:4].tolist() == [0, 1, 2, 0]
    assert spec.attributes() == {"label": SPECIES}
    assert str(data.report) == "took 90 rows of 1 columns, in 3 classes of species"
    path.write_text("n,a\n" + "".join(f"{10 - i % 3},{i}\n" for i in range(9)))
    assert Table(path=path, label="n").load().classes == ("8", "9", "10")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"label": "mass", "categories": ("species", "site")}, "expected classes in mass, found 90; leave it out of 'label'"),
        ({"columns": ("mass",), "categories": ("mass",)}, "expected classes in mass, found 90; leave it out of 'categories'"),
        ({"columns": ("mass", "site"), "label": "site"}, "site is the label; leave it out of 'columns' and 'categories'"),
        ({"label": "kind"}, "of species, mass, site, found kind in 'label'"),
        ({"categories": (7,)}, "of species, mass, site, found 7 in 'categories'"),
    ],
)
def test_what_is_no_class_is_refused(path: Path, fields: dict[str, object], message: str) -> None:
    """With the field that is wrong."""
    with pytest.raises(DataError) as caught:
        Table(path=path, **fields).load()  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_one_class_is_no_label(path: Path) -> None:
    """Nor does a category of one class vary."""
    path.write_text("s,a\n" + "fox,1\nfox,2\n" * 4)
    with pytest.raises(DataError, match="expected at least two classes in s, found 'fox'; leave 'label' out"):
        Table(path=path, label="s").load()
    data = Table(path=path, categories=("s",), drop_constant=True).load()
    assert data.space == Real((1,))
    assert str(data.report) == "took 8 rows of 1 columns; left out constant columns: s"


def test_samples_have_the_words_again(path: Path, tmp_path: Path) -> None:
    """A model of numbers and classes gives rows with both."""
    run, rows = str(tmp_path / "run"), tmp_path / "rows.csv"
    words = [
        f"data.path={path}",
        "data.categories=[species,site]",
        "train.steps=1",
        "train.batch_size=8",
        "evaluate.metrics=[]",
    ]
    assert main(["train", "gmm-table", *words, "--run", run]) == 0
    assert main(["sample", run, "-n", "50", "--out", str(rows)]) == 0
    heading, *sampled = csv.reader(rows.read_text().splitlines())
    assert heading == ["species", "mass", "site"]
    assert {row[0] for row in sampled} == set(SPECIES)
    assert {row[2] for row in sampled} == {"north", "south"}
    mean = {name: np.mean([float(row[1]) for row in sampled if row[0] == name]) for name in SPECIES}
    assert mean["fox"] < mean["owl"] < mean["roe deer"]  # 1, 10, 100


def test_a_class_is_asked_for_by_its_name(path: Path, tmp_path: Path) -> None:
    """The table of samples says of which class each is."""
    run, rows = str(tmp_path / "run"), tmp_path / "rows.csv"
    words = ["model.condition=core/one_hot", "train.steps=2", "train.batch_size=8", "evaluate.metrics=[]", "--run", run]
    data = json.dumps({"type": "data/table", "path": str(path), "columns": ["mass"], "label": "species"})
    assert main(["train", "diffusion-moons", f"data={data}", *words]) == 0
    for chosen, expected in ((["--condition", "owl"], ["owl", "owl", "owl"]), ([], list(SPECIES))):
        assert main(["sample", run, "-n", "3", "--out", str(rows), *chosen]) == 0
        heading, *sampled = csv.reader(rows.read_text().splitlines())
        assert heading == ["mass", "species"]
        assert [row[1] for row in sampled] == expected
