"""Batches that are read and prepared ahead of training, by threads."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Final

import torch
from torch import Tensor

from ..roles import Split, generator_for
from ..types import Batch
from .order import DataOrder

__all__ = ["ReadAhead"]

PREPARING: Final = 1
"""Sets the random numbers of preparation apart from those of the order."""


class ReadAhead:
    """The batches of rows that do not lie in memory, in the order's order.

    What is random in a batch, such as flips and noise, depends on seed, epoch and position alone; so a batch is the same
    whatever the number of ``workers``, and in a resumed training. Without workers, batches are read when they are asked for.
    """

    def __init__(self, rows: Split, order: DataOrder, workers: int) -> None:
        self.rows, self.order, self.workers = rows, replace(order), workers
        self._threads = ThreadPoolExecutor(workers, "genframe-reader", initializer=_alone) if workers else None
        self._waiting: deque[Future[Batch]] = deque()

    def next(self) -> Batch:
        """Return the next batch, and have later ones prepared meanwhile."""
        if self._threads is None:
            return self.read(*self._ask())
        while len(self._waiting) <= self.workers:
            self._waiting.append(self._threads.submit(self.read, *self._ask()))
        return self._waiting.popleft().result()

    def read(self, indices: Tensor, epoch: int, position: int) -> Batch:
        """Return the batch at an epoch and a position, which has the rows at ``indices``."""
        generator = generator_for(self.rows.device, self.order.seed, epoch, position, PREPARING)
        return self.rows.training_batch(indices, generator)

    def _ask(self) -> tuple[Tensor, int, int]:
        indices = self.order.next()
        return indices, self.order.epoch, self.order.position


def _alone() -> None:
    """Let a reading thread compute by itself, so that it takes no core from training's own threads."""
    torch.set_num_threads(1)
