"""The spec of clips: folders of frames, films, arrays of frames."""

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

    from ..footage import Footage, Windows

__all__ = ["Clips"]


class Clips(PictureSpec):
    """Clips of moving pictures, (colours, frames, height, width): each subfolder of frames, each GIF, or each video.

    Frames of a folder are taken in the order of the numbers in their names. Videos need PyAV
    (``pip install 'genframe-data[video]'``). An ``.npz`` archive has a clip as each array, (frames, height, width, colours) of
    bytes. A clip gives as many examples as fit, and all of them are in the same split.
    """

    type: Literal["data/clips"] = "data/clips"

    path: DataPath = Field(description="the folder, or an .npz archive")
    frames: PositiveInt = Field(default=16, le=1 << 16, description="frames of an example")
    stride: PositiveInt = Field(default=1, le=1 << 16, description="take every so many frames of a clip")
    step: PositiveInt | None = Field(
        default=None, le=1 << 20, description="frames from one example's first to the next one's; side by side if left out"
    )
    test: Share = Field(default=0.1, description="clips to hold out for testing: a share below 1, or a count")
    validation: Share = Field(default=0.1, description="clips to hold out for validation: a share below 1, or a count")
    split: SplitBy = Field(default="random", description="hold out clips at random, or the last ones by name")
    on_error: Literal["refuse", "skip"] = Field(
        default="refuse", description="refuse clips that cannot be read, all at once, or leave them out"
    )

    @model_validator(mode="after")
    def _moving(self) -> Clips:
        if self.augment is not None:
            raise ValueError("augment turns and shears single pictures; leave it out, or use crop, flip and jitter")
        return self

    def footage(self) -> Footage:
        """Return the clips that there are, by name."""
        from ..footage import footage

        return footage(self.path)

    def windows(self) -> Windows:
        """Return which frames are an example, as plain values."""
        from ..footage import Windows

        return Windows(self.frames, self.stride, self.step or self.frames * self.stride)

    def data_space(self) -> Space:
        """Return the space of one example; looks whether there are clips."""
        self.footage()
        return self.prepared_space((1 if self.colour == "grey" else 3, self.frames, *self.size), 256)

    def condition_space(self) -> Space | None:
        """Return the classes."""
        return Categorical((), len(self.footage().classes())) if self.labels else None

    def attributes(self) -> Mapping[str, tuple[str, ...]]:
        """Return the classes by their names, where they are given."""
        return {"label": self.footage().classes()} if self.labels else {}

    def report(self) -> Report:
        """Return how many clips there are; how many examples they give is found when they are decoded."""
        found = self.footage()
        return found.report(len(found.clips), "", len(found.classes()) if self.labels else 0, 0, ())

    def load(self) -> Dataset:
        """Read the clips."""
        from ..clips import load_clips

        return load_clips(
            self.footage(),
            self.pictures(),
            self.windows(),
            self.preparation,
            labels=self.labels,
            skip=self.on_error == "skip",
            validation=self.validation,
            test=self.test,
            by=self.split,
            limit=self.limit,
        )
