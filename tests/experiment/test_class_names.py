"""Classes by their names: a run keeps them, so that they are known without the dataset; and what was taken of the dataset."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import torch
from PIL import Image

from genframe import DataError, Unsupported, load, train
from genframe.experiment.run.folder import RunFolder

Command: TypeAlias = Callable[..., Any]
MODEL = {
    "condition": "core/one_hot",
    "encoder": {"type": "vae/gaussian", "dim": 2, "network": {"type": "nets/mlp", "hidden": [4]}},
    "decoder": {"type": "vae/discretised_logistic", "network": {"type": "nets/mlp", "hidden": [4]}},
    "loss": "vae/elbo",
}
TOOK = "took 36 pictures of 3 classes; skipped 1 file: 1 .txt; skipped 1 folder: owl (no pictures)"
HAS = "the classes are cat, dog, fox"


@pytest.fixture
def experiment(tmp_path: Path) -> dict[str, Any]:
    """An experiment on pictures of three animals."""
    for level, name in enumerate(("cat", "dog", "fox")):
        (tmp_path / "animals" / name).mkdir(parents=True)
        for number in range(12):
            Image.new("L", (4, 4), 80 * level).save(tmp_path / "animals" / name / f"{number}.png")
    (tmp_path / "animals" / "owl").mkdir()
    (tmp_path / "animals" / "notes.txt").write_text("not a picture")
    data = {"type": "data/images", "path": str(tmp_path / "animals"), "size": [4, 4], "colour": "grey", "labels": True}
    settings = {"steps": 1, "batch_size": 8, "threads": 1}
    return {"name": "animals", "data": data, "model": MODEL, "train": settings, "evaluate": {"metrics": []}}


def test_classes_are_known_by_name_when_the_dataset_is_gone(experiment: dict[str, Any], tmp_path: Path) -> None:
    """Names are read from the run's folder; a wrong name or number is refused with the names."""
    train(experiment, folder=tmp_path / "run")
    shutil.rmtree(tmp_path / "animals")
    run = load(tmp_path / "run")
    assert run.class_names == ("cat", "dog", "fox")
    assert torch.equal(run.sample(4, "fox").x, run.sample(4, torch.full((4,), 2)).x)
    assert (run.condition("fox"), run.condition("1"), run.condition(0), run.condition(None)) == (2, 1, 0, None)
    for wrong in ("owl", "3", 3, -1):
        with pytest.raises(Unsupported) as caught:
            run.condition(wrong)
        assert str(caught.value) == f"there is no class {wrong!r}; {HAS}"


def test_names_of_a_run_that_kept_none_come_from_its_dataset(experiment: dict[str, Any], tmp_path: Path) -> None:
    """A run in memory, and one from before names were kept; without the dataset classes have numbers."""
    assert train(experiment).class_names == ("cat", "dog", "fox")
    train(experiment, folder=tmp_path / "run")
    files = RunFolder(tmp_path / "run")
    files.write_json(
        "spaces.json", {name: value for name, value in files.read_json("spaces.json").items() if name != "classes"}
    )
    assert load(tmp_path / "run").class_names == ("cat", "dog", "fox")
    shutil.rmtree(tmp_path / "animals")
    assert load(tmp_path / "run").class_names == ("0", "1", "2")


@pytest.mark.parametrize("classes", [["cat"], "cat", [1, 2, 3], None])
def test_names_that_do_not_fit_the_model_are_not_used(experiment: dict[str, Any], tmp_path: Path, classes: object) -> None:
    """What somebody wrote into spaces.json is no reason to refuse the run."""
    train(experiment, folder=tmp_path / "run")
    shutil.rmtree(tmp_path / "animals")
    files = RunFolder(tmp_path / "run")
    files.write_json("spaces.json", {**files.read_json("spaces.json"), "classes": classes})
    assert load(tmp_path / "run").class_names == ("0", "1", "2")


def test_names_go_before_numbers(experiment: dict[str, Any], tmp_path: Path) -> None:
    """Folders 1 to 3 are the classes 0 to 2: 1 is the folder, and 0, of which there is none, the number."""
    for number, name in enumerate(("cat", "dog", "fox"), start=1):
        (tmp_path / "animals" / name).rename(tmp_path / "animals" / str(number))
    run = train(experiment)
    assert [run.class_number(name) for name in ("1", "3", "0", "4")] == [0, 2, 0, None]


def test_data_that_is_handed_in_has_no_names(experiment: dict[str, Any], tmp_path: Path) -> None:
    """The names of the spec's dataset may be others."""
    run = train(experiment, folder=tmp_path / "run")
    train(experiment, folder=tmp_path / "other", data=run.dataset())
    assert (RunFolder(tmp_path / "run").classes(), RunFolder(tmp_path / "other").classes()) == (("cat", "dog", "fox"), ())


def test_what_was_taken_is_kept(experiment: dict[str, Any], tmp_path: Path) -> None:
    """environment.json says it."""
    run = train(experiment, folder=tmp_path / "run")
    assert json.loads((tmp_path / "run" / "environment.json").read_text())["report"] == [TOOK]
    assert run.dataset().report == (TOOK,)


def test_commands_say_what_is_taken_and_know_the_names(
    experiment: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, genframe: Command
) -> None:
    """check and train say it; sample takes a name, and names the classes where it is wrong."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "animals.json").write_text(json.dumps(experiment))
    assert f"\ndata: {TOOK}\n" in genframe("check", "animals.json")
    assert genframe("check", "animals.json", "--json")["report"] == [TOOK]
    genframe("train", "animals.json", "--run", "run")
    shutil.rmtree(tmp_path / "animals")
    named = genframe("sample", "run", "--condition", "fox", "-n", "2", "--json")["out"]
    assert named == genframe("sample", "run", "--condition", "2", "-n", "2", "--json")["out"]
    for wrong, shown in (("owl", "'owl'"), ("3", "3"), ("9" * 5000, "9" * 5000)):
        said = genframe("sample", "run", "--condition", wrong, code=4)
        assert said == f"genframe sample: there is no class {shown}: this model has {HAS.replace(' are', '')}"


def test_training_says_what_is_taken(experiment: dict[str, Any]) -> None:
    """The reporter hears it before the first step."""
    from genframe.training.reporter import Silent

    class Heard(Silent):
        """Keeps what it hears, in order."""

        def __init__(self) -> None:
            self.said: list[str] = []

        def message(self, text: str) -> None:
            """Keep the line."""
            self.said.append(text)

        def begin(self, stage: str, steps: int, done: int) -> None:
            """Keep the stage."""
            self.said.append(stage)

    heard = Heard()
    train(experiment, reporter=heard)
    assert heard.said[:2] == [TOOK, "train"]


def test_many_names_are_not_all_listed() -> None:
    """Twenty are."""
    from genframe.experiment.run.classes import listed

    assert listed(tuple(map(str, range(22)))).endswith("18, 19 and 2 more")


def test_a_dataset_that_cannot_be_read_has_no_names(experiment: dict[str, Any], tmp_path: Path) -> None:
    """The spec says why, and the run goes on without names."""
    run = train(experiment)
    shutil.rmtree(tmp_path / "animals")
    with pytest.raises(DataError, match="expected a folder, found nothing"):
        run.experiment.data.attributes()
    assert run.class_names == ("0", "1", "2")
