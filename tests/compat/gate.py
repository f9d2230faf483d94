"""The gate: what every recipe and every example of the kit computes, recorded so that an unintended change is seen.

A record holds the names and shapes of a model's tensors, its initial weights, the losses of its first steps and its samples.
On the machine that made the record everything must be the same to the last bit. Another processor rounds otherwise; there the
names, the moments of the initial weights and the first loss are compared, the latter two to a tolerance.

``python -m tests.compat`` writes the record anew: after a change that is meant to change numbers, and for that reason only.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import math
import platform
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from genframe import build, generator_for
from genframe.experiment.document.loading import read_experiment
from genframe.experiment.document.spec import check_experiment
from genframe.experiment.run.run import Run, shown_condition
from genframe.experiment.run.training import train
from genframe.roles import data_digest
from genframe.testing import Example, PluginConformance
from genframe.testing.checks import component_of
from genframe.testing.drawing import draw_context
from genframe.testing.setting import ModelSetting, PartSetting, seeded
from tests.recipes.small import assignments, prerequisites

ROOT: Final = Path(__file__).parents[2]
RECORD: Final = Path(__file__).with_name("gate.json")
DRAWN: Final = 4
ROWS: Final = 3


def machine() -> dict[str, str]:
    """Return what the last bit of a result depends on besides the code."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor())
    return {"processor": model, "instructions": torch.backends.cpu.get_cpu_capability(), "torch": torch.__version__}


def recorded() -> dict[str, Any]:
    """Return the record."""
    record: dict[str, Any] = json.loads(RECORD.read_text())
    return record


def recipe_record(name: str, paths: dict[str, Path], folder: Path) -> tuple[dict[str, Any], Run]:
    """Train a recipe, made small, for its first steps in ``folder``; return what is recorded of it, and the run."""
    words = assignments(name, paths) + prerequisites(name, paths, folder)
    spec = read_experiment(name, words).spec
    first = build(check_experiment(spec), seed=spec.train.seed)
    run = train(spec, folder=folder / "run")
    samples = run.sample(DRAWN, shown_condition(run.model, spec.data.load(), DRAWN), seed=1).x
    losses = [row[key] for row in run.metrics for key in sorted(row) if key.startswith("loss")]
    return {**_weights(first), "losses": losses, "samples": data_digest(samples)}, run


def _weights(module: nn.Module) -> dict[str, Any]:
    """Return the digest of a module's keys, and the digest and the moments of its weights."""
    state = module.state_dict()
    keys = "\n".join(f"{name} {tuple(tensor.shape)} {tensor.dtype}" for name, tensor in sorted(state.items()))
    values = [tensor.double().flatten() for tensor in state.values() if tensor.is_floating_point()]
    flat = torch.cat(values) if values else torch.zeros(1, dtype=torch.float64)
    return {
        "tensors": len(state),
        "keys": hashlib.sha256(keys.encode()).hexdigest()[:16],
        "weights": data_digest(*(tensor.cpu() for _, tensor in sorted(state.items()))),
        "moments": [float(flat.mean()), float(flat.square().mean().sqrt())],
    }


def conformance_classes() -> Iterator[type[PluginConformance]]:
    """Yield the conformance tests of the core and of every plugin in this repository."""
    for path in sorted([*ROOT.glob("plugins/*/tests/test_*_conforms.py"), *ROOT.glob("tests/testing/test_core_conforms.py")]):
        spec = importlib.util.spec_from_file_location(f"gate_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # it may own temporary files, which must last
        spec.loader.exec_module(module)
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, PluginConformance) and value is not PluginConformance:
                yield value


def example_records(conformance: type[PluginConformance]) -> dict[str, dict[str, Any]]:
    """Return what is recorded of each example of a plugin's parts, losses and samplers, by its name and setting."""
    records = {}
    for name, examples in sorted(conformance.examples.items()):
        component = component_of([each if isinstance(each, Example) else Example(each) for each in examples])
        if component.spec.kind in ("dataset", "metric"):  # of which nothing is recorded here
            continue
        for number, settings in enumerate(component.settings_by_example):
            for place, setting in enumerate(settings[:2]):
                record = _setting_record(setting)
                if record:
                    records[f"{name} ({component.spec.kind}) example {number} setting {place}: {setting}"] = record
    return records


def _setting_record(setting: Any) -> dict[str, Any]:
    if isinstance(setting, PartSetting):
        return _part_record(setting)
    assert isinstance(setting, ModelSetting)
    kind = setting.spec.kind
    return _loss_record(setting) if kind == "loss" else _walk_record(setting) if kind == "sampler" else {}


@torch.no_grad()
def _part_record(setting: PartSetting) -> dict[str, Any]:
    part, inputs = setting.build(), setting.inputs(ROWS)
    with seeded(3):
        outputs = [*setting.outputs(part, inputs), *setting.draws(part, inputs, generator_for("cpu", 5))]
    return {**_weights(part), "outputs": data_digest(*(output.tensor for output in outputs))}


def _loss_record(setting: ModelSetting) -> dict[str, Any]:
    model, losses = setting.model().train(), []
    for player in setting.composition.players:
        with seeded(3):
            losses.append(float(model.loss(model, setting.batch(5), player).total.detach()))
    return {**_weights(model), "losses": losses}


@torch.no_grad()
def _walk_record(setting: ModelSetting) -> dict[str, Any]:
    model = setting.model()
    context = draw_context(setting.context, ROWS)
    with seeded(3):
        drawn = model.sampler.draw(model, ROWS, context, generator_for("cpu", 5))
    return {**_weights(model), "samples": data_digest(drawn)}


def differences(before: Mapping[str, Any], now: Mapping[str, Any], *, exact: bool) -> list[str]:
    """Return in what a record differs from an earlier one: to the last bit if ``exact``, else as far as rounding allows."""
    if exact:
        return [f"{name}: {before.get(name)} -> {now.get(name)}" for name in before | now if before.get(name) != now.get(name)]
    found = [f"{name}: {before[name]} -> {now[name]}" for name in ("tensors", "keys") if before[name] != now[name]]
    pairs = [*zip(before["moments"], now["moments"], strict=True)]
    pairs += [*zip(before.get("losses", ())[:1], now.get("losses", ())[:1], strict=True)]
    return found + [f"{one} -> {other}" for one, other in pairs if not math.isclose(one, other, rel_tol=1e-2, abs_tol=1e-2)]
