"""Training a run: from the start, and on from a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from ...cache import showing_progress
from ...model.model import build
from ...model.wrapping import Modules
from ...plugins.discovery import installed
from ...roles.data import Dataset
from ...roles.random import fork_rng
from ...specs.base import Spec, nested
from ...training import environment
from ...training.compiling import check_compiler
from ...training.reading import Data, ToBatch, as_batch, as_dataset
from ...training.reporter import Reporter, Silent
from ...training.signals import stop_request
from ...training.trainer import Trainer
from ...types.errors import NonFiniteError, SpikeError
from ..document import Document
from ..document.loading import Experiment, experiment_from, read_experiment
from ..document.origins import written
from ..document.spec import UNREAD, ExperimentSpec, check_experiment
from . import checkpoint as storage
from .data_checks import check_batches, check_splits
from .folder import RunFolder
from .lock import RunLock
from .recorded import DataRecord, load_data
from .recorder import Recorder
from .resources import check_resources, out_of_memory
from .run import Run
from .starting import take_parts

__all__ = ["continued", "train"]

MOST_ROLLBACKS = 3


def train(
    experiment: Experiment | ExperimentSpec | Mapping[str, Any] | str,
    *,
    folder: Path | str | None = None,
    data: Data = None,
    batch: ToBatch = as_batch,
    reporter: Reporter | None = None,
    modules: Modules | None = None,
) -> Run:
    """Train an experiment (a spec, plain data, or the name of a recipe or file) and return its run.

    With a ``folder`` everything is saved there and can be resumed; without one the run lives in memory.
    ``data`` stands in for the dataset that the spec names: a dataset, tensors, a map-style dataset such as those of torch and
    Hugging Face, or a dict of these by split; ``batch`` makes a :class:`genframe.Batch` of what it gives. ``modules`` are those
    of one's own, by the place in the model's spec in which they go, such as ``{"encoder.network": net}``, or the spec holds
    them by :func:`genframe.wrap`.

    :raises SpecError: if the experiment is wrong, before anything is built.
    :raises RunError: if ``folder`` holds a run already.
    :raises NonFiniteError: on NaN or infinity; checkpoints stay as they were.
    :raises SpikeError: on a loss that jumps, if ``train.on_spike`` says so; checkpoints stay as they were.
    :raises Interrupted: on SIGINT or SIGTERM, after a checkpoint at the next step boundary.
    """
    experiment = _read(experiment)
    spec = experiment.spec
    composition = check_experiment(spec)
    where = Path(folder) if folder is not None else None
    check_resources(spec, composition, where)
    with out_of_memory(spec, composition, where):
        model = build(composition, seed=spec.train.seed, modules=modules)
        given = as_dataset(data, composition.data, composition.condition, batch) if data is not None else None
        reporter = reporter or Silent()
        with showing_progress(reporter):
            return _begun(Run(spec, model, where), experiment, given, reporter)


def _begun(run: Run, experiment: Experiment, data: Dataset | None, reporter: Reporter) -> Run:
    """Train a run whose model is as it was built."""
    spec = run.experiment
    if spec.train.start is not None:
        reporter.message(f"starts from {take_parts(run.model, spec.train.start)}")
    check_compiler(spec.train)
    dataset = data or load_data(spec.data)
    check_splits(spec.evaluate, run.model.composition, dataset)
    check_batches(spec.train, run.model, dataset)
    thread_count = spec.train.threads or torch.get_num_threads()
    if run.folder is None:
        return continued(run, dataset, reporter, thread_count)
    for name in _unregistered(spec.model):
        reporter.message(f"no plugin has {name}: load this run by load({str(run.folder)!r}, specs=[CLASS])")
    files = RunFolder(run.folder)
    files.make()
    with RunLock(files.path):
        files.begin(spec, run.model.composition)
        files.write_json("origins.json", written(experiment))
        DataRecord.of(dataset, handed_in=data is not None).write(files)
        return continued(run, dataset, reporter, thread_count)


def _unregistered(spec: Spec) -> list[str]:
    """Return the names of components within ``spec`` that no plugin has registered, such as classes of a notebook."""
    parts = [part for _, part in nested(spec) if part.listed]
    return [part.type for part in parts if part.type not in installed().registry(part.kind)]


def _read(experiment: Experiment | ExperimentSpec | Mapping[str, Any] | str) -> Experiment:
    if isinstance(experiment, Experiment):
        return experiment
    if isinstance(experiment, ExperimentSpec):
        return Experiment(experiment, Document(experiment.model_dump(mode="json", exclude_unset=True), "<data>", {}))
    return read_experiment(experiment) if isinstance(experiment, str) else experiment_from(experiment)


def continued(
    run: Run,
    data: Dataset,
    reporter: Reporter,
    thread_count: int,
    saved: storage.Checkpoint | None = None,
    accepted: Callable[[], None] = lambda: None,
) -> Run:
    """Train ``run`` from ``saved``, or from the start; its folder is locked.

    ``accepted`` is called once ``saved`` is restored.
    """
    described = environment.describe(thread_count)
    spec = run.experiment.train
    device = environment.pick_device("auto")
    with environment.threads(thread_count), fork_rng(device, spec.seed), stop_request() as stop:
        recorder = Recorder(run, described, reporter)
        trainer = Trainer(run.model, data, settings=spec, observer=recorder, reporter=reporter, stop=stop)
        if saved is not None:
            trainer.restore(saved.tensors, saved.state)
            run.step, run.checkpoint = saved.step, saved.digest
        accepted()
        _prepare_folder(run, trainer, data, described)
        if data.report is not None and data.report.remarkable:
            reporter.message(str(data.report))
        if data.condition_space is not None and run.model.composition.condition is None:
            reporter.message(UNREAD)
        _run_with_rollback(trainer, run, reporter)
    return run


def _prepare_folder(run: Run, trainer: Trainer, data: Dataset, described: Mapping[str, Any]) -> None:
    """Check for space, and cut the metrics back to the step from which training goes on."""
    if run.folder is None:
        return
    files = RunFolder(run.folder)
    files.refuse_links()
    with_moments = 3 * storage.needed_bytes(trainer.tensors())
    storage.free_space(files.checkpoints, with_moments)
    protocols = {name: dict(split.protocol) for name, split in data.splits.items()}
    report = {"read": data.report.to_dict()} if data.report is not None else {}
    files.write_json("environment.json", {**described, "data": protocols, **report})
    if data.classes:
        files.write_json("classes.json", data.classes)
    for name, text in data.files.items():
        files.write(name, text)
    run.rows = files.log.cut(trainer.progress.step)


def _run_with_rollback(trainer: Trainer, run: Run, reporter: Reporter) -> None:
    """Train; where the policy says so, go back to a checkpoint and halve the learning rate on a spike, NaN or infinity."""
    for attempt in range(MOST_ROLLBACKS + 1):
        try:
            trainer.run()
            return
        except NonFiniteError as error:
            saved = _before(error, trainer, run) if attempt < MOST_ROLLBACKS else None
            if saved is None or run.folder is None:
                raise
            reporter.message(f"{error}; back to step {saved.step} at half the learning rate")
            scale = trainer.progress.lr_scale / 2
            trainer.restore(saved.tensors, saved.state)
            trainer.progress.lr_scale = scale
            run.rows = RunFolder(run.folder).log.cut(saved.step)


def _before(error: NonFiniteError, trainer: Trainer, run: Run) -> storage.Checkpoint | None:
    """Return the last checkpoint before what went wrong, if there is one and the policy is to go back to it.

    Checkpoints that were made during a spike, before it was noticed, are removed.
    """
    settings, first = trainer.settings, error.first if isinstance(error, SpikeError) else None
    policy = settings.on_nonfinite if first is None else settings.on_spike
    if policy != "rollback" or run.folder is None:
        return None
    folder = run.folder / "checkpoints"
    found = storage.latest(folder, before=first)
    if found is not None and first is not None:
        storage.discard_from(folder, first)
    return storage.read(found.path) if found is not None else None
