"""Compiling the step: decided by measurement, said in one line, on a clock of the test's own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._dynamo.exc import TorchDynamoException

from genframe import Dataset, ModelSpec, Real, Split, Unsupported, compose
from genframe.cli import main
from genframe.roles import no_compiler
from genframe.training.compiling import AutoCompile
from genframe.training.reporter import Silent
from genframe.training.settings import TrainSpec
from genframe.training.trainer import Trainer

CPU = torch.device("cpu")


class Clock:
    """A clock that stands still until it is moved, on a machine with a compiler that is not asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)
        monkeypatch.setattr("genframe.training.compiling.no_compiler", lambda device: "")


def decide(
    clock: Clock, remaining: int, eager: float, compiled: float, first: float
) -> tuple[list[str], list[str], bool | None]:
    """Make steps of known duration until the decision falls; return the verdicts that were not "keep", and what was said."""
    said: list[str] = []
    auto = AutoCompile(CPU, remaining, said.append)
    verdicts: list[str] = []
    duration = eager
    for _ in range(60):
        auto.before_step()
        clock.now += duration
        verdict = auto.after_step()
        duration = first if verdict == "compile" else compiled if verdicts or duration == first else duration
        verdicts += [verdict] if verdict != "keep" else []
        if auto.decision is not None:
            break
    return verdicts, said, auto.decision


def test_few_steps_are_not_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty steps of 0.1 s measured, 470 left take 47 s, of which compiling may save 23.5 s: less than it costs."""
    verdicts, said, decision = decide(Clock(monkeypatch), 500, 0.1, 0.0, 0.0)
    assert (verdicts, decision) == ([], False)
    assert said == ["compile: not worth it; the 470 steps left take about 47 s"]


def test_a_faster_compiled_step_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough steps are left, and the compiled step takes 0.06 s for 0.1 s: it stays, its cost is said."""
    verdicts, said, decision = decide(Clock(monkeypatch), 10_000, 0.1, 0.06, 40.0)
    assert (verdicts, decision) == (["compile"], True)
    assert said == ["compile: kept; a step takes 0.60 of its eager time, compiling took 40 s"]


