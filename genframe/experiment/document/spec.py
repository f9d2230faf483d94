"""Specs of an experiment: data, model, training and evaluation, and their typed check. No torch."""

from __future__ import annotations

import hashlib
import json
from typing import Final, Literal, cast

from pydantic import Field, NonNegativeInt

from ...checking.flow import check
from ...specs.base import ComponentSpec, Spec
from ...specs.composition import Composition
from ...specs.dataset import DatasetSpec
from ...specs.metric import MetricSpec
from ...specs.parts import ModelSpec
from ...training.settings import TrainSpec, trains_prior_alone
from ...types.errors import Mismatch, Problem, SpecError
from ...types.trait.parts import Conditional
from ...types.trait.priors import Density, Fittable
from ...types.values import Role

__all__ = [
    "UNREAD",
    "EvaluateSpec",
    "ExperimentSpec",
    "check_experiment",
]


UNREAD: Final = (
    "the condition that the data gives is not read: the model has none; set model.condition, such as core/one_hot for classes, "
    "or leave the data's labels or captions out"
)


class EvaluateSpec(Spec):
    """What ``genframe evaluate`` measures."""

    metrics: tuple[MetricSpec, ...] = Field(default=(), description="the metrics")
    split: Literal["train", "validation", "test"] = Field(default="test", description="the split to measure on")
    seed: NonNegativeInt = Field(default=0, description="seed of the estimates' randomness")


class ExperimentSpec(Spec):
    """Everything that makes a run: what ``genframe train`` reads."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$", description="name of the run's folder")
    data: DatasetSpec = Field(description="the data")
    model: ModelSpec = Field(description="the model")
    train: TrainSpec = Field(default=TrainSpec(), description="how it is trained")
    evaluate: EvaluateSpec = Field(default=EvaluateSpec(), description="what is measured afterwards")

    def digest(self) -> str:
        """Return the first 16 hex digits of the SHA-256 of the resolved spec."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def check_experiment(spec: ExperimentSpec) -> Composition:
    """Type the experiment: its model on its data, and its stages and players against the model.

    :raises SpecError: with every problem that was found.
    :raises DataError: if the data's files are missing.
    """
    composition = check(spec.model, spec.data.data_space(), spec.data.condition_space())
    problems = [*_start_problems(spec), *_stage_problems(spec), *_player_problems(spec, composition), *_batch_problems(spec)]
    if problems:
        raise SpecError(problems)
    return composition


def _start_problems(spec: ExperimentSpec) -> list[Problem]:
    start, loss = spec.train.start, spec.model.loss
    taken = start.parts if start is not None else ()
    absent = [part for part in taken if getattr(spec.model, part) is None]
    untrained = [part for part in loss.trained_parts() if part not in taken]
    hint = f"name a run that trained it: train.start={{run: FOLDER, parts: [{', '.join(loss.trained_parts())}]}}"
    return [
        *(Problem("train.start.parts", f"the model has no {part}", "leave it out") for part in absent),
        *(Problem("train.start", f"{loss.type} learns from a trained {part}", hint) for part in untrained),
    ]


def _stage_problems(spec: ExperimentSpec) -> list[Problem]:
    problems = []
    prior = spec.model.prior
    for number, stage in enumerate(spec.train.stages):
        path = f"train.stages.{number}"
        absent = [part for part in stage.parts if getattr(spec.model, part) is None]
        if absent:
            problems.append(Problem(f"{path}.parts", f"the model has no {absent[0]}", "leave it out"))
        if stage.fit and stage.parts != ("prior",):
            problems.append(Problem(f"{path}.fit", "only a prior is fitted at once", "say parts: [prior]"))
        elif stage.fit and Fittable not in prior.provides:
            problems.append(Problem(f"{path}.fit", f"{prior.type!r} is not Fittable", "give 'steps' instead"))
        elif stage.fit and stage.steps is not None:
            problems.append(Problem(f"{path}.steps", "a prior that is fitted at once takes no steps", "leave it out"))
        elif not stage.fit and stage.steps is None:
            problems.append(Problem(path, "a stage needs 'steps', or fit: true for a prior that is fitted at once"))
        elif not stage.fit and trains_prior_alone(stage.parts) and not _trains_alone(spec.model):
            message = f"{prior.type!r} has no objective of its own"
            problems.append(Problem(f"{path}.parts", message, "train it with the other parts"))
        elif trains_prior_alone(stage.parts) and "condition" in stage.parts and (others := _frozen_readers(spec.model)):
            message = f"the condition learns with the prior, and the frozen {' and '.join(others)} would read what it becomes"
            problems.append(Problem(f"{path}.parts", message, "say model.conditional: [prior], or leave the condition out"))
        if stage.cache == "codes" and (stage.fit or spec.model.encoder is None or not trains_prior_alone(stage.parts)):
            message = "codes can be kept where a frozen encoder gives them: in a stage of steps that trains the prior alone"
            problems.append(Problem(f"{path}.cache", message, "leave it out"))
    return problems


def _frozen_readers(model: ModelSpec) -> list[str]:
    """Return the roles beside the prior that read the condition."""
    roles: tuple[Role, ...] = ("encoder", "decoder")
    reading = [role for role in roles if model.conditional is None or role in model.conditional]
    parts = {role: cast("ComponentSpec | None", getattr(model, role)) for role in reading}
    return [role for role, part in parts.items() if part is not None and Conditional in part.provides]


def _trains_alone(model: ModelSpec) -> bool:
    return Density in model.prior.provides or model.prior.type == "core/model"


def _batch_problems(spec: ExperimentSpec) -> list[Problem]:
    try:
        spec.model.loss.accepts_batch(spec.train.batch_size)
    except Mismatch as mismatch:
        return [mismatch.under("model", "loss").problem]
    return []


def _player_problems(spec: ExperimentSpec, composition: Composition) -> list[Problem]:
    players = ", ".join(composition.players)
    return [
        Problem(f"train.players.{name}", f"the loss has no player {name!r}", f"its players are {players}")
        for name in spec.train.players
        if name not in composition.players
    ]
