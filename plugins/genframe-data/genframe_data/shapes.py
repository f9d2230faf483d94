"""Spec of the data set of drawn shapes, and the words by which its captions name them. No torch, no numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from genframe import Categorical, Space

from .bases import ImageSpec, Share

if TYPE_CHECKING:
    from genframe import Dataset

__all__ = ["COLOURS", "KINDS", "PLACES", "Shapes", "caption_length", "phrase"]

COLOURS: Final = ("red", "green", "blue", "yellow", "magenta", "cyan", "white")
KINDS: Final = ("circle", "square", "triangle", "cross")
PLACES: Final = (
    *("at the top left", "at the top", "at the top right"),
    *("at the left", "in the middle", "at the right"),
    *("at the bottom left", "at the bottom", "at the bottom right"),
)
AND: Final = " and "
SIDE: Final = 32


def phrase(colour: int, kind: int, place: int) -> str:
    """Return how a caption names an object, by its places in the lists of words."""
    return f"a {COLOURS[colour]} {KINDS[kind]} {PLACES[place]}"


LONGEST: Final = max(
    len(phrase(*words)) for words in ((c, k, p) for c in range(len(COLOURS)) for k in range(len(KINDS)) for p in range(9))
)


def caption_length(objects: int) -> int:
    """Return the bytes of a caption of at most so many objects."""
    return objects * LONGEST + (objects - 1) * len(AND)


class Shapes(ImageSpec):
    """Drawn pictures of one or two coloured shapes on black, 3×32×32 pixels, with a caption such as "a red circle at the top".

    Every object lies in a cell of its own of a grid of 3×3, moved by up to half a pixel and in one of two sizes. Captions name
    objects in reading order and are bytes, followed by zeros. A caption is of one split only: what is held out was never
    named in training.
    """

    type: Literal["data/shapes"] = "data/shapes"

    n: int = Field(default=20_000, ge=10, description="pictures in all splits together")
    objects: Literal[1, 2] = Field(default=2, description="the most objects in a picture; fewer are as likely")
    labels: bool = Field(default=False, description="give the captions as the condition")
    test: Share = Field(default=0.1, description="what to hold out for testing: a share below 1, or a count")

    @property
    def length(self) -> int:
        """Bytes of a caption."""
        return caption_length(self.objects)

    def data_space(self) -> Space:
        """Return the space of a picture."""
        return self.prepared_space((3, SIDE, SIDE), 256)

    def condition_space(self) -> Space | None:
        """Return the space of captions: bytes."""
        return Categorical((self.length,), 256) if self.labels else None

    def load(self) -> Dataset:
        """Draw the pictures.

        :raises DataError: if no caption would be left for training.
        """
        from .drawing import load_shapes

        return load_shapes(
            self.n,
            self.objects,
            self.preparation,
            labels=self.labels,
            validation=self.validation,
            test=self.test,
            limit=self.limit,
        )
