"""The file state.json of a checkpoint, read by its types: nothing of another type reaches a training."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError

from ...training.settings import MOST_THREADS
from ...training.spike import RECENT
from ...types.errors import CheckpointError
from .checkpoint import Checkpoint

__all__ = ["StoredState", "checked"]

Losses = Annotated[list[float], Field(max_length=RECENT)]
Word = Annotated[int, Field(ge=0, lt=1 << 32)]


class StoredTrack(BaseModel):
    """What a loss was lately, by which its next steps are judged."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    blocks: Losses
    block: Losses
    first: NonNegativeInt


class StoredState(BaseModel):
    """Where a training stood. Fields that a later version adds are passed over."""

    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)

    step: NonNegativeInt
    stage: NonNegativeInt
    stage_step: NonNegativeInt
    epoch: NonNegativeInt
    position: NonNegativeInt
    skipped: NonNegativeInt
    lr_scale: float = Field(gt=0)
    compile: bool | None
    ema_updates: NonNegativeInt
    pending: list[Any]
    losses: dict[str, StoredTrack] = Field(default_factory=dict)
    python_rng: tuple[int, list[Word], float | None]
    numpy_rng: tuple[str, list[Word], Annotated[int, Field(ge=0, le=624)], int, float]
    environment: Any


def checked(saved: Checkpoint) -> StoredState:
    """Return the state of a checkpoint, typed.

    :raises CheckpointError: naming the first field that is not of its type, or the number of threads.
    """
    try:
        state = StoredState.model_validate_json(json.dumps(saved.state))  # as JSON, whose lists are tuples too
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(map(str, first["loc"]))
        raise CheckpointError(f"{saved.path}: state.json: {path}: {first['msg']}, found {first['input']!r:.60}") from None
    threads = state.environment.get("threads") if isinstance(state.environment, dict) else None
    if type(threads) is not int or not 1 <= threads <= MOST_THREADS:
        raise CheckpointError(f"{saved.path} does not say with how many threads it was made, found {threads!r:.60}")
    return state
