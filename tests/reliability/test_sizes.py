"""S7: nothing allocates beyond what the machine has, whatever the numbers of an experiment."""

from __future__ import annotations

import copy
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from genframe import GenframeError, SpecError, Unsupported, installed, train
from genframe.experiment.document.loading import check_placed, experiment_from, read_experiment
from genframe.experiment.run import resources
from genframe.training.machine import available_memory, is_out_of_memory
from genframe.types.text import readable

CPU_SECONDS = 2.0
HUGE = (10**9, 2**62)


def leaves(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield every value of plain data with its path."""
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, entry in entries:
        yield (*path, key), entry
        yield from leaves(entry, (*path, key))


def at(node: Any, path: tuple[Any, ...]) -> Any:
    """Return what is at a path."""
    for key in path:
        node = node[key]
    return node


def put(node: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return a copy with another value at the path."""
    changed = copy.deepcopy(node)
    at(changed, path[:-1])[path[-1]] = value
    return changed


def owner_of(whole: Any, path: tuple[Any, ...]) -> str:
    """Return the type of the component whose field is at the path."""
    owners = [at(whole, path[:length]) for length in range(len(path))]
    return next((owner["type"] for owner in reversed(owners) if isinstance(owner, dict) and "type" in owner), "experiment")


def distinct_fields(wanted: Callable[[Any], bool]) -> list[tuple[str, tuple[Any, ...], Any]]:
    """Return each field of each component in the recipes once: the recipe, the path, and the whole experiment."""
    found: dict[tuple[str, Any], tuple[str, tuple[Any, ...], Any]] = {}
    for name in sorted(installed().recipes):
        try:
            whole = read_experiment(name).spec.model_dump(mode="json")
        except GenframeError:  # its files are not here
            continue
        for path, value in leaves(whole):
            if wanted(value):
                found.setdefault(
                    (owner_of(whole, path), tuple(key for key in path if isinstance(key, str))[-1]), (name, path, whole)
                )
    return list(found.values())


@pytest.fixture
def hang_guard() -> Iterator[None]:
    """End what takes too long."""

    def ring(signum: int, frame: FrameType | None) -> None:
        raise AssertionError(f"it takes more than {CPU_SECONDS} s of the CPU")

    former = signal.signal(signal.SIGPROF, ring)
    yield
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.signal(signal.SIGPROF, former)


def refused_or_accepted(document: Any) -> str:
    """Check an experiment under the guard; only genframe's errors may come out."""
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    try:
        check_placed(experiment_from(document))
    except SpecError as error:
        return f"refused: {max((str(problem) for problem in error.problems), key=lambda text: text.count(chr(10)))}"
    except GenframeError as error:
        return f"refused: {error}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return "accepted"


@pytest.mark.usefixtures("hang_guard")
def test_every_whole_number_may_be_huge() -> None:
    """The check ends, in a moment, for each field of whole numbers in the recipes."""
    fields = distinct_fields(lambda value: type(value) is int)
    assert len(fields) > 100
    outcomes = [refused_or_accepted(put(whole, path, value)) for _, path, whole in fields for value in HUGE]
    assert sum(outcome.startswith("refused: ") for outcome in outcomes) >= len(fields)  # all of the second value, at the least


STRANGE = (
    None,
    True,
    -1,
    0,
    3,
    1.5,
    1e300,
    "",
    "x",
    "../x",
    "vae/nothing",
    [],
    [[]],
    {},
    {"type": "core/normal"},
    {"a": 1},
    [1, "a"],
)


@pytest.mark.usefixtures("hang_guard")
@pytest.mark.parametrize("value", STRANGE, ids=repr)
def test_every_field_may_hold_anything(value: Any) -> None:
    """Any field set to any JSON value is accepted, or refused by one line with a path: never another error, never a hang."""
    for _, path, whole in distinct_fields(lambda value: True):
        if json.dumps(at(whole, path)) != json.dumps(value):
            outcome = refused_or_accepted(put(whole, path, value))
            assert outcome == "accepted" or (len(outcome) > 20 and "\n" not in outcome)


def test_check_stays_small() -> None:
    """The check of the largest numbers takes less than 300 MiB."""
    program = (
        "from genframe.cli import main\n"
        "main(['check', 'glow-digits', 'model.encoder.flows.1.scales=1000000000'])\n"
        "main(['check', 'gan-grid25', 'model.loss.n_critic=1000000000'])\n"
        "print(next(int(line.split()[1]) // 1024 for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    outcome = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(outcome.stdout.split()[-1]) < 300


TOO_LARGE = {
    "a layer": ("model.encoder.network.hidden=[1000000000]", "model.encoder.network.hidden.0 is 1000000000"),
    "a latent": ("model.encoder.dim=1000000000", "model.encoder.dim is 1000000000"),
    "a batch": ("train.batch_size=1000000000", "train.batch_size is 1000000000"),
}


@pytest.mark.parametrize(("assignment", "field"), TOO_LARGE.values(), ids=TOO_LARGE)
def test_training_that_cannot_fit_is_refused_before_it_is_built(
    assignment: str, field: str, tmp_path: Path, genframe: Callable[..., Any]
) -> None:
    """With what is needed, what is there, and the field that costs most; no run is left behind."""
    line = genframe("train", "vae-digits", assignment, "--run", tmp_path / "run", code=9)
    assert re.search(r"needs about [0-9.e+]+ [TG]iB of memory \(.*\), and [0-9.]+ [MGT]iB are there; ", line)
    assert field in line
    assert not (tmp_path / "run").exists()


def test_too_little_disk_is_refused_before_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints have to fit, those that are kept and the one that is written."""
    asked: list[int] = []
    monkeypatch.setattr(resources.storage, "free_space", lambda folder, needed: asked.append(needed))
    spec = read_experiment("vae-digits", ["train.steps=1", "train.keep=4"])
    model = train(spec, folder=tmp_path / "run").model
    weights = sum(4 * parameter.numel() for parameter in model.parameters())
    assert asked[0] == (4 + 1) * 4 * weights  # weights, their average and two moments of Adam


def test_an_allocation_that_fails_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the estimate was too low, the failing allocation is refused with the same advice."""
    monkeypatch.setattr(resources, "available_memory", lambda device: None)
    spec = read_experiment("vae-digits", ["model.encoder.network.hidden=[1000000000]"])
    with pytest.raises(Unsupported, match=r"not enough memory; most of it is because model.encoder.network.hidden.0 is"):
        train(spec)


def test_a_dataset_that_does_not_fit_is_one_line(tmp_path: Path, genframe: Callable[..., Any]) -> None:
    """So is a dataset of terabytes."""
    line = genframe("train", "diffusion-moons", "data.n=1000000000000", "--run", tmp_path / "run", code=9)
    assert "the dataset does not fit into memory" in line


def test_what_the_machine_has() -> None:
    """Memory is told in bytes, within the bounds of any machine; errors of allocations are told from others."""
    import torch

    there = available_memory(torch.device("cpu"))
    assert there is None or 2**26 < there < 2**50
    assert [readable(count) for count in (5, 2048, 3 * 2**29, 2**50)] == ["5 bytes", "2 KiB", "1.5 GiB", "1.02e+03 TiB"]
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50)
    assert is_out_of_memory(caught.value)
