"""Specs of an experiment: data, model, training and evaluation, and their typed check. No torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias, cast

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from ..composition import Composition, ModelSpec, check
from ..errors import Mismatch, Problem, SpecError
from ..specs import ComponentSpec, DatasetSpec, MetricSpec, Precision, Role, Spec
from ..traits import Conditional, Density, Fittable

__all__ = [
    "EvaluateSpec",
    "ExperimentSpec",
    "PartName",
    "PlayerSpec",
    "StageSpec",
    "StartSpec",
    "TrainSpec",
    "check_experiment",
    "trains_prior_alone",
]

PartName: TypeAlias = Literal["condition", "encoder", "decoder", "prior"]


class PlayerSpec(Spec):
    """What one player's optimizer does differently from the others'."""

    lr: PositiveFloat | None = Field(default=None, description="peak learning rate; the experiment's if left out")
    betas: tuple[float, float] | None = Field(default=None, description="Adam's decay rates; the experiment's if left out")
    weight_decay: float | None = Field(default=None, ge=0, description="decoupled decay; the experiment's if left out")


class StageSpec(Spec):
    """A stretch of training in which only some parts learn; the others are frozen, their running statistics too."""

    parts: tuple[PartName, ...] = Field(min_length=1, description="the parts that learn")
    steps: PositiveInt | None = Field(default=None, description="optimizer steps; none where the prior is fitted at once")
    fit: bool = Field(default=False, description="fit the prior to all codes at once; it must be Fittable")


class StartSpec(Spec):
    """Parts that are taken, trained, from another run."""

    run: Path = Field(description="folder of the run")
    parts: tuple[PartName, ...] = Field(min_length=1, description="the parts to take; they have the same spec there")


class TrainSpec(Spec):
    """How a model is trained."""

    start: StartSpec | None = Field(default=None, description="trained parts of another run to begin with")

    steps: PositiveInt = Field(default=1000, description="optimizer steps, where no stages say otherwise")
    stages: tuple[StageSpec, ...] = Field(default=(), description="stages, one after another; none means one of all parts")
    batch_size: PositiveInt = Field(default=128, description="data in one step")
    accumulate: PositiveInt = Field(default=1, description="micro-batches of which a step's gradient is the mean")
    optimizer: Literal["adamw", "adam", "sgd"] = Field(default="adamw", description="the optimizer, fused where possible")
    lr: PositiveFloat = Field(default=1e-3, description="peak learning rate")
    betas: tuple[float, float] = Field(default=(0.9, 0.999), description="Adam's decay rates; the first is SGD's momentum")
    weight_decay: float = Field(default=0.0, ge=0, description="weight decay, decoupled in adamw")
    schedule: Literal["constant", "cosine", "linear"] = Field(
        default="constant", description="how the learning rate falls after the warm-up"
    )
    warmup: NonNegativeInt = Field(default=0, description="steps in which the learning rate rises from zero")
    lr_end: float = Field(default=0.0, ge=0, le=1, description="the last learning rate, as a share of the peak")
    clip: PositiveFloat | None = Field(default=None, description="largest norm of a player's gradient")
    ema: float | None = Field(default=None, gt=0, lt=1, description="decay of an exponential average of the weights")
    precision: Precision = Field(default="float32", description="bfloat16 runs the loss under autocast")
    compile: Literal["off", "on", "auto"] = Field(
        default="off", description="torch.compile; auto measures and compiles when the steps that remain repay it"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="auto takes a GPU where there is one")
    threads: PositiveInt | None = Field(default=None, description="CPU threads; torch's own choice if left out")
    seed: NonNegativeInt = Field(default=0, description="seed of initial weights, data order and noise")
    on_nonfinite: Literal["stop", "skip", "rollback"] = Field(
        default="stop", description="what to do about NaN or infinity in loss, gradient or weights"
    )
    log_every: PositiveInt = Field(default=100, description="steps between lines of metrics.jsonl")
    validate_every: PositiveInt | None = Field(default=None, description="steps between validations; none at all if left out")
    sample_every: PositiveInt | None = Field(default=None, description="steps between pictures; one at the end if left out")
    checkpoint_every: PositiveInt | None = Field(
        default=None, description="steps between checkpoints; one at the end if left out"
    )
    keep: int = Field(default=2, ge=2, description="checkpoints to keep")
    players: dict[str, PlayerSpec] = Field(default_factory=dict, description="optimizer settings of single players")


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
    mend = f"name a run that trained it: train.start={{run: FOLDER, parts: [{', '.join(loss.trained_parts())}]}}"
    return [
        *(Problem("train.start.parts", f"the model has no {part}", "leave it out") for part in absent),
        *(Problem("train.start", f"{loss.type} learns from a trained {part}", mend) for part in untrained),
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
    return problems


def trains_prior_alone(parts: Sequence[PartName]) -> bool:
    """Return whether a stage of these parts minimises the prior's own objective over codes."""
    return {"prior"} <= {*parts} <= {"prior", "condition"}


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
