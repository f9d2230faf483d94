"""A count of batches that is part of the state."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from genframe.execution import eager

__all__ = ["Counter"]


class Counter(nn.Module):
    """Counts batches in a buffer, and knows the count without asking the device for it at each step."""

    def __init__(self, *, persistent: bool) -> None:
        super().__init__()
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64), persistent=persistent)
        self._known, self._version = 0, cast(Tensor, self.batches)._version

    @eager  # a number that is new at each step would be compiled for anew
    def next(self) -> int:
        """Return how many batches there were before this one."""
        batches = cast(Tensor, self.batches)
        if batches._version != self._version:  # a checkpoint was loaded, or a step taken back
            self._known = int(batches)
        before = self._known
        batches += 1
        self._known, self._version = before + 1, batches._version
        return before
