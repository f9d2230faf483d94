"""Energies that networks give."""

from __future__ import annotations

from typing import Final

import torch
from torch import Generator, Tensor, nn

from genframe import Context, Prior, Real, ask

from .dynamics import langevin_step, place
from .units import CodeChains, random_states

__all__ = ["NeuralEnergy"]

SCALAR: Final = Real((1,))


class NeuralEnergy(CodeChains, Prior):
    """E(x) = f(x) + |x|² / 2 base², with f a network's scalar. LeCun et al. 2006; Xie et al. 2016, eq. 2.

    :param network: reads codes and gives ``features``: (B, code) -> (B, C, grid).
    :param code: the space of the codes.
    :param features: a single one is f itself; more get a linear head without bias and are summed over the grid.
    :param base: standard deviation of a normal density that the network reweighs; none by default.
    :param step_size: standard deviation of the noise of a transition (Metropolis-adjusted Langevin).
    :param sweeps: transitions from a random state to a sample.

    >>> import torch
    >>> _ = torch.manual_seed(0)
    >>> network = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.SiLU(), torch.nn.Linear(16, 1))
    >>> prior = NeuralEnergy(network, Real((2,)), base=1.0, sweeps=10)
    >>> x = prior.sample(5)
    >>> x.shape, prior.energy(x).shape
    (torch.Size([5, 2]), torch.Size([5]))
    """

    def __init__(
        self,
        network: nn.Module,
        code: Real,
        *,
        features: Real = SCALAR,
        base: float | None = None,
        step_size: float = 0.1,
        sweeps: int = 1000,
    ) -> None:
        super().__init__()
        self.space, self.base, self.step_size, self.sweeps = code, base, step_size, sweeps
        self.network = network
        # without a bias, since a constant changes nothing
        self.head = nn.Linear(features.shape[0], 1, bias=False) if features.shape != (1,) else None
        self.register_buffer("origin", torch.zeros(()), persistent=False)

    def energy(self, code: Tensor, context: Context | None = None) -> Tensor:
        """Return the energy in nats, up to a constant: (B, code) -> (B,)."""
        features = ask(self.network, code, context)
        if self.head is not None:
            features = self.head(features.flatten(2).sum(2) if features.dim() > 2 else features)
        energy = features.flatten()
        if self.base is not None:
            energy = energy + 0.5 * (code / self.base).square().flatten(1).sum(1)
        return energy

    def transition(self, state: Tensor, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        """Return each chain after a step of Metropolis-adjusted Langevin dynamics."""

        def energy(x: Tensor) -> Tensor:
            return self.energy(x, context)

        return langevin_step(energy, place(energy, state), self.step_size, generator).x

    def sample(self, n: int, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        """Return the states (n, code) of ``n`` chains, each after ``sweeps`` transitions from a random state."""
        code = random_states(self.space, n, generator, self.get_buffer("origin").device)
        for _ in range(self.sweeps):
            code = self.transition(code, context, generator)
        return code
