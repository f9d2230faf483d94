"""Energies that networks give."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor, nn

from genframe import Context, ContextSpace, Encoder, Prior, Real, ask, require_real

from .dynamics import langevin_step, place
from .units import CodeChains, random_states

if TYPE_CHECKING:
    from .specs import Neural

__all__ = ["NeuralEnergy"]


class NeuralEnergy(CodeChains, Prior):
    """f(x) + |x|² / 2 base², with f a network's scalar. The head has no bias: a constant changes nothing."""

    def __init__(self, spec: Neural, code: Real, context: ContextSpace | None) -> None:
        super().__init__()
        self.spec, self.space = spec, code
        self.network: Encoder = spec.network.build(spec.network.spaces(code, context))
        features = require_real(spec.network.latent_space(code), spec.type)
        self.head = nn.Linear(features.shape[0], 1, bias=False) if features.shape != (1,) else None
        self.register_buffer("origin", torch.zeros(()), persistent=False)

    def energy(self, code: Tensor, context: Context | None = None) -> Tensor:
        """Return the energy in nats, up to a constant."""
        features = ask(self.network, code, context)
        if self.head is not None:
            features = self.head(features.flatten(2).sum(2) if features.dim() > 2 else features)
        energy = features.flatten()
        if self.spec.base is not None:
            energy = energy + 0.5 * (code / self.spec.base).square().flatten(1).sum(1)
        return energy

    def transition(self, state: Tensor, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        """Return each chain after a step of Metropolis-adjusted Langevin dynamics."""

        def energy(x: Tensor) -> Tensor:
            return self.energy(x, context)

        return langevin_step(energy, place(energy, state), self.spec.step_size, generator).x

    def sample(self, n: int, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        """Return ``n`` chains, each after the spec's number of transitions from a random state."""
        code = random_states(self.space, n, generator, self.get_buffer("origin").device)
        for _ in range(self.spec.sweeps):
            code = self.transition(code, context, generator)
        return code
