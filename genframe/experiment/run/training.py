"""Training a run from the start or from its newest checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ...model.model import Model, build
from ...model.wrapping import Modules
from ...output import picture
from ...plugins.discovery import installed
from ...roles.data import Dataset
from ...roles.random import fork_rng
from ...specs.base import Spec, nested
from ...training import environment
from ...training.compiling import check_compiler
from ...training.observer import Row
from ...training.reporter import Reporter, Silent
from ...training.signals import stop_request
from ...training.state import Training
from ...training.trainer import Trainer
from ...types.errors import CheckpointError, NonFiniteError
from ..document import Document
from ..document.loading import Experiment, experiment_from, read_experiment
from ..document.origins import override, written
from ..document.spec import ExperimentSpec, check_experiment
from . import checkpoint as storage
from .folder import RunFolder
from .lock import RunLock
from .run import PICTURE_COUNT, Run, load, shown_condition, tensor_specs
from .starting import take_parts

__all__ = ["is_complete", "resume", "train"]

MOST_ROLLBACKS = 3
MOST_THREADS = 1024


class Recorder:
    """Keeps what training observes, in memory and, where there is one, in the run's folder."""

    def __init__(self, run: Run, described: Mapping[str, Any]) -> None:
        self.run, self.described = run, described
        self.files = RunFolder(run.folder) if run.folder is not None else None

    def log(self, row: Row) -> None:
        """Append the row, to metrics.jsonl too."""
        self.run.metrics.append(row)
        if self.files is not None:
            self.files.append_metrics(row)

    def checkpoint(self, training: Training) -> None:
        """Commit the training's state."""
        self.run.step = training.progress.step
        if self.files is None:
            return
        state = {**training.state(), "spec": self.run.experiment.digest(), "environment": dict(self.described)}
        keep = self.run.experiment.train.keep
        self.run.checkpoint = storage.commit(self.files.checkpoints, self.run.step, training.tensors(), state, keep=keep).digest

    def picture(self, training: Training) -> None:
        """Draw samples into samples/, with what is needed to draw them again."""
        if self.files is None:
            return
        if self.run.step != training.progress.step:  # the last checkpoint is of other weights than the picture
            self.run.step, self.run.checkpoint = training.progress.step, ""
        condition = shown_condition(training.model, training.data, PICTURE_COUNT)
        samples = training.model.sample(PICTURE_COUNT, condition)
        path = self.files.samples / f"step-{self.run.step:08d}.png"
        picture.save(path, samples.x, samples.space, self.run.picture_info(samples, condition))


def train(
    experiment: Experiment | ExperimentSpec | Mapping[str, Any] | str,
    *,
    folder: Path | str | None = None,
    data: Dataset | None = None,
    reporter: Reporter | None = None,
    modules: Modules | None = None,
) -> Run:
    """Train an experiment (a spec, plain data, or the name of a recipe or file) and return its run.

    With a ``folder`` everything is saved there and can be resumed; without one the run lives in memory.
    ``data`` stands in for the dataset that the spec names. ``modules`` are those of one's own, by the place in the model's spec
    in which they go, such as ``{"encoder.network": net}``, or the spec holds them by :func:`genframe.wrap`.

    :raises SpecError: if the experiment is wrong, before anything is built.
    :raises RunError: if ``folder`` holds a run already.
    :raises NonFiniteError: on NaN or infinity; checkpoints stay as they were.
    :raises Interrupted: on SIGINT or SIGTERM, after a checkpoint at the next step boundary.
    """
    experiment = _read(experiment)
    spec = experiment.spec
    composition = check_experiment(spec)
    model = build(composition, seed=spec.train.seed, modules=modules)
    run = Run(spec, model, Path(folder) if folder is not None else None)
    if spec.train.start is not None:
        taken = take_parts(run.model, spec.train.start)
        (reporter or Silent()).message(f"begins with {taken}")
    check_compiler(spec.train)
    dataset = data or spec.data.load()
    thread_count = spec.train.threads or torch.get_num_threads()
    if run.folder is None:
        return _continue(run, dataset, reporter or Silent(), None, thread_count)
    for name in _unregistered(spec.model):
        hint = f"load this run by load({str(run.folder)!r}, specs=[CLASS])"
        (reporter or Silent()).message(f"no plugin has {name}: {hint}")
    files = RunFolder(run.folder)
    files.make()
    with RunLock(files.path):
        files.begin(spec, composition)
        files.write_json("origins.json", written(experiment))
        return _continue(run, dataset, reporter or Silent(), None, thread_count)


