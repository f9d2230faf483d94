"""Every instant of a save is a crash, a power cut or a failing disk, once (R2, R3, and R1 in small)."""

from __future__ import annotations

import errno
import itertools
import os
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from genframe.experiment.run.checkpoint import commit, latest, needed_bytes, read, sweep
from genframe.types import CheckpointError, StorageError

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

DONE, CRASHED, REFUSED, BROKEN = 0, 77, 5, 1
EVENTS = {"open", "os.listdir", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.scandir", "shutil.rmtree", "fsync"}
ERRORS = [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO]
Save = Callable[[Path], object]


class Volume:
    """The file events of this process, counted; what was not synced is lost when the power is cut."""

    def __init__(self, at: int, act: Callable[[Volume], None]) -> None:
        self.at = self.left = at
        self.act = act
        self.unsynced: set[str] = set()
        self.undo: list[tuple[str, str, Callable[[str], object]]] = []
        sys.addaudithook(self.hook)
        os.fsync = self.fsync

    def hook(self, event: str, args: tuple) -> None:
        if event not in EVENTS or self.left <= 0:
            return
        self.left -= 1
        if self.left == 0:
            self.act(self)
        if event == "open" and isinstance(args[0], str) and args[2] & (os.O_WRONLY | os.O_RDWR):
            self.unsynced.add(args[0])
            self.created(args[0], os.unlink)
        if event == "os.mkdir":
            self.created(os.fspath(args[0]), shutil.rmtree)
        if event == "os.rename":
            self.renamed(os.fspath(args[0]), os.fspath(args[1]))

    def created(self, path: str, remove: Callable[[str], object]) -> None:
        if not Path(path).exists():
            self.undo.append((str(Path(path).parent), path, remove))

    def renamed(self, source: str, target: str) -> None:
        def moved(path: str) -> str:
            return target + path.removeprefix(source) if path.startswith(source + "/") else path

        self.unsynced = {moved(path) for path in self.unsynced}
        self.undo = [(parent, moved(path), action) for parent, path, action in self.undo]
        self.undo.append((str(Path(target).parent), target, lambda path: Path(path).rename(source)))

    def fsync(self, descriptor: int) -> None:
        sys.audit("fsync", descriptor)
        path = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        self.unsynced.discard(path)
        self.undo = [step for step in self.undo if step[0] != path]

    def cut_power(self) -> None:
        """Empty the files that were not synced; undo what was done in folders that were not synced, last first."""
        self.left = 0
        for path in filter(os.path.lexists, self.unsynced):
            os.truncate(path, 0)
        for _, path, action in reversed(self.undo):
            try:
                action(path)
            except FileNotFoundError:
                continue


def crash(volume: Volume) -> None:
    """End at once, as SIGKILL does."""
    os._exit(CRASHED)


def power_cut(volume: Volume) -> None:
    """End at once, and lose what was not synced."""
    volume.cut_power()
    os._exit(CRASHED)


def fail(volume: Volume) -> None:
    """Let this one event fail, each with another error."""
    number = ERRORS[volume.at % len(ERRORS)]
    raise OSError(number, os.strerror(number))


def in_child(body: Callable[[], object]) -> int:
    """Run ``body`` in a fork of this process and return its exit status."""
    child = os.fork()
    if child == 0:
        status = BROKEN
        try:
            body()
            status = DONE
        except StorageError as error:
            status = REFUSED if "\n" not in str(error) else BROKEN
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def tensors(value: int) -> dict[str, torch.Tensor]:
    """Return tensors that tell their value."""
    return {"model/weight": torch.full((4, 4), float(value)), "rng/torch": torch.arange(value)}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Return a folder with the acknowledged steps 1 and 2."""
    torch.set_num_threads(1)
    for step in (1, 2):
        commit(tmp_path / "base", step, tensors(step), {"value": step})
    return tmp_path / "base"


def explore(base: Path, save: Save, at: Callable[[Volume], None]) -> list[tuple[int, Path]]:
    """Let event N of a save be the one ``at`` which it happens, N = 1, 2, ... until a save is done; return each outcome."""
    outcomes = []
    for n in itertools.count(1):
        folder = base.parent / f"{at.__name__}-{n}"
        shutil.copytree(base, folder)

        def body(n: int = n, folder: Path = folder) -> None:
            volume = Volume(n, at)
            save(folder)
            if volume.left > 0 and at is power_cut:
                volume.cut_power()
            if volume.left <= 0 and at is not power_cut:
                os._exit(CRASHED)

        outcomes.append((in_child(body), folder))
        if outcomes[-1][0] == DONE:
            return outcomes
    raise AssertionError


def values(folder: Path) -> int:
    """Return the value that the latest checkpoint holds, or 0 where none can be used."""
    try:
        found = latest(folder)
    except CheckpointError:
        return 0
    if found is None:
        return 0
    whole = read(found.path)
    value = whole.state["value"]
    assert isinstance(value, int)
    assert all(torch.equal(whole.tensors[name], tensor) for name, tensor in tensors(value).items())
    return value


def violations(outcomes: list[tuple[int, Path]], old: int, new: int) -> list[str]:
    """Return the outcomes after which an acknowledged checkpoint is lost."""
    allowed = {DONE: {new}, CRASHED: {old, new}, REFUSED: {old, new}}
    return [f"{folder.name}: {status}" for status, folder in outcomes if values(folder) not in allowed.get(status, set())]


def save_step_3(folder: Path) -> None:
    """Save a new step, so that step 1 is pruned."""
    commit(folder, 3, tensors(3), {"value": 3})


def save_step_2_again(folder: Path) -> None:
    """Save the newest step again, with other content."""
    commit(folder, 2, tensors(5), {"value": 5})


SAVES = pytest.mark.parametrize(("save", "new"), [(save_step_3, 3), (save_step_2_again, 5)], ids=["new step", "same step"])


@SAVES
@pytest.mark.parametrize("at", [crash, power_cut])
def test_no_crash_point_loses_an_acknowledged_checkpoint(base: Path, save: Save, new: int, at: Callable) -> None:
    """After a kill or a power cut at any file event of save and prune, the latest is the old or the new one (R2)."""
    outcomes = explore(base, save, at)
    assert len(outcomes) > 20
    assert violations(outcomes, old=2, new=new) == []


def test_the_first_checkpoint_survives_a_power_cut(tmp_path: Path) -> None:
    """The first commit of a run makes its folder, which is as durable as the checkpoint once that is acknowledged."""
    (tmp_path / "run").mkdir()
    outcomes = explore(tmp_path / "run", lambda folder: commit(folder / "checkpoints", 1, tensors(1), {"value": 1}), power_cut)
    inside = [(status, folder / "checkpoints") for status, folder in outcomes]
    assert len(inside) > 10
    assert violations(inside, old=0, new=1) == []


@SAVES
def test_after_any_crash_the_run_is_swept_and_goes_on(base: Path, save: Save, new: int) -> None:
    """A kill leaves no half checkpoint; sweeping keeps the latest, and the next save leaves exactly two and no litter."""
    for _, folder in explore(base, save, crash):
        before = values(folder)
        assert all(read(path).path == path for path in folder.glob("step-*"))
        sweep(folder)
        assert values(folder) == before
        commit(folder, 4, tensors(4), {"value": 4})
        kept = sorted(path.name for path in folder.iterdir())
        assert kept[-1] == "step-00000004"
        assert len(kept) == 2


def test_no_crash_point_of_a_sweep_loses_a_checkpoint(base: Path) -> None:
    """A kill while sweeping leaves the latest checkpoint as it was, also where it had been set aside."""
    (base / ".del-step-00000000-ab").mkdir()
    (base / ".tmp-step-00000003-cd").mkdir()
    (base / "step-00000002").rename(base / "step-00000002.old")
    outcomes = explore(base, sweep, crash)
    assert len(outcomes) > 5
    assert violations(outcomes, old=2, new=2) == []


@SAVES
def test_any_failing_file_operation_is_a_storage_error(base: Path, save: Save, new: int) -> None:
    """A full, failing or read-only disk at any event: one line, no temporary folder left, nothing lost (R3)."""
    outcomes = explore(base, save, fail)
    assert violations(outcomes, old=2, new=new) == []
    assert sum(status == REFUSED for status, _ in outcomes) > 15
    assert not [path for _, folder in outcomes for path in folder.glob(".tmp-*")]


def prune_first_in_place(folder: Path, source: Path) -> None:
    """Save as many do: make room, then write the files where they will stay."""
    shutil.rmtree(folder / "step-00000001")
    shutil.rmtree(folder / "step-00000002")
    (folder / "step-00000003").mkdir()
    for file in source.iterdir():
        (folder / "step-00000003" / file.name).write_bytes(file.read_bytes())


def test_the_harness_catches_pruning_first(base: Path, tmp_path: Path) -> None:
    """Negative control: a save that prunes first and writes in place loses the run at many crash points."""
    source = commit(tmp_path / "source", 3, tensors(3), {"value": 3}).path
    outcomes = explore(base, lambda folder: prune_first_in_place(folder, source), crash)
    assert len(violations(outcomes, old=2, new=3)) >= 10


@pytest.mark.parametrize("skipped", range(1, 6))
def test_the_harness_catches_each_missing_sync(base: Path, skipped: int) -> None:
    """Negative control: with any one fsync left out, of three files and two folders, a power cut loses what was saved."""

    def save(folder: Path) -> None:
        sync, count = os.fsync, itertools.count(1)
        os.fsync = lambda descriptor: None if next(count) == skipped else sync(descriptor)
        save_step_3(folder)

    assert violations(explore(base, save, power_cut), old=2, new=3) != []


def test_a_file_size_limit_is_a_storage_error(base: Path) -> None:
    """Under RLIMIT_FSIZE a save says the bytes it needs in one line and the old checkpoint stays (R3)."""
    large = {"model/weight": torch.zeros(1 << 18)}

    def body() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))
        with pytest.raises(StorageError, match=rf"needs {needed_bytes(large)} bytes: File too large") as caught:
            commit(base, 3, large, {})
        assert "\n" not in str(caught.value)

    assert in_child(body) == DONE
    assert values(base) == 2
    assert sorted(path.name for path in base.iterdir()) == ["step-00000001", "step-00000002"]


def test_a_tensor_that_memory_cannot_hold_is_a_checkpoint_error(tmp_path: Path) -> None:
    """Where the process may not take as much memory as a file's tensor needs, that is said and nothing else happens."""
    path = commit(tmp_path, 1, {"large": torch.zeros(1 << 26, dtype=torch.uint8)}, {}).path

    def body() -> None:
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + (1 << 25), taken + (1 << 25)))
        with pytest.raises(CheckpointError, match=r"tensors\.safetensors cannot be read.*Cannot allocate memory"):
            read(path)

    assert in_child(body) == DONE


@pytest.mark.parametrize("seed", range(8))
def test_a_kill_at_any_time_loses_no_acknowledged_checkpoint(base: Path, seed: int) -> None:
    """SIGKILL while a process saves step after step: the latest is the last acknowledged one or newer (R1)."""
    inward, outward = os.pipe()
    child = os.fork()
    if child == 0:
        for step in itertools.count(3):
            commit(base, step, tensors(step), {"value": step})
            os.write(outward, step.to_bytes(8, "little"))
    os.close(outward)
    os.read(inward, 8)
    time.sleep(0.003 * seed)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    rest = os.read(inward, 1 << 16)
    os.close(inward)
    acknowledged = int.from_bytes(rest[-8:], "little") if rest else 3
    assert values(base) >= acknowledged
    sweep(base)
    assert values(base) >= acknowledged
