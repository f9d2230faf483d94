"""R5, R8, R9: an interrupted run goes on bit for bit, whenever and however often it was interrupted."""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import PIL.PngImagePlugin  # noqa: F401 - here, so that not every forked child imports it
import pytest
import sklearn.datasets  # noqa: F401 - likewise
import torch

from genframe.experiment.run import checkpoint as storage
from genframe.experiment.run.resume import resume
from genframe.experiment.run.run import load
from genframe.experiment.run.training import train
from genframe.training.reporter import Silent
from genframe.training.signals import Interrupted

MLP = {"type": "nets/mlp", "hidden": [16]}
AUTOENCODER = {"encoder": {**MLP, "dim": 3}, "decoder": MLP}
GAUSSIAN = {"type": "vae/gaussian", "dim": 3, "network": MLP}
BERNOULLI = {"type": "vae/bernoulli", "network": MLP}
LOGISTIC = {"type": "vae/discretised_logistic", "network": MLP}
BINARY = {"type": "data/digits", "binarise": "dynamic"}

MODELS: dict[str, tuple[Any, dict[str, Any]]] = {
    "autoencoder": ("data/digits", {**AUTOENCODER, "loss": "vae/reconstruction"}),
    "denoising": (
        "data/digits",
        {
            **AUTOENCODER,
            "encoder": {"type": "vae/corrupted", "network": AUTOENCODER["encoder"]},
            "loss": "vae/reconstruction",
        },
    ),
    "vae": ("data/digits", {"encoder": GAUSSIAN, "decoder": LOGISTIC, "loss": {"type": "vae/elbo", "anneal_steps": 20}}),
    "binary-iwae": (BINARY, {"encoder": GAUSSIAN, "decoder": BERNOULLI, "loss": {"type": "vae/iwae", "samples": 3}}),
    "vamp": (
        BINARY,
        {"encoder": GAUSSIAN, "decoder": BERNOULLI, "prior": {"type": "vae/vamp", "components": 4}, "loss": "vae/elbo"},
    ),
    "conditional": (
        {"type": "data/digits", "labels": True},
        {"encoder": GAUSSIAN, "decoder": LOGISTIC, "condition": "core/one_hot", "loss": "vae/elbo"},
    ),
    "stages": ("data/digits", {**AUTOENCODER, "prior": {"type": "vae/gmm", "components": 3}, "loss": "vae/reconstruction"}),
}
SETTINGS: dict[str, dict[str, Any]] = {
    "stages": {
        "stages": [
            {"parts": ["encoder", "decoder"], "steps": 10},
            {"parts": ["prior"], "fit": True},
            {"parts": ["prior"], "steps": 22},
        ]
    }
}
STEPS = 32
PER_EPOCH = 10  # batches in an epoch


def experiment(name: str) -> dict[str, Any]:
    """Return a tiny experiment with everything on that has a state."""
    data, model = MODELS[name]
    data = {"type": data} if isinstance(data, str) else data
    settings = {
        "steps": STEPS,
        "batch_size": 32,
        "schedule": "cosine",
        "warmup": 5,
        "clip": 5.0,
        "ema": 0.9,
        "log_every": 1,
        "checkpoint_every": 7,
        "validate_every": 16,
        "threads": 1,
        **SETTINGS.get(name, {}),
    }
    return {"name": name, "data": {**data, "limit": 32 * PER_EPOCH + 60}, "model": model, "train": settings}


class StopAt(Silent):
    """Sends this process a signal at a step, as somebody outside would."""

    def __init__(self, step: int, signum: int = signal.SIGTERM) -> None:
        self.step, self.signum = step, signum

    def begin(self, stage: str, steps: int, done: int, unit: str = "step") -> None:
        """Stop before the first step."""
        if self.step == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def advance(self, step: int) -> None:
        """Stop after the step."""
        if step == self.step:
            os.kill(os.getpid(), self.signum)


def in_child(action: Callable[[], object]) -> int:
    """Run ``action`` in a process of its own and return how it ended: its exit code, or minus the signal."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            action()
            code = 0
        except Interrupted as interrupted:
            code = interrupted.exit_code
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def outcome(folder: Path) -> tuple[list[Mapping[str, float]], dict[str, bytes], bytes]:
    """Return all that must be equal: every logged figure, every tensor of the last checkpoint, and samples."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    figures = [{key: value for key, value in row.items() if key != "seconds"} for row in rows]
    found = storage.latest(folder / "checkpoints")
    assert found is not None
    tensors = {
        name: t.flatten().view(torch.uint8).numpy().tobytes() for name, t in storage.read(found.path).tensors.items() if t.ndim
    }
    run = load(folder)
    condition = torch.zeros(4, dtype=torch.int64) if run.model.composition.condition else None
    return figures, tensors, run.sample(4, condition).x.numpy().tobytes()


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """The outcome of each experiment when nothing disturbs it."""
    known: dict[str, Any] = {}

    def run(name: str) -> Any:
        if name not in known:
            folder = tmp_path_factory.mktemp("whole") / name
            assert in_child(lambda: train(experiment(name), folder=folder)) == 0
            known[name] = outcome(folder)
        return known[name]

    return run


