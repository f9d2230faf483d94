"""The masked autoencoder for distribution estimation."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from genframe import Categorical, Context, ContextSpace, Space, vector_dims, vector_of
from genframe_nets.masked import MaskedLinear, MaskedPerceptron

from .sequence import AutoregressivePrior
from .specs.made import Made

__all__ = ["MadePrior"]


class MadePrior(AutoregressivePrior):
    """Logits of every value by one masked perceptron."""

    def __init__(self, spec: Made, code: Space, context: ContextSpace | None) -> None:
        super().__init__(code)
        length, size = self.alphabet.length, self.alphabet.size
        self.network = MaskedPerceptron(length, size, spec.hidden, spec.activation, vector_dims(context))
        self.units = isinstance(code, Categorical)
        if self.units:  # each class has an input of its own, that sees what its place may see
            values, rest = self.network.first.mask.split((length, vector_dims(context)), 1)
            self.network.first = MaskedLinear(torch.cat((values.repeat_interleave(size, 1), rest), 1), None)

    @property
    def numbers_kept(self) -> int:
        """The logits of all values, which the network gives together."""
        return self.alphabet.length * self.alphabet.size

    def logits(self, indices: Tensor, context: Context | None = None) -> Tensor:
        """Return the logits of each value given those before it: (B, D) -> (B, D, values)."""
        if self.units:
            x = F.one_hot(indices, self.alphabet.size).flatten(1).to(self.network.last.weight.dtype)
        else:
            x = self.alphabet.unit(indices)
        out: Tensor = self.network(x, vector_of(context))  # (B, values, D)
        return out.transpose(1, 2)
