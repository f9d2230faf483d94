"""A decoder as its own teacher: the weights from which training started."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import torch
from torch import Tensor, nn

__all__ = ["Teacher"]


class Teacher(nn.Module):
    """The weights that a decoder had, in one vector: a buffer, so that they are saved and never trained.

    >>> student, teacher = nn.Linear(2, 2), Teacher()
    >>> teacher.take(student)
    >>> before = student.weight.detach().clone()
    >>> _ = nn.init.zeros_(student.weight)
    >>> with teacher.in_place_of(student):
    ...     torch.equal(student.weight, before)
    True
    >>> int(student.weight.count_nonzero())
    0
    """

    weights: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weights", torch.empty(0))

    @torch.no_grad()
    def take(self, decoder: nn.Module) -> None:
        """Keep the decoder's present weights."""
        self.weights = torch.cat([tensor.flatten() for tensor in _tensors(decoder)])

    @contextmanager
    def in_place_of(self, decoder: nn.Module) -> Iterator[None]:
        """Give the decoder the teacher's weights, in evaluation mode and without gradients, while the context lasts."""
        tensors, training = _tensors(decoder), decoder.training
        kept = [tensor.data for tensor in tensors]
        theirs = self.weights.split([tensor.numel() for tensor in tensors])
        try:
            decoder.eval()
            for tensor, values in zip(tensors, theirs, strict=True):
                tensor.data = values.view(tensor.shape)
            with torch.no_grad():
                yield
        finally:
            for tensor, own in zip(tensors, kept, strict=True):
                tensor.data = own
            decoder.train(training)


def _tensors(decoder: nn.Module) -> list[Tensor]:
    """Return the floating-point parameters and buffers of a decoder, in its order."""
    return [tensor for tensor in chain(decoder.parameters(), decoder.buffers()) if tensor.is_floating_point()]
