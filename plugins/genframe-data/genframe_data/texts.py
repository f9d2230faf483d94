"""Reading text, and cutting it into windows."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch import Generator, Tensor

from genframe import DataError, Dataset, Split, data_digest

from .characters import alphabet, content, text
from .text import Text
from .vocabularies import FILE, Bytes, Characters, Merges, Vocabulary, require_tokenizers

__all__ = ["load", "vocabulary"]

WINDOWS_AT_ONCE: Final = 4096


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
    known, pieces = _read(spec)
    tokens = torch.cat([*pieces.values()])
    name = known.alphabet if isinstance(known, Characters) else spec.vocabulary
    if isinstance(known, Merges):
        name = f"bpe@{hashlib.sha256(known.text.encode()).hexdigest()[:16]}"
    protocol = {"data": f"{spec.type}@{data_digest(tokens)}", "vocabulary": name, "length": spec.length}
    characters = torch.tensor(known.characters_of, dtype=torch.int32)
    splits = {name: _split(spec, name, piece, protocol, characters) for name, piece in pieces.items()}
    return Dataset(spec.data_space(), splits, files={FILE: json.dumps(known.to_dict(), ensure_ascii=False)})


def vocabulary(spec: Text) -> Vocabulary:
    """Return the vocabulary of the text.

    :raises DataError: if it cannot be read.
    """
    return Bytes() if spec.vocabulary == "bytes" else _read(spec)[0]


def _read(spec: Text) -> tuple[Vocabulary, dict[str, Tensor]]:
    """Return the vocabulary, and the tokens of each split."""
    if spec.vocabulary == "bytes":
        return Bytes(), _pieces(spec, torch.from_numpy(np.frombuffer(content(spec.path), np.uint8).copy()))
    points = np.frombuffer(text(spec.path).encode("utf-32-le"), np.uint32)
    if spec.vocabulary == "characters":
        letters = alphabet(spec.path)
        places = np.searchsorted(np.array([*map(ord, letters)], np.uint32), points)
        return Characters(letters), _pieces(spec, torch.from_numpy(places.astype(_smallest(len(letters)))))
    require_tokenizers()
    texts = {
        name: piece.numpy().astype(np.uint32).tobytes().decode("utf-32-le")
        for name, piece in _pieces(spec, torch.from_numpy(points.astype(np.int64))).items()
    }
    known = Merges.learned(texts["train"], spec.size)
    return known, {name: torch.from_numpy(np.array(known.encode(piece), np.int32)) for name, piece in texts.items()}


def _smallest(size: int) -> type[np.uint8 | np.int32]:
    return np.uint8 if size <= 256 else np.int32


def _pieces(spec: Text, symbols: Tensor) -> dict[str, Tensor]:
    """Return the symbols of each split, in the order of the file; a split without any is left out."""

    def held_out(share: float) -> int:
        return int(share) * spec.length if share >= 1 else round(share * len(symbols))

    sizes = {"validation": held_out(spec.validation), "test": held_out(spec.test)}
    train = len(symbols) - sum(sizes.values())
    if train < spec.length:
        raise DataError(
            f"{spec.path}: expected a window of {spec.length} and what is held out, {sum(sizes.values())}, "
            f"found {len(symbols)} {_symbols(spec)} in all; hold out less, or say a smaller length"
        )
    pieces = symbols.split([train, *sizes.values()])
    return {name: piece for name, piece in zip(("train", *sizes), pieces, strict=True) if len(piece)}


def _symbols(spec: Text) -> str:
    return "bytes" if spec.vocabulary == "bytes" else "characters"


def _split(spec: Text, name: str, tokens: Tensor, protocol: dict[str, Any], characters: Tensor) -> Split:
    """Return the windows of a split, as views of its tokens; ``characters`` begin in each token of the vocabulary."""
    if len(tokens) < spec.length:
        raise DataError(
            f"{spec.path}: expected a window of {spec.length} in the {name} split, found {len(tokens)} "
            f"{'tokens' if spec.vocabulary == 'bpe' else _symbols(spec)}; hold out more, or say a smaller length"
        )
    stride = spec.stride if spec.stride is not None and name == "train" else spec.length
    windows = tokens.unfold(0, spec.length, stride)[: spec.limit]
    lengths = (
        torch.cat([characters[some.long()].sum(1) for some in windows.split(WINDOWS_AT_ONCE)]) if name != "train" else None
    )
    stamp = {**protocol, "split": name, "count": len(windows), "stride": stride, "by": "position"}
    stamp |= {"binarisation": "none", "dequantisation": "none"}
    return Split(name, windows, prepare=Widened(), protocol=stamp, characters=lengths)
