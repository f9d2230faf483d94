"""Rows that do not lie in memory: read by index, ahead, in an exact order, whatever the number of threads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Generator, Tensor
from torch.utils.data import DataLoader, IterableDataset
from torch.utils.data import Dataset as TorchDataset

from genframe import Batch, DataError, Dataset, Model, ModelSpec, Real, Split, compose, evaluate, fit, load, resume, train
from genframe.roles import ArrayRows, JointRows, Rows, Selected, data_digest, whole
from genframe.training.order import DataOrder
from genframe.training.source import RowSource

X = torch.randn(40, 2, generator=Generator().manual_seed(0))

MLP = {"type": "nets/mlp", "hidden": [8]}
AUTOENCODER = {"encoder": {**MLP, "dim": 2}, "decoder": MLP, "loss": "vae/reconstruction"}


def toy_model() -> Model:
    """Return a small autoencoder."""
    return compose(ModelSpec.model_validate(AUTOENCODER), Real((2,)))


def toy_experiment(**settings: Any) -> dict[str, Any]:
    """Return a small experiment."""
    return {"name": "rows", "data": {"type": "data/toy", "name": "moons", "n": 50}, "model": AUTOENCODER, "train": settings}


class Own(TorchDataset[Tensor]):
    """A dataset of one's own that counts what it reads."""

    def __init__(self, x: Tensor = X) -> None:
        self.x, self.read = x, 0

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> Tensor:
        self.read += 1
        return self.x[index]


def mapped(folder: Path) -> ArrayRows:
    """Return the rows in a file that is mapped into memory."""
    np.save(folder / "x.npy", X.numpy())
    return ArrayRows(np.load(folder / "x.npy", mmap_mode="r"))


def every_kind(folder: Path) -> list[Rows]:
    """Return the same rows in every way in which rows can lie."""
    shuffled = torch.randperm(len(X), generator=Generator().manual_seed(1))
    return [X, mapped(folder), JointRows(Own(), Batch).field("x"), Selected(X[shuffled], shuffled.argsort())]


def test_each_kind_of_rows_reads_as_a_tensor_does(tmp_path: Path) -> None:
    """By indices, in stretches, in batches, in part, and by digest."""
    for rows in every_kind(tmp_path):
        split = Split("train", rows)
        assert len(split) == 40
        assert tuple(rows.shape) == (40, 2)
        assert torch.equal(split.batch(torch.tensor([3, 1])).x, X[[3, 1]])
        assert torch.equal(split.batch(slice(38, 50)).x, X[38:])
        assert torch.equal(torch.cat([batch.x for batch in split.batches(7)]), X)
        assert torch.equal(whole(split.subset(torch.tensor([5, 2, 9])).stored), X[[5, 2, 9]])
        assert torch.equal(whole(split.subset(slice(3, 8)).stored), X[3:8])
        assert torch.equal(whole(split.subset(X[:, 0] > 0).stored), X[X[:, 0] > 0])
        assert data_digest(rows) == data_digest(X)


def noisy(stored: Tensor, generator: Generator | None) -> Tensor:
    """Return rows with noise."""
    return stored + torch.rand(stored.shape, generator=generator)


def source(rows: Rows, workers: int, place: tuple[int, int] = (0, 0)) -> RowSource:
    """Return a source of noisy rows."""
    split = Split("train", rows, prepare=noisy).to("cpu")
    return RowSource(split, DataOrder(40, 8, 3, torch.device("cpu"), *place), workers)


@pytest.mark.parametrize("workers", [0, 1, 2, 5])
def test_a_batch_depends_on_seed_epoch_and_position_alone(tmp_path: Path, workers: int) -> None:
    """Neither the number of threads nor where reading begins changes a batch, its noise included."""
    rows = mapped(tmp_path)
    expected = [batch.x for batch in _walk(source(rows, 0), 14)]
    found = [batch.x for batch in _walk(source(rows, workers), 14)]
    assert all(map(torch.equal, found, expected))
    assert not torch.equal(found[0].sort(0)[0], found[5].sort(0)[0])
    begun = source(rows, workers, (1, 3))  # five batches an epoch
    assert all(torch.equal(batch.x, later) for batch, later in zip(_walk(begun, 6), expected[8:], strict=True))


def _walk(rows: RowSource, n: int) -> list[Batch]:
    return [rows.next() for _ in range(n)]


