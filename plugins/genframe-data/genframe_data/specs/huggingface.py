"""The spec of pictures in a dataset that Hugging Face's package has saved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt, model_validator

from genframe import Categorical, Space

from ..bases import DataPath, Share, SplitBy
from .fields import PictureSpec

if TYPE_CHECKING:
    from genframe import Dataset
    from genframe.types import Report

    from ..huggingface import Saved

SHARE = 0.1

__all__ = ["HuggingFace"]


class HuggingFace(PictureSpec):
    """Pictures of a dataset that Hugging Face's ``datasets`` has saved by ``save_to_disk``, with classes or captions.

    The folder stays as it is: a picture is read from it by its number and decoded each time, by the threads that read ahead.
    Nothing is asked of any server. The record of a run keeps the fingerprint that the package gives a dataset.
    """

    type: Literal["data/huggingface"] = "data/huggingface"

    path: DataPath = Field(description="the folder that save_to_disk has written")
    image: str | None = Field(default=None, description="the column of the pictures; the only one if left out")
    labels: bool | str = Field(  # type: ignore[assignment]  # wider than the base: a name will do too
        default=False, description="give classes as the condition: true for the only column of classes, or a column's name"
    )
    captions: bool | str = Field(
        default=False, description="give texts as the condition: true for the only column of text, or a column's name"
    )
    caption_length: PositiveInt = Field(default=128, le=8192, description="bytes of the longest caption")
    train: str | None = Field(default=None, description="the split to train on; train if left out")
    validation: Share | str | None = Field(  # type: ignore[assignment]  # wider than the base: a name will do too
        default=None,
        description="a split's name, or what to hold out: a share below 1, or a count; the split of that name if left out, "
        "and a tenth where there is none",
    )
    test: Share | str | None = Field(default=None, description="likewise, for testing")
    split: SplitBy = Field(default="random", description="hold out at random, or the end as a block (for sequences)")

    @model_validator(mode="after")
    def _one_condition(self) -> HuggingFace:
        if self.captions is not False and self.labels is not False:
            raise ValueError("captions and labels are two conditions; leave one out")
        return self

    def saved(self) -> Saved:
        """Return the dataset's description, opened."""
        from ..huggingface import read_saved

        given = {"train": self.train, "validation": self.validation, "test": self.test}
        splits = {split: name for split, name in given.items() if name is None or isinstance(name, str)}
        return read_saved(self.path, splits, picture=self.image, label=self.labels, caption=self.captions)

    def data_space(self) -> Space:
        """Return the space of one picture; reads the dataset's description."""
        self.saved()
        return self.prepared_space((1 if self.colour == "grey" else 3, *self.size), 256)

    def condition_space(self) -> Space | None:
        """Return the classes, or the space of captions."""
        if self.captions:
            return Categorical((self.caption_length,), 256)
        return Categorical((), len(self.saved().classes)) if self.labels else None

    def attributes(self) -> Mapping[str, tuple[str, ...]]:
        """Return the classes by their names, where they are given."""
        return {"label": classes} if (classes := self.saved().classes) else {}

    def report(self) -> Report:
        """Return how many pictures there are."""
        return self.saved().report()

    def load(self) -> Dataset:
        """Open the dataset; pictures are read when they are asked for."""
        from ..huggingface import load_saved

        shares = {"validation": self.validation, "test": self.test}
        return load_saved(
            self.saved(),
            self.pictures(),
            self.preparation,
            caption_length=self.caption_length,
            shares={split: share if isinstance(share, float) else SHARE for split, share in shares.items()},
            by=self.split,
            limit=self.limit,
        )