def resume(
    folder: Path | str,
    assignments: Sequence[str] = (),
    *,
    data: Dataset | None = None,
    reporter: Reporter | None = None,
    require_exact: bool = False,
    modules: Modules | None = None,
) -> Run:
    """Go on with the run in ``folder`` from its newest valid checkpoint, bit for bit on the same machine.

    ``assignments`` may change fields of ``train``, such as ``train.steps=20000``, from here on. The checkpoint's number of
    threads is used again. What else differs from its environment is said in one line; with ``require_exact``
    it is an error.

    :raises RunError: if there is no run, or another process trains it.
    :raises CheckpointError: if no checkpoint is valid.
    """
    files, reporter = RunFolder(folder), reporter or Silent()
    if is_complete(folder, assignments):
        run = load(folder, modules=modules)
        reporter.message(f"{folder} is complete at step {run.step}; to go on, give it more: train.steps={2 * run.step}")
        return run
    spec = files.experiment(assignments)
    run = Run(spec, build(check_experiment(spec), seed=spec.train.seed, modules=modules), files.path)
    check_compiler(spec.train)
    dataset = data or spec.data.load()
    with RunLock(files.path):
        storage.sweep(files.checkpoints)
        saved = _newest(files, run.model, reporter)
        thread_count = spec.train.threads or torch.get_num_threads()
        if saved is not None:
            described = _environment_of(saved)
            thread_count = spec.train.threads or described["threads"]
            environment.compare(described, thread_count, reporter, require_exact=require_exact)
        if assignments:  # so that an interruption of the longer run goes on to its end
            files.write_experiment(spec)
            files.add_origins({path: origin for text in assignments for path, origin in override(spec, text).items()})
        return _continue(run, dataset, reporter, saved, thread_count)


def _unregistered(spec: Spec) -> list[str]:
    """Return the names of components within ``spec`` that no plugin has registered, such as classes of a notebook."""
    parts = [part for _, part in nested(spec) if part.listed]
    return [part.type for part in parts if part.type not in installed().registry(part.kind)]


def is_complete(folder: Path | str, assignments: Sequence[str] = ()) -> bool:
    """Return whether the run, with ``assignments``, has made every step and fit of its stages.

    :raises RunError: if there is no run.
    :raises CheckpointError: if no checkpoint is valid.
    """
    files = RunFolder(folder)
    spec = files.experiment(assignments).train
    found = storage.latest(files.checkpoints)
    if found is None:
        return False
    if not spec.stages:
        return found.step >= spec.steps
    state, last = storage.read(found.path).state, spec.stages[-1]
    in_last_stage = state.get("stage") == len(spec.stages) - 1
    return in_last_stage and (last.fit or state.get("stage_step") == last.steps)  # a fit has one checkpoint, at its end


def _newest(files: RunFolder, model: Model, reporter: Reporter) -> storage.Checkpoint | None:
    """Return the newest valid checkpoint, if there is any, and say which newer ones were passed over."""
    found = storage.latest(files.checkpoints)
    if found is None:
        return None
    for damaged in found.damaged:
        reporter.message(f"{damaged.path.name} is damaged ({damaged.reason}); going on from {found.path.name}")
    return storage.read(found.path, expect=tensor_specs("model/", model.state_dict()), optional=_besides(model))


def _environment_of(saved: storage.Checkpoint) -> dict[str, Any]:
    """Return the environment that the checkpoint was made in.

    :raises CheckpointError: if it does not say, or not with how many threads.
    """
    described = saved.state.get("environment")
    threads = described.get("threads") if isinstance(described, dict) else None
    if not isinstance(described, dict) or type(threads) is not int or not 1 <= threads <= MOST_THREADS:
        raise CheckpointError(f"{saved.path} does not say with how many threads it was made, found {threads!r}")
    return described