def test_the_place_is_that_of_the_batch_that_was_taken_not_of_those_ahead(tmp_path: Path) -> None:
    """A checkpoint names the next batch, not one that a thread has read."""
    rows = source(mapped(tmp_path), 4)
    batches = _walk(rows, 3)
    assert rows.place() == (0, 3)
    assert torch.equal(rows.last().x, batches[-1].x)


def test_reading_ahead_draws_nothing_from_the_global_generator(tmp_path: Path) -> None:
    """What a loss draws stays the same."""
    before = torch.get_rng_state()
    _walk(source(mapped(tmp_path), 2), 9)
    assert torch.equal(torch.get_rng_state(), before)


def test_an_error_of_a_reading_thread_is_raised_where_the_batch_is_asked_for() -> None:
    """Nothing is lost in a thread."""

    class Broken(Own):
        def __getitem__(self, index: int) -> Tensor:
            raise DataError(f"row {index} is gone")

    with pytest.raises(DataError, match="is gone"):
        source(JointRows(Broken(), Batch).field("x"), 2).next()


def test_a_dataset_of_torch_trains_resumes_and_is_measured(tmp_path: Path) -> None:
    """It is handed in from Python each time, and compared with what was recorded."""
    settings = {"steps": 6, "batch_size": 8, "checkpoint_every": 3}
    whole_run = train(toy_experiment(**settings), data=Own(), folder=tmp_path / "whole")
    train(toy_experiment(**settings | {"steps": 3}), data=Own(), folder=tmp_path / "cut")
    resumed = resume(tmp_path / "cut", ["train.steps=6", "train.workers=0"], data=Own())
    for name, tensor in whole_run.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name
    with pytest.raises(DataError, match="handed in from Python"):
        resume(tmp_path / "cut", ["train.steps=9"])
    with pytest.raises(DataError, match="has changed"):
        resume(tmp_path / "cut", ["train.steps=9"], data=Own(X + 1))
    assert evaluate(load(tmp_path / "cut"), data={"train": Own(), "validation": X, "test": X}) is not None


def test_an_example_is_read_once_for_data_and_condition() -> None:
    """Both come from one reading."""

    class Pairs(Own):
        def __getitem__(self, index: int) -> tuple[Tensor, int]:  # type: ignore[override]
            return super().__getitem__(index), index % 3

    own = Pairs()
    joint = JointRows(own, lambda item: Batch(*item))
    split = Split("train", joint.field("x"), joint.field("condition"))
    batch = split.batch(torch.tensor([4, 2]))
    assert batch.condition.tolist() == [1, 2]
    assert own.read == 2


def test_what_cannot_be_read_in_any_order_is_refused_by_a_run() -> None:
    """The message says what will do."""

    class Stream(IterableDataset[Tensor]):
        def __iter__(self):  # type: ignore[no-untyped-def]
            return iter(X)

    with pytest.raises(DataError, match="order that cannot be restored"):
        train(toy_experiment(), data=Stream())
    with pytest.raises(DataError, match=r"loader\.dataset"):
        train(toy_experiment(), data=DataLoader(Own(), 8))
    with pytest.raises(DataError, match="has no rows"):
        train(toy_experiment(), data=Own(X[:0]))
    with pytest.raises(DataError, match="found examples of"):
        train(toy_experiment(), data=Own(torch.zeros(9, 5)))


def test_a_map_style_dataset_of_another_library_fits() -> None:
    """Anything with a length and items; a batch is one call where the class offers it."""

    class Table:
        """As Hugging Face's: rows are dicts, a list of rows is one call."""

        calls = 0

        def __len__(self) -> int:
            return len(X)

        def __getitem__(self, index: int) -> dict[str, Tensor]:
            return {"x": X[index]}

        def __getitems__(self, indices: list[int]) -> list[dict[str, Tensor]]:
            self.calls += 1
            return [self[index] for index in indices]

        def __iter__(self):  # type: ignore[no-untyped-def]
            return (self[index] for index in range(len(self)))

    table = Table()
    history = fit(toy_model(), table, steps=4, batch_size=8, log_every=1, workers=1)
    assert len(history.rows) == 4
    assert 4 <= table.calls <= 10


def test_rows_of_a_dataset_may_lie_on_disk(tmp_path: Path) -> None:
    """Training gives the same losses as on a tensor."""
    data = Dataset(Real((2,)), {"train": Split("train", mapped(tmp_path))})
    in_memory = fit(toy_model(), X, steps=12, batch_size=8, log_every=1)
    on_disk = fit(toy_model(), data, steps=12, batch_size=8, log_every=1)
    assert in_memory.rows[-1]["loss"] == on_disk.rows[-1]["loss"]  # this loss draws nothing
