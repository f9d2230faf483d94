"""What all autoregressive priors share: log-probability, drawing value by value, and inpainting."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TypeAlias

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from genframe import Prior, Space

from .alphabet import Alphabet
from .traits import Adjust

__all__ = ["AutoregressivePrior", "Step", "pick", "recomputed"]

Step: TypeAlias = "Callable[[Tensor | None], Tensor]"
"""Takes the values (n,) that were drawn last, ``None`` at first, and gives the logits (n, values) of the next ones."""


class AutoregressivePrior(Prior, ABC):
    """log p(x) = sum over t of log p(x_t | x_1 ... x_{t-1}), in the order of an :class:`~.alphabet.Alphabet`."""

    def __init__(self, code: Space) -> None:
        super().__init__()
        self.alphabet = Alphabet(code)

    @abstractmethod
    def logits(self, indices: Tensor, context: Tensor | None = None) -> Tensor:
        """Return the logits of each value given those before it: (B, D) -> (B, D, values)."""

    def step(self, n: int, context: Tensor | None = None) -> Step:
        """Return a function that gives the logits of ``n`` sequences' values one after another.

        Networks that keep what does not change replace it; this one runs the whole network for each value.
        """
        return recomputed(self, n, context)

    def log_prob(self, code: Tensor, context: Tensor | None = None) -> Tensor:
        """Return the exact log-probability in nats: (B, code) -> (B,).

        :raises DataError: on the CPU, where a value is not in the alphabet.
        """
        return self.sequence_log_prob(self.alphabet.indices(code), context)

    def sequence_log_prob(self, indices: Tensor, context: Tensor | None = None) -> Tensor:
        """Return the log-probability in nats: (B, D) -> (B,)."""
        logits = self.logits(indices, context)
        nll = F.cross_entropy(logits.flatten(0, 1), indices.flatten(), reduction="none")
        return -nll.reshape(indices.shape).sum(1)

    def sample(self, n: int, context: Tensor | None = None, generator: Generator | None = None) -> Tensor:
        """Return ``n`` exact draws: (n, code)."""
        return self.alphabet.code(_last(self._draw(n, None, None, context, generator, None)))

    def complete(
        self,
        known: Tensor,
        mask: Tensor,
        context: Tensor | None = None,
        generator: Generator | None = None,
        *,
        adjust: Adjust | None = None,
    ) -> Tensor:
        """Return codes (n, code) that are ``known`` where ``mask`` is true, and drawn given all before them elsewhere.

        What comes after an unknown value does not bear on it, so that completions are not draws of the posterior, except
        where all that is known comes first.

        :raises DataError: on the CPU, where a known value is not in the alphabet.
        """
        mask = mask.expand(known.shape)
        indices, clamped = self._given(known, mask)
        drawn = self.alphabet.code(_last(self._draw(len(known), indices, clamped, context, generator, adjust)))
        return torch.where(mask, known, drawn)

    def walk(
        self,
        known: Tensor,
        mask: Tensor,
        context: Tensor | None = None,
        generator: Generator | None = None,
        *,
        adjust: Adjust | None = None,
    ) -> Iterator[Tensor]:
        """Yield the codes after each value: (n, code); those not reached yet have the first value of the alphabet."""
        for indices in self._draw(len(known), *self._given(known, mask), context, generator, adjust):
            yield self.alphabet.code(indices)

    def _given(self, known: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return known values and the mask in the order of drawing; what is not known may hold anything."""
        mask = mask.expand(known.shape)
        first = self.alphabet.code(torch.zeros(len(known), self.alphabet.length, dtype=torch.long, device=known.device))
        moved = mask.movedim(1, -1) if self.alphabet.channels > 1 else mask
        return self.alphabet.indices(torch.where(mask, known, first)), moved.reshape(len(mask), self.alphabet.length)

    @torch.no_grad()
    def _draw(
        self,
        n: int,
        known: Tensor | None,
        clamped: Tensor | None,
        context: Tensor | None,
        generator: Generator | None,
        adjust: Adjust | None,
    ) -> Iterator[Tensor]:
        """Yield the same tensor of places in the alphabet, (n, D), after each of its columns is drawn."""
        device = next(self.parameters()).device
        length = self.alphabet.length
        indices = torch.zeros(n, length, dtype=torch.long, device=device)
        uniform = torch.rand(length, n, 1, generator=generator, device=device)
        step, previous = self.step(n, context), None
        for t in range(length):
            logits = step(previous)
            previous = pick(adjust(logits) if adjust is not None else logits, uniform[t])
            if known is not None and clamped is not None:
                previous = torch.where(clamped[:, t], known[:, t], previous)
            indices[:, t] = previous
            yield indices


def pick(logits: Tensor, uniform: Tensor) -> Tensor:
    """Return the values at which the cumulative probabilities pass ``uniform``: (n, values), (n, 1) in [0, 1) -> (n,)."""
    cumulative = logits.softmax(1).cumsum(1)
    passed = cumulative <= uniform * cumulative[:, -1:]
    return passed.sum(1).clamp_(max=logits.shape[1] - 1)


def recomputed(prior: AutoregressivePrior, n: int, context: Tensor | None) -> Step:
    """Return the step of a prior that runs its whole network for each value and keeps nothing."""
    indices = torch.zeros(n, prior.alphabet.length, dtype=torch.long, device=next(prior.parameters()).device)
    position = 0

    def step(previous: Tensor | None) -> Tensor:
        nonlocal position
        if previous is not None:
            indices[:, position] = previous
            position += 1
        return prior.logits(indices, context)[:, position]

    return step


def _last(steps: Iterator[Tensor]) -> Tensor:
    """Return what an iterator yields last; a space has at least one dimension."""
    value = next(steps)
    for value in steps:  # noqa: B007 - only the last is wanted
        pass
    return value
