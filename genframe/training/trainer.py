"""The training loop."""

from __future__ import annotations

from typing import Any

from ..model import Model
from ..types import NonFiniteError
from .events import Events, validated
from .first_state import fit_prior, take_first_state
from .observer import History, Observer, Row
from .reading import Data, ToBatch, as_batch
from .reporter import Reporter, Silent
from .settings import TrainSpec
from .signals import StopRequest
from .state import Training

__all__ = ["Trainer", "fit"]


class Trainer(Training):
    """Trains a model on data: a dataset, tensors, a torch dataset, or an iterable of batches such as a ``DataLoader``.

    ``settings``, or its fields by name, are those of ``train`` in an experiment. ``batch`` makes a :class:`genframe.Batch` of
    what a loader yields. ``validation`` is data too; a genframe dataset brings its own. The observer keeps what happens.

    :raises SpecError: if nothing in a stage can learn, or there is no such device.
    :raises DataError: if the data cannot be read, or is of another shape than the model's.
    """

    def __init__(
        self,
        model: Model,
        data: Data,
        *,
        settings: TrainSpec | None = None,
        batch: ToBatch = as_batch,
        validation: Data = None,
        observer: Observer | None = None,
        reporter: Reporter | None = None,
        stop: StopRequest | None = None,
        **fields: Any,
    ) -> None:
        self.reporter, self.observer = reporter or Silent(), observer or History()
        settings = settings if settings is not None else TrainSpec(**fields)
        super().__init__(model, data, settings, batch, validation, self.reporter.message)
        self.events = Events(self.observer, self.reporter, stop or StopRequest())

    @property
    def history(self) -> History:
        """The rows that were logged so far."""
        return self.events.history

    def run(self) -> History:
        """Train to the end of the last stage, from wherever :attr:`progress` is; return the rows that were logged.

        :raises NonFiniteError: on NaN or infinity, unless the settings skip it.
        :raises SpikeError: on a loss that jumps, unless the settings only warn.
        :raises Interrupted: at a step boundary, once a signal has asked for it.
        """
        while True:
            self.stage.source.open()
            name = "train" if len(self.stages) == 1 else f"stage {self.progress.stage + 1} of {len(self.stages)}"
            if self.stage.spec.fit:
                self.reporter.begin(f"{name}: fit the prior", 1, 0)
                self._fit_prior()
            else:
                self.reporter.begin(name, self.stage.steps, self.progress.stage_step)
                self.advance(self.stage.steps)
            if self.in_last_stage:
                break
            self.next_stage()
        self._finish()
        return self.history

    def advance(self, most: int) -> None:
        """Make up to ``most`` steps of the present stage, with what is due at them."""
        progress, stage, average, events = self.progress, self.stage, self.average, self.events
        if progress.stage_step == 0:
            self._initialise()
        if progress.step == 0:
            self.model.begin()
        for _ in range(min(most, stage.steps - progress.stage_step)):
            try:
                values = stage.step(progress.stage_step, progress.lr_scale)
            except NonFiniteError as error:
                raise NonFiniteError(f"step {progress.step + 1}: {error}") from None
            if average is not None:
                average.update()
            self.window.add(values)
            progress.step += 1
            progress.stage_step += 1
            progress.compile = stage.decision
            self.reporter.advance(progress.stage_step)
            ends = progress.stage_step == stage.steps
            events.after_step(self, ends_stage=ends, ends_training=ends and self.in_last_stage)

    def validate(self) -> Row:
        """Return the loss's metrics on the validation data, under the averaged weights and with fixed noise."""
        return validated(self)

    def _initialise(self) -> None:
        """Let the parts that learn in this stage for the first time take their first state from data, where they do so."""
        started = self.settings.start.parts if self.settings.start is not None else ()
        earlier = {*started, *(role for stage in self.stages[: self.progress.stage] for role in stage.parts)}
        if take_first_state(self.model, self.stage.source, {*self.stage.spec.parts} - earlier, self.settings.seed):
            self.restart_average()

    def _fit_prior(self) -> None:
        """Fit the prior to the codes of all training data at once."""
        values = fit_prior(self.model, self.stage.source)
        self.reporter.advance(1)
        self.restart_average()
        self.events.report(self, values)

    def _finish(self) -> None:
        """Save, leave the model as it is meant to be used, and draw."""
        self.events.checkpoint(self)
        if self.average is not None:
            self.average.adopt()
        self.model.rest()
        self.events.finish(self)


def fit(model: Model, data: Data, *, steps: int, **fields: Any) -> History:
    """Train ``model`` for so many steps on ``data``, and return the rows that were logged.

    ``data`` and the fields are those of :class:`Trainer`: ``fit(model, loader, steps=1000, lr=1e-3, ema=0.99)``. The weights
    afterwards are the averaged ones where there are any, and the model is in evaluation mode.
    """
    return Trainer(model, data, steps=steps, **fields).run()
