"""A suite: experiments that are trained with several seeds and measured in the same way, for a table. No torch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, NonNegativeInt, PositiveFloat

from genframe import MetricSpec, Spec
from genframe.experiment import document
from genframe.experiment.document.loading import Experiment, read_experiment, validated

__all__ = ["ColumnSpec", "RowSpec", "SourceSpec", "Suite", "SuiteSpec", "read_suite"]

Settings = dict[str, Any]


class SourceSpec(Spec):
    """An experiment, and the changes to it."""

    experiment: str = Field(description="a file beside the suite, or the name of a recipe")
    set: Settings = Field(default_factory=dict, description="fields to change, by their dotted paths")


class RowSpec(SourceSpec):
    """A family, represented by an experiment."""

    family: str = Field(min_length=1, description="name of the row")


class ColumnSpec(Spec):
    """A metric that the table shows."""

    figure: str = Field(description="name of the metric, without that of the features, such as fd")
    title: str = Field(description="heading of the column")
    scale: PositiveFloat = Field(default=1.0, description="factor for the values")


class SuiteSpec(Spec):
    """What ``genframe table`` reads."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$", description="name of the folder with all runs")
    seeds: tuple[NonNegativeInt, ...] = Field(
        default=(0, 1, 2), min_length=1, description="seeds of training; each row is trained once per seed"
    )
    budget: PositiveFloat = Field(description="seconds of processor time for one training; a row that takes longer is marked")
    features: SourceSpec | None = Field(
        default=None, description="an experiment whose run gives the features that metrics compare"
    )
    set: Settings = Field(default_factory=dict, description="fields to change in every row, before those of the row")
    metrics: tuple[MetricSpec, ...] = Field(
        min_length=1, description="metrics of every run; one that does not apply is left out"
    )
    columns: tuple[ColumnSpec, ...] = Field(min_length=1, description="metrics that the table shows")
    rows: tuple[RowSpec, ...] = Field(min_length=1, description="the families")


@dataclass(frozen=True)
class Suite:
    """A suite and the path of its file; experiments are looked for beside it."""

    spec: SuiteSpec
    path: Path

    def experiment(self, row: RowSpec, seed: int) -> Experiment:
        """Return the experiment of a row for a seed.

        :raises SpecError: if it is not valid.
        """
        metrics = [metric.model_dump(mode="json") for metric in self.spec.metrics]
        own = {"train.seed": seed, "evaluate.metrics": metrics}
        return self._read(row.experiment, {**self.spec.set, **row.set, **own})

    def features(self) -> Experiment | None:
        """Return the experiment that gives features, if there is one.

        :raises SpecError: if it is not valid.
        """
        source = self.spec.features
        return self._read(source.experiment, {"train.threads": 1, **source.set}) if source is not None else None

    def experiments(self) -> Iterator[Experiment]:
        """Yield every experiment that is trained, with the first seed.

        :raises SpecError: if one is not valid.
        """
        if (features := self.features()) is not None:
            yield features
        yield from (self.experiment(row, self.spec.seeds[0]) for row in self.spec.rows)

    def _read(self, name: str, settings: Settings) -> Experiment:
        beside = self.path.parent / name
        assignments = [f"{path}={json.dumps(value)}" for path, value in settings.items()]
        return read_experiment(str(beside) if beside.is_file() else name, assignments)


def read_suite(path: Path) -> Suite:
    """Return the suite in a file.

    :raises SpecError: with every problem in it; its experiments are not checked.
    """
    return Suite(validated(SuiteSpec, document.read(path)), path)
