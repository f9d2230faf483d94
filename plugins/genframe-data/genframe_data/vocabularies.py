"""Vocabularies of text: bytes, characters, or pairs of bytes that were merged. No torch.

A vocabulary is written as plain data into a run's folder, so that samples are decoded without the text.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from genframe import DataError
from genframe.output.files import read_regular

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["FILE", "Bytes", "Characters", "Merges", "Vocabulary", "read_vocabulary", "require_tokenizers"]

FILE: Final = "vocabulary.json"
BYTES: Final = 256
LARGEST: Final = 1 << 26


class Vocabulary(ABC):
    """The tokens of a text."""

    @abstractmethod
    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text.

        :raises DataError: if it has what no token stands for.
        """

    @abstractmethod
    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens; bytes that are not UTF-8 become replacement characters."""

    @property
    @abstractmethod
    def characters_of(self) -> Sequence[int]:
        """How many characters begin in each token: characters of several bytes belong to the token with the first."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return plain data from which :func:`read_vocabulary` makes the vocabulary again."""


class Bytes(Vocabulary):
    """The 256 bytes; a text is in UTF-8."""

    def encode(self, text: str) -> list[int]:
        """Return the bytes."""
        return [*text.encode()]

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of bytes."""
        return bytes(tokens).decode(errors="replace")

    @property
    def characters_of(self) -> Sequence[int]:
        """One in each byte that does not go on with a character."""
        return [_begun(bytes([byte])) for byte in range(BYTES)]

    def to_dict(self) -> dict[str, Any]:
        """Return the kind."""
        return {"kind": "bytes"}


class Characters(Vocabulary):
    """The characters of ``alphabet``."""

    def __init__(self, alphabet: str) -> None:
        self.alphabet = alphabet

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {character: place for place, character in enumerate(self.alphabet)}

    def encode(self, text: str) -> list[int]:
        """Return each character's place in the alphabet.

        :raises DataError: for a character that is not in it.
        """
        unknown = next((character for character in text if character not in self._places), None)
        if unknown is not None:
            raise DataError(
                f"expected the {len(self.alphabet)} characters of the vocabulary, found {unknown!r}; leave it out, "
                "or train with vocabulary: bytes"
            )
        return [self._places[character] for character in text]

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the characters at places."""
        return "".join(self.alphabet[place] for place in tokens)

    @property
    def characters_of(self) -> Sequence[int]:
        """One in each token."""
        return [1] * len(self.alphabet)

    def to_dict(self) -> dict[str, Any]:
        """Return the alphabet."""
        return {"kind": "characters", "alphabet": self.alphabet}


class Merges(Vocabulary):
    """Byte-pair encoding: bytes, and frequent pairs of tokens as tokens of their own. Sennrich et al. 2016.

    No token crosses the edge of a word, and every text has tokens, as by Radford et al. 2019, section 2.2.
    """

    def __init__(self, text: str) -> None:
        """Take the tokenizer as the text of its JSON, in the format of the package tokenizers."""
        self.text = text

    @classmethod
    def learned(cls, text: str, size: int) -> Merges:
        """Return the merges of a text that make ``size`` tokens, or fewer where no pair occurs twice."""
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=size, min_frequency=2, initial_alphabet=alphabet, show_progress=False)
        tokenizer.train_from_iterator(text.splitlines(keepends=True), trainer)
        return cls(tokenizer.to_str())

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        require_tokenizers()
        from tokenizers import Tokenizer

        return Tokenizer.from_str(self.text)

    @cached_property
    def _tokens(self) -> list[bytes]:
        """The bytes of each token."""
        names: Mapping[str, int] = json.loads(self.text)["model"]["vocab"]
        byte_of = {character: byte for byte, character in enumerate(_characters_of_bytes())}
        if sorted(names.values()) != [*range(len(names))]:
            raise ValueError("expected the tokens to be numbered without a gap")
        return [bytes(byte_of[character] for character in name) for name in sorted(names, key=names.__getitem__)]

    def encode(self, text: str) -> list[int]:
        """Return the tokens.

        :raises DataError: if the package tokenizers is not installed.
        """
        return list(self._tokenizer.encode(text).ids)

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens; those that no merge made stand for nothing. Needs no package."""
        known = self._tokens
        return b"".join(known[token] for token in tokens if token < len(known)).decode(errors="replace")

    @property
    def characters_of(self) -> Sequence[int]:
        """As many as begin in the token."""
        return [_begun(token) for token in self._tokens]

    def to_dict(self) -> dict[str, Any]:
        """Return the tokenizer's own description."""
        return {"kind": "bpe", "tokenizer": json.loads(self.text)}


def require_tokenizers() -> None:
    """Return if byte pairs can be merged.

    :raises DataError: if the package that does so is not installed.
    """
    if find_spec("tokenizers") is None:
        raise DataError(
            "vocabulary: bpe needs the package tokenizers, which is not installed; pip install 'genframe-data[text]', "
            "or say vocabulary: characters"
        )


def read_vocabulary(run: Path | str) -> Vocabulary:
    """Return the vocabulary in the folder of a run on data/text, by which its samples are decoded.

    :raises DataError: if there is none, or it is damaged.
    """
    path = Path(run) / FILE
    try:
        found = json.loads(read_regular(path, LARGEST).decode())
        vocabulary = _of(found)
        vocabulary.decode(range(len(vocabulary.characters_of)))
    except OSError as error:
        why = error.strerror or error
        raise DataError(f"{path}: expected the vocabulary of a run on text, found nothing that can be read: {why}") from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise DataError(f"{path}: expected a vocabulary, found something else; copy the run's folder again") from None
    return vocabulary


def _of(value: Mapping[str, Any]) -> Vocabulary:
    match value["kind"]:
        case "bytes":
            return Bytes()
        case "characters":
            return Characters(str(value["alphabet"]))
        case "bpe":
            return Merges(json.dumps(value["tokenizer"], ensure_ascii=False))
        case kind:
            raise ValueError(kind)


def _begun(token: Iterable[int]) -> int:
    """Return how many bytes begin a character of UTF-8."""
    return sum(byte & 0xC0 != 0x80 for byte in token)


def _characters_of_bytes() -> list[str]:
    """Return the character by which the tokenizer's description writes each byte: itself, or one from 256 on."""
    shown = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte if byte in shown else next(others)) for byte in range(BYTES)]
