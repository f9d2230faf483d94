"""What the commands that read a run share: opening it, the device to compute on, and where pictures go."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..types.errors import DataError, StorageError, Unsupported

if TYPE_CHECKING:
    from ..experiment.run.evaluation import Evaluation
    from ..experiment.run.run import Run

__all__ = ["add_arguments", "add_data_arguments", "make_room", "opened", "refuse_failed"]


def add_arguments(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """Declare the run's folder and the device."""
    parser.add_argument("run", type=Path, nargs="?" if optional else None, metavar="RUN", help="the run's folder")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto takes a GPU if there is one")


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what a command that reads the run's dataset takes besides."""
    parser.add_argument(
        "--allow-changed-data", action="store_true", help="use the dataset even if it has changed since the run was trained"
    )


def opened(folder: Path, device: str = "cpu", *, allow_changed_data: bool = False) -> Run:
    """Return the run in ``folder``, and say what was odd about it.

    :raises Unsupported: for a GPU where there is none.
    """
    import torch

    from ..experiment.run.run import load
    from ..training.environment import pick_device
    from .output import say

    chosen = pick_device(device)
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise Unsupported("there is no GPU here; choose --device cpu")
    run = load(folder, device=chosen.type, allow_changed_data=allow_changed_data)
    for note in run.notes:
        say(note)
    return run


def make_room(path: Path) -> None:
    """Make the folder of a file that is to be written.

    :raises StorageError: if the volume refuses.
    """
    from ..output.files import storing

    if path.parent.exists() and not path.parent.is_dir():
        raise StorageError(f"{path} cannot be written: {path.parent} is not a folder")
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)


def refuse_failed(evaluation: Evaluation) -> None:
    """Fail where a metric of the experiment could not be measured; the others are printed and kept by then.

    :raises DataError: naming each of them.
    """
    if evaluation.failed:
        raise DataError("\n".join(f"{name}: not measured: {reason}" for name, reason in evaluation.failed.items()))
