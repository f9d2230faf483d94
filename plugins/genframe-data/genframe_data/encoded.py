"""Pictures whose files lie inside others, decoded each time that they are read."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from genframe import DataError

from .decoding import Pictures, decoded

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["EncodedRows"]


class EncodedRows(ABC):
    """Pictures that are decoded as they are read: (N, C, H, W) bytes. Threads may read side by side."""

    def __init__(self, count: int, how: Pictures) -> None:
        self.how = how
        self.shape = (count, *how.shape)

    def __len__(self) -> int:
        return self.shape[0]

    @abstractmethod
    def content(self, index: int) -> bytes:
        """Return the file of a picture.

        :raises DataError: if it cannot be read.
        """

    @abstractmethod
    def called(self, index: int) -> str:
        """Return what a picture is called in a message."""

    def __getitem__(self, indices: Tensor, /) -> Tensor:
        """Return the pictures at ``indices``: (B,) -> (B, C, H, W).

        :raises DataError: naming a picture that is damaged.
        """
        import numpy as np
        import torch

        pixels = np.empty((len(indices), *self.how.shape), np.uint8)
        for into, index in zip(pixels, indices.tolist(), strict=True):
            into[...] = self._picture(index)
        return torch.from_numpy(pixels)

    def _picture(self, index: int) -> Any:
        try:
            found, seen = decoded(io.BytesIO(self.content(index)), self.how)
        except DataError:
            raise
        except Exception as error:  # a decoder may fail in any way
            raise DataError(f"{self.called(index)} cannot be decoded: {error}") from None
        if found is None:
            assert seen.ends is not None
            raise DataError(
                f"{self.called(index)} has more than 8 bits, greys from {seen.ends[0]:g} to {seen.ends[1]:g}; "
                "say the range of all pictures as 'intensities'"
            )
        return found
