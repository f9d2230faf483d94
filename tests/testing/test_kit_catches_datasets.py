"""The kit passes an honest data set and an honest metric and catches each lie told by one."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Literal

import pytest
import torch
from torch import Generator, Tensor

from genframe import (
    Categorical,
    Dataset,
    DatasetSpec,
    Encoder,
    Metric,
    MetricResult,
    MetricSpec,
    Model,
    Real,
    Space,
    Spaces,
    Split,
)
from genframe.testing import check_component


def noisy(stored: Tensor, generator: Generator | None) -> Tensor:
    """Dequantise: uniform noise of one bin."""
    return (stored + torch.rand(stored.shape, generator=generator)) / 4


class Content:
    """Honest data: 60 rows of four levels, dequantised, with labels."""

    space: Space = Real((9,), 0, 1, levels=4, dequantised=True)
    prepare = staticmethod(noisy)

    def rows(self, name: str) -> Tensor:
        seed = ("train", "test").index(name)
        return torch.randint(4, (30, 9), generator=Generator().manual_seed(seed))

    def labels(self, name: str) -> Tensor | None:
        return torch.arange(30) % 5

    def split(self, name: str) -> Split:
        return Split(name, self.rows(name), self.labels(name), self.prepare)

    def load(self) -> Dataset:
        return Dataset(self.space, {name: self.split(name) for name in ("train", "test")}, Categorical((), 5))


class Honest(DatasetSpec):
    """Has honest rows."""

    type: Literal["kit/rows"] = "kit/rows"
    content: ClassVar[Any] = Content

    def data_space(self) -> Space:
        return Content.space

    def condition_space(self) -> Space | None:
        return Categorical((), 5)

    def load(self) -> Dataset:
        return self.content().load()


class SaysAnotherSpace(Content):
    space = Real((9,), 0, 1)


class OutOfBounds(Content):
    prepare = staticmethod(lambda stored, generator: stored + torch.rand(stored.shape, generator=generator))


class InDoubles(Content):
    prepare = staticmethod(lambda stored, generator: noisy(stored, generator).double())


class LabelsTooLarge(Content):
    def labels(self, name: str) -> Tensor | None:
        return torch.arange(30) % 6


class NoLabels(Content):
    def labels(self, name: str) -> Tensor | None:
        return None


class FewLabels(Content):
    def labels(self, name: str) -> Tensor | None:
        return torch.zeros(10, dtype=torch.int64)


class OtherNoise(Content):
    prepare = staticmethod(lambda stored, generator: noisy(stored, None))


class OtherRows(Content):
    def rows(self, name: str) -> Tensor:
        return torch.randint(4, (30, 9), generator=Generator().manual_seed(Generator().seed() % 2**31))


class TestIsTrain(Content):
    __test__ = False

    def rows(self, name: str) -> Tensor:
        return super().rows("train").flip(0) if name == "test" else super().rows("train")


class Empty(Content):
    def rows(self, name: str) -> Tensor:
        return super().rows(name)[: 0 if name == "test" else 30]


class Shuffles(Content):
    """Gives rows by their place in the batch, not by their index."""

    prepare = staticmethod(lambda stored, generator: torch.arange(len(stored) * 9).reshape(-1, 9) / (len(stored) * 9))


LIES = [
    (SaysAnotherSpace, "spaces", "the spec declares the data as .* what it loads says"),
    (OutOfBounds, "spaces", "found values from"),
    (InDoubles, "spaces", "found torch.float64"),
    (LabelsTooLarge, "spaces", "found values from 0 to 5"),
    (NoLabels, "spaces", r"declared the condition Categorical\(scalar, 5 values\), found None"),
    (FewLabels, "splits", "has 30 data and 10 conditions"),
    (OtherNoise, "seed", "gives two batches for one seed"),
    (OtherRows, "seed", "loaded twice, split 'train' is not the same"),
    (Shuffles, "seed", "gives other rows than were asked for"),
    (TestIsTrain, "splits", "30 of the 30 rows of split 'test' are in split 'train' as well"),
    (Empty, "splits", "split 'test' is empty"),
]


def test_an_honest_data_set_passes_every_check() -> None:
    """The control: the kit finds nothing wrong with dequantised rows and their labels."""
    assert check_component(Honest) == []


@pytest.mark.parametrize(("content", "check", "message"), LIES, ids=[lie[0].__name__ for lie in LIES])
def test_a_lying_data_set_is_caught(monkeypatch: pytest.MonkeyPatch, content: type[Content], check: str, message: str) -> None:
    """The check meant for a lie finds it, and says what was declared and what was found."""
    monkeypatch.setattr(Honest, "content", content)
    assert any(re.search(message, str(finding)) for finding in check_component(Honest, only=[check]))


class SampleMean(Metric):
    """An honest figure: the mean of samples."""

    stamp: ClassVar[dict[str, Any]] = {"samples": 8}

    def mean(self, model: Model, condition: Tensor | None, seed: int) -> float:
        return float(model.sample(8, condition, seed=seed).x.float().mean())

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        condition = split.condition[:8] if split.condition is not None else None
        return [MetricResult("mean", self.mean(model, condition, seed), "", self.stamp)]


class HonestMetric(MetricSpec):
    """Measures an honest mean."""

    type: Literal["kit/mean"] = "kit/mean"
    part: ClassVar[Any] = SampleMean

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        return self.part()


class NoStamp(SampleMean):
    stamp: ClassVar[dict[str, Any]] = {}


class ObjectInStamp(SampleMean):
    stamp: ClassVar[dict[str, Any]] = {"by": SampleMean}


class Infinite(SampleMean):
    def mean(self, model: Model, condition: Tensor | None, seed: int) -> float:
        return float("inf")


class Unseeded(SampleMean):
    def mean(self, model: Model, condition: Tensor | None, seed: int) -> float:
        return float(torch.rand(()))


class Nothing(SampleMean):
    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        return []


class RefusesAll(HonestMetric):
    """Has no meaning for any model."""

    def refusal(self, model: Any) -> str:
        return "no"


class RefusesByTruth(HonestMetric):
    """Says that, not why."""

    def refusal(self, model: Any) -> Any:
        return False


METRIC_LIES = [
    (NoStamp, "has an empty stamp"),
    (ObjectInStamp, "has a stamp that is not plain data"),
    (Infinite, "mean is inf"),
    (Unseeded, "figures differ under one seed"),
    (Nothing, "it gives no figure"),
]


def test_an_honest_metric_passes_every_check() -> None:
    """The control: the kit finds models to measure, and nothing wrong with the figures."""
    assert check_component(HonestMetric) == []


@pytest.mark.parametrize(("part", "message"), METRIC_LIES, ids=[lie[0].__name__ for lie in METRIC_LIES])
def test_a_lying_metric_is_caught(monkeypatch: pytest.MonkeyPatch, part: type[Metric], message: str) -> None:
    """Figures are finite, seeded and stamped with plain data."""
    monkeypatch.setattr(HonestMetric, "part", part)
    assert any(re.search(message, str(finding)) for finding in check_component(HonestMetric, only=["figures"]))


def test_a_metric_that_refuses_without_a_reason_is_caught() -> None:
    """A refusal is a text, and a metric that refuses everything needs an example."""
    assert "it refuses all" in str(check_component(RefusesAll, only=["refusals"])[0])
    assert "refusal must give a reason or an empty string" in str(check_component(RefusesByTruth, only=["refusals"])[0])
