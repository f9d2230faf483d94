"""The spec of pictures that were packed into tar files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt, model_validator

from genframe import Categorical, DataError, Space

from ..bases import DataPath, Share
from .fields import PictureSpec

if TYPE_CHECKING:
    from genframe import Dataset
    from genframe.types import Report

    from ..shards import Head

__all__ = ["Shards"]


class Shards(PictureSpec):
    """Pictures that ``genframe shards`` has packed into tar files, as webdataset has them, with an index. Read by their places.

    A picture is one read of a file, so the folder may lie on a disk or in a bucket that is mounted. It is decoded each time
    that it is read, by the threads that read ahead; nothing is kept in memory or in the cache. Splits, classes and captions
    are those that were packed.
    """

    type: Literal["data/shards"] = "data/shards"

    path: DataPath = Field(description="the folder that was packed")
    validation: Share = Field(default=0, description="leave this out: the splits are those that were packed")
    captions: bool = Field(default=False, description="give the captions as the condition")
    caption_length: PositiveInt = Field(default=128, le=8192, description="bytes of the longest caption")

    @model_validator(mode="after")
    def _split_when_packed(self) -> Shards:
        if self.validation:
            raise ValueError("validation: the splits are those that were packed; leave it out")
        if self.captions and self.labels:
            raise ValueError("captions and labels are two conditions; leave one out")
        return self

    def head(self) -> Head:
        """Return what the index says of all pictures."""
        from ..shards import read_head

        head = read_head(self.path)
        if self.labels and not head.classes:
            raise DataError(f"{head.folder}: expected classes, found none; pack with labels=true, or leave 'labels' out")
        if self.captions and not head.captions:
            raise DataError(f"{head.folder}: expected captions, found none; pack with captions=true, or leave 'captions' out")
        return head

    def data_space(self) -> Space:
        """Return the space of one picture; reads the head of the index."""
        self.head()
        return self.prepared_space((1 if self.colour == "grey" else 3, *self.size), 256)

    def condition_space(self) -> Space | None:
        """Return the classes, or the space of captions."""
        if self.captions:
            return Categorical((self.caption_length,), 256)
        return Categorical((), len(self.head().classes)) if self.labels else None

    def attributes(self) -> Mapping[str, tuple[str, ...]]:
        """Return the classes by their names."""
        return {"label": classes} if (classes := self.head().classes) else {}

    def report(self) -> Report:
        """Return how many pictures there are."""
        from ..shards import report

        return report(self.head())

    def load(self) -> Dataset:
        """Read the index; pictures are read when they are asked for."""
        from ..shards import load_shards

        caption_length = self.caption_length if self.captions else 0
        return load_shards(
            self.head(), self.pictures(), self.preparation, labels=self.labels, caption_length=caption_length, limit=self.limit
        )
