"""``genframe sample``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DataError, RunError

if TYPE_CHECKING:
    from torch import Tensor

    from ..experiment.run import Run
    from ..model import Samples


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("run", type=Path, nargs="?", metavar="RUN", help="the run's folder")
    parser.add_argument("-n", type=int, default=64, help="how many samples")
    parser.add_argument("--seed", type=int, default=0, help="seed; the i-th sample depends on it alone")
    parser.add_argument("--condition", type=int, metavar="CLASS", help="the class of every sample; all in turn if left out")
    parser.add_argument("--out", type=Path, help="a .png picture or a .npz file of the samples as array x")
    parser.add_argument("--like", type=Path, metavar="PICTURE", help="draw a sample picture again, from what it carries")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")


def run(options: argparse.Namespace) -> None:
    """Draw samples and say where they are."""
    from ..experiment.run import load
    from .output import print_json

    carried = _carried(options) if options.like else {}
    folder = options.run or (Path(carried["run"]) if carried.get("run") else None)
    if folder is None:
        raise RunError("name a run, or a picture with --like")
    trained = load(folder)
    if carried:
        _require_same(trained, carried, options.like)
        options.seed, options.n, options.condition = carried["seed"], carried["n"], carried.get("class")
    samples = trained.sample(options.n, _condition(trained, options), seed=options.seed)
    path = options.out or _default_path(trained, options)
    _save(path, trained, samples, options.condition)
    if options.json:
        print_json({"out": str(path), "n": options.n, "seed": options.seed, "checkpoint": trained.checkpoint})
    else:
        print(path)


def _carried(options: argparse.Namespace) -> dict[str, Any]:
    from ..picture import read_info

    info = read_info(options.like)
    wanted = {"run": (str, type(None)), "checkpoint": str, "seed": int, "n": int}
    for name, kind in wanted.items():
        if not isinstance(info.get(name), kind):  # type: ignore[arg-type]
            raise DataError(f"{options.like} does not say the {name} it was drawn with; it was not made by genframe")
    return info


def _require_same(trained: Run, carried: dict[str, Any], picture: Path) -> None:
    if trained.checkpoint != carried["checkpoint"]:
        raise RunError(
            f"{picture} was drawn from checkpoint {carried['checkpoint'][:12]} at step {carried.get('step')}, "
            f"the newest of {trained.folder} is {trained.checkpoint[:12]} at step {trained.step}; name the run that it is of"
        )


def _condition(trained: Run, options: argparse.Namespace) -> Tensor | None:
    """Return the condition of each sample: one class for all, or the classes in turn.

    :raises DataError: for a class that the model does not have.
    """
    import torch

    from ..experiment.run import default_condition

    turns = default_condition(trained.model, options.n)
    if options.condition is None:
        return turns
    space = trained.model.composition.condition
    size = getattr(space, "size", 0)
    if turns is None or not 0 <= options.condition < size:
        has = f"has the classes 0 to {size - 1}" if turns is not None else "is not conditional"
        raise DataError(f"there is no class {options.condition}: this model {has}")
    return torch.full_like(turns, options.condition)


def _default_path(trained: Run, options: argparse.Namespace) -> Path:
    folder = trained.folder or Path()
    of = "" if options.condition is None else f"-class-{options.condition}"
    return folder / "samples" / f"step-{trained.step:08d}-seed-{options.seed}{of}-n-{options.n}.png"


def _save(path: Path, trained: Run, samples: Samples, of_class: int | None) -> None:
    from ..experiment.folder import storing

    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npz":
        import numpy as np

        with storing(path):
            np.savez_compressed(path, x=samples.x.cpu().numpy())
        return
    from .. import picture

    info = trained.picture_info(samples) | ({} if of_class is None else {"class": of_class})
    picture.save(path, samples.x, samples.space, info)
