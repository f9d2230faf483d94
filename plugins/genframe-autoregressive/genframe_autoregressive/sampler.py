"""Drawing data value by value."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import cast

import torch
from torch import Generator, Tensor

from genframe import Context, Model, Real, Sampler, State

from .filtering import adjusted
from .specs.sampler import SequentialSampling
from .traits import Sequential

__all__ = ["SequentialSampler"]


class SequentialSampler(Sampler):
    """Codes drawn value by value from adjusted probabilities, and decoded."""

    def __init__(self, spec: SequentialSampling) -> None:
        self.adjust = partial(adjusted, temperature=spec.temperature, top_k=spec.top_k, top_p=spec.top_p, min_p=spec.min_p)

    def trajectory(
        self, model: Model, n: int, context: Context | None = None, generator: Generator | None = None
    ) -> Iterator[State]:
        """Yield the decoded codes after each value; those not reached yet have the first value of the alphabet."""
        walk = cast(Sequential, model.prior).walk(*_nothing_known(model, n), context, generator, adjust=self.adjust)
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
        prior = cast(Sequential, model.prior)
        code = prior.complete(known, mask, context, generator, adjust=self.adjust)
        return model.decoder.decode(model.latents(code), context)


def _nothing_known(model: Model, n: int) -> tuple[Tensor, Tensor]:
    """Return codes of zeros, and a mask that says that none of them is known."""
    code = model.composition.code
    dtype = torch.float32 if isinstance(code, Real) else torch.long
    return torch.zeros(n, *code.shape, dtype=dtype, device=model.device), torch.zeros((), dtype=torch.bool, device=model.device)
