"""Reading text, and cutting it into windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from genframe import DataError, Dataset, Split, data_digest

from .characters import alphabet, content, text
from .text import Text

__all__ = ["decoded", "load"]


@dataclass(frozen=True)
class Widened:
    """Stored small whole numbers as int64."""

    def __call__(self, stored: Tensor, generator: Generator | None) -> Tensor:
        """Return the same numbers: (B, L) -> (B, L)."""
        return stored.long()


def load(spec: Text) -> Dataset:
    """Read the text and cut it.

    :raises DataError: if it is not text, or a split is shorter than a window.
    """
    vocabulary = "bytes" if spec.vocabulary == "bytes" else alphabet(spec.path)
    tokens = _bytes(spec) if spec.vocabulary == "bytes" else _characters(spec, vocabulary)
    protocol = {"data": f"{spec.type}@{data_digest(tokens)}", "vocabulary": vocabulary, "length": spec.length}
    splits = {name: _split(spec, name, piece, protocol) for name, piece in _pieces(spec, tokens).items()}
    return Dataset(spec.data_space(), splits)


def _bytes(spec: Text) -> Tensor:
    return torch.from_numpy(np.frombuffer(content(spec.path), np.uint8).copy())


def _characters(spec: Text, vocabulary: str) -> Tensor:
    """Return the place of each of the file's characters in the vocabulary: (N,)."""
    points = np.frombuffer(text(spec.path).encode("utf-32-le"), np.uint32)
    places = np.searchsorted(np.array([*map(ord, vocabulary)], np.uint32), points)
    return torch.from_numpy(places.astype(np.uint8 if len(vocabulary) <= 256 else np.int32))


def _pieces(spec: Text, tokens: Tensor) -> dict[str, Tensor]:
    """Return the tokens of each split, in the order of the file; a split without tokens is left out."""

    def held_out(share: float) -> int:
        return int(share) * spec.length if share >= 1 else round(share * len(tokens))

    sizes = {"validation": held_out(spec.validation), "test": held_out(spec.test)}
    train = len(tokens) - sum(sizes.values())
    if train < spec.length:
        raise DataError(
            f"{spec.path}: expected a window of {spec.length} and what is held out, {sum(sizes.values())}, "
            f"found {len(tokens)} {spec.vocabulary} in all; hold out less, or say a smaller length"
        )
    pieces = tokens.split([train, *sizes.values()])
    return {name: piece for name, piece in zip(("train", *sizes), pieces, strict=True) if len(piece)}


def _split(spec: Text, name: str, tokens: Tensor, protocol: dict[str, Any]) -> Split:
    """Return the windows of a split, as views of its tokens."""
    if len(tokens) < spec.length:
        raise DataError(
            f"{spec.path}: expected a window of {spec.length} in the {name} split, found {len(tokens)} {spec.vocabulary}; "
            f"hold out more, or say a smaller length"
        )
    stride = spec.stride if spec.stride is not None and name == "train" else spec.length
    windows = tokens.unfold(0, spec.length, stride)[: spec.limit]
    stamp = {**protocol, "split": name, "count": len(windows), "stride": stride, "by": "position"}
    return Split(name, windows, prepare=Widened(), protocol={**stamp, "binarisation": "none", "dequantisation": "none"})


def decoded(spec: Text, windows: Tensor) -> list[str]:
    """Return windows (N, L) as text."""
    if spec.vocabulary == "bytes":
        return [bytes(row).decode("utf-8", errors="replace") for row in windows.tolist()]
    characters = alphabet(spec.path)
    return ["".join(characters[place] for place in row) for row in windows.tolist()]
