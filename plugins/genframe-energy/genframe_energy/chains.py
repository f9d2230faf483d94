"""Samplers that walk: by the prior's own transition, or by its energy's gradient."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import torch
from torch import Generator, Tensor

from genframe import Context, Model, Sampler, State
from genframe.traits import Energy, MarkovKernel

from .dynamics import EnergyFunction, hamiltonian_step, langevin_step, place, swap
from .units import random_states

if TYPE_CHECKING:
    from .specs import Chain, Hmc, Langevin, Tempering

__all__ = ["ChainSampler", "GibbsSampler", "HmcSampler", "LangevinSampler", "TemperingSampler"]


class ChainSampler(Sampler):
    """Chains from random states; shows their data after the burn-in, at intervals, and at the end."""

    def __init__(self, spec: Chain) -> None:
        self.steps, self.burn_in, self.thinning = spec.steps, spec.burn_in, spec.thinning

    @abstractmethod
    def walk(self, model: Model, code: Tensor, context: Context | None, generator: Generator | None) -> Iterator[Tensor]:
        """Yield the codes after each step from ``code``, without end: (n, code)."""

    def trajectory(
        self, model: Model, n: int, context: Context | None = None, generator: Generator | None = None
    ) -> Iterator[State]:
        """Yield the data of the chains."""
        start = random_states(model.composition.code, n, generator, model.device)
        walk = self.walk(model, start, context, generator)
        for step, code in zip(range(1, self.steps + 1), walk, strict=False):
            since = step - self.burn_in
            if (since > 0 and since % self.thinning == 0) or step == self.steps:
                yield State(model.decoder.decode(model.latents(code), context), step, self.steps)


def _energy(model: Model, context: Context | None) -> EnergyFunction:
    prior = cast(Energy, model.prior)
    return lambda code: prior.energy(code, context)


class GibbsSampler(ChainSampler):
    """The prior's transition, again and again."""

    def walk(self, model: Model, code: Tensor, context: Context | None, generator: Generator | None) -> Iterator[Tensor]:
        """Yield the codes after each transition."""
        kernel = cast(MarkovKernel, model.prior)
        state = kernel.states(code, context, generator)
        while True:
            state = kernel.transition(state, context, generator)
            yield kernel.codes(state)


class LangevinSampler(ChainSampler):
    """Langevin dynamics, adjusted or not."""

    def __init__(self, spec: Langevin) -> None:
        super().__init__(spec)
        self.step_size, self.adjusted = spec.step_size, spec.adjusted

    def walk(self, model: Model, code: Tensor, context: Context | None, generator: Generator | None) -> Iterator[Tensor]:
        """Yield the codes after each step."""
        energy = _energy(model, context)
        now = place(energy, code)
        while True:
            now = langevin_step(energy, now, self.step_size, generator, adjusted=self.adjusted)
            yield now.x


class HmcSampler(ChainSampler):
    """Hamiltonian Monte Carlo."""

    def __init__(self, spec: Hmc) -> None:
        super().__init__(spec)
        self.step_size, self.leapfrogs = spec.step_size, spec.leapfrogs

    def walk(self, model: Model, code: Tensor, context: Context | None, generator: Generator | None) -> Iterator[Tensor]:
        """Yield the codes after each trajectory."""
        energy = _energy(model, context)
        now = place(energy, code)
        while True:
            now = hamiltonian_step(energy, now, self.step_size, self.leapfrogs, generator)
            yield now.x


class TemperingSampler(ChainSampler):
    """Parallel tempering; all temperatures move as one batch."""

    def __init__(self, spec: Tempering) -> None:
        super().__init__(spec)
        self.step_size, self.temperatures = spec.step_size, spec.temperatures

    def walk(self, model: Model, code: Tensor, context: Context | None, generator: Generator | None) -> Iterator[Tensor]:
        """Yield the codes of the coldest chains after each step and swap."""
        n, replicas = len(code), len(self.temperatures)
        energy = _energy(model, None if context is None else context.repeat(replicas))
        temperature = torch.tensor(self.temperatures, device=code.device).repeat_interleave(n)
        now = place(energy, code.repeat(replicas, *[1] * (code.dim() - 1)))
        first = 0
        while True:
            now = langevin_step(energy, now, self.step_size * temperature.sqrt(), generator, beta=1 / temperature)
            now = swap(now, 1 / temperature, n, first, generator)
            first = 1 - first
            yield now.x[:n]
