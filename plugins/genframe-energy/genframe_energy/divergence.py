"""Contrastive divergence, plain and persistent."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from genframe import Batch, Context, Loss, LossOutput, Model
from genframe.types import Energy

from .traits import EnergyKernel, HiddenUnits
from .units import random_states

__all__ = ["ContrastiveDivergenceLoss", "energies_of"]


class ContrastiveDivergenceLoss(Loss):
    """The mean energy of data minus that of chains, which are constants to the gradient. Hinton 2002; Tieleman 2008.

    :param k: transitions of each chain in a step (CD-k).
    :param chains: the number of persistent chains; by default chains start from the data of each batch.
    :param weight_decay: half of it times the squared weights is added.
    :param sparsity_cost: weight of the squared distance of hidden units' mean activities from ``sparsity_target``.

    >>> import torch
    >>> from genframe import Real
    >>> from genframe_energy import RestrictedBoltzmannMachine
    >>> _ = torch.manual_seed(0)
    >>> rbm = RestrictedBoltzmannMachine(Real((64,), 0, 1, 2), hidden=32)
    >>> gap, metrics = ContrastiveDivergenceLoss(k=1).gap(rbm, torch.ones(5, 64))
    >>> gap.backward()
    >>> rbm.weight.grad.shape, sorted(metrics)
    (torch.Size([64, 32]), ['free_energy', 'free_energy_gap', 'reconstruction_error'])
    """

    def __init__(
        self,
        k: int = 1,
        *,
        chains: int | None = None,
        weight_decay: float = 0.0,
        sparsity_cost: float = 0.0,
        sparsity_target: float = 0.05,
    ) -> None:
        super().__init__()
        self.k, self.number, self.weight_decay = k, chains, weight_decay
        self.sparsity_cost, self.sparsity_target = sparsity_cost, sparsity_target

    def begin(self, model: Model) -> None:
        """Start the persistent chains at random codes."""
        if self.number is not None:
            code = random_states(model.composition.code, self.number, None, model.device)
            self.register_buffer("chains", model.part("prior", EnergyKernel).states(code))

    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return the gap in nats and the penalties."""
        data = model.codes(batch.x, batch.condition)
        gap, metrics = self.gap(model.part("prior", EnergyKernel), data, model.context(batch.condition))
        return LossOutput(self._penalised(gap, model, data), metrics)

    def gap(self, prior: EnergyKernel, data: Tensor, context: Context | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """Return F(data) - F(chains) in nats, a scalar with the gradient of Hinton 2002, eq. 5, and metrics, for (B, code)."""
        chains, metrics = self._negative(prior, data, context)
        of_data, of_chains = energies_of(prior, data, chains, context)
        gap = of_data - of_chains
        return gap, metrics | {"free_energy": of_data.detach(), "free_energy_gap": gap.detach()}

    def _negative(self, kernel: EnergyKernel, data: Tensor, context: Context | None) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the chains' states after k transitions, from data or from where they were, and metrics."""
        if self.number is None:
            first = states = kernel.transition(kernel.states(data, context), context)
            for _ in range(self.k - 1):
                states = kernel.transition(states, context)
            return states.detach(), {"reconstruction_error": _squared_error(data, kernel.codes(first))}
        stored = self.get_buffer("chains")
        states = stored
        for _ in range(self.k):
            states = kernel.transition(states, context)
        if self.training:
            stored.copy_(states)
        return states.detach(), {}

    def _penalised(self, gap: Tensor, model: Model, data: Tensor) -> Tensor:
        if self.weight_decay:
            weights = [parameter for parameter in model.part_parameters() if parameter.dim() > 1]
            gap = gap + 0.5 * self.weight_decay * sum(weight.square().sum() for weight in weights)
        if self.sparsity_cost:
            activity = model.part("prior", HiddenUnits).hidden_mean(data).mean(0)
            gap = gap + self.sparsity_cost * (activity - self.sparsity_target).square().sum()
        return gap


def energies_of(prior: Energy, data: Tensor, states: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
    """Return the mean energies of data (B, code) and of chains (C, state) in nats, each under ``context`` if there is one."""
    state_energy = getattr(prior, "state_energy", None)  # of MeanField, whose isinstance costs 30 µs a step in Python 3.11
    if state_energy is not None:
        return prior.energy(data, context).mean(), state_energy(states).mean()
    context = None if context is None else context.repeat(2)
    energies = prior.energy(torch.cat((data, states)), context)
    return energies[: len(data)].mean(), energies[len(data) :].mean()


def _squared_error(data: Tensor, other: Tensor) -> Tensor:
    """Return the squared error of an example, or how many of its classes are wrong, averaged over the batch."""
    wrong = F.mse_loss(data, other, reduction="sum") if data.is_floating_point() else (data != other).sum()
    return wrong / len(data)
