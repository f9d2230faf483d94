"""An exponential moving average of a model's weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

__all__ = ["WeightAverage"]


class WeightAverage:
    """Averages the floating-point parameters of a module; buffers are taken as they are.

    The decay rises as min(decay, (1 + n) / (10 + n)) with the number n of updates, so that early weights
    do not linger.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        named = [(name, parameter) for name, parameter in module.named_parameters() if parameter.is_floating_point()]
        self._names = [name for name, _ in named]
        self._live: list[Tensor] = [parameter for _, parameter in named]
        self._average = [parameter.detach().clone() for parameter in self._live]

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the present weights."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(self._average, self._live, 1 - decay)
        self.updates += 1

    @torch.no_grad()
    def restart(self) -> None:
        """Start again from the present weights."""
        torch._foreach_copy_(self._average, self._live)
        self.updates = 0

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Put the average into the module for as long as the context lasts."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def adopt(self) -> None:
        """Make the average the module's own weights."""
        torch._foreach_copy_(self._live, self._average)

    def _swap(self) -> None:
        for index, parameter in enumerate(self._live):
            parameter.data, self._average[index] = self._average[index], parameter.data

    def tensors(self) -> dict[str, Tensor]:
        """Return the averages by the parameters' names."""
        return dict(zip(self._names, self._average, strict=True))

    def load(self, tensors: Mapping[str, Tensor], updates: int) -> None:
        """Restore what :meth:`tensors` gave after so many updates."""
        for name, average in zip(self._names, self._average, strict=True):
            average.copy_(tensors[name])
        self.updates = updates
