"""The runs of a suite, and the table of their metrics over seeds."""

from __future__ import annotations

import json
import math
import re
import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from genframe import ExperimentSpec, GenframeError, MetricResult, Run, RunError, evaluate, installed, load, resume, train
from genframe.experiment.run.folder import RunFolder
from genframe.experiment.run.resume import is_complete
from genframe.training import environment
from genframe.training.reporter import Reporter, Silent

from .comparison import Row, read_evaluation
from .suite import ColumnSpec, RowSpec, Suite, read_suite

__all__ = ["Cell", "Table", "make_runs", "mean_over_seeds", "over_budget", "run_folder", "tabulate"]

TRAINING: Final = "training.json"


@dataclass(frozen=True)
class Cell:
    """The mean of a metric over the seeds of a row, and its standard error; ``bound`` if it bounds a likelihood."""

    value: float
    standard_error: float | None
    bound: bool = False


@dataclass(frozen=True)
class Table:
    """The metrics of a suite: one line of cells per family, the same of real data, and what differs within a column."""

    suite: Suite
    cells: tuple[tuple[Cell | None, ...], ...]
    seconds: tuple[Cell | None, ...]
    of_data: tuple[Cell | None, ...]
    columns: tuple[Row, ...]


def run_folder(suite: Suite, folder: Path, row: RowSpec, seed: int) -> Path:
    """Return the folder of the run of a row and a seed."""
    return folder / re.sub(r"[^a-z0-9]+", "-", row.family.lower()).strip("-") / f"seed-{seed}"


def make_runs(suite: Suite, folder: Path, *, jobs: int = 1, reporter: Reporter | None = None) -> None:
    """Train and measure every run of the suite that does not exist yet, ``jobs`` at a time.

    :raises RunError: if one fails, or the folder holds runs of other experiments.
    """
    reporter = reporter or Silent()
    if (features := suite.features()) is not None:
        _train(features.spec, folder / "features")
    tasks = [(number, seed) for seed in suite.spec.seeds for number in range(len(suite.spec.rows))]
    if jobs == 1:
        for number, seed in tasks:
            reporter.message(_make(suite, folder, number, seed))
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(_work, suite.path, folder, number, seed) for number, seed in tasks]
        for done in as_completed(waiting):
            made, failure = done.result()
            if failure:
                pool.shutdown(cancel_futures=True)
                raise RunError(failure)
            reporter.message(made)


def _work(path: Path, folder: Path, number: int, seed: int) -> tuple[str, str]:
    """Make one run in a process of its own; return what was made, or why it failed."""
    try:
        return _make(read_suite(path), folder, number, seed), ""
    except GenframeError as error:
        return "", str(error)


def _make(suite: Suite, folder: Path, number: int, seed: int) -> str:
    row = suite.spec.rows[number]
    spec, place = suite.experiment(row, seed).spec, run_folder(suite, folder, row, seed)
    run = _train(spec, place)
    if not (place / "results.json").is_file():
        with environment.threads(spec.train.threads or 1):
            evaluate(run, features=folder / "features" if suite.spec.features else None)
    return f"{row.family}, seed {seed}: {place}"


def _train(spec: ExperimentSpec, folder: Path) -> Run:
    """Return the run in the folder; train it if it does not exist or is not complete.

    :raises RunError: if another experiment's run is there.
    """
    if not (folder / "experiment.yaml").is_file():
        started = time.process_time()
        run = train(spec, folder=folder)
        RunFolder(folder).write_json(TRAINING, {"cpu_seconds": time.process_time() - started})
        return run
    if RunFolder(folder).experiment().digest() != spec.digest():
        raise RunError(f"{folder} holds a run of other settings; remove it, or name another folder with --folder")
    return load(folder) if is_complete(folder) else resume(folder)


def tabulate(suite: Suite, folder: Path) -> Table:
    """Return the table of a suite whose runs are made.

    :raises RunError: if a run is missing or was not measured.
    """
    spec = suite.spec
    runs = [[run_folder(suite, folder, row, seed) for seed in spec.seeds] for row in spec.rows]
    found = [[{one.name: one for one in read_evaluation(place).results} for place in places] for places in runs]
    columns = [[[_named(results, column.figure) for results in of_row] for of_row in found] for column in spec.columns]
    named = [*zip(spec.columns, columns, strict=True)]
    return Table(
        suite,
        cells=tuple(tuple(_over_seeds(of[row], column) for column, of in named) for row in range(len(runs))),
        seconds=tuple(mean_over_seeds([_seconds(place) for place in places]) for places in runs),
        of_data=tuple(_of_data(found, column) for column in spec.columns),
        columns=tuple(Row(column.title, "", tuple(one for of_row in of for one in of_row)) for column, of in named),
    )


def _named(results: dict[str, MetricResult], name: str) -> MetricResult | None:
    """Return the result of a name, with or without the name of features."""
    return results.get(name) or next((one for full, one in results.items() if full.startswith(f"{name}(")), None)


def _over_seeds(results: Sequence[MetricResult | None], column: ColumnSpec) -> Cell | None:
    likelihood = column.figure in ("nll", "bits_per_dim")
    cell = mean_over_seeds([column.scale * one.value if one is not None else None for one in results])
    bound = likelihood and any(one is not None and one.stamp.get("kind") in _lower_bounds() for one in results)
    return Cell(cell.value, cell.standard_error, bound) if cell is not None else None


def _lower_bounds() -> set[str]:
    """Return the kinds of density of which ``log_prob`` gives a bound from below, so that the metric is one from above."""
    return {kind.name for kind in installed().densities.values() if kind.relation == "≥"}


def mean_over_seeds(values: Sequence[float | None]) -> Cell | None:
    """Return the mean over seeds and its standard error; ``None`` if a seed has no value."""
    if any(value is None for value in values):
        return None
    known = [value for value in values if value is not None]
    error = statistics.stdev(known) / math.sqrt(len(known)) if len(known) > 1 and all(map(math.isfinite, known)) else None
    return Cell(statistics.fmean(known), error)


def _of_data(found: Sequence[Sequence[dict[str, MetricResult]]], column: ColumnSpec) -> Cell | None:
    """Return the metric of real data instead of samples, with its own error."""
    for results in (results for of_row in found for results in of_row):
        one = _named(results, f"{column.figure}_of_data")
        if one is not None:
            error = one.standard_error
            return Cell(column.scale * one.value, column.scale * error if error is not None else None)
    return None


def _seconds(place: Path) -> float | None:
    """Return the processor time of training, if it was not interrupted."""
    path = place / TRAINING
    plain: Any = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return float(plain["cpu_seconds"]) if "cpu_seconds" in plain else None


def over_budget(table: Table) -> Iterator[str]:
    """Yield the families whose training took longer than the budget, averaged over seeds."""
    for row, seconds in zip(table.suite.spec.rows, table.seconds, strict=True):
        if seconds is not None and seconds.value > table.suite.spec.budget:
            yield row.family
