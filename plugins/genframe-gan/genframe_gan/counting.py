"""A count of batches that is part of the state."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from genframe.roles import eager

__all__ = ["Counter"]


class Counter(nn.Module):
    """Counts batches in a buffer, and knows the count without asking the device for it at each step.

    >>> counter = Counter()
    >>> counter.next(), counter.next(), counter.batches
    (0, 1, tensor(2))
    """

    batches: Tensor

    def __init__(self, *, persistent: bool = True) -> None:
        super().__init__()
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64), persistent=persistent)
        self._known, self._version = 0, self.batches._version

    @eager  # the compiler would compile again for each new number
    def next(self) -> int:
        """Return how many batches there were before this one."""
        batches = self.batches
        if batches._version != self._version:  # a checkpoint was loaded, or a step taken back
            self._known = int(batches)
        before = self._known
        batches += 1
        self._known, self._version = before + 1, batches._version
        return before
