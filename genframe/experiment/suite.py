"""A suite: experiments that are trained by several seeds and measured alike, for a table. No torch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, NonNegativeInt, PositiveFloat

from ..specs import MetricSpec, Spec
from . import documents
from .loading import Experiment, read_experiment, validated

__all__ = ["ColumnSpec", "RowSpec", "SourceSpec", "Suite", "SuiteSpec", "read_suite"]

Settings = dict[str, Any]


class SourceSpec(Spec):
    """An experiment, and what is changed in it."""

    experiment: str = Field(description="a file, beside the suite's, or a recipe's name")
    set: Settings = Field(default_factory=dict, description="fields that are changed, by their dotted paths")


class RowSpec(SourceSpec):
    """A family, by the experiment that stands for it."""

    family: str = Field(min_length=1, description="what the row is called")


class ColumnSpec(Spec):
    """A figure that the table shows."""

    figure: str = Field(description="its name without that of the features, such as fd")
    title: str = Field(description="the column's heading")
    scale: PositiveFloat = Field(default=1.0, description="what it is multiplied by")


class SuiteSpec(Spec):
    """What ``genframe table`` reads."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$", description="name of the folder of all its runs")
    seeds: tuple[NonNegativeInt, ...] = Field(default=(0, 1, 2), min_length=1, description="seeds of the trainings")
    budget: PositiveFloat = Field(description="seconds of processor time that a training may take; a row above it is marked")
    features: SourceSpec | None = Field(
        default=None, description="an experiment whose run gives the features that are compared"
    )
    set: Settings = Field(default_factory=dict, description="fields that are changed in every row, before the row's own")
    metrics: tuple[MetricSpec, ...] = Field(min_length=1, description="what is measured of every run that it has a meaning for")
    columns: tuple[ColumnSpec, ...] = Field(min_length=1, description="the figures that the table shows")
    rows: tuple[RowSpec, ...] = Field(min_length=1, description="the families")


@dataclass(frozen=True)
class Suite:
    """A suite and the folder of its file, beside which its experiments are looked for."""

    spec: SuiteSpec
    path: Path

    def experiment(self, row: RowSpec, seed: int) -> Experiment:
        """Return the experiment of a row for a seed.

        :raises SpecError: if it is wrong.
        """
        metrics = [metric.model_dump(mode="json") for metric in self.spec.metrics]
        own = {"train.seed": seed, "evaluate.metrics": metrics}
        return self._read(row.experiment, {**self.spec.set, **row.set, **own})

    def features(self) -> Experiment | None:
        """Return the experiment whose run gives features, if there is one.

        :raises SpecError: if it is wrong.
        """
        source = self.spec.features
        return self._read(source.experiment, {"train.threads": 1, **source.set}) if source is not None else None

    def experiments(self) -> Iterator[Experiment]:
        """Yield what is to be trained, every row by its first seed.

        :raises SpecError: if one is wrong.
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

    :raises SpecError: with every problem in it; its experiments are not looked into.
    """
    return Suite(validated(SuiteSpec, documents.read(path)), path)
