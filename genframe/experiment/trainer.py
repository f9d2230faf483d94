"""The training loop: stages, players, and everything that a resumed run needs to go on bit for bit.

Per step the loop costs a few Python calls and no device synchronisation on a GPU; on the CPU, where
reading a scalar costs nothing, every step's loss is checked to be finite.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, cast, get_args

import torch
from torch import Tensor

from ..data import Dataset
from ..errors import CheckpointError, NonFiniteError, Problem, SpecError
from ..execution import no_compiler, run_in
from ..model import Model
from ..roles import Loss, LossOutput, generator_for
from ..specs import Role
from ..traits import DataDependent, Fittable
from ..values import Context
from .averaging import WeightAverage
from .compiling import AutoCompile
from .environment import pick_device
from .folder import Row
from .nonfinite import diagnosis, first_nonfinite, first_nonfinite_parameter
from .objective import Objective, mean_output
from .optimizing import Player, learning_rate_factor
from .order import DataOrder
from .randomness import fork_rng, random_state, random_tensors, restore_random
from .reporting import Observer, Reporter
from .signals import Interrupted, StopRequest
from .spec import PartName, StageSpec, TrainSpec
from .window import MetricWindow

__all__ = ["Progress", "Trainer"]

MOST_SKIPS = 20
MOST_INITIAL_DATA = 10_000  # enough for the covariance of a thousand dimensions; more would cost memory only


@dataclass
class Progress:
    """Where training is: what a resumed run continues from."""

    step: int = 0
    stage: int = 0
    stage_step: int = 0
    epoch: int = 0
    position: int = 0
    skipped: int = 0
    lr_scale: float = 1.0
    compile: bool | None = None


class Trainer:
    """Trains a model by a spec on a data set's split ``train``.

    :raises SpecError: if nothing in a stage can learn, or there is no such device.
    """

    def __init__(
        self, spec: TrainSpec, model: Model, data: Dataset, observer: Observer, reporter: Reporter, stop: StopRequest
    ) -> None:
        self.spec, self.data, self.observer, self.reporter, self.stop = spec, data, observer, reporter, stop
        self.device = pick_device(spec.device)
        if self.device.type == "cuda" and not torch.cuda.is_available():
            raise SpecError(Problem("train.device", "there is no GPU here", "say cpu, or auto"))
        self.model = model.to(self.device)
        self.split = data.split("train").to(self.device)
        self.average = WeightAverage(self.model, spec.ema) if spec.ema else None
        self.progress = Progress()
        every = cast("tuple[PartName, ...]", tuple(role for role in get_args(PartName) if role in model.parts()))
        self.stages = spec.stages or (StageSpec(parts=every, steps=spec.steps),)
        self._check_stages()
        self._window = MetricWindow()
        self._started = time.perf_counter()
        self._autocast = run_in(spec.precision, self.device)
        self._begin_stage()

    @property
    def stage(self) -> StageSpec:
        """The present stage."""
        return self.stages[self.progress.stage]

    @property
    def _steps(self) -> int:
        """Optimizer steps of the present stage; none where a prior is fitted at once."""
        return 0 if self.stage.fit else self.stage.steps or 0

    @property
    def _in_last_stage(self) -> bool:
        return self.progress.stage == len(self.stages) - 1

    def run(self) -> None:
        """Train to the end of the last stage, from wherever :attr:`progress` is.

        :raises NonFiniteError: on NaN or infinity, unless the policy skips it.
        :raises Interrupted: at a step boundary, once a signal has asked for it.
        """
        while True:
            if self.stage.fit:
                self._fit_prior()
            else:
                self._train()
            if self._in_last_stage:
                break
            self._next_stage()
        self._finish()

    def _check_stages(self) -> None:
        """See that each stage has something to learn, before the first begins."""
        for number, stage in enumerate(self.stages):
            objective = Objective(self.model, stage.parts)
            objective.set_training()
            if not stage.fit and not any(objective.player_parameters(player) for player in objective.players):
                path = f"train.stages.{number}.parts" if self.spec.stages else "model"
                raise SpecError(Problem(path, f"nothing can learn: no parameters in {', '.join(stage.parts)}"))

    def _begin_stage(self) -> None:
        """Make the stage's objective, players and data order."""
        progress, stage, spec = self.progress, self.stage, self.spec
        self.objective = Objective(self.model, stage.parts)
        self.objective.set_training()
        names = {parameter: name for name, parameter in self.model.named_parameters()}
        owned = {} if stage.fit else {player: self.objective.player_parameters(player) for player in self.objective.players}
        self.players = [Player(player, parameters, names, spec) for player, parameters in owned.items() if parameters]
        by_name = {player.name: player for player in self.players}
        self.turns = [by_name[name] for name in self.objective.players if name in by_name]
        seed = spec.seed + progress.stage
        self.order = DataOrder(len(self.split), spec.batch_size, seed, self.device, progress.epoch, progress.position)
        self._call = self._compiled() if self._compile_now() else self.objective
        self._auto: AutoCompile | None = None
        if spec.compile == "auto" and progress.compile is None:
            self._auto = AutoCompile(self.device, self._steps - progress.stage_step, self.reporter.message)

    def _compile_now(self) -> bool:
        return self.spec.compile == "on" or (self.spec.compile == "auto" and self.progress.compile is True)

    def _compiled(self) -> Callable[..., LossOutput]:
        """Return the objective compiled, or as it is where a run goes on that was compiled on another machine."""
        if reason := no_compiler(self.device):
            self.reporter.message(f"compile: {reason}")
            return self.objective
        return torch.compile(self.objective, dynamic=False)

    def _train(self) -> None:
        progress = self.progress
        name = "train" if len(self.stages) == 1 else f"stage {progress.stage + 1} of {len(self.stages)}"
        self.reporter.begin(name, self._steps, progress.stage_step)
        self.advance(self._steps)

    def advance(self, most: int) -> None:
        """Make up to ``most`` steps of the present stage, with what is due at them."""
        progress = self.progress
        steps = self._steps
        if progress.stage_step == 0:
            self._initialise()
        if progress.step == 0:
            self._begin_losses()
        for _ in range(min(most, steps - progress.stage_step)):
            if self._auto is None:
                self._step()
            else:
                self._measured_step(self._auto)
            progress.step += 1
            progress.stage_step += 1
            self.reporter.advance(progress.stage_step)
            self._events(ends_stage=progress.stage_step == steps)

    def _initialise(self) -> None:
        """Let the parts that learn in this stage for the first time take their first state from data, where they do so."""
        earlier = {role for stage in self.stages[: self.progress.stage] for role in stage.parts}
        if self.spec.start is not None:
            earlier |= {*self.spec.start.parts}
        learning = {*self.stage.parts} - earlier
        roles: list[Role] = [
            role for role in get_args(Role) if role in learning and self.model.composition.has(role, DataDependent)
        ]
        if not roles:
            return
        order = torch.randperm(len(self.split), generator=generator_for("cpu", self.spec.seed))
        with fork_rng(self.device, self.spec.seed):
            batch = self.split.batch(order[:MOST_INITIAL_DATA].to(self.device))
            self.model.initialise(batch.x, batch.condition, roles)
        if self.average is not None:
            self.average.restart()

    def _begin_losses(self) -> None:
        """Let losses take from the model, as it begins, what they need."""
        with torch.no_grad():
            for model in (self.model, *self.model.nested):
                model.loss.begin(model)

    def _measured_step(self, auto: AutoCompile) -> None:
        auto.before_step()
        self._step()
        verdict = auto.after_step()
        if verdict == "compile":
            self._call = self._compiled()
        elif verdict == "uncompile":
            self._call = self.objective
        if auto.decision is not None:
            self.progress.compile, self._auto = auto.decision, None

    def _step(self) -> None:
        """Move the players in turn, each as often as it is named."""
        factor = self._lr_factor(self.progress.stage_step)
        values: dict[str, Tensor | float] = {}
        for player in self.turns:
            values |= self._move(player, factor)
        if self.average is not None:
            self.average.update()
        if values:
            self._window.add(values)

    def _lr_factor(self, step: int) -> float:
        """Return the learning rate of a step of the stage as a share of a player's own."""
        return learning_rate_factor(self.spec, step, self._steps) * self.progress.lr_scale

    def _move(self, player: Player, factor: float) -> dict[str, Tensor | float]:
        """Move one player and return what its step reports, which is nothing if the step was skipped."""
        before = [buffer.clone() for buffer in self.model.buffers()] if self.spec.on_nonfinite == "skip" else []
        player.forget_gradients()
        output = self._backward(player)
        norm = player.gradient_norm(always=self.spec.on_nonfinite != "stop")
        if self._checks_each_step and not _finite(output.total, norm):
            self._nonfinite(player, output)
            for buffer, value in zip(self.model.buffers(), before, strict=True):
                buffer.copy_(value)
            return {}
        player.skips = 0
        values = self._figures(player, output)
        if norm is not None:
            player.clip_gradients(norm)
            values[self._name("gradient_norm", player)] = norm
        player.step(factor)
        return values

    def _figures(self, player: Player, output: LossOutput) -> dict[str, Tensor | float]:
        return {**output.metrics, self._name("loss", player): output.total.detach()}

    def _name(self, figure: str, player: Player) -> str:
        """Return the name of a figure that each player has, such as ``loss/critic``."""
        return figure if len(self.players) == 1 else f"{figure}/{player.name}"

    @property
    def _checks_each_step(self) -> bool:
        return self.device.type == "cpu" or self.spec.on_nonfinite == "skip"

    def _backward(self, player: Player) -> LossOutput:
        """Add up the gradient of one batch, or of the micro-batches that make one step, and return their mean loss."""
        micro = self.spec.accumulate
        outputs = []
        for _ in range(micro):
            batch = self.split.training_batch(self.order.next())
            with self._autocast:
                output: LossOutput = self._call(batch, player.name)
            (output.total if micro == 1 else output.total / micro).backward()
            outputs.append(output)
        return output if micro == 1 else mean_output(outputs)

    def _nonfinite(self, player: Player, output: LossOutput) -> None:
        """Name what is not finite, then skip the step or stop, as the policy says."""
        batch = self.split.training_batch(self.order.last())
        with fork_rng(self.device):
            reason = diagnosis(self.objective, batch, player.name, output)
        message = f"step {self.progress.step + 1}: {reason}"
        player.forget_gradients()
        if self.spec.on_nonfinite != "skip":
            raise NonFiniteError(message)
        self.progress.skipped += 1
        player.skips += 1
        self.reporter.message(f"skipped: {message}")
        if player.skips >= MOST_SKIPS:
            raise NonFiniteError(f"{message}; {MOST_SKIPS} steps in a row were skipped, so nothing is learned any more")

    def _events(self, *, ends_stage: bool) -> None:
        """Log, validate, save and draw where it is time; :meth:`_finish` does so at the end of training."""
        spec = self.spec
        ends_training = ends_stage and self._in_last_stage
        if ends_stage or self._due(spec.log_every):
            self._log()
        if self._due(spec.validate_every) and "validation" in self.data.splits:
            self._report(self.validate())
        due = self._due(spec.checkpoint_every) or ends_stage
        if (due and not ends_training) or self.stop.signum is not None:
            self._checkpoint()
        if self._due(spec.sample_every) and not ends_training:
            self._picture()
        if self.stop.signum is not None:
            raise Interrupted(self.stop.signum, self.progress.step)

    def _due(self, every: int | None) -> bool:
        return every is not None and self.progress.step % every == 0

    def _log(self) -> None:
        """Report the averages since the last line; NaN in any of them stops training."""
        row = self._window.averages()
        bad = [name for name, value in row.items() if not math.isfinite(value)]
        if bad:
            weights = first_nonfinite_parameter(self.model)
            where = f"; the weights {weights!r} do too" if weights else ""
            raise NonFiniteError(f"step {self.progress.step}: {', '.join(bad)} held NaN or infinity since the last line{where}")
        row["lr"] = self.players[0].lr * self._lr_factor(self.progress.stage_step - 1)
        row["seconds"] = time.perf_counter() - self._started
        self._report(row)
        for module in self.model.modules():
            if isinstance(module, Loss):
                for remark in module.remarks(row):
                    self.reporter.message(remark)

    def _report(self, figures: Row) -> None:
        """Tell the observer and the reporter."""
        row = {"step": float(self.progress.step), "stage": float(self.progress.stage), **figures}
        self.observer.log(row)
        self.reporter.metrics(self.progress.step, row)

    @torch.no_grad()
    def validate(self) -> Row:
        """Return the loss's metrics on the validation split, under the averaged weights and with fixed noise."""
        split = self.data.split("validation").to(self.device)
        sums: dict[str, float] = {}
        with self.averaged(), fork_rng(self.device, self.spec.seed):
            for batch in split.batches(max(self.spec.batch_size, 256)):
                figures: dict[str, Tensor | float] = {}
                for player in self.players:
                    figures |= self._figures(player, self.objective(batch, player.name))
                for name, value in figures.items():
                    sums[name] = sums.get(name, 0.0) + float(value) * len(batch.x)
        return {f"validation/{name}": total / len(split) for name, total in sums.items()}

    @contextmanager
    def averaged(self) -> Iterator[Model]:
        """Give the model in evaluation mode, with its averaged weights if there are any."""
        self.model.eval()
        try:
            with self.average.applied() if self.average is not None else nullcontext():
                yield self.model
        finally:
            self.objective.set_training()

    def _picture(self) -> None:
        with self.averaged(), fork_rng(self.device):
            self.observer.picture(self)

    def _checkpoint(self) -> None:
        """Save, unless the weights are not finite: such a state is never kept as good."""
        bad = first_nonfinite(self.model)
        if bad is not None:
            raise NonFiniteError(f"step {self.progress.step}: the weights {bad!r} hold NaN or infinity, so they were not saved")
        self.observer.checkpoint(self)

    @torch.no_grad()
    def _fit_prior(self) -> None:
        """Fit the prior to the codes of all training data at once."""
        self.reporter.begin(f"stage {self.progress.stage + 1} of {len(self.stages)}: fit the prior", 1, 0)
        self.model.eval()
        codes, contexts = [], []
        for batch in self.split.batches(1024):
            codes.append(self.model.codes(batch.x, batch.condition))
            if self.model.condition is not None:
                contexts.append(cast(Context, self.model.context(batch.condition)))
        context = Context.cat(contexts) if contexts else None
        figures = cast(Fittable, self.model.prior).fit(torch.cat(codes), context)
        self.reporter.advance(1)
        if self.average is not None:
            self.average.restart()
        self._report({f"fit/{name}": float(value) for name, value in figures.items()})

    def _next_stage(self) -> None:
        """Take the averaged weights as the stage's result and go on to the next, with a new average."""
        if self.average is not None:
            self.average.adopt()
            self.average.restart()
        self.progress.stage += 1
        self.progress.stage_step = self.progress.epoch = self.progress.position = 0
        self._begin_stage()

    def _finish(self) -> None:
        """Save, leave the model as it is meant to be used, and draw."""
        self._checkpoint()
        if self.average is not None:
            self.average.adopt()
        self.model.requires_grad_(True).eval()
        with fork_rng(self.device):
            self.observer.picture(self)

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
            self.progress.epoch, self.progress.position = self.order.epoch, self.order.position
        return {
            **vars(self.progress),
            "ema_updates": self.average.updates if self.average is not None else 0,
            "pending": self._window.entries(),
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
            self._window = MetricWindow(state["pending"])
            restore_random(tensors, state, self.device)
        except (LookupError, TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(f"the checkpoint is not of this experiment: {error}") from None


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _finite(total: Tensor, norm: Tensor | None) -> bool:
    return math.isfinite(total.item()) and (norm is None or math.isfinite(norm.item()))
