"""A time, and a vector of context beside it, as one vector that all layers of a network read."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor, nn

from .activations import Activation, activation
from .initialisation import initialised
from .inputs import flat_context

__all__ = ["TimeEmbedding", "frequencies", "sinusoids"]

LONGEST: Final = 10_000.0
SINUSOIDS: Final = 128


def frequencies(dims: int) -> Tensor:
    """Return the angular frequencies w_i = 10000^(-2i / dims) for i below ``dims / 2``. Vaswani et al. 2017, section 3.5."""
    return torch.exp(torch.arange(0, dims, 2, dtype=torch.float64) * (-math.log(LONGEST) / dims)).float()


def sinusoids(positions: Tensor, frequencies: Tensor) -> Tensor:
    """Return the sines of positions at each frequency, then the cosines: (N,), (K,) -> (N, 2K)."""
    angles = positions[:, None] * frequencies
    return torch.cat((angles.sin(), angles.cos()), 1)


class TimeEmbedding(nn.Module):
    """Sinusoids of the time through a perceptron of two layers, plus a linear map of the context, activated in the end.

    Ho et al. 2020, appendix B. The time is any real number, on the scale of 0 to 1000. ``context_dims`` is zero where there is
    no vector of context.
    """

    frequencies: Tensor

    def __init__(self, dims: int, name: Activation, context_dims: int = 0) -> None:
        super().__init__()
        self.context_dims = context_dims
        self.register_buffer("frequencies", frequencies(SINUSOIDS), persistent=False)
        self.perceptron = nn.Sequential(
            initialised(nn.Linear(SINUSOIDS, dims), None), activation(name), initialised(nn.Linear(dims, dims), name)
        )
        self.context = initialised(nn.Linear(context_dims, dims), None) if context_dims else None
        self.activation = activation(name)

    def forward(self, time: Tensor, context: Tensor | None) -> Tensor:
        """Return vectors: (B,), (B, ...) -> (B, dims)."""
        x = self.perceptron(sinusoids(time, self.frequencies))
        if self.context is not None:
            x = x + self.context(flat_context(context, self.context_dims))
        activated: Tensor = self.activation(x)
        return activated
