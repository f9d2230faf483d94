"""Maximum likelihood by Langevin chains in a replay buffer."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from genframe import Batch, Loss, LossOutput, Model, Space
from genframe.execution import eager
from genframe.traits import Energy

from .dynamics import langevin_step, place
from .units import random_states

if TYPE_CHECKING:
    from .specs import LangevinLikelihood

__all__ = ["LangevinLikelihoodLoss"]


class LangevinLikelihoodLoss(Loss):
    """The mean energy of data minus that of chains from the buffer, which are constants to the gradient."""

    def __init__(self, spec: LangevinLikelihood, code: Space) -> None:
        super().__init__()
        self.spec, self.space = spec, code
        self.register_buffer("replay", random_states(code, spec.buffer, None, torch.device("cpu")))

    @eager
    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return E(data) - E(chains) in nats and the squared energies' cost."""
        prior, data = cast(Energy, model.prior), model.codes(batch.x)
        chains = self._chains(prior, len(data))
        energies = prior.energy(torch.cat((data, chains)))
        of_data, of_chains = energies.chunk(2)
        gap = of_data.mean() - of_chains.mean()
        metrics = {"energy": of_data.mean().detach(), "energy_gap": gap.detach()}
        total = gap + self.spec.energy_cost * energies.square().mean() if self.spec.energy_cost else gap
        return LossOutput(total, metrics)

    def _chains(self, prior: Energy, n: int) -> Tensor:
        """Walk with ``n`` chains of the buffer and, in training, put them back: (n, code)."""
        spec, replay = self.spec, self.get_buffer("replay")
        rows = torch.randperm(len(replay), device=replay.device)
        rows = rows[torch.arange(n, device=replay.device) % len(rows)]  # a batch of validation may be larger than the buffer
        fresh = torch.rand(n, device=replay.device) < spec.restart
        anew = random_states(self.space, n, None, replay.device)
        now = place(prior.energy, torch.where(fresh.reshape(-1, *[1] * (replay.dim() - 1)), anew, replay[rows]))
        for _ in range(spec.steps):
            now = langevin_step(prior.energy, now, spec.step_size, None, adjusted=spec.adjusted)
        if self.training:
            replay[rows] = now.x
        return now.x
