"""R1, R5 for data of any size: after kill -9 a run ends bit for bit as it would have, however its rows are read."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from genframe.cache import entries
from genframe.cli import main
from genframe.experiment.run import checkpoint as storage
from genframe.experiment.run.resume import resume
from genframe.experiment.run.training import train
from tests.reliability.test_resume import StopAt, in_child

COUNT, SIZE = 52, 8
STEPS, KILLED, SAVED = 24, 17, 15  # 13 batches of four are an epoch: the kill is in the second one
MLP = {"type": "nets/mlp", "hidden": [8]}
VARIED = {"size": SIZE, "crop": "random", "flip": "horizontal", "jitter": {"brightness": 0.2}}


class Own(TorchDataset[Tensor]):
    """Images of one's own, each made when it is asked for."""

    def __len__(self) -> int:
        return COUNT

    def __getitem__(self, index: int) -> Tensor:
        return torch.rand(3, SIZE, SIZE, generator=torch.Generator().manual_seed(index))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pictures, and a cache of this test's own."""
    monkeypatch.setenv("GENFRAME_CACHE", str(tmp_path / "cache"))
    (tmp_path / "pictures").mkdir()
    for number in range(COUNT):
        pixels = np.random.default_rng(number).integers(0, 256, (20, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{number:02}.png")
    return tmp_path


def source(kind: str, folder: Path) -> tuple[Mapping[str, Any], Any]:
    """Return the experiment's data, and what is handed in beside it."""
    whole = {"validation": 0, "test": 0}
    match kind:
        case "tensors":
            np.savez(folder / "x.npz", x=np.random.default_rng(0).integers(0, 256, (COUNT, SIZE, SIZE, 3), dtype=np.uint8))
            return {"type": "data/npz", "path": str(folder / "x.npz"), "layout": "NHWC", "flip": "horizontal", **whole}, None
        case "cache":
            return {"type": "data/images", "path": str(folder / "pictures"), **VARIED, **whole}, None
        case "shards":
            assert main(["shards", str(folder / "pictures"), str(folder / "shards"), "validation=0", "test=0", "--json"]) == 0
            return {"type": "data/shards", "path": str(folder / "shards"), **VARIED}, None
    return {"type": "data/images", "path": str(folder / "pictures"), "size": SIZE, **whole}, Own()


def experiment(data: Mapping[str, Any], **settings: Any) -> dict[str, Any]:
    """Return a small autoencoder of them."""
    return {
        "name": "rows",
        "data": dict(data),
        "model": {"encoder": {**MLP, "dim": 2}, "decoder": MLP, "loss": "vae/reconstruction"},
        "train": {"steps": STEPS, "batch_size": 4, "log_every": 1, "checkpoint_every": 5, "ema": 0.9, "threads": 1, **settings},
    }


def tensors(run: Path) -> dict[str, bytes]:
    """Return the bytes of every tensor of the last checkpoint: weights, moments, average, random states."""
    found = storage.latest(run / "checkpoints")
    assert found is not None
    assert found.step == STEPS
    return {
        name: t.flatten().view(torch.uint8).numpy().tobytes() for name, t in storage.read(found.path).tensors.items() if t.ndim
    }


@pytest.mark.parametrize("kind", ["tensors", "cache", "shards", "torch"])
def test_a_killed_run_ends_as_if_nothing_had_happened(kind: str, folder: Path) -> None:
    """Killed with some number of reading threads, it goes on with another."""
    data, own = source(kind, folder)
    assert in_child(lambda: train(experiment(data), folder=folder / "whole", data=own)) == 0
    for before, after in ((0, 3), (2, 0)):
        run = folder / f"run{before}"

        def first(run: Path = run, workers: int = before) -> None:
            train(experiment(data, workers=workers), folder=run, data=own, reporter=StopAt(KILLED, signal.SIGKILL))

        assert in_child(first) == -signal.SIGKILL
        left = storage.latest(run / "checkpoints")
        assert left is not None
        assert left.step == SAVED
        assert in_child(lambda run=run, workers=after: resume(run, [f"train.workers={workers}"], data=own)) == 0
        assert tensors(run) == tensors(folder / "whole")


def test_a_run_that_is_killed_while_pictures_are_decoded(folder: Path) -> None:
    """The next start decodes the rest, and the run is the same."""
    data, _ = source("cache", folder)

    class Killed(StopAt):
        def begin(self, stage: str, steps: int, done: int, unit: str = "step") -> None:
            """Kill this process as soon as decoding begins."""
            if stage == "decode":
                super().begin(stage, steps, done)

    assert in_child(lambda: train(experiment(data), folder=folder / "run", reporter=Killed(0))) == -signal.SIGKILL
    assert not list(entries())
    assert in_child(lambda: train(experiment(data), folder=folder / "again")) == 0
    assert in_child(lambda: train(experiment(data), folder=folder / "whole")) == 0
    assert tensors(folder / "again") == tensors(folder / "whole")
