"""One trainer per run: a lock that dies with its holder."""

from __future__ import annotations

import fcntl
import os
import re
import socket
from pathlib import Path
from types import TracebackType

from ..errors import RunError

__all__ = ["RunLock"]

_held: set[int] = set()


def _forget() -> None:
    # flock lives as long as any copy of the descriptor: a forked data worker must not outlive its trainer with it.
    while _held:
        os.close(_held.pop())


os.register_at_fork(after_in_child=_forget)


class RunLock:
    """Hold a run folder for this process: ``with RunLock(folder): ...``.

    The system drops the lock when its process ends in whatever way, so none has to be cleared by hand; the file
    ``.lock`` stays, and only tells others who holds it. A forked child does not hold its parent's lock.

    :raises RunError: on entering, if anyone, this process included, holds the folder, or it cannot be locked.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor = -1

    def __enter__(self) -> RunLock:
        try:
            self._descriptor = self._acquire(self._folder / ".lock")
        except BlockingIOError:
            raise RunError(
                f"{self._folder} is being trained by {self._holder()}; wait for it, stop it or name another folder"
            ) from None
        except OSError as error:
            raise RunError(f"{self._folder} cannot be locked: {error.strerror}") from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._descriptor in _held:
            _held.remove(self._descriptor)
            os.close(self._descriptor)

    def _acquire(self, path: Path) -> int:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()} {socket.gethostname()}".encode(), 0)
        except OSError:
            os.close(descriptor)
            raise
        _held.add(descriptor)
        return descriptor

    def _holder(self) -> str:
        with (self._folder / ".lock").open("rb") as file:
            text = re.fullmatch(r"([0-9]+) ([\w.-]+)", file.read(300).decode(errors="replace"))
        return f"pid {text[1]} on {text[2]}" if text else "another process"
