"""One trainer per run: a lock that the system drops when its process ends."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from ...types.errors import RunError

__all__ = ["RunLock"]


class RunLock:
    """Hold a run folder for this process: ``with RunLock(folder): ...``.

    The system drops the lock however its process ends, so nobody has to clear it by hand. The file ``.lock`` stays;
    it only tells others who holds the run. A forked child does not hold its parent's lock.

    :raises RunError: on entering, if any process holds the folder, this one included, or it cannot be locked.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: FileLock | None = None

    def __enter__(self) -> RunLock:
        if not self._folder.is_dir():  # filelock would create it
            raise RunError(f"{self._folder} cannot be locked: No such file or directory")
        # A FileLock can be entered twice, so each entry has its own: the system lets only one of them have the file.
        lock = FileLock(
            self._folder / ".lock", blocking=False, thread_local=False, preserve_lock_file=True, on_acquired=_write_holder
        )
        try:
            lock.acquire()
        except Timeout:
            raise RunError(
                f"{self._folder} is being trained by {self._holder()}; wait for it, stop it or name another folder"
            ) from None
        except OSError as error:
            raise RunError(f"{self._folder} cannot be locked: {error.strerror}") from error
        self._held = lock
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._held is not None:
            self._held.release()

    def _holder(self) -> str:
        with (self._folder / ".lock").open("rb") as file:
            text = re.fullmatch(r"([0-9]+) ([\w.-]+)", file.read(300).decode(errors="replace"))
        return f"pid {text[1]} on {text[2]}" if text else "another process"


def _write_holder(descriptor: int) -> None:
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, f"{os.getpid()} {socket.gethostname()}".encode())
