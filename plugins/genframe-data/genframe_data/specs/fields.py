"""The fields that all pictures from files share, as an abstract spec."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field, PositiveInt, model_validator

from ..bases import ImageSpec
from ..preparation import Preparation

if TYPE_CHECKING:
    from ..decoding import Pictures

__all__ = ["PictureSpec"]


def _both(size: object) -> object:
    return (size, size) if isinstance(size, int) and not isinstance(size, bool) else size


class PictureSpec(ImageSpec):
    """How pictures from files become images of one size; abstract."""

    size: Annotated[
        tuple[PositiveInt, PositiveInt],
        BeforeValidator(_both, json_schema_input_type=PositiveInt | tuple[PositiveInt, PositiveInt]),
    ] = Field(default=(32, 32), description="height and width in pixels, or one number for both")
    colour: Literal["grey", "rgb"] = Field(default="rgb", description="one channel or three")
    background: str = Field(
        default="white",
        pattern="^(white|grey|black|#[0-9a-fA-F]{6})$",
        description="what lies behind transparent pixels: white, grey, black or #rrggbb",
    )
    intensities: tuple[float, float] | None = Field(
        default=None,
        description="the greys of more than 8 bits that become the lowest and the highest level; those of all pictures "
        "together if left out",
    )
    fit: Literal["cover", "contain", "stretch"] = Field(
        default="cover",
        description="what becomes of a picture of another shape: it is cut at its sides, given borders, or stretched",
    )
    crop: Literal["centre", "random"] = Field(
        default="centre",
        description="training pictures are seen through a window at the centre, or at a random place of a picture that is "
        "stored larger by 'margin'",
    )
    margin: float = Field(default=0.125, gt=0, le=1, description="how much larger than the window, where crop is random")

    @model_validator(mode="after")
    def _pictures_that_can_be(self) -> PictureSpec:
        if self.intensities is not None and not self.intensities[0] < self.intensities[1]:
            raise ValueError(f"intensities: expected the lower before the higher, found {list(self.intensities)}")
        if self.crop == "random" and self.fit == "stretch":
            raise ValueError("crop: random needs pictures that keep their shape; leave fit: stretch or crop: random out")
        return self

    @property
    def preparation(self) -> Preparation:
        """How pictures become values."""
        return replace(super().preparation, window=self.size if self.crop == "random" else None)

    def pictures(self) -> Pictures:
        """Return how pictures are decoded, as plain values; larger than the window where that is at a random place."""
        from ..decoding import Pictures

        height, width = self.size
        larger = 1 + self.margin if self.crop == "random" else 1
        size = (math.ceil(height * larger), math.ceil(width * larger))
        mode = "L" if self.colour == "grey" else "RGB"
        return Pictures(size, mode, self.background, self.intensities, self.fit)
