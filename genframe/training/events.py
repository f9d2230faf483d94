"""What happens between steps: lines of the log, validation, checkpoints, pictures, and stopping on a signal."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..errors import NonFiniteError
from ..roles import Loss
from .nonfinite import first_nonfinite, first_nonfinite_parameter
from .observer import Observer, Reporter, Row
from .randomness import fork_rng
from .settings import TrainSpec
from .signals import Interrupted, StopRequest
from .window import MetricWindow

if TYPE_CHECKING:
    from .trainer import Trainer

__all__ = ["Events"]


class Events:
    """Does what is due after a step, and tells the observer and the reporter."""

    def __init__(self, settings: TrainSpec, observer: Observer, reporter: Reporter, stop: StopRequest) -> None:
        self.settings, self.observer, self.reporter, self.stop = settings, observer, reporter, stop
        self.window = MetricWindow()
        self._started = time.perf_counter()

    def after_step(self, trainer: Trainer, *, ends_stage: bool, ends_training: bool) -> None:
        """Log, validate, save and draw where it is time; the end of training has its own.

        :raises Interrupted: once a signal has asked for it.
        """
        settings, step = self.settings, trainer.progress.step
        if ends_stage or step % settings.log_every == 0:
            self._log(trainer)
        if _due(settings.validate_every, step) and trainer.validation is not None:
            self.report(trainer, trainer.validate())
        if ((_due(settings.checkpoint_every, step) or ends_stage) and not ends_training) or self.stop.signum is not None:
            self.checkpoint(trainer)
        if _due(settings.sample_every, step) and not ends_training:
            with trainer.averaged(), fork_rng(trainer.device):
                self.observer.picture(trainer)
        if self.stop.signum is not None:
            raise Interrupted(self.stop.signum, step)

    def finish(self, trainer: Trainer) -> None:
        """Draw the picture at the end of training."""
        with fork_rng(trainer.device):
            self.observer.picture(trainer)

    def checkpoint(self, trainer: Trainer) -> None:
        """Save, unless the weights are not finite: such a state is never kept as good.

        :raises NonFiniteError: if the weights are not finite.
        """
        step, bad = trainer.progress.step, first_nonfinite(trainer.model)
        if bad is not None:
            raise NonFiniteError(f"step {step}: the weights {bad!r} hold NaN or infinity, so they were not saved")
        self.observer.checkpoint(trainer)

    def report(self, trainer: Trainer, values: Row) -> None:
        """Keep a row of metrics, and tell it."""
        row = {"step": float(trainer.progress.step), "stage": float(trainer.progress.stage), **values}
        trainer.history.log(row)
        self.observer.log(row)
        self.reporter.metrics(trainer.progress.step, row)

    def _log(self, trainer: Trainer) -> None:
        """Report the averages since the last line; NaN in any of them stops training."""
        row, progress = self.window.averages(), trainer.progress
        bad = [name for name, value in row.items() if not math.isfinite(value)]
        if bad:
            weights = first_nonfinite_parameter(trainer.model)
            where = f"; the weights {weights!r} do too" if weights else ""
            raise NonFiniteError(f"step {progress.step}: {', '.join(bad)} held NaN or infinity since the last line{where}")
        row["lr"] = trainer.players[0].lr * trainer.stage.rate(progress.stage_step - 1) * progress.lr_scale
        row["seconds"] = time.perf_counter() - self._started
        self.report(trainer, row)
        for module in trainer.model.modules():
            if isinstance(module, Loss):
                for remark in module.remarks(row):
                    self.reporter.message(remark)


def _due(every: int | None, step: int) -> bool:
    return every is not None and step % every == 0


@torch.no_grad()
def validated(trainer: Trainer, size: int) -> Row:
    """Return the loss's metrics on the validation data, under the averaged weights and with fixed noise."""
    sums: dict[str, float] = {}
    count, stage = 0, trainer.stage
    with trainer.averaged(), fork_rng(trainer.device, trainer.settings.seed):
        for batch in trainer.validation_batches(size):
            values: dict[str, Tensor | float] = {}
            for player in stage.players:
                values |= stage.reported(player, stage.objective(batch, player.name))
            for name, value in values.items():
                sums[name] = sums.get(name, 0.0) + float(value) * len(batch)
            count += len(batch)
    return {f"validation/{name}": total / count for name, total in sums.items()}
