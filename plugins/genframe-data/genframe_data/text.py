"""Spec of text. No torch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt, model_validator

from genframe import Categorical, DatasetSpec, Space

from .bases import DataPath, Share

if TYPE_CHECKING:
    from genframe import Dataset
    from genframe.types import Report

    from .texts import TextFile
    from .vocabularies import Vocabulary

__all__ = ["Text"]


class Text(DatasetSpec):
    """A file of text, plain or gzip, cut into windows of ``length`` tokens: bytes, characters that occur in it, or byte pairs.

    Splits follow each other in the file: training, validation, test. Byte pairs are merged by the training split alone
    (Sennrich et al. 2016). The vocabulary is kept in a run's folder, and the protocol says which it is.
    """

    type: Literal["data/text"] = "data/text"

    path: DataPath = Field(description="the file")
    length: PositiveInt = Field(default=128, description="tokens of a window")
    vocabulary: Literal["bytes", "characters", "bpe"] = Field(
        default="bytes",
        description="256 bytes, the characters (UTF-8) that occur in the file, in the order of Unicode, or pairs of bytes "
        "that are merged as the package tokenizers does it",
    )
    size: int = Field(default=512, gt=256, le=1 << 20, description="tokens of vocabulary: bpe")
    stride: PositiveInt | None = Field(
        default=None, description="from one training window's start to the next one's; as long as a window if left out"
    )
    validation: Share = Field(
        default=0.1, description="what to hold out for validation: a share of the text below 1, or windows"
    )
    test: Share = Field(default=0.1, description="what to hold out for testing: a share of the text below 1, or windows")
    limit: PositiveInt | None = Field(default=None, description="keep only the first so many windows of each split")

    @model_validator(mode="after")
    def _shares_of_merged_text(self) -> Text:
        if self.vocabulary == "bpe" and max(self.validation, self.test) >= 1:
            raise ValueError(
                "vocabulary: bpe is learned behind the split, so windows cannot be counted before; hold out shares below 1"
            )
        return self

    def data_space(self) -> Space:
        """Return the space of one window; to know the characters, the file is read whole."""
        from .characters import alphabet, existing
        from .vocabularies import require_tokenizers

        if self.vocabulary == "characters":
            return Categorical((self.length,), len(alphabet(self.path)))
        existing(self.path)
        if self.vocabulary == "bytes":
            return Categorical((self.length,), 256)
        require_tokenizers()
        return Categorical((self.length,), self.size)

    def report(self) -> Report:
        """Return how long the text is: in characters where these are its tokens, else in bytes of the file."""
        from genframe.types import Report

        from .characters import existing, text

        if self.vocabulary == "characters":
            found = text(self.path)
            return Report(f"{len(found)} characters, {len(set(found))} different ones")
        path = existing(self.path)
        return Report(f"{path.stat().st_size} bytes" + (" of gzip" if path.suffix == ".gz" else ""))

    def load(self) -> Dataset:
        """Read the file."""
        from .texts import load

        return replace(load(self.file(), self.data_space()), report=self.report())

    def file(self) -> TextFile:
        """Return the text and how it is cut, as plain values."""
        from .texts import TextFile

        fields = ("path", "length", "vocabulary", "size", "stride", "validation", "test", "limit")
        return TextFile(**{name: getattr(self, name) for name in fields})

    def tokenizer(self, run: Path | None = None) -> Vocabulary:
        """Return the vocabulary, which a run's folder keeps; bytes that are not UTF-8 become replacement characters.

        :raises DataError: if the file is missing or not text; if the run's vocabulary is damaged.
        """
        from .texts import vocabulary
        from .vocabularies import FILE, read_vocabulary

        return read_vocabulary(run) if run is not None and (run / FILE).exists() else vocabulary(self.file())
