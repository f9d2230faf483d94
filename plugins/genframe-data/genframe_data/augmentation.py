"""The specs of random changes of training images."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from genframe import Spec

__all__ = ["Augmentation", "Jitter"]


class Augmentation(Spec):
    """Random affine maps of training images about their centre, drawn anew for each batch. Simard et al. 2003, sec. 2.

    Every parameter is drawn uniformly between plus and minus its field. Values between pixels are bilinear.
    """

    rotate: float = Field(default=0.2, ge=0, description="largest angle in radians")
    scale: float = Field(default=0.12, ge=0, lt=1, description="largest change of height and of width, as a share of them")
    shear: float = Field(default=0.15, ge=0, description="largest displacement along a row for each pixel up or down")
    shift: float = Field(default=0.02, ge=0, le=1, description="largest displacement, as a share of height and of width")
    share: float = Field(default=0.5, gt=0, le=1, description="share of each batch that is mapped, rounded up; the rest stays")
    padding: Literal["zeros", "border", "reflection"] = Field(
        default="zeros", description="what lies outside the image: the lowest level, its nearest pixel, or its mirror image"
    )


class Jitter(Spec):
    """Random changes of the colours of training images, drawn anew for each batch.

    Each is a factor, drawn uniformly from 1 plus or minus the field: brightness multiplies all values, contrast the distance
    from the image's mean, saturation the distance from grey.
    """

    brightness: float = Field(default=0.1, ge=0, lt=1, description="largest change of brightness, as a share of it")
    contrast: float = Field(default=0.1, ge=0, lt=1, description="largest change of contrast, as a share of it")
    saturation: float = Field(default=0.1, ge=0, lt=1, description="largest change of saturation, as a share of it")
