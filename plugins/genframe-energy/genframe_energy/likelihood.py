"""Maximum likelihood by Langevin chains in a replay buffer."""

from __future__ import annotations

import torch
from torch import Tensor

from genframe import Batch, Loss, LossOutput, Model, Space
from genframe.roles import eager
from genframe.types import Energy

from .dynamics import EnergyFunction, langevin_step, place
from .units import random_states

__all__ = ["LangevinLikelihoodLoss"]


class LangevinLikelihoodLoss(Loss):
    """The mean energy of data minus that of chains from a buffer. Nijkamp et al. 2019; Du & Mordatch 2019.

    :param code: the space of the codes, in which chains start from random states.
    :param steps: Langevin steps of each chain, with noise of the standard deviation ``step_size``.
    :param adjusted: accept each step by the rule of Metropolis and Hastings.
    :param buffer: number of chains that are kept; the share ``restart`` of those drawn restarts from random states.
    :param energy_cost: weight of the mean squared energy of data and chains.

    >>> import torch
    >>> from genframe import Real
    >>> _ = torch.manual_seed(0)
    >>> loss = LangevinLikelihoodLoss(Real((2,)), steps=5, buffer=100)
    >>> network = torch.nn.Linear(2, 1)
    >>> loss.terms(lambda x: network(x).squeeze(1), torch.randn(8, 2)).total.shape
    torch.Size([])
    """

    def __init__(
        self,
        code: Space,
        *,
        steps: int = 20,
        step_size: float = 0.1,
        adjusted: bool = False,
        buffer: int = 10_000,
        restart: float = 0.05,
        energy_cost: float = 0.0,
    ) -> None:
        super().__init__()
        self.space, self.steps, self.step_size, self.adjusted = code, steps, step_size, adjusted
        self.restart, self.energy_cost = restart, energy_cost
        self.register_buffer("replay", random_states(code, buffer, None, torch.device("cpu")))

    @eager
    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return the terms of the model's energy."""
        return self.terms(model.part("prior", Energy).energy, model.codes(batch.x))

    def terms(self, energy: EnergyFunction, data: Tensor) -> LossOutput:
        """Return E(data) - E(chains) in nats and the cost of squared energies; chains are constants to the gradient."""
        chains = self._chains(energy, len(data))
        energies = energy(torch.cat((data, chains)))
        of_data, of_chains = energies.chunk(2)
        gap = of_data.mean() - of_chains.mean()
        metrics = {"energy": of_data.mean().detach(), "energy_gap": gap.detach()}
        total = gap + self.energy_cost * energies.square().mean() if self.energy_cost else gap
        return LossOutput(total, metrics)

    def _chains(self, energy: EnergyFunction, n: int) -> Tensor:
        """Walk with ``n`` chains of the buffer and, in training, put them back: (n, code)."""
        replay = self.get_buffer("replay")
        rows = torch.randperm(len(replay), device=replay.device)
        rows = rows[torch.arange(n, device=replay.device) % len(rows)]  # a batch of validation may be larger than the buffer
        restarts = torch.rand(n, device=replay.device) < self.restart
        fresh = random_states(self.space, n, None, replay.device)
        now = place(energy, torch.where(restarts.reshape(-1, *[1] * (replay.dim() - 1)), fresh, replay[rows]))
        for _ in range(self.steps):
            now = langevin_step(energy, now, self.step_size, None, adjusted=self.adjusted)
        if self.training:
            replay[rows] = now.x
        return now.x
