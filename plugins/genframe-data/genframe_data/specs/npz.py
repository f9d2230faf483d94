"""Spec of arrays in numpy archives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt, model_validator

from genframe import Categorical, Space
from genframe.types import Report

from ..bases import DataPath, ImageSpec, Layout, Share, SplitBy

if TYPE_CHECKING:
    from genframe import Dataset

    from ..npz import Archive

__all__ = ["Npz"]


class Npz(ImageSpec):
    """Arrays in a numpy archive: whole numbers are 256 levels, bools 2, floats are continuous and taken as they are.

    Labels are whole numbers or names; classes are those that occur. Pickled objects are refused.
    """

    type: Literal["data/npz"] = "data/npz"

    path: DataPath = Field(description="the npz file")
    array: str = Field(default="x", description="name of the array of the data")
    label_array: str = Field(default="labels", description="name of the array of the labels")
    layout: Layout = Field(default="NCHW", description="what the axes mean; 'vector' flattens each example")
    validation: Share | str = Field(  # type: ignore[assignment]  # wider than the base: a name will do too
        default=0.1, description="what to hold out for validation: a share below 1, a count, or the name of an array"
    )
    validation_labels: str | None = Field(default=None, description="name of the validation array's labels")
    test: Share | str = Field(
        default=0.1, description="what to hold out for testing: a share below 1, a count, or the name of an array"
    )
    test_labels: str | None = Field(default=None, description="name of the test array's labels")
    split: SplitBy = Field(default="random", description="hold out at random, or the end as a block (for sequences)")
    group_array: str | None = Field(
        default=None,
        description="name of an array of names or numbers, such as persons: data alike in it stay in one split, and shares and "
        "counts of what is held out are of groups",
    )
    levels: int | None = Field(
        default=None, ge=2, le=256, description="values of whole numbers, counted from 0; 256 if left out, 2 for bools"
    )
    intensities: tuple[float, float] | None = Field(
        default=None,
        description="the whole numbers that become the lowest and the highest of 256 levels; those of all arrays together if "
        "left out and some are not within 0 to 255",
    )
    downscale: PositiveInt = Field(default=1, description="average images over squares of so many pixels a side")

    @model_validator(mode="after")
    def _one_scale(self) -> Npz:
        if self.levels is not None and self.intensities is not None:
            raise ValueError("levels are values as they are and intensities a range that is scaled; leave one of them out")
        if self.intensities is not None and not self.intensities[0] < self.intensities[1]:
            raise ValueError(f"intensities: expected the lower before the higher, found {list(self.intensities)}")
        return self

    @model_validator(mode="after")
    def _images_where_downscaled(self) -> Npz:
        if self.downscale > 1 and self.layout not in ("NHW", "NCHW", "NHWC"):
            raise ValueError(f"downscale is of images, found layout: {self.layout}; say NHW, NCHW or NHWC, or leave it out")
        return self

    @model_validator(mode="after")
    def _groups_where_shares(self) -> Npz:
        named = [split for split in ("validation", "test") if isinstance(getattr(self, split), str)]
        if self.group_array is not None and named:
            raise ValueError(f"group_array divides one array, and {named[0]} has its own; leave one of them out")
        return self

    @model_validator(mode="after")
    def _images_where_moved(self) -> Npz:
        if self.augment is not None and self.layout not in ("NHW", "NCHW", "NHWC"):
            raise ValueError(f"augment moves images, found layout: {self.layout}; say NHW, NCHW or NHWC, or leave augment out")
        return self

    @model_validator(mode="after")
    def _labels_where_arrays(self) -> Npz:
        for split, array, labels in (
            ("validation", self.validation, self.validation_labels),
            ("test", self.test, self.test_labels),
        ):
            if isinstance(array, str) and self.labels and labels is None:
                raise ValueError(f"labels of {split}: {array} are missing; name their array as {split}_labels")
            if not isinstance(array, str) and labels is not None:
                raise ValueError(f"{split}_labels: {labels} has no data; name their array as {split}, or leave it out")
        return self

    def arrays(self) -> dict[str, tuple[str, str | None]]:
        """Return the names of the arrays of each split that has its own, and of its labels."""
        held_out = {"validation": (self.validation, self.validation_labels), "test": (self.test, self.test_labels)}
        named = {split: (array, labels) for split, (array, labels) in held_out.items() if isinstance(array, str)}
        return {"train": (self.array, self.label_array), **named}

    def archive(self) -> Archive:
        """Return the archive's arrays and how they lie, as plain values."""
        from ..npz import Archive

        return Archive(
            self.path,
            self.arrays(),
            self.layout,
            self.downscale,
            self.group_array,
            self.levels,
            self.intensities,
            guessed="layout" not in self.model_fields_set,
        )

    def data_space(self) -> Space:
        """Return the space of one example, by the array's header."""
        from ..layouts import space

        return space(self.archive(), self.preparation)

    def condition_space(self) -> Space | None:
        """Return the classes; the arrays of labels are read."""
        from ..classes import labels

        return Categorical((), len(labels(self.archive())[1])) if self.labels else None

    def attributes(self) -> Mapping[str, tuple[str, ...]]:
        """Return the arrays of names or whole numbers, one per example; ``label_array`` alone where splits have their own."""
        from ..classes import attributes

        return attributes(self.archive())

    def label_name(self) -> str | None:
        """Return ``label_array``, where labels are given."""
        return self.label_array if self.labels else None

    def labelled(self, attribute: str) -> Npz:
        """Return the data with the array of this name as their labels."""
        return self.model_copy(update={"labels": True, "label_array": attribute})

    def report(self) -> Report:
        """Return how many examples the headers announce, by split, and of how many classes."""
        from ..npz import header

        archive = self.archive()
        counts = {split: header(archive.file(), name).shape[0] for split, (name, _) in archive.arrays.items()}
        classes = f" of {space.size} classes" if isinstance(space := self.condition_space(), Categorical) else ""
        return Report(
            " and ".join(f"{count} examples of {archive.arrays[split][0]!r}" for split, count in counts.items()) + classes
        )

    def load(self) -> Dataset:
        """Read the arrays."""
        from ..arrays import load_npz

        validation, test = (share if not isinstance(share, str) else 0 for share in (self.validation, self.test))
        return load_npz(
            self.archive(),
            self.preparation,
            labels=self.labels,
            validation=validation,
            test=test,
            by=self.split,
            limit=self.limit,
            report=self.report(),
        )
