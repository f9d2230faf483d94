"""A training as it stands, and everything that a resumed one needs to continue bit for bit."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, cast, get_args

import torch
from torch import Tensor

from ..model import Model
from ..roles import Dataset, Loss, random_state, random_tensors, restore_random
from ..types import Batch, CheckpointError, Problem, SpecError
from .codes import CodeSource
from .ema import WeightAverage
from .environment import pick_device
from .objective import Objective
from .optimizer import Player
from .reading import Data, ToBatch, split_of
from .settings import PartName, StageSpec, TrainSpec
from .source import RowSource, source_of
from .spike import SpikeWatch
from .stage import Stage
from .window import MetricWindow

__all__ = ["Progress", "Training"]


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


class Training:
    """The model, the stage that it is in, the average of its weights, and how far it has come; ``say`` tells a person.

    :raises SpecError: if nothing in a stage can learn, or there is no such device.
    """

    def __init__(
        self, model: Model, data: Data, settings: TrainSpec, batch: ToBatch, validation: Data, say: Callable[[str], None]
    ) -> None:
        self.settings, self.data, self.say, self._batch = settings, data, say, batch
        self.device = pick_device(settings.device)
        if self.device.type == "cuda" and not torch.cuda.is_available():
            raise SpecError(Problem("train.device", "there is no GPU here", "say cpu, or auto"))
        self.model = model.to(self.device)
        if validation is None and isinstance(data, Dataset):
            validation = data.splits.get("validation")
        self.validation = validation
        self.average = WeightAverage(self.model, settings.ema) if settings.ema else None
        self.progress, self.window = Progress(), MetricWindow()
        every = cast("tuple[PartName, ...]", tuple(role for role in get_args(PartName) if role in model.parts()))
        self.stages = settings.stages or (StageSpec(parts=every, steps=settings.steps),)
        self._check_stages()
        self.begin_stage()

    @property
    def players(self) -> list[Player]:
        """The players of the present stage."""
        return self.stage.players

    @property
    def in_last_stage(self) -> bool:
        """Whether no stage follows."""
        return self.progress.stage == len(self.stages) - 1

    def validation_batches(self, size: int) -> Iterator[Batch]:
        """Yield the validation data in order, in batches of ``size`` where it has rows."""
        rows = split_of(self.validation, self._batch)
        return (
            rows.to(self.device).batches(size)
            if rows is not None
            else (self._batch(item).to(self.device) for item in self.validation)
        )

    @contextmanager
    def averaged(self) -> Iterator[Model]:
        """Give the model in evaluation mode, with its averaged weights if there are any."""
        self.model.eval()
        try:
            with self.average.applied() if self.average is not None else nullcontext():
                yield self.model
        finally:
            self.stage.objective.set_training()

    def _check_stages(self) -> None:
        """Check that each stage has something to learn, before the first begins."""
        for number, stage in enumerate(self.stages):
            objective = Objective(self.model, stage.parts)
            objective.set_training()
            if not stage.fit and not any(objective.player_parameters(player) for player in objective.players):
                path = f"train.stages.{number}.parts" if self.settings.stages else "model"
                raise SpecError(Problem(path, f"nothing can learn: no parameters in {', '.join(stage.parts)}"))

    def begin_stage(self) -> None:
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
            workers=settings.workers,
        )
        spec = self.stages[progress.stage]
        if spec.cache == "codes":
            where = f"train.stages.{progress.stage}.cache"
            if not isinstance(source, RowSource):
                raise SpecError(
                    Problem(where, "a loader's examples have no order, so their codes cannot be kept", "leave it out")
                )
            source = CodeSource(source, self.model, where)
        self.stage = Stage(self.model, spec, settings, source, self.device, self._note_skip)
        self.watch = SpikeWatch(self.stage.loss_names, self._period())
        self.stage.prepare_compiling(progress.compile, progress.stage_step, self.say)

    def _period(self) -> int:
        """Return after how many steps the losses have all of their terms again."""
        return math.lcm(*(loss.period for loss in self.model.modules() if isinstance(loss, Loss)))

    def _note_skip(self, reason: str) -> None:
        self.progress.skipped += 1
        self.say(f"skipped: step {self.progress.step + 1}: {reason}")

    def next_stage(self) -> None:
        """Take the averaged weights as the stage's result and go to the next, with a new average."""
        if self.average is not None:
            self.average.adopt()
            self.average.restart()
        self.progress.stage += 1
        self.progress.stage_step = self.progress.epoch = self.progress.position = 0
        self.begin_stage()

    def restart_average(self) -> None:
        """Begin the average of weights again, from the weights as they are."""
        if self.average is not None:
            self.average.restart()

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
            "pending": self.window.entries(),
            "losses": self.watch.state(),
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
            self.begin_stage()
            for player in self.players:
                player.load(_under(f"optimizer/{player.name}/", tensors))
            self.window = MetricWindow(state["pending"])
            self.watch = SpikeWatch(self.stage.loss_names, self._period(), state.get("losses"))  # earlier checkpoints have none
            restore_random(tensors, state, self.device)
        except (LookupError, TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(f"the checkpoint is not of this experiment: {error}") from None


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
