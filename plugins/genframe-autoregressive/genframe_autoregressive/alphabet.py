"""The values of a discrete space as whole numbers, in the order in which a model goes through them."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from genframe import Categorical, DataError, Space

from .discrete import alphabet_size

__all__ = ["Alphabet"]

OFF_GRID: Final = 1e-3
"""How far a value may lie from a level, as a share of the distance between two levels."""


class Alphabet:
    """The ``size`` values that each of the ``length`` dimensions of ``space`` can have.

    The first of three or more axes goes last: of an image, the ``channels`` of a pixel come together.

    :raises Mismatch: where the values do not lie on a grid.

    >>> from genframe import Real
    >>> alphabet = Alphabet(Real((1, 1, 3), -1, 1, levels=3))
    >>> alphabet.indices(torch.tensor([[[[-1.0, 0.0, 1.0]]]]))
    tensor([[0, 1, 2]])
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self.size, self.length = alphabet_size(space, "an alphabet"), space.dims
        self.channels = space.shape[0] if len(space.shape) > 2 else 1
        self._bounds = (0.0, 0.0) if isinstance(space, Categorical) else (space.low or 0.0, space.high or 0.0)

    def indices(self, code: Tensor) -> Tensor:
        """Return the place of each value in the alphabet: (B, code) -> (B, D).

        Looking at values would stop a GPU at each step: there, torch's own assertions catch those out of range.

        :raises DataError: on the CPU, where a value is not in the alphabet.
        :raises ValueError: if the shape is not the space's with a batch in front.
        """
        if code.shape[1:] != self.space.shape:
            raise ValueError(f"expected (B, {', '.join(map(str, self.space.shape))}), found {tuple(code.shape)}")
        if isinstance(self.space, Categorical):
            place = code
            indices = code
        else:
            low, high = self._bounds
            place = (code - low) * ((self.size - 1) / (high - low))
            indices = place.round().long()
        if code.device.type == "cpu" and not torch.compiler.is_compiling():
            self._refuse_others(code, place)
        return (indices.movedim(1, -1) if self.channels > 1 else indices).reshape(len(code), self.length)

    def _refuse_others(self, code: Tensor, place: Tensor) -> None:
        if not place.numel() or (place.is_floating_point() and isinstance(self.space, Categorical)):
            off = torch.ones(()) if place.numel() else torch.zeros(())
        else:
            off = (place - place.round().clamp(0, self.size - 1)).abs().max()
        if not bool(off <= OFF_GRID):
            raise DataError(
                f"expected values of {self.space}, found {code.dtype} from {code.min().item():g} to {code.max().item():g}; "
                "prepare them as the model's data were, or fit a model to data with such values"
            )

    def code(self, indices: Tensor) -> Tensor:
        """Return the values at places of the alphabet: (B, D) -> (B, code)."""
        shape = self.space.shape
        if self.channels > 1:
            indices = indices.reshape(len(indices), *shape[1:], shape[0]).movedim(-1, 1).contiguous()
        else:
            indices = indices.reshape(len(indices), *shape)
        if isinstance(self.space, Categorical):
            return indices
        low, high = self._bounds
        return low + (high - low) * indices / (self.size - 1)

    def unit(self, indices: Tensor) -> Tensor:
        """Return places of the alphabet as numbers evenly from -1 to 1."""
        return indices * (2 / (self.size - 1)) - 1
