"""What the commands on latents share: the run, how its data become latents, the data, pictures and animations."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DataError, SpecError
from .runs import add_arguments, make_room, opened
from .values import count, natural, range_of, shown_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from genframe_metrics.classifier import Classifier

    from ..data import Dataset, Split
    from ..directions import Direction
    from ..experiment.run import Run
    from ..latents import Latents
    from ..spaces import Space

__all__ = ["Subject", "add_latent_arguments", "add_strengths", "classifier_of", "open_subject", "strengths_of"]


def add_latent_arguments(parser: argparse.ArgumentParser, *, shown: int | None = 8) -> None:
    """Declare what all of the commands take; ``shown`` data make the picture, where there is one."""
    add_arguments(parser)
    parser.add_argument("--split", help="train, validation or test; the experiment's if left out")
    parser.add_argument("--sampler", metavar="NAME_OR_MAPPING", help="another sampler, such as diffusion/ode, to invert")
    parser.add_argument("--seed", type=natural, default=0, help="seed of what is drawn: noise of data, starts of a search")
    if shown is not None:
        parser.add_argument("-n", type=count, default=shown, help="how many data the picture shows, the first of the split")
        parser.add_argument(
            "--out",
            type=shown_file,
            metavar="FILE",
            help="a .png picture, or a .gif animation; in the run's samples if left out",
        )
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")


def add_strengths(parser: argparse.ArgumentParser, name: str, default: str) -> None:
    """Declare a range of multiples, how many of it there are, and how latents are moved by them."""
    parser.add_argument(name, type=range_of, default=range_of(default), metavar="LOW..HIGH", help=f"multiples; {default}")
    parser.add_argument("--steps", type=count, default=9, help="how many, evenly from the lowest to the highest")
    parser.add_argument(
        "--along", choices=("linear", "spherical"), default="linear", help="spherical keeps the length of each latent"
    )


def strengths_of(limits: tuple[float, float], steps: int) -> list[float]:
    """Return so many multiples, evenly spread; one is the highest."""
    low, high = limits
    return [high] if steps == 1 else [low + (high - low) * step / (steps - 1) for step in range(steps)]


@dataclass(frozen=True)
class Subject:
    """A run whose data have latents, and how they get them."""

    run: Run
    latents: Latents
    seed: int

    @property
    def space(self) -> Space:
        """The space of data."""
        return self.run.model.composition.data

    @cached_property
    def dataset(self) -> Dataset:
        """The run's data, read when they are first asked for."""
        return self.run.experiment.data.load()

    def split(self, name: str | None, limit: int | None = None) -> Split:
        """Return a split, the experiment's if it is not named, or the first of it, on the model's device."""
        split = self.dataset.split(name or self.run.experiment.evaluate.split)
        return (split.subset(slice(0, limit)) if limit else split).to(self.run.model.device)

    def data(self, split: Split) -> tuple[Tensor, Tensor | None]:
        """Return the prepared data, and their condition for a conditional model."""
        from genframe_metrics.protocol import prepared_for

        return prepared_for(self.run.model, split, self.seed)

    def stamp(self) -> dict[str, Any]:
        """Return what says of which model, and of which of its latents, codes and directions are."""
        from .. import __version__

        sampler = self.run.experiment.model.sampler.model_dump(mode="json") if self.latents.way == "probability flow" else None
        return {
            "genframe": __version__,
            "run": self.run.experiment.name,
            "weights": self.run.model.weights_digest(),
            "latent": self.latents.way,
            "sampler": sampler,
            "shape": list(self.latents.space.shape),
            "seed": self.seed,
        }

    def direction(self, path: Path) -> Direction:
        """Return the direction in a file.

        :raises DataError: if it is of another model.
        """
        from ..directions import Direction

        return Direction.load(path, self.stamp())

    def show(self, out: Path | None, name: str, columns: Sequence[Tensor], info: dict[str, Any]) -> Path:
        """Write a picture whose rows are data and whose columns are given, or an animation of these; return where it is."""
        import torch

        from ..picture import animate, grid, write

        path = out or (self.run.folder or Path()) / "samples" / f"step-{self.run.step:08d}-{name}.png"
        make_room(path)
        info = {**info, "run": str(self.run.folder), "checkpoint": self.run.checkpoint, "seed": self.seed}
        if path.suffix == ".gif":
            animate(path, columns, self.space, info, back=True)
        else:
            write(path, grid(torch.stack(list(columns), 1).flatten(0, 1), self.space, columns=len(columns)), info)
        return path


def open_subject(options: argparse.Namespace) -> Subject:
    """Return the run that the options name.

    :raises Unsupported: if data of its model have no latent.
    """
    from ..latents import Search, latents_of
    from .output import say

    run = opened(options.run, options.device)
    if options.sampler:
        _take_sampler(run, options.sampler)
    latents = latents_of(run.model, options.seed)
    if isinstance(latents, Search):
        say(f"there is no encoder: latents are searched for, {latents.cost()}")
    return Subject(run, latents, options.seed)


def _take_sampler(run: Run, text: str) -> None:
    """Give the run's model another sampler.

    :raises SpecError: if it does not fit.
    """
    from ..experiment.folder import RunFolder
    from ..experiment.loading import experiment_from

    assert run.folder is not None
    spec = experiment_from(run.experiment.model_dump(mode="json"), [f"model.sampler={text}"]).spec
    run.model.composition = RunFolder(run.folder).composition(spec)
    run.experiment, run.model.sampler = spec, spec.model.sampler.build()


def classifier_of(folder: Path, space: Space, device: str, name: str = "", classes: tuple[str, ...] = ()) -> Classifier:
    """Return the classifier of a run, of labels ``name`` with these classes where they are given.

    :raises Unsupported: if the run is no classifier of such data.
    :raises DataError: if it tells other labels apart.
    """
    from genframe_metrics.classifier import Classifier

    run = opened(folder, device)
    classifier = Classifier(run.model, space)
    if not classes:
        return classifier
    data = run.experiment.data
    theirs = data.label_name()
    found = data.attributes().get(theirs or "", ())
    if theirs != name or found != classes:
        listed = ", ".join(found[:12]) or f"{classifier.classes.size} classes"
        raise DataError(
            f"{folder} tells {theirs or 'labels'} apart ({listed}), not {name} ({', '.join(classes[:12])}); "
            "train a classifier on data/labels of these"
        )
    return classifier


def chosen(rows: Sequence[int], count: int) -> None:
    """Return if all rows are of data that there are.

    :raises SpecError: otherwise.
    """
    wrong = [row for row in rows if row >= count]
    if wrong:
        raise SpecError(f"there is no datum {wrong[0]}: the split has 0 to {count - 1}")
