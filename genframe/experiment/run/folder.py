"""A run's folder on disk, and what its files hold.

run/  experiment.yaml  origins.json  spaces.json  classes.json  environment.json  metrics.jsonl  results.json  samples/
      checkpoints/
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from ...checking.flow import check
from ...output.files import storing, write_whole
from ...specs.composition import Composition
from ...training.observer import Row
from ...types.errors import DataError, RunError, SpecError
from ...types.spaces import space_from_dict
from ...version import __version__
from ..document import dump, parse
from ..document.loading import read_experiment
from ..document.spec import ExperimentSpec

__all__ = ["RunFolder", "describe"]


def describe(folder: Path | str) -> tuple[ExperimentSpec, Composition]:
    """Return the experiment of the run in ``folder`` and its model, typed: from its small files, without weights and torch.

    :raises RunError: if there is no run.
    :raises SpecError: if what is installed cannot read it.
    """
    files = RunFolder(folder)
    spec = files.experiment()
    return spec, files.composition(spec)


class RunFolder:
    """The files of a run."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.checkpoints = self.path / "checkpoints"
        self.samples = self.path / "samples"

    def make(self) -> None:
        """Make the folders of a new run."""
        with storing(self.path):
            self.samples.mkdir(parents=True, exist_ok=True)
            self.checkpoints.mkdir(exist_ok=True)

    def begin(self, spec: ExperimentSpec, composition: Composition) -> None:
        """Write what the run is of; its lock is held.

        :raises RunError: if there is a run in the folder already.
        """
        if (self.path / "experiment.yaml").exists():
            raise RunError(
                f"{self.path} holds a run already; go on with it (genframe resume {self.path}) or name another with --run"
            )
        condition = composition.condition.to_dict() if composition.condition is not None else None
        self.write_json("spaces.json", {"data": composition.data.to_dict(), "condition": condition})
        self.write_experiment(spec)

    def write_experiment(self, spec: ExperimentSpec) -> None:
        """Write experiment.yaml, with every default."""
        header = f"genframe {__version__}; every default is written out"
        self.write("experiment.yaml", dump(spec.model_dump(mode="json"), header=header))

    def experiment(self, assignments: Sequence[str] = ()) -> ExperimentSpec:
        """Return the run's experiment, with ``assignments`` to fields of ``train``.

        :raises RunError: if the folder is no run, or an assignment is to another field.
        """
        path = self.path / "experiment.yaml"
        if not path.is_file():
            raise RunError(f"{self.path} is not a run: it has no experiment.yaml")
        foreign = [text for text in assignments if not text.startswith("train.")]
        if foreign:
            raise RunError(f"a resumed run may change fields of train only, found {foreign[0]!r}; start a new run for it")
        return read_experiment(str(path), assignments).spec

    def composition(self, spec: ExperimentSpec) -> Composition:
        """Type the model on the stored spaces, so that the data set itself is not needed.

        :raises RunError: if they are not there.
        """
        path = self.path / "spaces.json"
        try:
            spaces = cast("dict[str, Any]", parse(path.read_text(encoding="utf-8"), str(path), "json").value)
            data = space_from_dict(spaces["data"])
            condition = space_from_dict(spaces["condition"]) if spaces["condition"] else None
        except (OSError, ValueError, LookupError, TypeError, DataError, SpecError) as error:
            raise RunError(f"{path} does not say what data the model is for: {error}") from None
        return check(spec.model, data, condition)

    def class_names(self, count: int) -> list[str]:
        """Return the names of the model's ``count`` classes: their numbers, where the run does not say."""
        found = self.read_json("classes.json")
        named = isinstance(found, list) and len(found) == count and all(isinstance(name, str) for name in found)
        return cast("list[str]", found) if named else [*map(str, range(count))]

    def append_metrics(self, row: Row) -> None:
        """Add a line to metrics.jsonl."""
        path = self.path / "metrics.jsonl"
        with storing(path), path.open("a", encoding="utf-8") as file:
            file.write(_line(row))

    def metrics(self) -> list[Row]:
        """Return the rows of metrics.jsonl; a last line that a crash left incomplete is passed over."""
        path = self.path / "metrics.jsonl"
        if not path.exists():
            return []
        rows = [_row(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return [row for row in rows if row is not None]

    def cut_metrics(self, step: int) -> list[Row]:
        """Drop the rows that were logged after ``step`` and return the others."""
        rows = [row for row in self.metrics() if row["step"] <= step]
        self.write("metrics.jsonl", "".join(map(_line, rows)))
        return rows

    def origins(self) -> dict[str, str] | None:
        """Return where the experiment's values were written, by their paths; ``None`` where the folder does not say."""
        found = self.read_json("origins.json")
        if not isinstance(found, dict):
            return None
        return {path: origin for path, origin in found.items() if isinstance(origin, str)}

    def add_origins(self, origins: Mapping[str, str]) -> None:
        """Put where values were changed later into origins.json, if there is one."""
        before = self.origins()
        if before is not None:
            self.write_json("origins.json", {**before, **origins})

    def read_json(self, name: str) -> Any:
        """Return what a small JSON file of the run says; ``None`` where it is absent or no JSON."""
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return None

    def write_json(self, name: str, value: Mapping[str, Any] | Sequence[Any]) -> None:
        """Write a small JSON file whole or not at all."""
        self.write(name, json.dumps(value, indent=1, default=str) + "\n")

    def write(self, name: str, text: str) -> None:
        """Write a small file whole or not at all."""
        write_whole(self.path / name, text.encode())


def _line(row: Row) -> str:
    """Return a row as a line of JSON, which has no word for NaN and infinity: they are null."""
    return json.dumps({name: value if math.isfinite(value) else None for name, value in row.items()}) + "\n"


def _row(line: str) -> Row | None:
    """Return what a line of metrics.jsonl says in numbers; ``None`` for one that is damaged or has no step."""
    try:
        row = json.loads(line)
        figures = {name: _figure(value) for name, value in row.items() if value is None or isinstance(value, (int, float))}
    except (ValueError, OverflowError, AttributeError, RecursionError):
        return None
    return figures if math.isfinite(figures.get("step", math.nan)) else None


def _figure(value: float | None) -> float:
    return math.nan if value is None else float(value)
