"""SIGTERM and SIGINT: a flag that the loop reads at step boundaries; the handler does nothing else."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Interrupted", "StopRequest", "stop_request"]


class Interrupted(KeyboardInterrupt):
    """Training stopped at a step boundary because a signal asked for it, with a checkpoint written where there is a run."""

    def __init__(self, signum: int, step: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name} after step {step}")
        self.signum = signum
        self.exit_code = 128 + signum


class StopRequest:
    """Which signal asked for a stop, if any."""

    def __init__(self) -> None:
        self.signum: int | None = None

    def note(self, signum: int, frame: FrameType | None) -> None:
        """Remember the first signal; a second SIGINT quits at once."""
        if self.signum is not None and signum == signal.SIGINT:
            raise KeyboardInterrupt
        self.signum = signum


@contextmanager
def stop_request() -> Iterator[StopRequest]:
    """Listen for SIGTERM and SIGINT as long as the context lasts; in other threads than the main one, for nothing."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    former = {signum: signal.signal(signum, request.note) for signum in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield request
    finally:
        for signum, handler in former.items():
            signal.signal(signum, handler)
