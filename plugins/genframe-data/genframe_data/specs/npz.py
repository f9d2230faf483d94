"""Spec of arrays in numpy archives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt, model_validator

from genframe import Categorical, Space

from ..bases import DataPath, ImageSpec, Layout, Share, SplitBy

if TYPE_CHECKING:
    from genframe import Dataset

    from ..npz import Archive

__all__ = ["Npz"]


class Npz(ImageSpec):
    """Arrays in a numpy archive: bytes are 256 levels, bools 2, floats are continuous and taken as they are.

    Labels are whole numbers from 0, or names. Pickled objects are refused.
    """

    type: Literal["data/npz"] = "data/npz"

    path: DataPath = Field(description="the npz file")
    array: str = Field(default="x", description="name of the array of the data")
    label_array: str = Field(default="labels", description="name of the array of the labels")
    layout: Layout = Field(default="NCHW", description="what the axes mean; 'vector' flattens each datum")
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
    downscale: PositiveInt = Field(default=1, description="average images over squares of so many pixels a side")

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

        return Archive(self.path, self.arrays(), self.layout, self.downscale, self.group_array)

    def data_space(self) -> Space:
        """Return the space of one datum, by the array's header."""
        from ..npz import space

        return space(self.archive(), self.preparation)

    def condition_space(self) -> Space | None:
        """Return the classes; the arrays of labels are read."""
        from ..npz import labels

        return Categorical((), labels(self.archive())[1]) if self.labels else None

    def attributes(self) -> Mapping[str, tuple[str, ...]]:
        """Return the arrays of names or whole numbers, one a datum; ``label_array`` alone where splits have their own."""
        from ..npz import attributes

        return attributes(self.archive())

    def label_name(self) -> str | None:
        """Return ``label_array``, where labels are given."""
        return self.label_array if self.labels else None

    def labelled(self, attribute: str) -> Npz:
        """Return the data with the array of this name as their labels."""
        return self.model_copy(update={"labels": True, "label_array": attribute})

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
        )
