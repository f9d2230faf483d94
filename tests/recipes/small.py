"""Recipes made small, on made-up data of the real shapes, so that a test can run each of them from end to end."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from PIL import Image

from genframe import ComponentSpec, train
from genframe.core import ModelPrior, Sum
from genframe.experiment.document.loading import read_experiment
from genframe_data import Labels
from genframe_metrics import Perceptual

__all__ = ["assignments", "data_files", "prerequisites"]


def _write_idx(path: Path, values: np.ndarray) -> None:
    """Write an array of bytes as an idx file."""
    header = struct.pack(">HBB", 0, 8, values.ndim) + struct.pack(f">{values.ndim}I", *values.shape)
    path.write_bytes(header + values.astype(np.uint8).tobytes())


def _mnist(folder: Path) -> Path:
    """Fill a folder with files named and shaped as MNIST's and Fashion-MNIST's, of random strokes."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for split, count in (("train", 400), ("t10k", 60)):
        images = (random.random((count, 28, 28)) > 0.8) * random.integers(100, 256, (count, 28, 28))
        _write_idx(folder / f"{split}-images-idx3-ubyte", images)
        _write_idx(folder / f"{split}-labels-idx1-ubyte", random.integers(0, 10, count))
    return folder


def _table(path: Path) -> Path:
    """Write a table of 5 columns, of which one holds whole numbers."""
    rows = np.random.default_rng(0).normal(size=(400, 5))
    rows[:, 0] = rows[:, 0].round()
    np.savetxt(path, rows)
    return path


def _patches(path: Path) -> Path:
    """Write an archive of 8x8 patches with the three splits' arrays."""
    random = np.random.default_rng(0)
    counts = {"train": 400, "valid": 50, "test": 60}
    np.savez(path, **{name: random.integers(0, 256, (count, 8, 8), np.uint8) for name, count in counts.items()})
    return path


def _cifar(path: Path) -> Path:
    """Write an archive of colour images with arrays for training and for testing."""
    random = np.random.default_rng(0)
    counts = {"train_images": 300, "test_images": 30}
    np.savez(path, **{name: random.integers(0, 256, (count, 32, 32, 3), np.uint8) for name, count in counts.items()})
    return path


def _faces(path: Path) -> Path:
    """Write an archive of grey pictures with the names of persons, and of what is on their eyes."""
    random = np.random.default_rng(0)
    person = np.array([f"person {number % 10}" for number in range(60)])
    images = random.integers(0, 154, (60, 60, 64), np.uint8)
    np.savez(path, images=images, person=person, eyes=random.choice(["eyes", "sunglasses"], 60))
    return path


def _photos(folder: Path) -> Path:
    """Write photos of several shapes and modes."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(100):
        pixels = random.integers(0, 256, (40 + number % 3 * 20, 70, 3), np.uint8)
        Image.fromarray(pixels).convert(("RGB", "L", "P")[number % 3]).save(folder / f"{number:02}.png")
    return folder


def _text(path: Path) -> Path:
    """Write a text of 30 windows of 128 characters."""
    path.write_bytes(np.random.default_rng(0).integers(97, 123, 30 * 128, np.uint8).tobytes())
    return path


def data_files(folder: Path) -> dict[str, Path]:
    """Write the datasets that are not shipped into ``folder``; return where each lies, by the last word of recipes' names."""
    faces = _faces(folder / "faces.npz")
    return {
        "mnist": _mnist(folder / "mnist"),
        "table": _table(folder / "table.txt"),
        "patches": _patches(folder / "patches.npz"),
        "cifar": _cifar(folder / "cifar.npz"),
        "faces": faces,
        "classifier": faces,
        "photos": _photos(folder / "photos"),
        "shakespeare": _text(folder / "input.txt"),
    }


# What makes a component small, where it has the field: few examples and samples, short walks and chains.
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


def _small(place: str, component: ComponentSpec, fields: dict[str, str]) -> list[str]:
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
        words += _small(f"evaluate.metrics.{number}", metric, METRIC)
    nested = [("model.prior.model.sampler", spec.model.prior.model.sampler)] if isinstance(spec.model.prior, ModelPrior) else []
    for place, part in [("model.sampler", spec.model.sampler), ("model.loss", spec.model.loss), *nested]:
        words += _small(place, part, WALK)
    return words


def prerequisites(name: str, paths: dict[str, Path], folder: Path) -> list[str]:
    """Train the recipes whose runs this one needs, and return the overrides that name these runs."""
    spec = read_experiment(name).spec
    model, start = spec.model, spec.train.start
    needed = {"train.start.run": start.run.name} if start is not None else {}
    for number, term in enumerate(model.loss.terms if isinstance(model.loss, Sum) else ()):
        if isinstance(term, Perceptual):
            needed[f"model.loss.terms.{number}.features"] = term.features.name
    for first in needed.values():
        train(read_experiment(first, assignments(first, paths)).spec, folder=folder / first)
    return [f"{place}={folder / first}" for place, first in needed.items()]
