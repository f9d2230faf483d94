"""Processes that decode pictures side by side. A decoder that crashes takes down its process, and the picture is damaged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeAlias

from genframe import StorageError

from .decoding import Block, Pictures, decode_block

__all__ = ["Job", "available_cores", "decode_all"]

Job: TypeAlias = tuple[int, list[str]]
"""The row of the first picture, and the files of a block."""

ALONE: Final = 256
"""So many pictures are decoded sooner than processes have started."""

CRASHED: Final = "its decoder crashed"


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def decode_all(jobs: Iterable[Job], how: Pictures, into: Path, done: Callable[[int, Block], None], workers: int) -> None:
    """Decode blocks of pictures into the rows of a file; ``done`` hears of each, by its first row, one at a time.

    :raises StorageError: if the file cannot be written.
    """
    waiting: SimpleQueue[Job] = SimpleQueue()
    blocks = list(jobs)
    if workers < 2 or sum(len(paths) for _, paths in blocks) <= ALONE or not _can_start(how, into):
        with into.open("r+b") as file:
            for start, paths in blocks:
                done(start, _decoded_here(paths, start, how, file, into))
        return
    for job in blocks:
        waiting.put(job)
    turn, failures = threading.Lock(), list[BaseException]()

    def work() -> None:
        try:
            _serve(waiting, how, into, tell, failures)
        except BaseException as error:  # raised again below
            failures.append(error)

    def tell(start: int, block: Block) -> None:
        with turn:
            done(start, block)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(workers, len(blocks)))]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(0.2)  # so that a signal is heard
    except BaseException as error:
        failures.append(error)  # the others stop after their block
        raise
    if failures:
        raise failures[0]


def _can_start(how: Pictures, into: Path) -> bool:
    """Return whether a process can be started here, which it cannot where Python is part of another program."""
    if not sys.executable:
        return False
    process = _Process(how, into)
    process.end()
    return process.ready


def _decoded_here(paths: list[str], start: int, how: Pictures, file: Any, into: Path) -> Block:
    try:
        return decode_block(paths, start, how, file)
    except OSError as error:
        raise StorageError(f"{into} cannot be written: {error.strerror or error}") from error


def _serve(
    waiting: SimpleQueue[Job], how: Pictures, into: Path, tell: Callable[[int, Block], None], failures: list[BaseException]
) -> None:
    """Give blocks to one process after another, for as long as there are any."""
    process = _Process(how, into)
    try:
        while not failures:
            try:
                start, paths = waiting.get_nowait()
            except Empty:
                return
            block = process.decode(start, paths)
            if block is not None:
                tell(start, block)
                continue
            process.end()
            process = _Process(how, into)
            if len(paths) > 1:  # find the one that crashes a decoder
                half = len(paths) // 2
                waiting.put((start, paths[:half]))
                waiting.put((start + half, paths[half:]))
            else:
                tell(start, Block(sums=[_sum_of_nothing(how)], damaged={start: CRASHED}))
    finally:
        process.end()


def _sum_of_nothing(how: Pictures) -> int:
    import zlib
    from math import prod

    return zlib.crc32(bytes(prod(how.shape)))


class _Process:
    """A process that decodes; it ends when its input does, so also when this one is killed."""

    def __init__(self, how: Pictures, into: Path) -> None:
        self.into = into
        group: dict[str, Any] = {} if sys.platform == "win32" else {"process_group": 0}  # Ctrl-C is for this process alone
        self.process = subprocess.Popen(
            [sys.executable, "-m", "genframe_data.decoding"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            **group,
        )
        try:
            self._send({"how": asdict(how), "into": str(into)})
            assert self.process.stdout is not None
            self.ready = bool(self.process.stdout.readline())
        except OSError:
            self.ready = False

    def decode(self, start: int, paths: list[str]) -> Block | None:
        """Return what is in a block, or ``None`` if the process has crashed.

        :raises StorageError: if the pixels cannot be written.
        """
        assert self.process.stdout is not None
        try:
            self._send((start, paths))
            answer = json.loads(self.process.stdout.readline())
        except (OSError, ValueError):
            return None
        if "error" in answer:
            raise StorageError(f"{self.into} cannot be written: {answer['error']}")
        return _block(answer["block"])

    def _send(self, message: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def end(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()


def _block(answer: Any) -> Block:
    return Block(
        answer["sums"],
        {int(row): reason for row, reason in answer["damaged"].items()},
        answer["transparent"],
        {int(row): (low, high) for row, (low, high) in answer["ends"].items()},
    )