def _besides(model: Model) -> dict[str, storage.TensorSpec]:
    """Return what a checkpoint may hold beside the weights: their averages, optimizer moments, and generators."""
    weights: dict[str, torch.Tensor] = dict(model.named_parameters())
    shaped = ("exp_avg", "exp_avg_sq", "momentum_buffer")
    moments = {f"{name}/{moment}": weight for name, weight in weights.items() for moment in shaped}
    moments |= {f"{name}/step": torch.zeros(()) for name in weights}
    generators = {"torch": torch.get_rng_state(), "cuda": torch.empty(16, dtype=torch.uint8)}
    besides = tensor_specs("ema/", weights) | tensor_specs("rng/", generators)
    for player in {*model.composition.players, *model.prior.players}:
        besides |= tensor_specs(f"optimizer/{player}/", moments)
    return besides


def _read(experiment: Experiment | ExperimentSpec | Mapping[str, Any] | str) -> Experiment:
    if isinstance(experiment, Experiment):
        return experiment
    if isinstance(experiment, ExperimentSpec):
        return Experiment(experiment, Document(experiment.model_dump(mode="json", exclude_unset=True), "<data>", {}))
    return read_experiment(experiment) if isinstance(experiment, str) else experiment_from(experiment)


def _continue(run: Run, data: Dataset, reporter: Reporter, saved: storage.Checkpoint | None, thread_count: int) -> Run:
    """Train ``run`` from ``saved``, or from the start; its folder is locked."""
    described = environment.describe(thread_count)
    spec = run.experiment.train
    device = environment.pick_device("auto")
    with environment.threads(thread_count), fork_rng(device, spec.seed), stop_request() as stop:
        trainer = Trainer(run.model, data, settings=spec, observer=Recorder(run, described), reporter=reporter, stop=stop)
        if saved is not None:
            trainer.restore(saved.tensors, saved.state)
            run.step, run.checkpoint = saved.step, saved.digest
        _prepare_folder(run, trainer, data, described)
        if data.report is not None and data.report.remarkable:
            reporter.message(str(data.report))
        _run_with_rollback(trainer, run, reporter)
    return run


def _prepare_folder(run: Run, trainer: Trainer, data: Dataset, described: Mapping[str, Any]) -> None:
    """Check for space, and cut the metrics back to the step from which training goes on."""
    if run.folder is None:
        return
    files = RunFolder(run.folder)
    with_moments = 3 * storage.needed_bytes(trainer.tensors())
    storage.free_space(files.checkpoints, with_moments)
    protocols = {name: dict(split.protocol) for name, split in data.splits.items()}
    report = {"read": data.report.to_dict()} if data.report is not None else {}
    files.write_json("environment.json", {**described, "data": protocols, **report})
    if data.classes:
        files.write_json("classes.json", data.classes)
    for name, text in data.files.items():
        files.write(name, text)
    run.metrics = files.cut_metrics(trainer.progress.step)


def _run_with_rollback(trainer: Trainer, run: Run, reporter: Reporter) -> None:
    """Train; where the policy says so, go back to the last checkpoint and halve the learning rate on NaN or infinity."""
    for attempt in range(MOST_ROLLBACKS + 1):
        try:
            trainer.run()
            return
        except NonFiniteError as error:
            found = storage.latest(run.folder / "checkpoints") if run.folder is not None else None
            if trainer.settings.on_nonfinite != "rollback" or run.folder is None or found is None or attempt == MOST_ROLLBACKS:
                raise
            reporter.message(f"{error}; back to step {found.step} at half the learning rate")
            saved = storage.read(found.path)
            scale = trainer.progress.lr_scale / 2
            trainer.restore(saved.tensors, saved.state)
            trainer.progress.lr_scale = scale
            run.metrics = RunFolder(run.folder).cut_metrics(found.step)
