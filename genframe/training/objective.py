"""What a stage minimises, as one module: the thing that is compiled, and that a data-parallel wrapper would wrap."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import nn

from ..model import Model
from ..roles import full_precision
from ..types import Batch, LossOutput, Pretrainable
from .settings import PartName, trains_prior_alone

__all__ = ["Objective", "mean_output"]


class Objective(nn.Module):
    """The loss of a model in a stage that trains ``parts``; the other parts are frozen.

    Where only the prior learns, or the condition with it, data are encoded without gradient, in single precision, and the
    prior's own objective is minimised; where only an encoder with Pretrainable does, its own.
    """

    def __init__(self, model: Model, parts: Sequence[PartName]) -> None:
        super().__init__()
        self.model = model
        self.parts = frozenset(parts)
        self.prior_alone = trains_prior_alone(parts)
        self.pretrains = self.parts == {"encoder"} and model.composition.has("encoder", Pretrainable)

    @property
    def players(self) -> tuple[str, ...]:
        """The players, in the order of their steps."""
        if self.pretrains:
            return ("model",)
        return self.model.prior.players if self.prior_alone else self.model.composition.players

    def player_parameters(self, player: str) -> list[nn.Parameter]:
        """Return the parameters that ``player`` owns and that are not frozen, each once."""
        if self.prior_alone:
            owned: Iterable[nn.Parameter] = [*self.model.prior.player_parameters(player), *self._condition_of(player)]
        elif self.pretrains:
            owned = self.model.parts()["encoder"].parameters()
        else:
            owned = self.model.loss.player_parameters(self.model, player)
        return [parameter for parameter in dict.fromkeys(owned) if parameter.requires_grad]

    def _condition_of(self, player: str) -> Iterable[nn.Parameter]:
        """Return the condition's parameters for the last of the players, who is the one that generates."""
        condition = self.model.condition
        return condition.parameters() if condition is not None and player == self.players[-1] else ()

    def set_training(self) -> None:
        """Put the parts that learn into training mode, with gradients, and freeze the others."""
        self.model.learn(self.parts, loss=not (self.prior_alone or self.pretrains))

    def forward(self, batch: Batch, player: str, encoded: bool = False) -> LossOutput:
        """Return the player's loss on a batch, of codes if it is ``encoded``."""
        model, x, condition = self.model, batch.x, batch.condition
        if self.pretrains:
            return cast(Pretrainable, model.encoder).objective(x, model.context(condition))
        if not self.prior_alone:
            return model.loss(model, batch, player)
        if encoded:
            return model.prior.objective(x, model.context(condition), player)
        with torch.no_grad(), full_precision(x):  # a codebook's indices in bfloat16 are others than a metric will see
            code = model.codes(x, condition)
        return model.prior.objective(code, model.context(condition), player)


def mean_output(outputs: Sequence[LossOutput]) -> LossOutput:
    """Return the mean of the losses of micro-batches, and of their metrics, detached."""
    metrics = {name: torch.stack([output.metrics[name] for output in outputs]).mean() for name in outputs[0].metrics}
    return LossOutput(torch.stack([output.total.detach() for output in outputs]).mean(), metrics)
