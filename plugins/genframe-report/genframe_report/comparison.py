"""Results of several runs side by side, and the fields in which their protocols differ."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from genframe import Evaluation, MetricResult, RunError, SpecError
from genframe.experiment.document import parse

__all__ = ["Row", "read_evaluation", "side_by_side", "with_error"]


def read_evaluation(folder: Path) -> Evaluation:
    """Return what was measured of the run in ``folder``.

    :raises RunError: if it is not a run, was not measured yet, or its results are not what evaluate writes.
    """
    if not (folder / "experiment.yaml").is_file():
        raise RunError(f"{folder} is not a run: it has no experiment.yaml")
    path = folder / "results.json"
    if not path.is_file():
        raise RunError(f"{folder} has no results yet; measure it: genframe evaluate {folder}")
    try:
        found = cast("dict[str, Any]", parse(path.read_text(encoding="utf-8"), str(path), "json").value)
        results = tuple(_result(one) for one in found["results"])
        return Evaluation(results, dict(found["refused"]), int(found["step"]), str(found["checkpoint"]))
    except (SpecError, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise RunError(f"{path} does not hold results ({error}); measure again: genframe evaluate {folder}") from None


def _result(plain: Mapping[str, Any]) -> MetricResult:
    """Return a result from plain data, in which NaN and infinity are text."""
    error = plain["standard_error"]
    return MetricResult(
        str(plain["name"]),
        float(plain["value"]),
        str(plain["unit"]),
        dict(plain["stamp"]),
        float(error) if error is not None else None,
        str(plain["note"]),
    )


@dataclass(frozen=True)
class Row:
    """One metric of several runs, ``None`` for a run without it; ``differing`` are the fields in which the stamps differ."""

    name: str
    unit: str
    cells: tuple[MetricResult | None, ...]

    @property
    def found(self) -> tuple[MetricResult, ...]:
        """The results of the runs that have one."""
        return tuple(cell for cell in self.cells if cell is not None)

    @property
    def differing(self) -> tuple[str, ...]:
        """The fields in which the stamps differ, as dotted names; none if all results can be compared."""
        first, *others = self.found
        return tuple(dict.fromkeys(field for other in others for field in first.differs_from(other)))

    def values_of(self, field: str) -> tuple[Any, ...]:
        """Return what each run's stamp says in a dotted field, ``None`` if it says nothing."""
        return tuple(_within(cell, field) if cell is not None else None for cell in self.cells)


def _within(result: MetricResult, field: str) -> Any:
    value: Any = {"name": result.name, "unit": result.unit, **result.stamp}
    for name in field.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def side_by_side(evaluations: Sequence[Evaluation]) -> list[Row]:
    """Return a row for each metric, in the order of measurement; if a name occurs twice, the second is beside the second."""
    named = [dict(_numbered(evaluation.results)) for evaluation in evaluations]
    keys = dict.fromkeys(key for results in named for key in results)
    rows = []
    for key in keys:
        cells = tuple(results.get(key) for results in named)
        unit = next(cell.unit for cell in cells if cell is not None)
        rows.append(Row(key[0], unit, cells))
    return rows


def _numbered(results: Sequence[MetricResult]) -> Iterator[tuple[tuple[str, int], MetricResult]]:
    seen: Counter[str] = Counter()
    for result in results:
        yield (result.name, seen[result.name]), result
        seen[result.name] += 1


def with_error(value: float, error: float | None) -> str:
    """Return a value and its standard error, to two digits of the error; to four digits without an error."""
    if error is None or not math.isfinite(error) or not math.isfinite(value):
        return f"{value:.4g}"
    if error == 0:
        return f"{value:.4g} ± 0"
    size = max(abs(value), error)
    if not 1e-4 <= size < 1e6:
        exponent = math.floor(math.log10(size))
        scaled = with_error(value / 10**exponent, error / 10**exponent)
        return f"({scaled})e{exponent}"
    places = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{places}f} ± {error:.{places}f}"
