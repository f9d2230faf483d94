"""Spec of text. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt

from genframe import Categorical, DatasetSpec, Space

from .bases import DataPath, Share

if TYPE_CHECKING:
    from torch import Tensor

    from genframe import Dataset

__all__ = ["Text"]


class Text(DatasetSpec):
    """A file of text, plain or gzip, cut into windows of ``length``: bytes, or the characters that occur in it.

    Splits follow each other in the file: training, validation, test. The protocol holds the vocabulary.
    """

    type: Literal["data/text"] = "data/text"

    path: DataPath = Field(description="the file")
    length: PositiveInt = Field(default=128, description="bytes or characters of a window")
    vocabulary: Literal["bytes", "characters"] = Field(
        default="bytes", description="256 bytes, or the characters (UTF-8) that occur in the file, in the order of Unicode"
    )
    stride: PositiveInt | None = Field(
        default=None, description="from one training window's start to the next one's; as long as a window if left out"
    )
    validation: Share = Field(
        default=0.1, description="what to hold out for validation: a share of the text below 1, or windows"
    )
    test: Share = Field(default=0.1, description="what to hold out for testing: a share of the text below 1, or windows")
    limit: PositiveInt | None = Field(default=None, description="keep only the first so many windows of each split")

    def data_space(self) -> Space:
        """Return the space of one window; to know the characters, the file is read whole."""
        from .characters import alphabet, existing

        if self.vocabulary == "bytes":
            existing(self.path)
            return Categorical((self.length,), 256)
        return Categorical((self.length,), len(alphabet(self.path)))

    def load(self) -> Dataset:
        """Read the file."""
        from .texts import load

        return load(self)

    def decode(self, windows: Tensor) -> list[str]:
        """Return windows (N, L), such as samples, as text; bytes that are not UTF-8 become replacement characters.

        :raises DataError: if the file is missing or not text, which holds the characters of the vocabulary.
        """
        from .texts import decoded

        return decoded(self, windows)
