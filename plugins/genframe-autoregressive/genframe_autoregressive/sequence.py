"""What all autoregressive priors share: log-probability, drawing value by value, and inpainting."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from genframe import Context, Prior, Space

from .alphabet import Alphabet
from .traits import Adjust

__all__ = ["AutoregressivePrior", "Step", "pick", "recomputed"]

Given: TypeAlias = "tuple[Tensor, Tensor]"
"""Places in the alphabet (n, D), and where they are known, in the order of drawing."""

NUMBERS_AT_ONCE: Final = 1 << 26
"""How many numbers draws keep at once, such as keys and values: 256 MiB of them."""

Step: TypeAlias = "Callable[[Tensor | None], Tensor]"
"""Takes the values (n,) that were drawn last, ``None`` at first, and gives the logits (n, values) of the next ones."""


class AutoregressivePrior(Prior, ABC):
    """log p(x) = sum over t of log p(x_t | x_1 ... x_{t-1}), in the order of an :class:`~.alphabet.Alphabet`.

    :param code: a space of discrete values.
    """

    def __init__(self, code: Space) -> None:
        super().__init__()
        self.alphabet = Alphabet(code)

    @abstractmethod
    def logits(self, indices: Tensor, context: Context | None = None) -> Tensor:
        """Return the logits of each value given those before it: (B, D) -> (B, D, values)."""

    def step(self, n: int, context: Context | None = None) -> Step:
        """Return a function that gives the logits of ``n`` sequences' values one after another.

        Networks that keep what does not change replace it; this one runs the whole network for each value.
        """
        return recomputed(self, n, context)

    def log_prob(self, code: Tensor, context: Context | None = None) -> Tensor:
        """Return the exact log-probability in nats: (B, code) -> (B,).

        :raises DataError: on the CPU, where a value is not in the alphabet.
        """
        return self.sequence_log_prob(self.alphabet.indices(code), context)

    def sequence_log_prob(self, indices: Tensor, context: Context | None = None) -> Tensor:
        """Return the log-probability in nats: (B, D) -> (B,)."""
        logits = self.logits(indices, context)
        nll = F.cross_entropy(logits.flatten(0, 1), indices.flatten(), reduction="none")
        return -nll.reshape(indices.shape).sum(1)

    def sample(self, n: int, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        """Return ``n`` exact draws: (n, code)."""
        return self.alphabet.code(self._drawn(n, None, context, generator, None))

    def complete(
        self,
        known: Tensor,
        mask: Tensor,
        context: Context | None = None,
        generator: Generator | None = None,
        *,
        adjust: Adjust | None = None,
    ) -> Tensor:
        """Return codes (n, code) that are ``known`` where ``mask`` is true, and drawn given all before them elsewhere.

        What comes after an unknown value does not influence it, so completions are draws of the posterior only where all
        that is known comes first.

        :raises DataError: on the CPU, where a known value is not in the alphabet.
        """
        mask = mask.expand(known.shape)
        indices, clamped = self._given(known, mask)
        given = (indices, clamped) if bool(mask.any()) else None
        drawn = self.alphabet.code(self._drawn(len(known), given, context, generator, adjust))
        return torch.where(mask, known, drawn)

    def walk(
        self,
        known: Tensor,
        mask: Tensor,
        context: Context | None = None,
        generator: Generator | None = None,
        *,
        adjust: Adjust | None = None,
    ) -> Iterator[Tensor]:
        """Yield the codes after each value: (n, code); those not reached yet have the first value of the alphabet."""
        uniform = self._uniform(len(known), generator)
        for indices in self._walk(uniform, self._given(known, mask), context, adjust):
            yield self.alphabet.code(indices)

    def _given(self, known: Tensor, mask: Tensor) -> Given:
        """Return known values and the mask in the order of drawing; what is not known may hold anything."""
        mask = mask.expand(known.shape)
        first = self.alphabet.code(torch.zeros(len(known), self.alphabet.length, dtype=torch.long, device=known.device))
        moved = mask.movedim(1, -1) if self.alphabet.channels > 1 else mask
        return self.alphabet.indices(torch.where(mask, known, first)), moved.reshape(len(mask), self.alphabet.length)

    @property
    def numbers_kept(self) -> int:
        """About how many numbers a draw keeps in memory for each sequence: the logits of a value, unless there is more."""
        return self.alphabet.size

    def _uniform(self, n: int, generator: Generator | None) -> Tensor:
        """Return the random numbers by which each value of ``n`` sequences is drawn: (D, n, 1)."""
        device = next(self.parameters()).device
        return torch.rand(self.alphabet.length, n, 1, generator=generator, device=device)

    def _drawn(
        self, n: int, given: Given | None, context: Context | None, generator: Generator | None, adjust: Adjust | None
    ) -> Tensor:
        """Return places in the alphabet, (n, D), drawn a few sequences at a time so that what is kept fits the memory."""
        uniform = self._uniform(n, generator)
        drawn = [torch.zeros(0, self.alphabet.length, dtype=torch.long, device=uniform.device)]
        rows = max(1, NUMBERS_AT_ONCE // self.numbers_kept)
        for start in range(0, n, rows):
            some = slice(start, start + rows)
            known = (given[0][some], given[1][some]) if given is not None else None
            drawn.append(_last(self._walk(uniform[:, some], known, context[some] if context is not None else None, adjust)))
        return torch.cat(drawn)

    @torch.no_grad()
    def _walk(self, uniform: Tensor, given: Given | None, context: Context | None, adjust: Adjust | None) -> Iterator[Tensor]:
        """Yield the same tensor of places in the alphabet, (n, D), after each of its columns is drawn."""
        length, n, _ = uniform.shape
        indices = torch.zeros(n, length, dtype=torch.long, device=uniform.device)
        step, previous = self.step(n, context), None
        for t in range(length):
            logits = step(previous)
            previous = pick(adjust(logits) if adjust is not None else logits, uniform[t])
            if given is not None:
                known, clamped = given
                previous = torch.where(clamped[:, t], known[:, t], previous)
            indices[:, t] = previous
            yield indices


def pick(logits: Tensor, uniform: Tensor) -> Tensor:
    """Return the values at which the cumulative probabilities pass ``uniform``: (n, values), (n, 1) in [0, 1) -> (n,)."""
    cumulative = logits.softmax(1).cumsum(1)
    passed = cumulative <= uniform * cumulative[:, -1:]
    return passed.sum(1).clamp_(max=logits.shape[1] - 1)


def recomputed(prior: AutoregressivePrior, n: int, context: Context | None) -> Step:
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
