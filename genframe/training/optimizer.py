"""A player's optimizer: its parameters, learning-rate schedule, gradient clipping and state."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ..types import CheckpointError
from .settings import PlayerSpec, TrainSpec

__all__ = ["Player", "learning_rate_factor"]

MOMENTS: Final[Mapping[type[Optimizer], Set[str]]] = {
    torch.optim.AdamW: {"step", "exp_avg", "exp_avg_sq"},
    torch.optim.Adam: {"step", "exp_avg", "exp_avg_sq"},
    torch.optim.SGD: {"momentum_buffer"},
}

CLIP_MARGIN: Final = 1e-6  # as in torch.nn.utils.clip_grad_norm_, whose steps these are, without its grouping of tensors


def learning_rate_factor(spec: TrainSpec, step: int, steps: int) -> float:
    """Return the learning rate of ``step`` (from 0) of ``steps``, as a share of the peak.

    It rises linearly over the warm-up, then falls to ``lr_end`` by a half cosine (Loshchilov & Hutter 2017,
    eq. 5) or a straight line, or stays.
    """
    if step < spec.warmup:
        return (step + 1) / spec.warmup
    progress = (step - spec.warmup) / max(1, steps - spec.warmup)
    if spec.schedule == "cosine":
        return spec.lr_end + (1 - spec.lr_end) * 0.5 * (1 + math.cos(math.pi * progress))
    if spec.schedule == "linear":
        return spec.lr_end + (1 - spec.lr_end) * (1 - progress)
    return 1.0


class Player:
    """The parameters that one player of a loss owns, at least one, and the optimizer that moves them.

    ``skips`` counts the steps in a row that were left out because they were not finite.
    """

    def __init__(
        self, name: str, parameters: Sequence[nn.Parameter], names: Mapping[nn.Parameter, str], spec: TrainSpec
    ) -> None:
        self.name = name
        self.parameters = parameters
        self.names = [names[parameter] for parameter in self.parameters]
        own = spec.players.get(name, PlayerSpec())
        self.lr = own.lr or spec.lr
        self.clip = spec.clip
        self.skips = 0
        self.optimizer = self._make(spec, own)

    def _make(self, spec: TrainSpec, own: PlayerSpec) -> Optimizer:
        betas = own.betas or spec.betas
        decay = own.weight_decay if own.weight_decay is not None else spec.weight_decay
        if spec.optimizer == "sgd":
            return torch.optim.SGD(self.parameters, lr=self.lr, momentum=betas[0], weight_decay=decay, fused=True)
        kind = torch.optim.AdamW if spec.optimizer == "adamw" else torch.optim.Adam
        return kind(self.parameters, lr=self.lr, betas=betas, weight_decay=decay, fused=True)

    def forget_gradients(self) -> None:
        """Drop all gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def gradient_norm(self, *, always: bool = False) -> Tensor | None:
        """Return the norm of the gradient if it is to be clipped; ``always`` measures it in any case."""
        if self.clip is None and not always:
            return None
        gradients = self._gradients()
        return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients))) if gradients else torch.tensor(0.0)

    def clip_gradients(self, norm: Tensor) -> None:
        """Scale the gradient, of which ``norm`` is the norm, to the largest norm allowed."""
        if self.clip is None:
            return
        factor = (self.clip / (norm + CLIP_MARGIN)).clamp(max=1.0)
        if factor.device.type != "cpu" or factor.item() != 1:  # reading it from a GPU would take longer than multiplying by 1
            torch._foreach_mul_(self._gradients(), factor)

    def _gradients(self) -> list[Tensor]:
        return [parameter.grad for parameter in self.parameters if parameter.grad is not None]

    def step(self, factor: float) -> None:
        """Move the parameters by their gradients, at ``factor`` of the peak learning rate."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr * factor
        self.optimizer.step()

    def tensors(self) -> dict[str, Tensor]:
        """Return the optimizer's state, ``<player>/<parameter>/<moment>`` to tensor."""
        return {
            f"{self.name}/{name}/{key}": value
            for name, parameter in zip(self.names, self.parameters, strict=True)
            for key, value in self.optimizer.state[parameter].items()
            if isinstance(value, Tensor)
        }

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore what :meth:`tensors` gave, without the player's name in front.

        :raises CheckpointError: if it is of other parameters.
        """
        state: dict[nn.Parameter, dict[str, Any]] = {parameter: {} for parameter in self.parameters}
        by_name = dict(zip(self.names, self.parameters, strict=True))
        for key, value in tensors.items():
            path, _, moment = key.rpartition("/")
            if path not in by_name:
                raise CheckpointError(f"the optimizer's state {key!r} is of no parameter of player {self.name!r}")
            parameter = by_name[path]
            state[parameter][moment] = value.clone() if moment == "step" else value.to(parameter.device).clone()
        for name, parameter in by_name.items():
            entries = state[parameter]
            if entries and entries.keys() != MOMENTS[type(self.optimizer)]:
                only = ", ".join(sorted(entries))
                raise CheckpointError(f"the optimizer's state of {name!r} is incomplete: it has only {only}")
            if entries:
                self.optimizer.state[parameter] = entries
