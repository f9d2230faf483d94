"""Reading text, and cutting it into windows."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch
from torch import Generator, Tensor

from genframe import DataError, Dataset, Space, Split, data_digest

from .characters import alphabet, content, text
from .vocabularies import FILE, Bytes, Characters, Merges, Vocabulary, require_tokenizers

__all__ = ["TextFile", "load", "vocabulary"]

WINDOWS_AT_ONCE: Final = 4096


@dataclass(frozen=True)
class TextFile:
    """A text and how it is cut: windows of ``length`` tokens, a training window every ``stride``."""

    path: Path
    length: int
    vocabulary: Literal["bytes", "characters", "bpe"]
    size: int
    stride: int | None
    validation: float
    test: float
    limit: int | None


@dataclass(frozen=True)
class Widened:
    """Stored small whole numbers as int64."""

    def __call__(self, stored: Tensor, generator: Generator | None) -> Tensor:
        """Return the same numbers: (B, L) -> (B, L)."""
        return stored.long()


def load(file: TextFile, space: Space) -> Dataset:
    """Read the text and cut it.

    :raises DataError: if it is not text, or a split is shorter than a window.
    """
    known, pieces = _read(file)
    tokens = torch.cat([*pieces.values()])
    name = known.alphabet if isinstance(known, Characters) else file.vocabulary
    if isinstance(known, Merges):
        name = f"bpe@{hashlib.sha256(known.text.encode()).hexdigest()[:16]}"
    protocol = {"data": f"data/text@{data_digest(tokens)}", "vocabulary": name, "length": file.length}
    characters = torch.tensor(known.characters_of, dtype=torch.int32)
    splits = {name: _split(file, name, piece, protocol, characters) for name, piece in pieces.items()}
    return Dataset(space, splits, files={FILE: json.dumps(known.to_dict(), ensure_ascii=False)})


def vocabulary(file: TextFile) -> Vocabulary:
    """Return the vocabulary of the text.

    :raises DataError: if it cannot be read.
    """
    return Bytes() if file.vocabulary == "bytes" else _read(file)[0]


def _read(file: TextFile) -> tuple[Vocabulary, dict[str, Tensor]]:
    """Return the vocabulary, and the tokens of each split."""
    if file.vocabulary == "bytes":
        return Bytes(), _pieces(file, torch.from_numpy(np.frombuffer(content(file.path), np.uint8).copy()))
    points = np.frombuffer(text(file.path).encode("utf-32-le"), np.uint32)
    if file.vocabulary == "characters":
        letters = alphabet(file.path)
        places = np.searchsorted(np.array([*map(ord, letters)], np.uint32), points)
        return Characters(letters), _pieces(file, torch.from_numpy(places.astype(_smallest(len(letters)))))
    require_tokenizers()
    texts = {
        name: piece.numpy().astype(np.uint32).tobytes().decode("utf-32-le")
        for name, piece in _pieces(file, torch.from_numpy(points.astype(np.int64))).items()
    }
    known = Merges.learned(texts["train"], file.size)
    return known, {name: torch.from_numpy(np.array(known.encode(piece), np.int32)) for name, piece in texts.items()}


def _smallest(size: int) -> type[np.uint8 | np.int32]:
    return np.uint8 if size <= 256 else np.int32


def _pieces(file: TextFile, symbols: Tensor) -> dict[str, Tensor]:
    """Return the symbols of each split, in the order of the file; a split without any is left out."""

    def held_out(share: float) -> int:
        return int(share) * file.length if share >= 1 else round(share * len(symbols))

    sizes = {"validation": held_out(file.validation), "test": held_out(file.test)}
    train = len(symbols) - sum(sizes.values())
    if train < file.length:
        raise DataError(
            f"{file.path}: expected a window of {file.length} and what is held out, {sum(sizes.values())}, "
            f"found {len(symbols)} {_symbols(file)} in all; hold out less, or say a smaller length"
        )
    pieces = symbols.split([train, *sizes.values()])
    return {name: piece for name, piece in zip(("train", *sizes), pieces, strict=True) if len(piece)}


def _symbols(file: TextFile) -> str:
    return "bytes" if file.vocabulary == "bytes" else "characters"


def _split(file: TextFile, name: str, tokens: Tensor, protocol: dict[str, Any], characters: Tensor) -> Split:
    """Return the windows of a split, as views of its tokens; ``characters`` begin in each token of the vocabulary."""
    if len(tokens) < file.length:
        raise DataError(
            f"{file.path}: expected a window of {file.length} in the {name} split, found {len(tokens)} "
            f"{'tokens' if file.vocabulary == 'bpe' else _symbols(file)}; hold out more, or say a smaller length"
        )
    stride = file.stride if file.stride is not None and name == "train" else file.length
    windows = tokens.unfold(0, file.length, stride)[: file.limit]
    lengths = (
        torch.cat([characters[some.long()].sum(1) for some in windows.split(WINDOWS_AT_ONCE)]) if name != "train" else None
    )
    stamp = {**protocol, "split": name, "count": len(windows), "stride": stride, "by": "position"}
    stamp |= {"binarisation": "none", "dequantisation": "none"}
    return Split(name, windows, prepare=Widened(), protocol=stamp, characters=lengths)
