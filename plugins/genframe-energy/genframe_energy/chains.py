"""Samplers that walk: by the prior's own transition, or by its energy's gradient."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Generator, Tensor

from genframe import Context, Model, Sampler, State
from genframe.types import Energy, MarkovKernel

from .dynamics import EnergyFunction, hamiltonian_step, langevin_step, place, swap
from .units import random_states

__all__ = ["ChainSampler", "GibbsSampler", "HmcSampler", "LangevinSampler", "TemperingSampler", "energy_given"]


class ChainSampler(Sampler):
    """Chains of ``steps`` steps from random states.

    A trajectory shows their data every ``thinning`` steps after the first ``burn_in``, and at the end.
    """

    def __init__(self, steps: int = 1000, *, burn_in: int = 0, thinning: int = 100) -> None:
        self.steps, self.burn_in, self.thinning = steps, burn_in, thinning

    @abstractmethod
    def walk(
        self, prior: Any, code: Tensor, context: Context | None = None, generator: Generator | None = None
    ) -> Iterator[Tensor]:
        """Yield the codes (n, code) of chains after each step from ``code``, without end."""

    def trajectory(
        self, model: Model, n: int, context: Context | None = None, generator: Generator | None = None
    ) -> Iterator[State]:
        """Yield the data of the chains."""
        start = random_states(model.composition.code, n, generator, model.device)
        walk = self.walk(model.prior, start, context, generator)
        for step, code in zip(range(1, self.steps + 1), walk, strict=False):
            since = step - self.burn_in
            if (since > 0 and since % self.thinning == 0) or step == self.steps:
                yield State(model.decoder.decode(model.latents(code), context), step, self.steps)


def energy_given(prior: Energy, context: Context | None) -> EnergyFunction:
    """Return the energy of codes under a context: (B, code) -> (B,)."""
    return lambda code: prior.energy(code, context)


class GibbsSampler(ChainSampler):
    """The prior's own transition, again and again. Geman & Geman 1984.

    >>> import torch
    >>> from genframe import Real
    >>> from genframe_energy import RestrictedBoltzmannMachine
    >>> _ = torch.manual_seed(0)
    >>> rbm = RestrictedBoltzmannMachine(Real((64,), 0, 1, 2), hidden=32)
    >>> walk = GibbsSampler().walk(rbm, torch.zeros(5, 64))
    >>> next(walk).shape
    torch.Size([5, 64])
    """

    def walk(
        self, prior: MarkovKernel, code: Tensor, context: Context | None = None, generator: Generator | None = None
    ) -> Iterator[Tensor]:
        """Yield the codes (n, code) after each transition."""
        state = prior.states(code, context, generator)
        while True:
            state = prior.transition(state, context, generator)
            yield prior.codes(state)


class LangevinSampler(ChainSampler):
    """Langevin dynamics: x - step_size² / 2 grad E(x) + step_size · noise. Roberts & Tweedie 1996.

    ``adjusted``: accept each step by the rule of Metropolis and Hastings.

    >>> import torch
    >>> from genframe import Real
    >>> from genframe_energy import NeuralEnergy
    >>> _ = torch.manual_seed(0)
    >>> prior = NeuralEnergy(torch.nn.Linear(2, 1), Real((2,)), base=1.0)
    >>> walk = LangevinSampler(step_size=0.5).walk(prior, torch.zeros(5, 2))
    >>> next(walk).shape
    torch.Size([5, 2])
    """

    def __init__(
        self, steps: int = 1000, *, burn_in: int = 0, thinning: int = 100, step_size: float = 0.1, adjusted: bool = True
    ) -> None:
        super().__init__(steps, burn_in=burn_in, thinning=thinning)
        self.step_size, self.adjusted = step_size, adjusted

    def walk(
        self, prior: Energy, code: Tensor, context: Context | None = None, generator: Generator | None = None
    ) -> Iterator[Tensor]:
        """Yield the codes (n, code) after each step."""
        energy = energy_given(prior, context)
        now = place(energy, code)
        while True:
            now = langevin_step(energy, now, self.step_size, generator, adjusted=self.adjusted)
            yield now.x


class HmcSampler(ChainSampler):
    """Hamiltonian Monte Carlo with unit masses: ``leapfrogs`` leapfrog steps in each step of a chain. Neal 2011, sec. 3.

    >>> import torch
    >>> from genframe import Real
    >>> from genframe_energy import NeuralEnergy
    >>> _ = torch.manual_seed(0)
    >>> prior = NeuralEnergy(torch.nn.Linear(2, 1), Real((2,)), base=1.0)
    >>> next(HmcSampler(step_size=0.3, leapfrogs=5).walk(prior, torch.zeros(5, 2))).shape
    torch.Size([5, 2])
    """

    def __init__(
        self, steps: int = 1000, *, burn_in: int = 0, thinning: int = 100, step_size: float = 0.1, leapfrogs: int = 10
    ) -> None:
        super().__init__(steps, burn_in=burn_in, thinning=thinning)
        self.step_size, self.leapfrogs = step_size, leapfrogs

    def walk(
        self, prior: Energy, code: Tensor, context: Context | None = None, generator: Generator | None = None
    ) -> Iterator[Tensor]:
        """Yield the codes (n, code) after each trajectory."""
        energy = energy_given(prior, context)
        now = place(energy, code)
        while True:
            now = hamiltonian_step(energy, now, self.step_size, self.leapfrogs, generator)
            yield now.x


class TemperingSampler(ChainSampler):
    """Parallel tempering: adjusted Langevin chains at rising ``temperatures``, of which neighbours swap states. Geyer 1991.

    A chain at temperature T has the energy E / T and steps of step_size · sqrt(T). All temperatures move as one batch.

    >>> import torch
    >>> from genframe import Real
    >>> from genframe_energy import NeuralEnergy
    >>> _ = torch.manual_seed(0)
    >>> prior = NeuralEnergy(torch.nn.Linear(2, 1), Real((2,)), base=1.0)
    >>> next(TemperingSampler(temperatures=(1, 3)).walk(prior, torch.zeros(5, 2))).shape
    torch.Size([5, 2])
    """

    def __init__(
        self,
        steps: int = 1000,
        *,
        burn_in: int = 0,
        thinning: int = 100,
        step_size: float = 0.1,
        temperatures: Sequence[float] = (1.0, 2.0, 4.0, 8.0),
    ) -> None:
        super().__init__(steps, burn_in=burn_in, thinning=thinning)
        self.step_size, self.temperatures = step_size, tuple(temperatures)

    def walk(
        self, prior: Energy, code: Tensor, context: Context | None = None, generator: Generator | None = None
    ) -> Iterator[Tensor]:
        """Yield the codes (n, code) of the coldest chains after each step and swap."""
        n, replicas = len(code), len(self.temperatures)
        energy = energy_given(prior, None if context is None else context.repeat(replicas))
        temperature = torch.tensor(self.temperatures, device=code.device).repeat_interleave(n)
        now = place(energy, code.repeat(replicas, *[1] * (code.dim() - 1)))
        first = 0
        while True:
            now = langevin_step(energy, now, self.step_size * temperature.sqrt(), generator, beta=1 / temperature)
            now = swap(now, 1 / temperature, n, first, generator)
            first = 1 - first
            yield now.x[:n]
