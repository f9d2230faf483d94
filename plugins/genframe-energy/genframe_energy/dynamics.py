"""Steps of chains along an energy's gradient: Langevin, Hamiltonian, and swaps between temperatures.

An energy is any function (n, ...) -> (n,), in nats. ``beta`` is the inverse temperature, ``step_size`` the standard deviation
of the noise of a step; both are numbers or (n,).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Generator, Tensor

from genframe import normal_like

__all__ = ["EnergyFunction", "Place", "hamiltonian_step", "langevin_step", "place", "swap"]

EnergyFunction: TypeAlias = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Place:
    """Where chains are: ``x`` (n, ...), their ``energy`` (n,) and its ``gradient`` (n, ...), all detached."""

    x: Tensor
    energy: Tensor
    gradient: Tensor


def place(energy: EnergyFunction, x: Tensor) -> Place:
    """Return the energy and its gradient at ``x`` (n, ...).

    >>> place(lambda x: 0.5 * x.square().sum(1), torch.ones(1, 2))
    Place(x=tensor([[1., 1.]]), energy=tensor([1.]), gradient=tensor([[1., 1.]]))
    """
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        values = energy(x)
        (gradient,) = torch.autograd.grad(values.sum(), x)
    return Place(x.detach(), values.detach(), gradient)


def langevin_step(
    energy: EnergyFunction,
    now: Place,
    step_size: float | Tensor,
    generator: Generator | None = None,
    *,
    beta: float | Tensor = 1.0,
    adjusted: bool = True,
) -> Place:
    """Return where chains are after x - step_size² / 2 beta grad E(x) + step_size · noise, if that is accepted.

    >>> energy = lambda x: 0.5 * x.square().sum(1)
    >>> _ = torch.manual_seed(0)
    >>> now = place(energy, torch.zeros(2000, 1))
    >>> for _ in range(20):
    ...     now = langevin_step(energy, now, 1.0)
    >>> abs(now.x.std() - 1) < 0.05
    tensor(True)
    """
    size, inverse = _per_chain(step_size, now.x), _per_chain(beta, now.x)
    drift = 0.5 * size**2 * inverse
    then = place(energy, now.x - drift * now.gradient + size * normal_like(now.x, generator))
    if not adjusted:
        return then
    forward = (then.x - now.x + drift * now.gradient) / size
    back = (now.x - then.x + drift * then.gradient) / size
    log_ratio = beta * (now.energy - then.energy) + 0.5 * (_squares(forward) - _squares(back))
    return _accepted(now, then, log_ratio, generator)


def hamiltonian_step(
    energy: EnergyFunction, now: Place, step_size: float, leapfrogs: int, generator: Generator | None = None
) -> Place:
    """Return where chains are after a trajectory from a random momentum, if its end is accepted.

    >>> energy = lambda x: 0.5 * x.square().sum(1)
    >>> _ = torch.manual_seed(0)
    >>> now = place(energy, torch.zeros(2000, 1))
    >>> for _ in range(5):
    ...     now = hamiltonian_step(energy, now, 0.4, leapfrogs=4)
    >>> abs(now.x.std() - 1) < 0.05
    tensor(True)
    """
    momentum = normal_like(now.x, generator)
    before = now.energy + 0.5 * _squares(momentum)
    then = now
    for _ in range(leapfrogs):
        momentum = momentum - 0.5 * step_size * then.gradient
        then = place(energy, then.x + step_size * momentum)
        momentum = momentum - 0.5 * step_size * then.gradient
    return _accepted(now, then, before - then.energy - 0.5 * _squares(momentum), generator)


def swap(now: Place, beta: Tensor, n: int, first: int, generator: Generator | None = None) -> Place:
    """Return places after swaps of neighbouring temperatures, each with ``n`` chains; the first pair starts at ``first``."""
    replicas = len(now.x) // n
    order = torch.arange(len(now.x), device=now.x.device).reshape(replicas, n)
    energies, inverse = now.energy.reshape(replicas, n), beta.reshape(replicas, n)
    for lower in range(first, replicas - 1, 2):
        log_ratio = (inverse[lower] - inverse[lower + 1]) * (energies[lower] - energies[lower + 1])
        swaps = torch.rand(n, generator=generator, device=now.x.device).log() < log_ratio
        order[lower], order[lower + 1] = (
            torch.where(swaps, order[lower + 1], order[lower]),
            torch.where(swaps, order[lower], order[lower + 1]),
        )
    rows = order.flatten()
    return Place(now.x[rows], now.energy[rows], now.gradient[rows])


def _accepted(now: Place, then: Place, log_ratio: Tensor, generator: Generator | None) -> Place:
    """Return the new places of the chains that accept; a step to an energy that is not finite is never accepted."""
    accepts = torch.rand(log_ratio.shape, generator=generator, device=log_ratio.device).log() < log_ratio
    rows = _per_chain(accepts, now.x)
    return Place(
        torch.where(rows, then.x, now.x),
        torch.where(accepts, then.energy, now.energy),
        torch.where(rows, then.gradient, now.gradient),
    )


def _per_chain(value: float | Tensor, x: Tensor) -> Tensor:
    """Return one value, or one per chain, so that it broadcasts with ``x``."""
    if not isinstance(value, Tensor):
        return torch.as_tensor(value, dtype=x.dtype, device=x.device)
    return value.reshape(-1, *[1] * (x.dim() - 1))


def _squares(x: Tensor) -> Tensor:
    return x.square().flatten(1).sum(1) if x.dim() > 1 else x.square()
