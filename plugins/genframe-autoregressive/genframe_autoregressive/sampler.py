"""Drawing data value by value."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import cast

import torch
from torch import Generator, Tensor

from genframe import Context, Model, Real, Sampler, State

from .filtering import adjusted
from .traits import Sequential

__all__ = ["SequentialSampler"]


class SequentialSampler(Sampler):
    """Codes drawn value by value from adjusted probabilities, and decoded.

    :param temperature: divides the logits; 0 takes the most probable value.
    :param top_k: keep the so many most probable values.
    :param top_p: keep the fewest most probable values that together have this probability (Holtzman et al. 2019).
    :param min_p: keep values of at least this share of the largest probability (Nguyen et al. 2024).

    A prior draws by the same probabilities without a model:

    >>> from genframe import Categorical
    >>> from genframe_autoregressive import MadePrior
    >>> prior, nothing_known = MadePrior(Categorical((3,), 4), hidden=(16,)), torch.zeros(3).bool()
    >>> greedy = SequentialSampler(temperature=0)
    >>> codes = prior.complete(torch.zeros(20, 3, dtype=torch.long), nothing_known, adjust=greedy.adjust)
    >>> codes.unique(dim=0).shape
    torch.Size([1, 3])
    """

    def __init__(
        self, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None, min_p: float | None = None
    ) -> None:
        self.adjust = partial(adjusted, temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p)

    def trajectory(
        self, model: Model, n: int, context: Context | None = None, generator: Generator | None = None
    ) -> Iterator[State]:
        """Yield the decoded codes after each value; those not reached yet have the first value of the alphabet."""
        walk = _prior(model).walk(*_nothing_known(model, n), context, generator, adjust=self.adjust)
        steps = model.composition.code.dims
        for step, code in enumerate(walk, start=1):
            yield State(model.decoder.decode(model.latents(code), context), step, steps)

    def draw(self, model: Model, n: int, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        """Return the last state's data, decoded once: (n, data)."""
        return self.complete(model, *_nothing_known(model, n), context, generator)

    def complete(
        self, model: Model, known: Tensor, mask: Tensor, context: Context | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Return data whose codes are ``known`` (n, code) where ``mask`` is true, and drawn elsewhere: (n, data)."""
        code = _prior(model).complete(known, mask, context, generator, adjust=self.adjust)
        return model.decoder.decode(model.latents(code), context)


def _prior(model: Model) -> Sequential:
    """Return the model's prior, which ``check`` has found to go value by value."""
    return cast(Sequential, model.prior)


def _nothing_known(model: Model, n: int) -> tuple[Tensor, Tensor]:
    """Return codes of zeros, and a mask that says that none of them is known."""
    code = model.composition.code
    dtype = torch.float32 if isinstance(code, Real) else torch.long
    return torch.zeros(n, *code.shape, dtype=dtype, device=model.device), torch.zeros((), dtype=torch.bool, device=model.device)
