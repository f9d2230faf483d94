"""A model as its own teacher: the weights with which training began."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import torch
from torch import Tensor, nn

from genframe import Decoder

__all__ = ["Teacher"]


class Teacher(nn.Module):
    """The weights that a decoder had, in one vector: a buffer, so that they are saved and never trained."""

    weights: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weights", torch.empty(0))

    @torch.no_grad()
    def take(self, decoder: Decoder) -> None:
        """Keep the decoder's present weights."""
        self.weights = torch.cat([tensor.flatten() for tensor in _tensors(decoder)])

    @contextmanager
    def in_place_of(self, decoder: Decoder) -> Iterator[None]:
        """Give the decoder the teacher's weights, in evaluation mode and without gradients, as long as the context lasts."""
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


def _tensors(decoder: Decoder) -> list[Tensor]:
    """Return what of a decoder is learnt or measured, in its order."""
    return [tensor for tensor in chain(decoder.parameters(), decoder.buffers()) if tensor.is_floating_point()]
