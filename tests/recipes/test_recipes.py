"""Every recipe that is shipped is well typed and runs from end to end, on data of the real shape."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from genframe import ComponentSpec, evaluate, installed, train
from genframe.core import ModelPrior, Sum
from genframe.experiment.loading import check_placed, read_experiment
from genframe.experiment.spec import check_experiment
from genframe_data import Labels
from genframe_metrics import Perceptual
from genframe_report import read_suite

RECIPES = sorted(installed().recipes)


def write_idx(path: Path, values: np.ndarray) -> None:
    """Write an array of bytes as an idx file."""
    header = struct.pack(">HBB", 0, 8, values.ndim) + struct.pack(f">{values.ndim}I", *values.shape)
    path.write_bytes(header + values.astype(np.uint8).tobytes())


@pytest.fixture(scope="module")
def mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files named and shaped as MNIST's and Fashion-MNIST's, of random strokes."""
    folder = tmp_path_factory.mktemp("mnist")
    random = np.random.default_rng(0)
    for split, count in (("train", 400), ("t10k", 60)):
        images = (random.random((count, 28, 28)) > 0.8) * random.integers(100, 256, (count, 28, 28))
        write_idx(folder / f"{split}-images-idx3-ubyte", images)
        write_idx(folder / f"{split}-labels-idx1-ubyte", random.integers(0, 10, count))
    return folder


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of 5 columns, of which one holds whole numbers."""
    path = tmp_path_factory.mktemp("table") / "table.txt"
    rows = np.random.default_rng(0).normal(size=(400, 5))
    rows[:, 0] = rows[:, 0].round()
    np.savetxt(path, rows)
    return path


@pytest.fixture(scope="module")
def patches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of 8x8 patches with the three splits' arrays."""
    path = tmp_path_factory.mktemp("patches") / "patches.npz"
    random = np.random.default_rng(0)
    counts = {"train": 400, "valid": 50, "test": 60}
    np.savez(path, **{name: random.integers(0, 256, (count, 8, 8), np.uint8) for name, count in counts.items()})
    return path


@pytest.fixture(scope="module")
def cifar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of colour images with arrays for training and for testing."""
    path = tmp_path_factory.mktemp("cifar") / "cifar.npz"
    random = np.random.default_rng(0)
    counts = {"train_images": 300, "test_images": 30}
    np.savez(path, **{name: random.integers(0, 256, (count, 32, 32, 3), np.uint8) for name, count in counts.items()})
    return path


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of grey pictures with the names of persons, and of what is on their eyes."""
    path = tmp_path_factory.mktemp("faces") / "faces.npz"
    random = np.random.default_rng(0)
    person = np.array([f"person {number % 10}" for number in range(60)])
    images = random.integers(0, 154, (60, 60, 64), np.uint8)
    np.savez(path, images=images, person=person, eyes=random.choice(["eyes", "sunglasses"], 60))
    return path


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text of 30 windows of 128 characters."""
    path = tmp_path_factory.mktemp("text") / "input.txt"
    letters = np.random.default_rng(0).integers(97, 123, 30 * 128, np.uint8)
    path.write_bytes(letters.tobytes())
    return path


@pytest.fixture(scope="module")
def paths(mnist: Path, table: Path, patches: Path, cifar: Path, faces: Path, text: Path) -> dict[str, Path]:
    """Where data lie that are not shipped, by the last word of the recipes' names."""
    return {
        "mnist": mnist,
        "table": table,
        "patches": patches,
        "cifar": cifar,
        "faces": faces,
        "classifier": faces,
        "shakespeare": text,
    }


# What makes a component small, where it has the field: few data and samples, short walks and chains.
METRIC = {
    "samples": "2",
    "limit": "8",
    "n": "20",
    "betas": "[[5, 1.0]]",
    "sweeps": "5",
    "chains": "2",
    "burn_in": "2",
    "draws": "4",
}
WALK = {"steps": "2", "thinning": "1", "k": "2"}


def small(place: str, component: ComponentSpec, fields: dict[str, str]) -> list[str]:
    """Return the overrides of those fields that the component has."""
    return [f"{place}.{field}={value}" for field, value in fields.items() if field in type(component).model_fields]


def assignments(name: str, paths: dict[str, Path]) -> list[str]:
    """Return the overrides that make a recipe small."""
    spec = read_experiment(name).spec
    words = ["train.batch_size=8", "train.log_every=1", "train.validate_every=2", "train.precision=float32"]
    words += [f"train.stages.{i}.steps=2" for i, stage in enumerate(spec.train.stages) if not stage.fit] or ["train.steps=2"]
    place, source = ("data.of", spec.data.of) if isinstance(spec.data, Labels) else ("data", spec.data)
    kind = name.split("-")[-1] if source.type != "data/idx" else "mnist"
    words += [f"{place}.path={paths[kind]}"] if "path" in type(source).model_fields else []
    words += [f"{place}.validation=50"] if source.type == "data/idx" else []
    for number, metric in enumerate(spec.evaluate.metrics):
        words += small(f"evaluate.metrics.{number}", metric, METRIC)
    nested = [("model.prior.model.sampler", spec.model.prior.model.sampler)] if isinstance(spec.model.prior, ModelPrior) else []
    for place, part in [("model.sampler", spec.model.sampler), ("model.loss", spec.model.loss), *nested]:
        words += small(place, part, WALK)
    return words


def beginning(name: str, paths: dict[str, Path], folder: Path) -> list[str]:
    """Train the recipes of which this one needs runs, and return the overrides that name these."""
    model, start = read_experiment(name).spec.model, read_experiment(name).spec.train.start
    needed = {"train.start.run": start.run.name} if start is not None else {}
    for number, term in enumerate(model.loss.terms if isinstance(model.loss, Sum) else ()):
        if isinstance(term, Perceptual):
            needed[f"model.loss.terms.{number}.features"] = term.features.name
    for first in needed.values():
        train(read_experiment(first, assignments(first, paths)).spec, folder=folder / first)
    return [f"{place}={folder / first}" for place, first in needed.items()]


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_trains_and_evaluates(name: str, paths: dict[str, Path], tmp_path: Path) -> None:
    """The recipe trains for two steps a stage, draws, and every metric that it names is measured, none refused."""
    words = assignments(name, paths) + beginning(name, paths, tmp_path)
    spec = read_experiment(name, words).spec
    assert spec.name == name
    check_experiment(spec)
    run = train(spec, folder=tmp_path / "run")
    evaluation = evaluate(run)
    assert {result.stamp["metric"] for result in evaluation.results} == {metric.type for metric in spec.evaluate.metrics}
    assert evaluation.refused == {}
    assert list((tmp_path / "run" / "samples").glob("*.png"))


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_has_a_name_and_a_summary(name: str) -> None:
    """The file is named as the recipe, says what it is of in a comment, and its plugin tells it in a line."""
    recipe = installed().recipes[name]
    assert recipe.path == f"recipes/{name}.yaml"
    assert recipe.text().startswith("# ")
    assert 20 < len(recipe.summary) < 100


@pytest.mark.parametrize("name", ["table.yaml", "table-fashion.yaml"])
def test_the_documentation_s_suites_are_in_order(
    name: str, mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every experiment of the tables types, and there are eight families or more, by three seeds or more."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fashion-mnist").symlink_to(mnist)
    suite = read_suite(Path(__file__).parents[2] / "docs" / name)
    assert len(suite.spec.rows) >= 8
    assert len(suite.spec.seeds) >= 3
    for experiment in suite.experiments():
        check_placed(experiment)
