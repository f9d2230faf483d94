"""Features of data, by a trained run or as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from genframe import (
    Categorical,
    Context,
    GenframeError,
    Mismatch,
    Model,
    Run,
    RunError,
    Space,
    evaluating,
    load,
)
from genframe.data import into

from .runs import condition_encoder, readable

__all__ = ["Extractor", "applied", "extractor", "reader", "unusable", "vectors"]

ROWS: Final = 500  # read at once; bounds memory


def vectors(x: Tensor, space: Space) -> Tensor:
    """Return data as vectors in double precision: (N, ...) -> (N, D); classes as one-hot vectors."""
    return (F.one_hot(x, space.size) if isinstance(space, Categorical) else x).flatten(1).double()


@dataclass(frozen=True)
class Extractor:
    """A map of data to features, (N, data) -> (N, D), by its name and what a stamp says of it."""

    name: str
    stamp: Mapping[str, Any]
    extract: Callable[[Tensor], Tensor]


def extractor(run: Path | None, space: Space, device: torch.device) -> Extractor:
    """Return the extractor of a run for data of ``space``; that of the values themselves for ``None``.

    :raises RunError: if the run is missing or does not read such data.
    :raises CheckpointError: if it has no valid checkpoint.
    """
    if run is None:
        return Extractor("values", {"name": "values"}, partial(vectors, space=space))
    found = reader(run, space, device)
    name = found.experiment.name
    stamp = {"name": name, "weights": found.model.weights_digest()}
    return Extractor(name, stamp, partial(_contexts, model=found.model, space=space))


def unusable(run: Path, space: Space) -> str:
    """Return why the run gives no features of data of ``space``, or an empty string."""
    try:
        reader(run, space, torch.device("cpu"))
    except GenframeError as error:
        return str(error)
    return ""


def reader(run: Path, space: Space, device: torch.device) -> Run:
    """Return the run whose condition encoder reads data of ``space``.

    :raises RunError: if it is missing or does not.
    :raises CheckpointError: if it has no valid checkpoint.
    """
    try:
        readable(run, condition_encoder(run)[1], space)
    except Mismatch as mismatch:
        problem = mismatch.problem
        raise RunError(f"{problem.message}; {problem.mend}") from None
    return load(run.expanduser(), device=str(device))


def _flat(context: Context | None) -> Tensor:
    """Return all values of a context, row by row."""
    assert context is not None
    return torch.cat([tensor.flatten(1) for tensor in context.tensors], 1)


def applied(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Return ``function`` of all rows, a few at a time: (N, ...) -> (N, ...)."""
    return torch.cat([function(rows) for rows in x.split(ROWS)])


def _contexts(x: Tensor, model: Model, space: Space) -> Tensor:
    target = cast(Space, model.composition.condition)
    with evaluating(model):
        return applied(lambda rows: _flat(model.context(into(target, rows, space))), x).double()
