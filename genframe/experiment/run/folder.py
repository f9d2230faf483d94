"""A run's folder on disk, and what its files hold.

run/  experiment.yaml  origins.json  spaces.json  data.json  classes.json  environment.json  metrics.jsonl  results.json
      samples/  checkpoints/
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from ...checking.flow import check
from ...output.files import read_regular, storing, write_whole
from ...specs.composition import Composition
from ...types.errors import DataError, RunError, SpecError
from ...types.spaces import space_from_dict
from ...version import __version__
from ..document import dump, parse
from ..document.loading import read_experiment
from ..document.spec import ExperimentSpec
from .metrics_log import MetricsLog

__all__ = ["RunFolder", "describe"]

LONGEST = 1 << 24  # bytes of a small file


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
        self.log = MetricsLog(self.path / "metrics.jsonl")

    def make(self) -> None:
        """Make the folders of a run, where they are missing.

        :raises RunError: if one of them is a link.
        """
        self.refuse_links()
        with storing(self.path):
            self.samples.mkdir(parents=True, exist_ok=True)
            self.checkpoints.mkdir(exist_ok=True)

    def refuse_links(self) -> None:
        """Refuse a folder that may lead out of the run.

        :raises RunError: if one of the run's folders is a link.
        """
        for folder in (self.samples, self.checkpoints):
            if folder.is_symlink():
                raise RunError(f"{folder} is a link, and a run writes into its own folder only; put a folder in its place")

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
            spaces = cast("dict[str, Any]", parse(read_regular(path, LONGEST).decode(), str(path), "json").value)
            data = space_from_dict(spaces["data"])
            condition = space_from_dict(spaces["condition"]) if spaces["condition"] else None
        except (OSError, ValueError, LookupError, TypeError, DataError, SpecError) as error:
            raise RunError(f"{path} does not say what data the model is for: {error}") from None
        return check(spec.model, data, condition)

    def class_names(self, count: int) -> list[str]:
        """Return the names of the model's ``count`` classes; none where the run does not say."""
        found = self.read_json("classes.json")
        named = isinstance(found, list) and len(found) == count and all(isinstance(name, str) for name in found)
        return cast("list[str]", found) if named else []

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
            return json.loads(read_regular(self.path / name, LONGEST).decode())
        except (OSError, ValueError, RecursionError):
            return None

    def write_json(self, name: str, value: Mapping[str, Any] | Sequence[Any]) -> None:
        """Write a small JSON file whole or not at all."""
        self.write(name, json.dumps(value, indent=1, default=str) + "\n")

    def write(self, name: str, text: str) -> None:
        """Write a small file whole or not at all."""
        write_whole(self.path / name, text.encode())
