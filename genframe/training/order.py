"""The order of data: a pure function of seed, epoch and position, so that resuming needs three integers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..roles import generator_for

__all__ = ["DataOrder"]


@dataclass
class DataOrder:
    """Batches of indices in a new random order for each epoch; an incomplete last batch is left out.

    ``epoch`` and ``position`` (in batches) name the next batch. A dataset smaller than a batch is one batch.
    """

    size: int
    batch_size: int
    seed: int
    device: torch.device
    epoch: int = 0
    position: int = 0

    def __post_init__(self) -> None:
        self.batch_size = min(self.batch_size, self.size)
        self.batches = self.size // self.batch_size
        if not 0 <= self.position <= self.batches:
            raise ValueError(f"position {self.position} is not within an epoch of {self.batches} batches")
        self._chunks: tuple[Tensor, ...] = ()
        self._drawn = -1

    def next(self) -> Tensor:
        """Return the indices of the next batch: (batch_size,) int64."""
        if self.position == self.batches:
            self.epoch, self.position = self.epoch + 1, 0
        if self._drawn != self.epoch:
            order = torch.randperm(self.size, generator=generator_for("cpu", self.seed, self.epoch))
            self._chunks = torch.split(order.to(self.device), self.batch_size)
            self._drawn = self.epoch
        self.position += 1
        return self._chunks[self.position - 1]

    def last(self) -> Tensor:
        """Return the indices that :meth:`next` gave last."""
        return self._chunks[self.position - 1]
