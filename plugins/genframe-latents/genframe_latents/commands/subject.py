"""What the commands on latents share: the run, its latents and examples, and the pictures that they write."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genframe import DataError, __version__
from genframe.cli.runs import add_arguments, add_data_arguments, make_room, opened
from genframe.cli.values import count, natural, range_of, shown_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from genframe import Dataset, Run, Space, Split
    from genframe_metrics.classifier import Classifier

    from ..directions import Direction
    from ..latents import Latents

__all__ = ["Subject", "add_latent_arguments", "add_strengths", "classifier_of", "open_subject", "strengths_of"]


def add_latent_arguments(parser: argparse.ArgumentParser, *, shown: int | None = 8) -> None:
    """Declare the arguments of every command; ``shown`` is the number of examples in the picture, if there is one."""
    add_arguments(parser)
    add_data_arguments(parser)
    parser.add_argument("--split", help="train, validation or test; the experiment's if left out")
    parser.add_argument("--sampler", metavar="NAME_OR_MAPPING", help="another sampler, such as diffusion/ode, to invert")
    parser.add_argument("--seed", type=natural, default=0, help="seed of random draws: noise of examples, starts of a search")
    if shown is not None:
        parser.add_argument("-n", type=count, default=shown, help="how many examples the picture shows, the first of the split")
        parser.add_argument(
            "--out",
            type=shown_file,
            metavar="FILE",
            help="a .png picture, or a .gif animation; in the run's samples if left out",
        )
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")


def add_strengths(parser: argparse.ArgumentParser, name: str, default: str) -> None:
    """Declare a range of multiples, how many steps it has, and how latents move."""
    parser.add_argument(name, type=range_of, default=range_of(default), metavar="LOW..HIGH", help=f"multiples; {default}")
    parser.add_argument("--steps", type=count, default=9, help="how many multiples, evenly from the lowest to the highest")
    parser.add_argument(
        "--along", choices=("linear", "spherical"), default="linear", help="spherical keeps the length of each latent"
    )


def strengths_of(limits: tuple[float, float], steps: int) -> list[float]:
    """Return ``steps`` evenly spaced multiples; a single one is the highest."""
    low, high = limits
    return [high] if steps == 1 else [low + (high - low) * step / (steps - 1) for step in range(steps)]


@dataclass(frozen=True)
class Subject:
    """A run, and what encodes its examples to latents."""

    run: Run
    latents: Latents
    seed: int

    @property
    def space(self) -> Space:
        """The space of an example."""
        return self.run.model.composition.data

    @cached_property
    def dataset(self) -> Dataset:
        """The run's dataset, loaded when it is first used."""
        return self.run.dataset()

    def split(self, name: str | None, limit: int | None = None) -> Split:
        """Return a split on the model's device, the experiment's if ``name`` is None; its first ``limit`` examples if given."""
        split = self.dataset.split(name or self.run.experiment.evaluate.split)
        return (split.subset(slice(0, limit)) if limit else split).to(self.run.model.device)

    def data(self, split: Split) -> tuple[Tensor, Tensor | None]:
        """Return the prepared examples, and their condition for a conditional model."""
        from genframe_metrics.protocol import prepared_for

        return prepared_for(self.run.model, split, self.seed)

    def stamp(self) -> dict[str, Any]:
        """Return what identifies the model and the kind of latents that codes and directions belong to."""
        sampler = self.run.experiment.model.sampler.model_dump(mode="json")
        return {
            "genframe": __version__,
            "run": self.run.experiment.name,
            "weights": self.run.model.weights_digest(),
            "latent": self.latents.route,
            "sampler": sampler if self.latents.route == "probability flow" else None,
            "shape": list(self.latents.space.shape),
            "seed": self.seed,
        }

    def direction(self, path: Path) -> Direction:
        """Return the direction in a file.

        :raises DataError: if it belongs to another model.
        """
        from ..directions import Direction

        return Direction.load(path, self.stamp())

    def show(self, out: Path | None, name: str, columns: Sequence[Tensor], info: dict[str, Any]) -> Path:
        """Write a picture with a row per example, or an animation of the columns; return its path."""
        import torch

        from genframe.output.picture import animate, grid, write

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

    :raises Unsupported: if its model has no latents.
    """
    from genframe.cli.output import say

    from ..latents import Search, latents_of

    run = opened(options.run, options.device, allow_changed_data=options.allow_changed_data)
    if options.sampler:
        _take_sampler(run, options.sampler)
    latents = latents_of(run.model, options.seed)
    if isinstance(latents, Search):
        say(f"the model has no encoder: latents are searched for, {latents.cost()}")
    return Subject(run, latents, options.seed)


def _take_sampler(run: Run, text: str) -> None:
    """Give the run's model another sampler.

    :raises SpecError: if it does not fit.
    """
    from genframe.experiment.document.loading import experiment_from
    from genframe.experiment.run.folder import RunFolder

    assert run.folder is not None
    spec = experiment_from(run.experiment.model_dump(mode="json"), [f"model.sampler={text}"]).spec
    run.model.composition = RunFolder(run.folder).composition(spec)
    run.experiment, run.model.sampler = spec, spec.model.sampler.build(run.model.composition.spaces)


def classifier_of(folder: Path, space: Space, device: str, name: str = "", classes: tuple[str, ...] = ()) -> Classifier:
    """Return the classifier in a run. If ``classes`` are given, it must classify the labels ``name`` with these classes.

    :raises Unsupported: if the run is not a classifier of such examples.
    :raises DataError: if it classifies other labels.
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
            f"{folder} classifies {theirs or 'labels'} ({listed}), not {name} ({', '.join(classes[:12])}); "
            "train a classifier on data/labels of this dataset"
        )
    return classifier
