"""The masked autoencoder for distribution estimation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from genframe import Categorical, Context, ContextSpace, Space, vector_dims, vector_of
from genframe_nets import Activation
from genframe_nets.masked import MaskedLinear, MaskedPerceptron

from .sequence import AutoregressivePrior

__all__ = ["MadePrior"]


class MadePrior(AutoregressivePrior):
    """Logits of every value by one masked perceptron. Germain et al. 2015.

    :param code: a space of discrete values. Classes enter as unit vectors, levels as numbers from -1 to 1.
    :param hidden: units of each hidden layer.
    :param activation: the non-linearity.
    :param context: the space of the context, of which the vector is read.

    >>> from genframe import Categorical
    >>> prior = MadePrior(Categorical((3,), 4), hidden=(16,))
    >>> prior.sample(5).shape
    torch.Size([5, 3])
    >>> everything = torch.cartesian_prod(*[torch.arange(4)] * 3)
    >>> round(prior.log_prob(everything).exp().sum().item(), 4)
    1.0
    """

    def __init__(
        self,
        code: Space,
        hidden: Sequence[int] = (512, 512),
        activation: Activation = "relu",
        context: ContextSpace | None = None,
    ) -> None:
        super().__init__(code)
        length, size = self.alphabet.length, self.alphabet.size
        self.network = MaskedPerceptron(length, size, hidden, activation, vector_dims(context))
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