CASES = [
    *[(name, [17]) for name in MODELS],
    *[("vae", stops) for stops in ([0], [1], [PER_EPOCH], [STEPS - 1], [3, 20], [5, 14, 27])],
    ("binary-iwae", [PER_EPOCH, 2 * PER_EPOCH, STEPS - 1]),
]
LAST = dict.fromkeys(MODELS, STEPS - 1) | {"stages": 21}  # stops count the steps of a stage


def grid(name: str) -> list[list[int]]:
    """Return where the full, slow grid interrupts a run: at none, one, the middle, an epoch's end and the last of its steps."""
    last = LAST[name]
    return [[0], [1], [17], [PER_EPOCH], [last], [0, 17], [1, PER_EPOCH], [17, last], [1, PER_EPOCH, last]]


GRID = [
    *CASES,
    *[
        pytest.param(name, stops, marks=pytest.mark.slow)
        for name in MODELS
        for stops in grid(name)
        if (name, stops) not in CASES
    ],
]


@pytest.mark.parametrize(
    ("name", "stops"), GRID, ids=lambda value: "-".join(map(str, value)) if isinstance(value, list) else value
)
def test_resumed_run_equals_uninterrupted_run(
    name: str, stops: list[int], uninterrupted: Callable[[str], Any], tmp_path: Path
) -> None:
    """R5: losses, weights, averages, optimizer and samples are equal to the last bit after one, two or three interruptions."""
    folder = tmp_path / "run"
    first, *later = stops
    expected = -signal.SIGKILL if first == 0 else 128 + signal.SIGTERM
    assert in_child(lambda: train(experiment(name), folder=folder, reporter=StopAt(first))) == expected
    for stop in later:
        assert in_child(lambda stop=stop: resume(folder, reporter=StopAt(stop))) == 128 + signal.SIGTERM
    assert in_child(lambda: resume(folder)) == 0
    figures, tensors, samples = outcome(folder)
    whole_figures, whole_tensors, whole_samples = uninterrupted(name)
    assert figures == whole_figures
    assert tensors == whole_tensors
    assert samples == whole_samples


@pytest.mark.parametrize("stop", [3, 13, 30])
def test_killed_run_equals_uninterrupted_run(stop: int, uninterrupted: Callable[[str], Any], tmp_path: Path) -> None:
    """R1, R5: after kill -9 the run goes on from its last checkpoint, to the same end."""
    folder = tmp_path / "run"
    assert in_child(lambda: train(experiment("vae"), folder=folder, reporter=StopAt(stop, signal.SIGKILL))) == -signal.SIGKILL
    assert in_child(lambda: resume(folder)) == 0
    assert outcome(folder) == uninterrupted("vae")


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signal_saves_at_the_step_boundary(signum: int, code: int, tmp_path: Path) -> None:
    """R8: SIGTERM and SIGINT save the step that was under way and end with 143 and 130."""
    folder = tmp_path / "run"
    assert in_child(lambda: train(experiment("vae"), folder=folder, reporter=StopAt(9, signum))) == code
    found = storage.latest(folder / "checkpoints")
    assert found is not None
    assert found.step == 9


def test_second_interrupt_quits_at_once(tmp_path: Path) -> None:
    """R8: whoever presses Ctrl-C twice does not wait for the step to end."""

    class Twice(StopAt):
        def advance(self, step: int) -> None:
            if step == self.step:
                os.kill(os.getpid(), signal.SIGINT)
                os.kill(os.getpid(), signal.SIGINT)

    folder = tmp_path / "run"
    code: list[str] = []

    def attempt() -> None:
        try:
            train(experiment("vae"), folder=folder, reporter=Twice(9))
        except KeyboardInterrupt as interrupt:
            code.append(type(interrupt).__name__)
            os._exit(7 if code == ["KeyboardInterrupt"] else 8)

    assert in_child(attempt) == 7
    assert storage.latest(folder / "checkpoints").step == 7  # type: ignore[union-attr] # the last one that was due


def test_damaged_newest_checkpoint_is_passed_over_and_said(uninterrupted: Callable[[str], Any], tmp_path: Path) -> None:
    """R9: a flipped bit in the newest checkpoint is found; training goes on from the one before, and both are said."""
    folder = tmp_path / "run"
    assert in_child(lambda: train(experiment("vae"), folder=folder, reporter=StopAt(18))) == 143
    newest = folder / "checkpoints" / "step-00000018" / "tensors.safetensors"
    content = bytearray(newest.read_bytes())
    content[-3] ^= 4
    newest.write_bytes(content)
    heard: list[str] = []

    class Listener(Silent):
        def message(self, text: str) -> None:
            heard.append(text)

    with torch.random.fork_rng():
        resume(folder, reporter=Listener())
    assert len(heard) == 1
    assert "step-00000018 is damaged" in heard[0]
    assert "continuing from step-00000014" in heard[0]
    assert outcome(folder) == uninterrupted("vae")
