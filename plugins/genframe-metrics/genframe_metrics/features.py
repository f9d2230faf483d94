"""Features of data, by a trained run or as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

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
from genframe.roles import into

from .runs import condition_encoder, readable

__all__ = ["Extractor", "applied", "extractor", "reader", "vectors", "why_no_features"]

ROWS: Final = 500  # read at once; bounds memory


def vectors(x: Tensor, space: Space) -> Tensor:
    """Return data as vectors in double precision: (N, ...) -> (N, D); classes as one-hot vectors."""
    return (F.one_hot(x, space.size) if isinstance(space, Categorical) else x).flatten(1).double()


@dataclass(frozen=True)
class Extractor:
    """A function from data to features, (N, data) -> (N, D), with its name and what else a stamp says of it.

    >>> halves = Extractor("halves", lambda x: x[:, :4])
    >>> halves.extract(torch.ones(3, 8)).shape, halves.stamped
    (torch.Size([3, 4]), {'name': 'halves'})
    """

    name: str
    extract: Callable[[Tensor], Tensor]
    stamp: Mapping[str, Any] = field(default_factory=dict)

    @property
    def stamped(self) -> dict[str, Any]:
        """What the stamp of a result says of the features."""
        return {"name": self.name, **self.stamp}


def extractor(run: Path | None, space: Space, device: torch.device) -> Extractor:
    """Return the extractor of a run for data of ``space``; without a run, that of the values themselves.

    :raises RunError: if the run is missing or does not read such data.
    :raises CheckpointError: if it has no valid checkpoint.
    """
    if run is None:
        return Extractor("values", partial(vectors, space=space))
    found = reader(run, space, device)
    extract = partial(_contexts, model=found.model, space=space)
    return Extractor(found.experiment.name, extract, {"weights": found.model.weights_digest()})


def why_no_features(run: Path, space: Space) -> str:
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
        raise RunError(f"{problem.message}; {problem.hint}") from None
    return load(run.expanduser(), device=str(device))


def encoder_weights(run: Path, space: Space, expected: object) -> Mapping[str, Tensor]:
    """Return the weights of the condition encoder of a run, whose spec must be ``expected``.

    :raises RunError: if the run is missing, does not read data of ``space``, or has another encoder.
    :raises CheckpointError: if it has no valid checkpoint.
    """
    model = reader(run, space, torch.device("cpu")).model
    if model.condition is None or model.composition.spec.condition != expected:
        raise RunError(f"{run} has another encoder than 'network' says; leave network and reads out")
    return model.condition.state_dict()


def _flat(context: Context | None) -> Tensor:
    """Return all values of a context, row by row."""
    assert context is not None
    return torch.cat([tensor.flatten(1) for tensor in context.tensors], 1)


def applied(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Return ``function`` of all rows, 500 at a time: (N, ...) -> (N, ...)."""
    return torch.cat([function(rows) for rows in x.split(ROWS)])


def _contexts(x: Tensor, model: Model, space: Space) -> Tensor:
    target = model.composition.condition
    assert target is not None
    with evaluating(model):
        return applied(lambda rows: _flat(model.context(into(target, rows, space))), x).double()
