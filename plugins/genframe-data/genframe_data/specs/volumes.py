"""The spec of volumes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from genframe import Categorical, Real, Space

from ..bases import DataPath, DataSpec, Share, SplitBy
from ..preparation import Preparation

if TYPE_CHECKING:
    from genframe import Dataset
    from genframe.types import Report

__all__ = ["Volumes"]


class Volumes(DataSpec):
    """Volumes of voxels that are there or not, (1, depth, height, width): binvox files, or an array of an archive.

    Files are those that Patrick Min's binvox writes, all of one size; subfolders are classes. An array is (N, D, H, W) of zeros
    and ones, or the bits that ``numpy.packbits`` has packed along the second axis, with their sizes in an array ``shape``.
    Densities of more than two levels are for ``data/npz``.
    """

    type: Literal["data/volumes"] = "data/volumes"

    path: DataPath = Field(description="the folder of binvox files, or an .npz archive")
    array: str = Field(default="voxels", description="the archive's array")
    labels: bool = Field(default=False, description="give classes as the condition: the subfolders of files")
    flip: Literal["none", "horizontal"] = Field(
        default="none", description="mirror training volumes along their last axis with probability one half"
    )
    test: Share = Field(default=0.1, description="what to hold out for testing: a share below 1, or a count")
    split: SplitBy = Field(default="random", description="hold out at random, or the end as a block")
    on_error: Literal["refuse", "skip"] = Field(
        default="refuse", description="refuse files that cannot be read, all at once, or leave them out"
    )

    @property
    def preparation(self) -> Preparation:
        """How voxels become values."""
        return Preparation(seed=self.seed, flip=self.flip == "horizontal")

    def data_space(self) -> Space:
        """Return the space of one volume, by the header of the first."""
        from ..voxels import shape_of

        return Real((1, *shape_of(self.path, self.array)), 0.0, 1.0, 2)

    def condition_space(self) -> Space | None:
        """Return the classes."""
        return Categorical((), len(self._classes())) if self.labels else None

    def attributes(self) -> Mapping[str, tuple[str, ...]]:
        """Return the classes by their names, where they are given."""
        return {"label": self._classes()} if self.labels else {}

    def _classes(self) -> tuple[str, ...]:
        from genframe import DataError

        from ..folders import class_names
        from ..voxels import scanned

        if self.path.suffix == ".npz":
            raise DataError(f"{self.path}: the classes of volumes are folders; leave 'labels' out, or use data/npz")
        return tuple(class_names({"train": scanned(self.path)}))

    def report(self) -> Report:
        """Return how many volumes there are."""
        from genframe.types import Report

        from ..folders import report
        from ..voxels import scanned

        if self.path.suffix == ".npz":
            from .. import npz

            return Report(f"{npz.header(self.path, self.array).shape[0]} volumes of {self.array!r}")
        return report(
            {"train": scanned(self.path)}, f" of {len(self._classes())} classes" if self.labels else "", what="volume"
        )

    def load(self) -> Dataset:
        """Read the volumes."""
        from dataclasses import replace

        from ..volumes import load_volumes

        data = load_volumes(
            self.path,
            self.array,
            self.preparation,
            labels=self.labels,
            skip=self.on_error == "skip",
            validation=self.validation,
            test=self.test,
            by=self.split,
            limit=self.limit,
        )
        return data if data.report is not None else replace(data, report=self.report())
