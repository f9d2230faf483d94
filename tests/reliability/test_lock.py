"""One trainer per run: the second refuses, a dead one's lock is taken over (R14)."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from genframe.experiment.run.lock import RunLock
from genframe.types import RunError

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def holder(folder: Path, then: Callable[[int], None]) -> int:
    """Fork a process that takes the lock, reports with one byte and does ``then``; return its pid once it holds it."""
    inward, outward = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(inward)
        with RunLock(folder):
            then(outward)
        os._exit(0)
    os.close(outward)
    assert os.read(inward, 1) == b"+"
    os.close(inward)
    return child


def wait(outward: int) -> None:
    """Report, and hold the lock until killed."""
    os.write(outward, b"+")
    signal.pause()


def kill(pid: int) -> None:
    """Kill a child and reap it."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_a_second_process_is_refused_with_pid_and_host(tmp_path: Path) -> None:
    """While another process holds the run, one line names its pid and host."""
    other = holder(tmp_path, wait)
    try:
        with pytest.raises(RunError) as caught, RunLock(tmp_path):
            pass
    finally:
        kill(other)
    assert f"pid {other} on {socket.gethostname()}" in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    """After SIGKILL of its holder the lock is free at once, and the file tells the new one's pid."""
    kill(holder(tmp_path, wait))
    with RunLock(tmp_path):
        assert (tmp_path / ".lock").read_text() == f"{os.getpid()} {socket.gethostname()}"


def test_a_child_that_outlives_a_killed_holder_does_not_keep_the_lock(tmp_path: Path) -> None:
    """A forked data worker inherits no lock: its trainer's death frees the run although the worker lives on."""
    inward, outward = os.pipe()

    def fork_and_wait(reply: int) -> None:
        if os.fork():
            wait(reply)
        os.write(outward, os.getpid().to_bytes(4, "little"))
        signal.pause()

    trainer = holder(tmp_path, fork_and_wait)
    worker = int.from_bytes(os.read(inward, 4), "little")
    kill(trainer)
    try:
        os.kill(worker, 0)
        with RunLock(tmp_path):
            pass
    finally:
        os.kill(worker, signal.SIGKILL)
        os.close(inward)
        os.close(outward)


def test_a_child_that_leaves_the_block_does_not_free_its_parents_lock(tmp_path: Path) -> None:
    """A fork inside the block that ends it, as an exception would, leaves the lock with the parent."""
    lock = RunLock(tmp_path)
    with lock:
        child = os.fork()
        if child == 0:
            lock.__exit__(None, None, None)
            os._exit(0)
        os.waitpid(child, 0)
        with pytest.raises(RunError), RunLock(tmp_path):
            pass


def test_the_same_process_is_refused_twice(tmp_path: Path) -> None:
    """Two locks of one process, or one lock entered twice, exclude each other too; the first stays held."""
    with RunLock(tmp_path) as lock:
        for other in (RunLock(tmp_path), lock):
            with pytest.raises(RunError, match=f"pid {os.getpid()}"):
                other.__enter__()


def test_a_lock_is_free_after_its_block_and_after_an_error(tmp_path: Path) -> None:
    """Leaving the block in either way frees the run, and leaves no descriptor open."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    lock = RunLock(tmp_path)
    with pytest.raises(KeyError), lock:
        raise KeyError
    for _ in range(3):
        with lock:
            pass
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("text", [b"", b"\xff\xfe", b"1 \x1b[31m", b"12 host\nok", b"9" * 1000])
def test_strange_text_in_the_file_is_not_repeated(tmp_path: Path, text: bytes) -> None:
    """What stands in the file is shown only where it is a pid and a host."""
    with RunLock(tmp_path):
        (tmp_path / ".lock").write_bytes(text)
        with pytest.raises(RunError, match="by another process"), RunLock(tmp_path):
            pass


def test_a_folder_that_cannot_be_locked_is_a_run_error(tmp_path: Path) -> None:
    """An absent run, and a link in the place of the lock, are refused; the link's target is not written."""
    with pytest.raises(RunError, match="cannot be locked: No such file"), RunLock(tmp_path / "absent"):
        pass
    (tmp_path / "precious").write_text("data")
    (tmp_path / ".lock").symlink_to(tmp_path / "precious")
    with pytest.raises(RunError, match="cannot be locked"), RunLock(tmp_path):
        pass
    assert (tmp_path / "precious").read_text() == "data"
