"""The training loop, and everything that a resumed training needs to continue bit for bit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, cast, get_args

import torch
from torch import Tensor

from ..data import Dataset
from ..errors import CheckpointError, NonFiniteError, Problem, SpecError
from ..model import Model
from ..values import Batch
from .ema import WeightAverage
from .environment import pick_device
from .events import Events, validated
from .first_state import fit_prior, take_first_state
from .objective import Objective
from .observer import History, Observer, Reporter, Row, Silent
from .optimizer import Player
from .randomness import random_state, random_tensors, restore_random
from .settings import PartName, StageSpec, TrainSpec
from .signals import StopRequest
from .source import Data, ToBatch, as_batch, rows_of, source_of
from .stage import Stage
from .window import MetricWindow

__all__ = ["Progress", "Trainer", "fit"]


@dataclass
class Progress:
    """Where training is: what a resumed training continues from."""

    step: int = 0
    stage: int = 0
    stage_step: int = 0
    epoch: int = 0
    position: int = 0
    skipped: int = 0
    lr_scale: float = 1.0
    compile: bool | None = None


class Trainer:
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
        self.settings = settings if settings is not None else TrainSpec(**fields)
        self.data, self._batch, self.history = data, batch, History()
        self.device = pick_device(self.settings.device)
        if self.device.type == "cuda" and not torch.cuda.is_available():
            raise SpecError(Problem("train.device", "there is no GPU here", "say cpu, or auto"))
        self.model = model.to(self.device)
        if validation is None and isinstance(data, Dataset):
            validation = data.splits.get("validation")
        self.validation = validation
        self.average = WeightAverage(self.model, self.settings.ema) if self.settings.ema else None
        self.progress = Progress()
        self.reporter = reporter or Silent()
        self.observer = observer or History()
        self.events = Events(self.settings, self.observer, self.reporter, stop or StopRequest())
        every = cast("tuple[PartName, ...]", tuple(role for role in get_args(PartName) if role in model.parts()))
        self.stages = self.settings.stages or (StageSpec(parts=every, steps=self.settings.steps),)
        self._check_stages()
        self._begin_stage()

    @property
    def players(self) -> list[Player]:
        """The players of the present stage."""
        return self.stage.players

    def run(self) -> History:
        """Train to the end of the last stage, from wherever :attr:`progress` is; return the rows that were logged.

        :raises NonFiniteError: on NaN or infinity, unless the settings skip it.
        :raises Interrupted: at a step boundary, once a signal has asked for it.
        """
        while True:
            name = "train" if len(self.stages) == 1 else f"stage {self.progress.stage + 1} of {len(self.stages)}"
            if self.stage.spec.fit:
                self.reporter.begin(f"{name}: fit the prior", 1, 0)
                self._fit_prior()
            else:
                self.reporter.begin(name, self.stage.steps, self.progress.stage_step)
                self.advance(self.stage.steps)
            if self._in_last_stage:
                break
            self._next_stage()
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
            if values:
                events.window.add(values)
            progress.step += 1
            progress.stage_step += 1
            progress.compile = stage.decision
            self.reporter.advance(progress.stage_step)
            ends = progress.stage_step == stage.steps
            events.after_step(self, ends_stage=ends, ends_training=ends and self._in_last_stage)

    def validate(self) -> Row:
        """Return the loss's metrics on the validation data, under the averaged weights and with fixed noise."""
        return validated(self, max(self.settings.batch_size, 256))

    def validation_batches(self, size: int) -> Iterator[Batch]:
        """Yield the validation data in order, in batches of ``size`` where it has rows."""
        rows = rows_of(self.validation, self.device, self._batch)
        return rows.batches(size) if rows is not None else (self._batch(item).to(self.device) for item in self.validation)

    @contextmanager
    def averaged(self) -> Iterator[Model]:
        """Give the model in evaluation mode, with its averaged weights if there are any."""
        self.model.eval()
        try:
            with self.average.applied() if self.average is not None else nullcontext():
                yield self.model
        finally:
            self.stage.objective.set_training()

    @property
    def _in_last_stage(self) -> bool:
        return self.progress.stage == len(self.stages) - 1

    def _check_stages(self) -> None:
        """Check that each stage has something to learn, before the first begins."""
        for number, stage in enumerate(self.stages):
            objective = Objective(self.model, stage.parts)
            objective.set_training()
            if not stage.fit and not any(objective.player_parameters(player) for player in objective.players):
                path = f"train.stages.{number}.parts" if self.settings.stages else "model"
                raise SpecError(Problem(path, f"nothing can learn: no parameters in {', '.join(stage.parts)}"))

    def _begin_stage(self) -> None:
        """Make the stage's objective, players and source."""
        progress, settings = self.progress, self.settings
        source = source_of(
            self.data,
            self.model.composition.data,
            batch_size=settings.batch_size,
            seed=settings.seed + progress.stage,
            device=self.device,
            to_batch=self._batch,
            place=(progress.epoch, progress.position),
        )
        spec = self.stages[progress.stage]
        self.stage = Stage(self.model, spec, settings, source, self.device, self._note_skip)
        self.stage.prepare_compiling(progress.compile, progress.stage_step, self.reporter.message)

    def _note_skip(self, reason: str) -> None:
        self.progress.skipped += 1
        self.reporter.message(f"skipped: step {self.progress.step + 1}: {reason}")

    def _initialise(self) -> None:
        """Let the parts that learn in this stage for the first time take their first state from data, where they do so."""
        started = self.settings.start.parts if self.settings.start is not None else ()
        earlier = {*started, *(role for stage in self.stages[: self.progress.stage] for role in stage.parts)}
        if take_first_state(self.model, self.stage.source, {*self.stage.spec.parts} - earlier, self.settings.seed):
            self._restart_average()

    def _fit_prior(self) -> None:
        """Fit the prior to the codes of all training data at once."""
        values = fit_prior(self.model, self.stage.source)
        self.reporter.advance(1)
        self._restart_average()
        self.events.report(self, values)

    def _restart_average(self) -> None:
        if self.average is not None:
            self.average.restart()

    def _next_stage(self) -> None:
        """Take the averaged weights as the stage's result and go to the next, with a new average."""
        if self.average is not None:
            self.average.adopt()
            self.average.restart()
        self.progress.stage += 1
        self.progress.stage_step = self.progress.epoch = self.progress.position = 0
        self._begin_stage()

    def _finish(self) -> None:
        """Save, leave the model as it is meant to be used, and draw."""
        self.events.checkpoint(self)
        if self.average is not None:
            self.average.adopt()
        self.model.rest()
        self.events.finish(self)

    def tensors(self) -> dict[str, Tensor]:
        """Return every tensor of the training's state, by its name in a checkpoint."""
        tensors = {f"model/{name}": tensor for name, tensor in self.model.state_dict().items()}
        if self.average is not None:
            tensors |= {f"ema/{name}": tensor for name, tensor in self.average.tensors().items()}
        for player in self.players:
            tensors |= {f"optimizer/{name}": tensor for name, tensor in player.tensors().items()}
        return tensors | random_tensors(self.device)

    def state(self) -> dict[str, Any]:
        """Return the rest of the training's state, as JSON."""
        if self.players:
            self.progress.epoch, self.progress.position = self.stage.source.place()
        return {
            **vars(self.progress),
            "ema_updates": self.average.updates if self.average is not None else 0,
            "pending": self.events.window.entries(),
            **random_state(),
        }

    def restore(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Go back to the state that :meth:`tensors` and :meth:`state` gave.

        :raises CheckpointError: if it is of another model or incomplete.
        """
        try:
            self.progress = Progress(**{name: state[name] for name in vars(Progress())})
            self.model.load_state_dict(_under("model/", tensors))
            if self.average is not None:
                self.average.load(_under("ema/", tensors), state["ema_updates"])
            self._begin_stage()
            for player in self.players:
                player.load(_under(f"optimizer/{player.name}/", tensors))
            self.events.window = MetricWindow(state["pending"])
            restore_random(tensors, state, self.device)
        except (LookupError, TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(f"the checkpoint is not of this experiment: {error}") from None


def fit(model: Model, data: Data, *, steps: int, **fields: Any) -> History:
    """Train ``model`` for so many steps on ``data``, and return the rows that were logged.

    ``data`` and the fields are those of :class:`Trainer`: ``fit(model, loader, steps=1000, lr=1e-3, ema=0.99)``. The weights
    afterwards are the averaged ones where there are any, and the model is in evaluation mode.
    """
    return Trainer(model, data, steps=steps, **fields).run()


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
