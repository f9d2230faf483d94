"""How an experiment differs from the one that a checkpoint was made by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...types.errors import CheckpointError, SpecError
from ..document.spec import ExperimentSpec

__all__ = ["Change", "changes", "refuse_fixed"]

# What may change without a word: it moves no weight, or only says for how long.
FREE_TRAIN = ("steps", "keep", "device", "threads", "compile", "on_nonfinite", "on_spike")
FREE = ("name", "evaluate", *(f"train.{field}" for field in FREE_TRAIN))
FREE_ENDINGS = ("_every", ".path")  # where data lies does not matter: what it holds is compared
FIXED = ("train.optimizer", "train.start")


@dataclass(frozen=True)
class Change:
    """A field whose value is another than in the checkpoint."""

    path: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.path} was {self.before} and is {self.after}"


def changes(state: Mapping[str, Any], now: ExperimentSpec) -> list[Change]:
    """Return what has changed since the checkpoint with ``state``; nothing where it does not hold its experiment.

    Fields that do not touch the weights, such as those of logging, are left out.
    """
    stored = state.get("experiment")
    if not isinstance(stored, dict):
        return []
    try:  # so that fields which a later version has added are there with their defaults
        before = ExperimentSpec.model_validate(stored).model_dump(mode="json")
    except SpecError:
        before = stored
    found = _differences("", before, now.model_dump(mode="json"))
    return [change for change in found if not change.path.startswith(FREE) and not change.path.endswith(FREE_ENDINGS)]


def refuse_fixed(found: list[Change], stage: int, where: object) -> None:
    """Refuse what cannot change while a training in ``stage`` continues, by the name of its field.

    :raises CheckpointError: naming the field.
    """
    for change in found:
        toggled = change.path == "train.ema" and None in (change.before, change.after)
        rewritten = change.path == "train.stages" and _begun(change.before, stage) != _begun(change.after, stage)
        if toggled or rewritten or change.path.startswith(FIXED):
            raise CheckpointError(f"{where} cannot be continued: {change}; give it its former value, or start a new run")


def _begun(stages: Any, stage: int) -> list[Any]:
    """Return what cannot change of the stages: those that are over, and what the present one trains."""
    *over, present = stages[: stage + 1] or [None]
    return [*over, present and {**present, "steps": None}]


def _differences(path: str, before: Any, after: Any) -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*before, *(name for name in after if name not in before)]:
            yield from _differences(f"{path}.{name}" if path else name, before.get(name), after.get(name))
    elif before != after:
        yield Change(path, before, after)
