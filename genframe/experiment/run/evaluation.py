"""Measuring a run by the metrics of its experiment, and by others that apply."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from ...model.measurement import sharing_samples
from ...plugins.discovery import installed
from ...roles.metric import MetricResult
from ...specs.metric import MetricSpec
from ...training.reading import Data
from ...types.errors import GenframeError
from .folder import RunFolder
from .run import Run

__all__ = ["Evaluation", "evaluate"]


@dataclass(frozen=True, repr=False)
class Evaluation:
    """What was measured, and which metrics have no meaning for the model, with the reason.

    ``failed`` has the metrics of the experiment that could not be measured, with the reason. ``step`` and ``checkpoint`` say
    of which weights the values are.
    """

    results: tuple[MetricResult, ...]
    refused: dict[str, str]
    step: int = 0
    checkpoint: str = ""
    failed: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; values that are not finite become text, for JSON has no word for them."""
        results = [_plain(vars(result)) for result in self.results]
        found = {"step": self.step, "checkpoint": self.checkpoint, "results": results, "refused": self.refused}
        return found | ({"failed": self.failed} if self.failed else {})

    def __repr__(self) -> str:
        refused = [f"{name}: not measured: {reason}" for name, reason in (self.refused | self.failed).items()]
        return "\n".join([*map(str, self.results), *refused])


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def evaluate(
    run: Run,
    *,
    data: Data = None,
    split: str | None = None,
    every: bool = False,
    features: Path | str | None = None,
) -> Evaluation:
    """Measure the experiment's metrics that have a meaning for the model, and keep the results in the run's folder.

    With ``every`` all other installed metrics are measured as well, by settings that bound their cost (``MetricSpec.bounded``).
    ``features`` is the run whose features are compared by metrics that name none.

    One metric that fails leaves the others: it is among ``failed``.

    :raises DataError: if the data or the split are missing, or have changed since training.
    """
    spec = run.experiment.evaluate
    dataset = run.dataset(data)
    device, composition = run.model.device, run.model.composition
    held_out, training = dataset.split(split or spec.split).to(device), dataset.split("train").to(device)
    results: list[MetricResult] = []
    refused, failed = _unnamed_settings(spec.metrics) if every else {}, dict[str, str]()
    with sharing_samples():
        for metric in (*spec.metrics, *(_others(spec.metrics) if every else ())):
            metric = _over(features, metric)
            reason = metric.refusal(composition)
            try:
                built = metric.build(composition.spaces)
                results += [] if reason else built.measure(run.model, held_out, train=training, seed=spec.seed)
            except GenframeError as error:
                (failed if metric in spec.metrics else refused)[metric.type] = str(error)
            refused |= {metric.type: reason} if reason else {}
    evaluation = Evaluation(tuple(results), refused, run.step, run.checkpoint, failed)
    if run.folder is not None:
        RunFolder(run.folder).write_json("results.json", evaluation.to_dict())
    return evaluation


def _others(named: Sequence[MetricSpec]) -> list[MetricSpec]:
    """Return the installed metrics beside ``named`` that need no settings."""
    return [kind.bounded() for kind in _unnamed(named) if not _required(kind)]


def _unnamed_settings(named: Sequence[MetricSpec]) -> dict[str, str]:
    """Return the installed metrics beside ``named`` that need a setting, and which."""
    missing = {kind.type_name(): _required(kind) for kind in _unnamed(named)}
    return {name: f"it needs {', '.join(fields)}; name it with its settings" for name, fields in missing.items() if fields}


def _unnamed(named: Sequence[MetricSpec]) -> list[type[MetricSpec]]:
    types = {metric.type for metric in named}
    registry = installed().registry("metric")
    return [cast("type[MetricSpec]", registry.find(name)) for name in registry.names() if name not in types]


def _required(kind: type[MetricSpec]) -> list[str]:
    return [name for name, field in kind.model_fields.items() if field.is_required()]


def _over(features: Path | str | None, metric: MetricSpec) -> MetricSpec:
    """Return the metric over the features of a run, where it compares features and names none."""
    settings = metric.model_dump()
    if features is None or settings.get("features", features) is not None:
        return metric
    return type(metric).model_validate({**settings, "features": features})
