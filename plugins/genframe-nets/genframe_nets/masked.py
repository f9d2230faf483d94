"""The masked autoregressive perceptron (MADE), for priors, flows and anything else that factorises over an order.

A public module for other plugins; it imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .activations import Activation
from .activations import activation as named
from .initialisation import second_moment, zeroed
from .inputs import with_context

__all__ = ["MaskedLinear", "MaskedPerceptron"]


class MaskedLinear(nn.Linear):
    """x -> (W ∘ M) x + b, for a mask M of zeros and ones. Germain et al. 2015, eq. 8.

    Weights are N(0, 1 / (fan-in · E[f(u)²])) with the fan-in that the mask leaves to each output and f the activation
    ``before`` the layer (``None``: data), as everywhere in this package; biases are zero.
    In evaluation mode and without gradients, the masked weight is kept until the weight changes.

    :param mask: (outputs, inputs).

    >>> _ = torch.manual_seed(0)
    >>> layer = MaskedLinear(torch.tensor([[1, 0], [1, 1]]), before=None)
    >>> layer(torch.tensor([[0.0, 1.0]]))[0, 0].item()  # the first output does not read the second input
    0.0
    """

    mask: Tensor

    def __init__(self, mask: Tensor, before: Activation | None) -> None:
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask.to(self.weight), persistent=False)
        moment = second_moment(before) if before is not None else 1.0
        with torch.no_grad():
            self.weight.normal_().div_((self.mask.sum(1, keepdim=True).clamp(min=1) * moment).sqrt())
            self.bias.zero_()
        self._kept: tuple[Tensor, int, Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, inputs) -> (B, outputs)."""
        return F.linear(x, self._masked(), self.bias)

    def _masked(self) -> Tensor:
        """Return W ∘ M."""
        if self.training or torch.is_grad_enabled() or torch.compiler.is_compiling():
            return self.weight * self.mask
        kept = self._kept
        if kept is None or kept[0] is not self.weight or kept[1] != self.weight._version:
            self._kept = kept = (self.weight, self.weight._version, self.weight * self.mask)
        return kept[2]

    def train(self, mode: bool = True) -> Self:
        """Set the mode; what was kept is dropped, as in :meth:`_apply` and in copies."""
        self._kept = None
        return super().train(mode)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self._kept = None
        return super()._apply(fn, recurse)  # type: ignore[no-any-return, no-untyped-call]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": None}


class MaskedPerceptron(nn.Module):
    """``outputs_per_input`` values for each input, which depend only on the inputs before it. Germain et al. 2015, section 4.

    A unit of degree m reads the first m inputs and units of at most its degree; the outputs of the input at position r (from
    0) read units of at most degree r. Degrees are spread evenly over a layer, without randomness: 1 to ``inputs`` - 1, and
    from 0 where there is a context, which all units of the first layer read, so that it reaches the first input's outputs too.

    :param order: the inputs' numbers in the order in which they are generated; 0, 1, 2 ... where there is none.
        It is not part of the state.
    :param residual: add each hidden layer but the first to the one before it, W f(h) + h, starting as the identity; all
        have one size.
    :param zero: start the last layer at zero.
    :raises ValueError: if ``order`` is no permutation, or sizes do not fit.

    >>> _ = torch.manual_seed(0)
    >>> made = MaskedPerceptron(inputs=6, outputs_per_input=2, hidden=(32, 32))
    >>> made(torch.randn(5, 6)).shape
    torch.Size([5, 2, 6])
    """

    def __init__(
        self,
        inputs: int,
        outputs_per_input: int,
        hidden: Sequence[int],
        activation: Activation = "relu",
        context_dims: int = 0,
        order: Sequence[int] | None = None,
        residual: bool = False,
        zero: bool = False,
    ) -> None:
        super().__init__()
        if not hidden or (residual and len(set(hidden)) > 1):
            raise ValueError(f"expected sizes of hidden layers, all equal where residual, found {tuple(hidden)}")
        self.shape = (outputs_per_input, inputs)
        self.context_dims, self.residual = context_dims, residual
        order = _checked_order(order, inputs)
        position = torch.tensor([order.index(number) for number in range(inputs)])
        lowest = 0 if context_dims or inputs == 1 else 1
        degrees = [lowest + torch.arange(size) * (inputs - lowest) // size for size in hidden]
        reads = torch.cat((position, torch.full((context_dims,), -1)))
        self.first = MaskedLinear(degrees[0][:, None] > reads, None)
        self.hidden = nn.ModuleList(MaskedLinear(after[:, None] >= before, activation) for before, after in pairwise(degrees))
        self.last = MaskedLinear((position[:, None] >= degrees[-1]).repeat(outputs_per_input, 1), activation)
        if residual:
            zeroed(self.hidden)
        if zero:
            zeroed(self.last)
        self.activation = named(activation, inplace=not residual)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Return (B, D), (B, context) -> (B, P, D): [:, :, i] depends on the inputs before i, and on the context."""
        h = self.first(with_context(x, context, self.context_dims))
        for layer in self.hidden:
            h = h + layer(self.activation(h)) if self.residual else layer(self.activation(h))
        out: Tensor = self.last(self.activation(h))
        return out.reshape(x.shape[0], *self.shape)


def _checked_order(order: Sequence[int] | None, inputs: int) -> tuple[int, ...]:
    """Return ``order``, or 0, 1, 2 ... where there is none."""
    if order is None:
        return tuple(range(inputs))
    if sorted(order) != list(range(inputs)):
        raise ValueError(f"expected a permutation of 0 to {inputs - 1} as order, found {list(order)}")
    return tuple(order)
