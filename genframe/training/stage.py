"""A stage of training: what it moves, and one step of it.

A step costs a few Python calls and no device synchronisation on a GPU; on the CPU, where reading a scalar costs nothing, every
step's loss is checked to be finite.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from ..model import Model
from ..roles import fork_rng, run_in
from ..types import LossOutput, NonFiniteError
from .compiling import AutoCompile, compiled
from .nonfinite import diagnosis
from .objective import Objective, mean_output
from .optimizer import Player, learning_rate_factor
from .settings import StageSpec, TrainSpec
from .source import Source

__all__ = ["Stage"]

MOST_SKIPS = 20


class Stage:
    """The objective of a stage, the players with their optimizers, and the order of their turns.

    ``skipped`` is told each step that is left out because it was not finite, with the reason.
    """

    def __init__(
        self,
        model: Model,
        spec: StageSpec,
        settings: TrainSpec,
        source: Source,
        device: torch.device,
        skipped: Callable[[str], None],
    ) -> None:
        self.model, self.spec, self.settings = model, spec, settings
        self.source, self.device, self.skipped = source, device, skipped
        self.steps = 0 if spec.fit else spec.steps or 0
        self.objective = Objective(model, spec.parts)
        self.objective.set_training()
        self.call: Callable[..., LossOutput] = self.objective
        self.decision: bool | None = None
        self._auto: AutoCompile | None = None
        names = {parameter: name for name, parameter in model.named_parameters()}
        owned = {} if spec.fit else {player: self.objective.player_parameters(player) for player in self.objective.players}
        self.players = [Player(player, parameters, names, settings) for player, parameters in owned.items() if parameters]
        by_name = {player.name: player for player in self.players}
        self.turns = [by_name[name] for name in self.objective.players if name in by_name]
        self._autocast: AbstractContextManager[object] = run_in(settings.precision, device)
        self._skips = settings.on_nonfinite == "skip"
        self._checks = device.type == "cpu" or self._skips
        self._norms = settings.on_nonfinite != "stop"

    def step(self, number: int, scale: float = 1.0) -> dict[str, Tensor | float]:
        """Move the players in turn, at the rate of the stage's step ``number`` times ``scale``; return what they report.

        :raises NonFiniteError: on NaN or infinity, unless such a step is skipped.
        """
        factor = self.rate(number) * scale
        values: dict[str, Tensor | float] = {}
        if self._auto is not None:
            self._auto.before_step()
        for player in self.turns:
            values |= self._move(player, factor)
        if self._auto is not None:
            self._decide(self._auto)
        return values

    def prepare_compiling(self, decided: bool | None, done: int, say: Callable[[str], None]) -> None:
        """Compile the objective if the settings say so, or measure its steps to decide where nothing is ``decided`` yet."""
        self.decision, self._say = decided, say
        mode = self.settings.compile
        if mode == "on" or (mode == "auto" and decided):
            self.call = compiled(self.objective, self.device, say)
        elif mode == "auto" and decided is None:
            self._auto = AutoCompile(self.device, self.steps - done, say)

    def _decide(self, auto: AutoCompile) -> None:
        """Let the time of a step help to decide whether the next ones are compiled."""
        verdict = auto.after_step()
        if verdict != "keep":
            self.call = compiled(self.objective, self.device, self._say) if verdict == "compile" else self.objective
        if auto.decision is not None:
            self.decision, self._auto = auto.decision, None

    def rate(self, number: int) -> float:
        """Return the learning rate of a step as a share of a player's own."""
        return learning_rate_factor(self.settings, number, self.steps)

    def named(self, name: str, player: Player) -> str:
        """Return the name of a metric that each player has, such as ``loss/critic``."""
        return name if len(self.players) == 1 else f"{name}/{player.name}"

    @property
    def loss_names(self) -> list[str]:
        """The names of the players' losses among what a step reports."""
        return [self.named("loss", player) for player in self.players]

    def reported(self, player: Player, output: LossOutput) -> dict[str, Tensor | float]:
        """Return a loss's metrics, and its total by the player's name."""
        return {**output.metrics, self.named("loss", player): output.total.detach()}

    def _move(self, player: Player, factor: float) -> dict[str, Tensor | float]:
        """Move one player and return what its step reports, which is nothing if the step was skipped."""
        before = [buffer.clone() for buffer in self.model.buffers()] if self._skips else []
        player.forget_gradients()
        output = self._backward(player)
        norm = player.gradient_norm(always=self._norms)
        if self._checks and not _finite(output.total, norm):
            self._leave_out(player, output)
            for buffer, value in zip(self.model.buffers(), before, strict=True):
                buffer.copy_(value)
            return {}
        player.skips = 0
        values = self.reported(player, output)
        if norm is not None:
            player.clip_gradients(norm)
            values[self.named("gradient_norm", player)] = norm
        player.step(factor)
        return values

    def _backward(self, player: Player) -> LossOutput:
        """Add up the gradient of one batch, or of the micro-batches that make one step, and return their mean loss."""
        micro = self.settings.accumulate
        outputs = []
        for _ in range(micro):
            batch = self.source.next()
            with self._autocast:
                output = self.call(batch, player.name, self.source.encoded)
            (output.total if micro == 1 else output.total / micro).backward()
            outputs.append(output)
        return output if micro == 1 else mean_output(outputs)

    def _leave_out(self, player: Player, output: LossOutput) -> None:
        """Name what is not finite, then skip the step or stop, as the settings say."""
        batch = self.source.last()
        with fork_rng(self.device):
            reason = diagnosis(self.objective, batch, player.name, output, self.source.encoded)
        player.forget_gradients()
        if not self._skips:
            raise NonFiniteError(reason)
        player.skips += 1
        self.skipped(reason)
        if player.skips >= MOST_SKIPS:
            raise NonFiniteError(f"{reason}; {MOST_SKIPS} steps in a row were skipped, so nothing is learned any more")


def _finite(total: Tensor, norm: Tensor | None) -> bool:
    return math.isfinite(total.item()) and (norm is None or math.isfinite(norm.item()))
