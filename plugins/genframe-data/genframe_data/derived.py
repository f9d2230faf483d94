"""Specs of the data sets that are made of another one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt

from genframe import Categorical, DatasetSpec, Problem, Real, Space, SpecError

if TYPE_CHECKING:
    from genframe import Dataset
    from genframe.types import Report

__all__ = ["Labels", "Stacked"]


class Labels(DatasetSpec):
    """The labels of another data set as data, and its data as their condition: what a classifier is trained on."""

    type: Literal["data/labels"] = "data/labels"

    of: DatasetSpec = Field(description="a data set with labels")

    def data_space(self) -> Space:
        """Return the space of a label.

        :raises SpecError: if there are no labels.
        """
        labels = self.of.condition_space()
        if labels is None:
            raise SpecError(Problem("data.of", f"{self.of.type!r} gives no labels", "set labels: true in it, if it has any"))
        return labels

    def condition_space(self) -> Space | None:
        """Return the space of what is labelled."""
        return self.of.data_space()

    def attributes(self) -> Mapping[str, tuple[str, ...]]:
        """Return those of what is labelled."""
        return self.of.attributes()

    def label_name(self) -> str | None:
        """Return which labels are the data."""
        return self.of.label_name()

    def labelled(self, attribute: str) -> Labels:
        """Return other labels of the same data."""
        return self.model_copy(update={"of": self.of.labelled(attribute)})

    def report(self) -> Report | None:
        """Return that of what is labelled."""
        return self.of.report()

    def load(self) -> Dataset:
        """Read the data set."""
        from .deriving import load_labels

        return load_labels(self.of.load(), self.of.type, self.data_space())


class Stacked(DatasetSpec):
    """Three images of another data set, drawn at random, as the channels of one: a thousand modes of ten digits.

    Of k classes there are k³ modes, all alike in probability where classes are. Metz et al. 2017, sec. 3.3.1; Lin et al. 2018,
    sec. 4.2 (PacGAN). Each split is drawn from its own images. With ``labels`` in ``of``, classes a, b and c make the label
    (a k + b) k + c.
    """

    type: Literal["data/stacked"] = "data/stacked"

    of: DatasetSpec = Field(description="a data set of images of one channel")
    n: PositiveInt = Field(default=50_000, description="stacks of the training split")
    held_out: PositiveInt = Field(default=26_000, description="stacks of each other split")
    seed: int = Field(default=0, ge=0, lt=2**32, description="seed of the draws; not the seed of training")

    def data_space(self) -> Space:
        """Return the space of an image with three channels.

        :raises SpecError: if the images do not have one.
        """
        space = self.of.data_space()
        if not isinstance(space, Real) or len(space.shape) < 2 or space.shape[0] != 1:
            found = f"images of one channel are stacked, found {space}"
            raise SpecError(Problem("data.of", found, "take grey images, such as those of data/idx"))
        return replace(space, shape=(3, *space.shape[1:]))

    def condition_space(self) -> Space | None:
        """Return the modes, where the images have labels."""
        classes = self.of.condition_space()
        return Categorical((), classes.size**3) if isinstance(classes, Categorical) else None

    def report(self) -> Report | None:
        """Return that of the images."""
        return self.of.report()

    def load(self) -> Dataset:
        """Read the images and stack them."""
        from .deriving import load_stacked

        return load_stacked(
            self.of.load(),
            self.of.type,
            n=self.n,
            held_out=self.held_out,
            seed=self.seed,
            space=self.data_space(),
            classes=self.condition_space(),
        )