def test_a_slower_compiled_step_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiled step takes longer: training goes back to the eager one."""
    verdicts, said, decision = decide(Clock(monkeypatch), 10_000, 0.1, 0.13, 30.0)
    assert (verdicts, decision) == (["compile", "uncompile"], False)
    assert said == ["compile: dropped; a step takes 1.30 of its eager time, compiling took 30 s"]


@pytest.mark.parametrize(("remaining", "worth"), [(629, False), (631, True)])
def test_the_decision_turns_where_half_the_time_left_is_thirty_seconds(
    monkeypatch: pytest.MonkeyPatch, remaining: int, worth: bool
) -> None:
    """600 steps of 0.1 s left after the 30 measured ones are the turning point."""
    verdicts, _, decision = decide(Clock(monkeypatch), remaining, 0.1, 0.05, 30.0)
    assert verdicts == (["compile"] if worth else [])
    assert decision is worth


def test_one_slow_step_does_not_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    """The median is judged, not the mean: a step that waited a minute for the disk changes nothing."""
    clock = Clock(monkeypatch)
    said: list[str] = []
    auto = AutoCompile(CPU, 500, said.append)
    for step in range(30):
        auto.before_step()
        clock.now += 60 if step == 20 else 0.1
        auto.after_step()
    assert auto.decision is False


class Nothing:
    """Observes nothing."""

    def log(self, row: Any) -> None:
        """Keep nothing."""

    def checkpoint(self, trainer: Trainer) -> None:
        """Save nothing."""

    def picture(self, trainer: Trainer) -> None:
        """Draw nothing."""


class Heard(Silent):
    """Keeps the messages."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        """Keep the line."""
        self.messages.append(text)


def trainer(reporter: Silent, **fields: Any) -> Trainer:
    """Return a trainer of a tiny autoencoder."""
    network = {"type": "nets/mlp", "hidden": [4]}
    spec = ModelSpec.model_validate({"encoder": {**network, "dim": 2}, "decoder": network, "loss": "vae/reconstruction"})
    split = Split("train", torch.randn(32, 3, generator=torch.Generator().manual_seed(0)))
    space = Real((3,))
    settings = TrainSpec.model_validate({"steps": 40, "batch_size": 8, "device": "cpu", **fields})
    return Trainer(
        compose(spec, space), Dataset(space, {"train": split}), settings=settings, observer=Nothing(), reporter=reporter
    )


def weights(made: Trainer) -> list[Tensor]:
    """Return a copy of the weights."""
    return [parameter.detach().clone() for parameter in made.model.parameters()]


def test_auto_measures_in_training_and_keeps_the_decision_in_the_state() -> None:
    """A short training decides against compiling after 30 steps; whoever resumes does not measure again."""
    heard = Heard()
    made = trainer(heard, compile="auto")
    made.advance(29)
    assert (heard.messages, made.state()["compile"]) == ([], None)
    made.advance(1)
    assert len(heard.messages) == 1
    assert heard.messages[0].startswith("compile: not worth it; the 10 steps left")
    state = made.state()
    assert state["compile"] is False
    again = Heard()
    resumed = trainer(again, compile="auto")
    resumed.restore({name: tensor.clone() for name, tensor in made.tensors().items()}, state)
    made.advance(10)
    resumed.advance(10)
    assert again.messages == []
    assert all(torch.equal(one, other) for one, other in zip(weights(made), weights(resumed), strict=True))


@pytest.fixture
def without_compiler(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine on which torch finds no compiler."""
    no_compiler.cache_clear()

    def failing(_: Any) -> Any:
        raise TorchDynamoException("InvalidCxxCompiler: No working C++ compiler found\n\nSet TORCHDYNAMO_VERBOSE=1")

    monkeypatch.setattr(torch, "compile", failing)
    yield
    no_compiler.cache_clear()


NO_COMPILER = "nothing can be compiled on this machine: InvalidCxxCompiler: No working C++ compiler found"


@pytest.mark.usefixtures("without_compiler")
def test_a_machine_without_a_compiler(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is to be compiled is refused before anything is made; auto says so and goes on."""
    words = ["vae-digits", "train.steps=2", "evaluate.metrics=[]", "--run", str(tmp_path / "run")]
    assert main(["train", *words, "train.compile=on"]) == 2
    assert f"train.compile: {NO_COMPILER}; install a compiler, such as g++, or say auto or off" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    monkeypatch.setattr("genframe.training.compiling.LEAST_COST", 0.0)
    heard = Heard()
    made = trainer(heard, compile="auto")
    made.advance(40)
    assert heard.messages == [f"compile: {NO_COMPILER}"]
    assert made.state()["compile"] is False
    with pytest.raises(Unsupported, match="or sample without compiling"):
        made.model.sample(2, compile=True)


@pytest.mark.usefixtures("without_compiler")
def test_a_compiled_run_goes_on_without_a_compiler() -> None:
    """One that auto compiled on another machine; it says that it goes on as it is."""
    made, heard = trainer(Silent(), compile="auto"), Heard()
    made.advance(10)
    tensors = {name: tensor.clone() for name, tensor in made.tensors().items()}
    resumed = trainer(heard, compile="auto")
    resumed.restore(tensors, {**made.state(), "compile": True})
    resumed.advance(30)
    assert heard.messages == [f"compile: {NO_COMPILER}"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # raised in torch itself when it compiles
def test_compiled_training_learns_what_eager_training_does() -> None:
    """``compile: on`` really compiles the loss, and the weights after ten steps are the eager ones to rounding."""
    eager, compiled = trainer(Silent(), compile="off"), trainer(Silent(), compile="on")
    torch._dynamo.utils.counters.clear()
    for made in (eager, compiled):
        torch.manual_seed(0)
        made.advance(10)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] >= 1
    for one, other in zip(weights(eager), weights(compiled), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
