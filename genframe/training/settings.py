"""The settings of training: the one list of them, for experiments, for ``Trainer`` and for ``fit``. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, TypeAlias

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from ..specs import Spec
from ..types import Precision

__all__ = ["MOST_THREADS", "PartName", "PlayerSpec", "StageSpec", "StartSpec", "TrainSpec", "trains_prior_alone"]

MOST_THREADS: Final = 1024
MOST_WORKERS: Final = 64
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
    cache: Literal["none", "codes"] = Field(
        default="none", description="codes: encode the data once, keep the codes on disk, and train the prior on them"
    )
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
    batch_size: PositiveInt = Field(default=128, description="examples in one step")
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
    threads: PositiveInt | None = Field(
        default=None, le=MOST_THREADS, description="CPU threads; torch's own choice if left out"
    )
    workers: NonNegativeInt = Field(
        default=2, le=MOST_WORKERS, description="threads that read and prepare batches ahead, where data does not lie in memory"
    )
    seed: NonNegativeInt = Field(default=0, description="seed of initial weights, data order and noise")
    on_nonfinite: Literal["stop", "skip", "rollback"] = Field(
        default="stop", description="what to do about NaN or infinity in loss, gradient or weights"
    )
    on_spike: Literal["warn", "rollback", "stop"] = Field(
        default="warn", description="what to do about a loss that jumps: say so, go back to the last checkpoint, or stop"
    )
    log_every: PositiveInt = Field(default=100, description="steps between lines of metrics.jsonl")
    validate_every: PositiveInt | None = Field(default=None, description="steps between validations; none at all if left out")
    sample_every: PositiveInt | None = Field(default=None, description="steps between pictures; one at the end if left out")
    checkpoint_every: PositiveInt | None = Field(
        default=None, description="steps between checkpoints; one at the end if left out"
    )
    keep: int = Field(default=2, ge=2, description="checkpoints to keep")
    players: dict[str, PlayerSpec] = Field(default_factory=dict, description="optimizer settings of single players")


def trains_prior_alone(parts: Sequence[PartName]) -> bool:
    """Return whether a stage of these parts minimises the prior's own objective over codes."""
    return {"prior"} <= {*parts} <= {"prior", "condition"}
