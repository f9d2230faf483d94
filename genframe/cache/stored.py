"""Rows of one shape in a file, read by index; each is compared with its checksum when it is first read."""

from __future__ import annotations

import os
import threading
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..types import DataError

__all__ = ["DTYPES", "StoredRows"]

DTYPES: Final = {"uint8": torch.uint8, "int64": torch.int64, "float32": torch.float32, "bfloat16": torch.bfloat16}


class StoredRows:
    """Rows (N, ...) in a file, one after another. They are read from the file, not mapped into memory, which stays small.

    ``sums`` (N,) are the CRC-32 of the rows' bytes. ``hint`` says what to do about damage.
    """

    def __init__(self, path: Path, shape: Sequence[int], dtype: str, sums: NDArray[np.uint32], hint: str) -> None:
        self.path, self.shape, self.sums, self.hint = path, tuple(shape), sums, hint
        self.dtype = DTYPES[dtype]
        self.size = torch.empty(self.shape[1:], dtype=self.dtype, device="meta").nbytes
        self._checked = np.zeros(len(sums), np.bool_)
        try:
            self._file = path.open("rb", buffering=0)
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror or error}; {hint}") from None
        self._turn = threading.Lock()

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, indices: Tensor, /) -> Tensor:
        """Return the rows at ``indices``: (B,) -> (B, ...).

        :raises DataError: if the file is damaged.
        """
        content = np.empty((len(indices), self.size), np.uint8)
        for row, index in zip(content, indices.tolist(), strict=True):
            if not 0 <= index < len(self):
                raise IndexError(f"row {index} of {len(self)}")
            self._read(row, index)
        return torch.from_numpy(content.reshape(-1)).view(self.dtype).reshape(-1, *self.shape[1:])

    def _read(self, row: NDArray[np.uint8], index: int) -> None:
        """Read a row's bytes into ``row``."""
        if _read_at(self._file.fileno(), self._turn, row, index * self.size) != self.size:
            raise DataError(f"{self.path}: is cut off at row {index}; {self.hint}")
        if not self._checked[index]:
            if zlib.crc32(row.data) != self.sums[index]:
                raise DataError(f"{self.path}: row {index} is damaged; {self.hint}")
            self._checked[index] = True

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()


if hasattr(os, "preadv"):

    def _read_at(descriptor: int, turn: threading.Lock, into: NDArray[np.uint8], offset: int) -> int:
        return os.preadv(descriptor, [into.data], offset)

else:  # on Windows: by a seek, one thread at a time

    def _read_at(descriptor: int, turn: threading.Lock, into: NDArray[np.uint8], offset: int) -> int:
        with turn:
            os.lseek(descriptor, offset, os.SEEK_SET)
            content = os.read(descriptor, len(into))
        into[: len(content)] = np.frombuffer(content, np.uint8)
        return len(content)
