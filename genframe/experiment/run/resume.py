"""Continuing a run from its newest checkpoint, on what it was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from ...cache import showing_progress
from ...model.model import Model, build
from ...model.wrapping import Modules
from ...plugins.discovery import register
from ...specs.base import ComponentSpec
from ...training import environment
from ...training.compiling import check_compiler
from ...training.reading import Data, ToBatch, as_batch, as_dataset
from ...training.reporter import Reporter, Silent
from ...types.errors import CheckpointError
from ..document.origins import override
from ..document.spec import ExperimentSpec, check_experiment
from . import checkpoint as storage
from .changes import Change, changes, refuse_fixed
from .folder import RunFolder
from .lock import RunLock
from .recorded import DataRecord, change_of, read_again
from .resources import out_of_memory
from .run import Run, load, tensor_specs
from .stored_state import StoredState, checked
from .training import continued

__all__ = ["is_complete", "resume"]


def resume(
    folder: Path | str,
    assignments: Sequence[str] = (),
    *,
    data: Data = None,
    batch: ToBatch = as_batch,
    reporter: Reporter | None = None,
    require_exact: bool = False,
    allow_changed_data: bool = False,
    modules: Modules | None = None,
    specs: Sequence[type[ComponentSpec]] = (),
) -> Run:
    """Continue the run in ``folder`` from its newest valid checkpoint, bit for bit on the same machine.

    ``assignments`` may change fields of ``train``, such as ``train.steps=20000``, from here on. The checkpoint's number of
    threads is used again. What else differs from its environment or its experiment is said in one line; with ``require_exact``
    it is an error. Other data than the run was trained on is refused; with ``allow_changed_data`` both are kept on record.
    ``specs`` are component classes that no plugin has registered.

    :raises RunError: if there is no run, or another process trains it.
    :raises CheckpointError: if no checkpoint is valid, or it cannot be continued under the experiment as it is now.
    :raises DataError: if the data cannot be read, or is not what the run was trained on.
    """
    register(*specs)
    files, reporter = RunFolder(folder), reporter or Silent()
    if is_complete(folder, assignments):
        run = load(folder, modules=modules)
        reporter.message(f"{folder} is complete at step {run.step}; to continue, give it more: train.steps={2 * run.step}")
        return run
    spec = files.experiment(assignments)
    composition = check_experiment(spec)
    with out_of_memory(spec, composition, files.path):
        run = Run(spec, build(composition, seed=spec.train.seed, modules=modules), files.path)
    check_compiler(spec.train)
    recorded = DataRecord.of_run(files)
    if data is not None:
        data = as_dataset(data, composition.data, composition.condition, batch)
    with showing_progress(reporter):
        dataset = data if data is not None else read_again(files, spec.data, recorded)
    now = DataRecord.of(dataset, handed_in=data is not None)
    change = change_of(files, recorded, now, allowed=allow_changed_data)
    with RunLock(files.path), out_of_memory(spec, composition, files.path):
        storage.sweep(files.checkpoints)
        saved, thread_count = _newest(files, run, reporter), spec.train.threads or torch.get_num_threads()
        if saved is not None:
            state = checked(saved)
            thread_count = spec.train.threads or state.environment["threads"]
            environment.compare(state.environment, thread_count, reporter, require_exact=require_exact)
            saved = _under(spec, saved, state, reporter, require_exact=require_exact)
        record = recorded or now
        if change:
            record = record.changed_to(now, saved.step if saved is not None else 0)

        def accepted() -> None:
            """Keep the new settings, now that the checkpoint has been restored under them."""
            record.write(files)
            if assignments:  # so that an interruption of the longer run is continued to its end
                files.write_experiment(spec)
                files.add_origins({path: origin for text in assignments for path, origin in override(spec, text).items()})

        return continued(run, dataset, reporter, thread_count, saved, accepted)


def _under(
    spec: ExperimentSpec, saved: storage.Checkpoint, state: StoredState, reporter: Reporter, *, require_exact: bool
) -> storage.Checkpoint:
    """Return the checkpoint as it is continued under ``spec``; say what has changed since.

    :raises CheckpointError: for a change that no training can take, and with ``require_exact`` for any.
    """
    found = changes(saved.state, spec)
    refuse_fixed(found, state.stage, saved.path)
    if not found:
        return saved
    message = f"continuing with other settings than those of {saved.path.name}: {'; '.join(map(str, found))}"
    if require_exact:
        raise CheckpointError(message.replace("continuing with", "cannot continue exactly with"))
    reporter.message(message)
    return replace(saved, state={**saved.state, "position": _position(state.position, found)})


def _position(position: int, found: Sequence[Change]) -> int:
    """Return the position in the epoch, in batches of the present size: as many examples have been seen."""
    sizes = next(((change.before, change.after) for change in found if change.path == "train.batch_size"), None)
    return position * int(sizes[0]) // int(sizes[1]) if sizes is not None else position


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
    state, last = storage.read_state(found.path), spec.stages[-1]
    in_last_stage = state.get("stage") == len(spec.stages) - 1
    return in_last_stage and (last.fit or state.get("stage_step") == last.steps)  # a fit has one checkpoint, at its end


def _newest(files: RunFolder, run: Run, reporter: Reporter) -> storage.Checkpoint | None:
    """Return the newest valid checkpoint, if there is any, and say which newer ones were passed over.

    :raises CheckpointError: if it is of another model, naming the fields that have changed since.
    """
    found = storage.latest(files.checkpoints)
    if found is None:
        return None
    for damaged in found.damaged:
        reporter.message(f"{damaged.path.name} is damaged ({damaged.reason}); continuing from {found.path.name}")
    expect = tensor_specs("model/", run.model.state_dict())
    try:
        return storage.read(found.path, expect=expect, optional=_besides(run.model))
    except CheckpointError as error:
        state = storage.read_state(found.path)
        changed = [str(change) for change in changes(state, run.experiment) if change.path.startswith("model.")]
        if not changed:
            raise
        raise CheckpointError(
            f"{found.path} is of another model: {'; '.join(changed)}; give them their former values"
        ) from error


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
