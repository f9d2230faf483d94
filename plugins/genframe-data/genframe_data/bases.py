"""The fields that data sets share, as abstract specs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, PlainSerializer, PositiveInt, model_validator

from genframe import DatasetSpec, Real

from .augmentation import Augmentation, Jitter
from .preparation import Binarise, Preparation

__all__ = ["DataPath", "DataSpec", "ImageSpec", "Layout", "Share", "SplitBy"]

Layout: TypeAlias = Literal["vector", "NL", "NCL", "NLC", "NHW", "NCHW", "NHWC", "NDHW", "NCDHW", "NDHWC"]
SplitBy: TypeAlias = Literal["random", "block"]


def _whole_count(value: float) -> float:
    if value >= 1 and value % 1:
        raise ValueError(f"expected a share below 1 or a whole number of data, found {value}")
    return value


Share: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False), AfterValidator(_whole_count)]
DataPath: TypeAlias = Annotated[Path, PlainSerializer(Path.as_posix, return_type=str)]


class DataSpec(DatasetSpec):
    """Fields of every data set here; abstract."""

    validation: Share = Field(
        default=0.1, description="what to hold out of the training data for validation: a share below 1, or a count"
    )
    seed: int = Field(
        default=0, ge=0, lt=2**32, description="seed of random splits and of what is drawn once; not the seed of training"
    )
    limit: PositiveInt | None = Field(default=None, description="keep only the first so many data of each split")

    def attributes(self) -> Mapping[str, tuple[str, ...]]:
        """Return the classes, where the data have any, whether or not ``labels`` gives them."""
        given = self.labelled("label")
        return {} if given.condition_space() is None else super(DataSpec, given).attributes()

    def labelled(self, attribute: str) -> DataSpec:
        """Return the data with their labels."""
        return self.model_copy(update={"labels": True}) if "labels" in type(self).model_fields else self


class ImageSpec(DataSpec):
    """Fields of data stored as whole numbers from 0 to ``levels - 1``; abstract.

    Static binarisation as Salakhutdinov & Murray 2008, dynamic as Burda et al. 2015, sec. 5; uniform
    dequantisation as Theis et al. 2015, sec. 3.1.
    """

    labels: bool = Field(default=False, description="give class labels as the condition")
    binarise: Binarise = Field(
        default="none",
        description="0 or 1 with the intensity as probability, drawn once (static) or anew for each batch of training data "
        "(dynamic; held-out data are drawn once), or by intensity above one half (threshold)",
    )
    dequantise: bool = Field(default=False, description="add uniform noise of one bin, so that densities have a meaning")
    range: Literal["0..1", "-1..1"] = Field(default="0..1", description="the values of the lowest and the highest level")
    augment: Augmentation | None = Field(
        default=None, description="random affine maps of training images, before all other preparation; none if left out"
    )

    flip: Literal["none", "horizontal"] = Field(
        default="none", description="mirror training images left to right with probability one half, drawn anew for each batch"
    )
    jitter: Jitter | None = Field(
        default=None, description="random changes of brightness, contrast and saturation of training images; none if left out"
    )

    @model_validator(mode="after")
    def _one_preparation(self) -> ImageSpec:
        if self.binarise != "none" and self.dequantise:
            raise ValueError(
                f"binarise: {self.binarise} makes two values and dequantise: true makes continuous ones; leave one of them out"
            )
        if self.binarise != "none" and self.range != "0..1":
            raise ValueError(f"binarised data are 0 and 1; leave range: {self.range} or binarise: {self.binarise} out")
        if self.binarise == "static" and self.augment is not None:
            raise ValueError(
                "binarise: static draws images once and augment moves them; say binarise: dynamic, or leave one out"
            )
        if self.binarise in ("static", "threshold") and self.jitter is not None:
            raise ValueError(f"binarise: {self.binarise} leaves two values, and jitter changes colours; leave one out")
        return self

    @property
    def preparation(self) -> Preparation:
        """How data on levels become values."""
        low = 0.0 if self.range == "0..1" else -1.0
        flip = self.flip == "horizontal"
        return Preparation(self.binarise, self.dequantise, low, 1.0, self.augment, self.seed, flip, self.jitter)

    def prepared_space(self, shape: tuple[int, ...], levels: int) -> Real:
        """Return the space of data stored on ``levels`` levels, once they are prepared."""
        return self.preparation.space(shape, levels)
