"""The spec of a folder of pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import Field, PositiveInt, model_validator

from genframe import Categorical, Space

from .bases import DataPath, ImageSpec, Share, SplitBy

if TYPE_CHECKING:
    from genframe import Dataset

__all__ = ["Images"]

Byte: TypeAlias = Annotated[int, Field(ge=0, le=255)]


class Images(ImageSpec):
    """A folder of pictures, each cut centrally to the shape of ``size`` and resized; subfolders with pictures are classes.

    Files are taken in the order of their names; links are followed. PNG, JPEG, BMP, GIF, PPM, TIFF and WebP are read as bytes.
    """

    type: Literal["data/images"] = "data/images"

    path: DataPath = Field(description="the folder")
    size: tuple[PositiveInt, PositiveInt] = Field(default=(32, 32), description="height and width in pixels")
    colour: Literal["grey", "rgb"] = Field(default="rgb", description="one channel or three")
    background: str | tuple[Byte, Byte, Byte] = Field(
        default="white", description="what is seen through transparent pixels: the name of a colour, or [red, green, blue]"
    )
    grey_range: tuple[float, float] | None = Field(
        default=None,
        description="the values of black and white in pictures of 16 bits or floats, beyond which they are clipped; "
        "the lowest and the highest of all pictures if left out",
    )
    on_error: Literal["refuse", "skip"] = Field(default="refuse", description="refuse damaged pictures, or leave them out")
    draft: bool = Field(
        default=False, description="decode large JPEGs at a fraction of their size: faster, with slightly different values"
    )
    test: Share = Field(default=0.1, description="what to hold out for testing: a share below 1, or a count")
    split: SplitBy | Literal["folders"] = Field(
        default="random",
        description="hold out at random, or the end as a block (for sequences), or take the folders train, val and test",
    )

    @model_validator(mode="after")
    def _known_colour(self) -> Images:
        try:
            known = len(self.background_colour) == 3
        except ValueError:
            known = False
        if not known:
            raise ValueError(f"background: there is no colour {self.background!r}; name another, or say such as [0, 0, 0]")
        return self

    @model_validator(mode="after")
    def _ordered_range(self) -> Images:
        if self.grey_range is not None and not -math.inf < self.grey_range[0] < self.grey_range[1] < math.inf:
            raise ValueError(f"grey_range: expected the values of black and white, found {list(self.grey_range)}")
        return self

    @property
    def background_colour(self) -> tuple[int, ...]:
        """The background as red, green and blue, from 0 to 255 each."""
        if self.background == "white":
            return 255, 255, 255
        from .images import colour

        return colour(self.background) if isinstance(self.background, str) else self.background

    def data_space(self) -> Space:
        """Return the space of one picture; looks whether there are any."""
        from .folders import find

        find(self)
        return self.prepared_space((1 if self.colour == "grey" else 3, *self.size), 256)

    def condition_space(self) -> Space | None:
        """Return the subfolders with pictures as classes."""
        from .folders import class_names, find

        return Categorical((), len(class_names(find(self)))) if self.labels else None

    def attributes(self) -> Mapping[str, tuple[str, ...]]:
        """Return the classes by the names of their folders, where there are two or more."""
        from .folders import find, folder_names

        names = folder_names(find(self))
        return {"label": names} if len(names) > 1 else {}

    def report(self) -> tuple[str, ...]:
        """Return how many pictures are taken, and what is skipped."""
        from .folders import find, report

        return report(find(self), self.labels)

    def load(self) -> Dataset:
        """Read the pictures."""
        from .pictures import load_images

        return load_images(self)
