"""Whether a training fits into the memory and onto the disk that there are: asked before anything is built."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...checking.flow import check
from ...model.wrapping import places
from ...specs.composition import Composition
from ...specs.parts import ModelSpec
from ...training.environment import pick_device
from ...training.machine import available_memory, is_out_of_memory
from ...training.settings import TrainSpec
from ...training.sizes import sizes
from ...types.errors import GenframeError, SpecError, Unsupported
from ...types.text import readable
from ..document.spec import ExperimentSpec
from . import checkpoint as storage

__all__ = ["check_resources", "out_of_memory"]

MOST_TRIED = 60  # fields of which one is looked for that costs most


def check_resources(spec: ExperimentSpec, composition: Composition, folder: Path | None) -> None:
    """Compare what training needs with what is there; a model with modules of one's own is not counted.

    :raises Unsupported: if there is too little memory, with both numbers and the field that costs most.
    :raises StorageError: if there is too little disk.
    """
    if any(places(composition.spec)):
        return
    there = available_memory(pick_device(spec.train.device))
    try:
        found = _counted(spec.train, composition)
    except OverflowError:
        raise Unsupported(f"training needs more memory than can be counted; {_advice(spec, composition)}") from None
    if there is not None and found is not None and _bytes(found) > there:
        raise Unsupported(f"{_told(found, there)}; {_advice(spec, composition)}")
    if folder is not None and found is not None:
        storage.free_space(folder / "checkpoints", (spec.train.keep + 1) * found["checkpoint_bytes"])


@contextmanager
def out_of_memory(spec: ExperimentSpec, composition: Composition, where: Path | None) -> Iterator[None]:
    """Turn an allocation that fails into one line; checkpoints that were written stay as they are.

    :raises Unsupported: saying what is needed and what would help.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, GenframeError) or not is_out_of_memory(error):
            raise
        kept = f"; {where} continues from its last checkpoint with other settings of train" if where is not None else ""
        advice = _advice(spec, composition) if not any(places(composition.spec)) else ADVICE
        raise Unsupported(f"there is not enough memory; {advice}{kept}") from error


ADVICE = "lower train.batch_size, with train.accumulate for the same gradient, or make the model smaller"


def _counted(train: TrainSpec, composition: Composition) -> dict[str, Any] | None:
    """Return parameters and bytes; ``None`` where a part cannot be made without memory.

    :raises OverflowError: if there are more bytes than torch counts, which it does in 64 bits.
    """
    try:
        return sizes(train, composition)
    except (RuntimeError, TypeError, ValueError, NotImplementedError) as error:
        if "overflow" in str(error):
            raise OverflowError(str(error)) from error
        return None


def _bytes(found: Mapping[str, Any]) -> float:
    return float(found["weights_bytes"] + (found["activations_bytes"] or 0))


def _told(found: Mapping[str, Any], there: int) -> str:
    kinds = {"weights, gradients and moments": found["weights_bytes"], "activations": found["activations_bytes"]}
    parts = ", ".join(f"{kind} {readable(count)}" for kind, count in kinds.items() if count)
    return f"training needs about {readable(_bytes(found))} of memory ({parts}), and {readable(there)} are there"


def _advice(spec: ExperimentSpec, composition: Composition) -> str:
    """Name the whole number of model and training without half of which least is needed."""
    whole = {"model": spec.model.model_dump(mode="json"), "train": spec.train.model_dump(mode="json")}
    needed: dict[str, float] = {}
    for path, value in sorted(_numbers(whole), key=lambda found: -found[1])[:MOST_TRIED]:
        smaller = copy.deepcopy(whole)
        _put(smaller, path, value // 2)
        try:
            model, train = ModelSpec.model_validate(smaller["model"]), TrainSpec.model_validate(smaller["train"])
            found = _counted(train, check(model, composition.data, composition.condition))
        except SpecError:
            continue
        except OverflowError:
            found = None
        needed[f"{'.'.join(map(str, path))} is {value}"] = _bytes(found) if found is not None else math.inf
    best = min(needed, key=lambda name: needed[name], default="")
    return f"most of it is because {best}; make it smaller" if best else ADVICE


def _numbers(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], int]]:
    """Yield each whole number above one that has to do with size, with its path."""
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, entry in entries:
        if isinstance(entry, int) and not isinstance(entry, bool) and entry > 1 and key not in ("steps", "seed", "warmup"):
            yield (*path, key), entry
        yield from _numbers(entry, (*path, key))


def _put(node: Any, path: tuple[str | int, ...], value: int) -> None:
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
