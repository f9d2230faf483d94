"""What happens between steps: lines of the log, validation, checkpoints, pictures, and stopping on a signal."""

from __future__ import annotations

import math
import time

import torch
from torch import Tensor

from ..roles import Loss, fork_rng
from ..types import NonFiniteError, SpikeError
from .nonfinite import first_nonfinite, first_nonfinite_parameter
from .observer import History, Observer, Row
from .reporter import Reporter
from .signals import Interrupted, StopRequest
from .spike import Spike
from .state import Training
from .window import averages

__all__ = ["Events"]


class Events:
    """Does what is due after a step, and tells the observer and the reporter."""

    def __init__(self, observer: Observer, reporter: Reporter, stop: StopRequest) -> None:
        self.observer, self.reporter, self.stop = observer, reporter, stop
        self.history = History()
        self._started = time.perf_counter()

    def after_step(self, training: Training, *, ends_stage: bool, ends_training: bool) -> None:
        """Log, validate, save and draw where it is time; the end of training has its own.

        :raises Interrupted: once a signal has asked for it.
        """
        settings, step = training.settings, training.progress.step
        if ends_stage or step % settings.log_every == 0:
            self._log(training)
        if _due(settings.validate_every, step) and training.validation is not None:
            self.report(training, validated(training))
        if ((_due(settings.checkpoint_every, step) or ends_stage) and not ends_training) or self.stop.signum is not None:
            self.checkpoint(training)
        if _due(settings.sample_every, step) and not ends_training:
            with training.averaged(), fork_rng(training.device):
                self.observer.picture(training)
        if self.stop.signum is not None:
            raise Interrupted(self.stop.signum, step)

    def finish(self, training: Training) -> None:
        """Draw the picture at the end of training."""
        with fork_rng(training.device):
            self.observer.picture(training)

    def checkpoint(self, training: Training) -> None:
        """Save, unless the weights are not finite: such a state is never kept as good.

        :raises NonFiniteError: if the weights are not finite.
        """
        step, bad = training.progress.step, first_nonfinite(training.model)
        if bad is not None:
            raise NonFiniteError(f"step {step}: the weights {bad!r} hold NaN or infinity, so they were not saved")
        self.observer.checkpoint(training)

    def report(self, training: Training, values: Row) -> None:
        """Keep a row of metrics, and tell it."""
        row = {"step": float(training.progress.step), "stage": float(training.progress.stage), **values}
        self.history.log(row)
        self.observer.log(row)
        self.reporter.metrics(training.progress.step, row)

    def _log(self, training: Training) -> None:
        """Report the averages since the last line; NaN in any of them stops training."""
        entries, progress = training.window.take(), training.progress
        row = averages(entries)
        bad = [name for name, value in row.items() if not math.isfinite(value)]
        if bad:
            weights = first_nonfinite_parameter(training.model)
            where = f"; the weights {weights!r} do too" if weights else ""
            raise NonFiniteError(f"step {progress.step}: {', '.join(bad)} held NaN or infinity since the last line{where}")
        row["lr"] = training.players[0].lr * training.stage.rate(progress.stage_step - 1) * progress.lr_scale
        row["seconds"] = time.perf_counter() - self._started
        self.report(training, row)
        for module in training.model.modules():
            if isinstance(module, Loss):
                for remark in module.remarks(row):
                    self.reporter.message(remark)
        spike = training.watch.add(entries, progress.step)
        if spike is not None:
            self._answer(spike, training.settings.on_spike)

    def _answer(self, spike: Spike, policy: str) -> None:
        """Say that a loss jumped, or end this training with that.

        :raises SpikeError: unless the policy is only to warn.
        """
        if policy != "warn":
            raise SpikeError(str(spike), spike.earliest)
        self.reporter.message(f"{spike}; train.on_spike=rollback would return to the last checkpoint before it")


def _due(every: int | None, step: int) -> bool:
    return every is not None and step % every == 0


@torch.no_grad()
def validated(training: Training) -> Row:
    """Return the loss's metrics on the validation data, under the averaged weights and with fixed noise."""
    sums: dict[str, float] = {}
    count, stage, size = 0, training.stage, max(training.settings.batch_size, 256)
    with training.averaged(), fork_rng(training.device, training.settings.seed):
        for batch in training.validation_batches(size):
            values: dict[str, Tensor | float] = {}
            for player in stage.players:
                values |= stage.reported(player, stage.objective(batch, player.name))
            for name, value in values.items():
                sums[name] = sums.get(name, 0.0) + float(value) * len(batch)
            count += len(batch)
    return {f"validation/{name}": total / count for name, total in sums.items()}
