"""Signals outside training: one line, whatever the command is doing, and the exit code that the shell expects.

Within training the loop listens itself, and ends at a step boundary with a checkpoint: :mod:`genframe.training.signals`.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

__all__ = ["Stopped", "ignore", "listen", "stopped", "stopping"]

SECONDS: Final = 5.0
_stopped: list[int] = []


class Stopped(KeyboardInterrupt):
    """A signal asked the command to end."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name}")
        self.exit_code = 128 + signum


def stopped() -> Stopped | None:
    """Return what asked the command to end, if anything did: code that was interrupted may have raised another error since."""
    return Stopped(_stopped[0]) if _stopped else None


def listen() -> None:
    """Raise :class:`Stopped` at SIGINT and SIGTERM from now on; a second signal ends the process at once.

    Should the error be swallowed, as it can be while a library is imported, the process ends a few seconds later all the same.
    """
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, _stop)


def ignore() -> None:
    """Let signals pass from now on: the command is done, and the process ends by itself."""
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, signal.SIG_IGN)


@contextmanager
def stopping() -> Iterator[None]:
    """End the process by one line where a signal comes before or after the command itself, while modules are imported say."""
    try:
        yield
    except BaseException:
        if not _stopped:
            raise
        _leave(_stopped[0])


def _stop(signum: int, frame: FrameType | None) -> None:
    if _stopped:
        os._exit(128 + signum)
    _stopped.append(signum)
    late = threading.Timer(SECONDS, _leave, (signum,))
    late.daemon = True
    late.start()
    raise Stopped(signum)


def _leave(signum: int) -> None:
    os.write(2, f"genframe: stopped by {signal.Signals(signum).name}\n".encode())
    os._exit(128 + signum)
