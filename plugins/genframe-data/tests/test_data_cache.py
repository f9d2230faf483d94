"""Pictures are decoded once: in parallel, again only where files have changed, and to the end after a stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from genframe import DataError, Dataset
from genframe.cache import entries
from genframe.roles import whole
from genframe_data import Images, workers
from genframe_data.decoding import Block, Pictures, decode_block
from genframe_data.folders import Folders
from genframe_data.picture_cache import CachedPictures, cached_pictures


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a cache of its own."""
    monkeypatch.setenv("GENFRAME_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def picture(path: Path, seed: int) -> None:
    """Write a picture of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (12, 12, 3), dtype=np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of 150 pictures: three blocks."""
    for number in range(150):
        picture(tmp_path / "p" / f"{number:03}.png", number)
    return tmp_path / "p"


def load(folder: Path, **fields: Any) -> Dataset:
    """Return the pictures in the order of their names."""
    return Images(path=folder, size=8, split="block", validation=0, test=0, **fields).load()  # type: ignore[arg-type]


def stored(data: Dataset) -> torch.Tensor:
    """Return all training pictures."""
    return whole(data.split("train").stored)


def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that hears of each picture that is decoded."""
    heard: list[str] = []

    def decode(paths: list[str], *rest: Any) -> Block:
        heard.extend(paths)
        return decode_block(paths, *rest)

    monkeypatch.setattr(workers, "decode_block", decode)
    return heard


def test_a_second_start_decodes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pixels, digest and protocol are the same."""
    heard = decoded(monkeypatch)
    first, second = load(folder), load(folder)
    assert len(heard) == 150
    assert torch.equal(stored(first), stored(second))
    assert first.split("train").protocol == second.split("train").protocol


def test_the_digest_is_that_of_the_pixels_in_memory(folder: Path) -> None:
    """Runs that were trained before there was a cache are continued."""
    from genframe import data_digest

    data = load(folder)
    assert data.split("train").protocol["data"] == f"data/images@{data_digest(stored(data))}"


def test_processes_decode_what_one_does(folder: Path, monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    """Damaged pictures among them."""
    (folder / "070.png").write_bytes(b"no picture")
    scans, how = Folders(folder).scans(), Pictures((8, 8))
    monkeypatch.setattr(workers, "ALONE", 0)

    def pixels(count: int) -> tuple[CachedPictures, torch.Tensor]:
        monkeypatch.setenv("GENFRAME_CACHE", f"{place}-{count}")
        found = cached_pictures(scans, how, skip=True, workers=count)
        return found, whole(found.entry.rows())

    (one, alone), (three, together) = pixels(1), pixels(3)
    assert torch.equal(alone, together)
    assert one.damaged == three.damaged
    assert one.digest == three.digest
    assert list(one.damaged["train"]) == ["070.png"]


@pytest.mark.parametrize(
    ("change", "said", "again"),
    [
        (lambda folder: picture(folder / "900.png", 900), "1 added", 23),
        (lambda folder: (folder / "020.png").unlink(), "1 removed", 0),
        (lambda folder: picture(folder / "020.png", 901), "1 changed", 64),
        (lambda folder: (folder / "020.png").rename(folder / "999.png"), "1 added, 1 removed", 22),
    ],
)
def test_pictures_that_have_changed_are_said_and_only_they_are_decoded(
    folder: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], Any], said: str, again: int
) -> None:
    """In blocks of 64; the cache of the files as they were goes."""
    load(folder)
    change(folder)
    heard = decoded(monkeypatch)
    data = load(folder)
    assert len(heard) == again
    assert data.report is not None
    assert str(data.report).endswith(f"since the pictures were last read: {said}")
    assert len(list(entries())) == 1
    monkeypatch.setenv("GENFRAME_CACHE", str(folder.parent / "fresh"))
    assert torch.equal(stored(data), stored(load(folder)))


def test_a_picture_that_was_damaged_afterwards_is_found(folder: Path) -> None:
    """At the next start, by name."""
    load(folder)
    (folder / "005.png").write_bytes((folder / "005.png").read_bytes()[:100])
    with pytest.raises(DataError, match=r"005\.png: expected a picture, found one that cannot be read"):
        load(folder)
    assert len(load(folder, on_error="skip").split("train")) == 149


def test_contents_are_compared_where_that_is_asked_for(folder: Path) -> None:
    """A file of the same size and time is then found to be another."""
    times = {"compare": "contents"}
    before = load(folder, **times)
    path = folder / "005.png"
    status, content = path.stat(), bytearray(path.read_bytes())
    Image.fromarray(np.zeros((12, 12, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes().ljust(len(content), b"\0"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    after = load(folder, **times)
    assert not torch.equal(stored(before)[5], stored(after)[5])
    assert int(stored(after)[5].max()) == 0


def test_a_decoder_that_crashes_takes_one_picture_with_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others of its block are read by another process."""
    decode = workers._Process.decode

    def crash(process: Any, start: int, paths: list[str]) -> Block | None:
        if any("077" in path for path in paths):
            os.kill(process.process.pid, signal.SIGKILL)
        return decode(process, start, paths)

    monkeypatch.setattr(workers, "ALONE", 0)
    monkeypatch.setattr(workers._Process, "decode", crash)
    found = cached_pictures(Folders(folder).scans(), Pictures((8, 8)), skip=True, workers=2)
    assert found.damaged["train"] == {"077.png": "its decoder crashed"}
    monkeypatch.undo()
    pixels = whole(found.entry.rows())
    assert torch.equal(pixels[78], stored(load(folder))[78])


def test_what_a_killed_build_has_decoded_is_kept(folder: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R1: after kill -9 the next start decodes the rest, and all is as if nothing had happened."""
    program = (
        "import os, time\nfrom genframe_data import Images, workers\n"
        "decode = workers.decode_block\n"
        "def slow(paths, start, *rest):\n"
        "    if start:\n        time.sleep(60)\n"
        "    return decode(paths, start, *rest)\n"
        "workers.decode_block = slow\n"
        f"Images(path={str(folder)!r}, size=8, split='block', validation=0, test=0).load()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program]) as process:
        until = time.monotonic() + 60
        while not [path for path in place.glob("*/*.partial/journal.jsonl") if path.stat().st_size]:
            assert time.monotonic() < until
            time.sleep(0.02)
        process.kill()
    heard = decoded(monkeypatch)
    data = load(folder)
    assert len(heard) == 150 - 64
    monkeypatch.setenv("GENFRAME_CACHE", str(folder.parent / "fresh"))
    assert torch.equal(stored(data), stored(load(folder)))


def test_decoding_ends_with_the_process_that_asked_for_it(folder: Path) -> None:
    """A decoder whose input ends, because its parent was killed, ends too."""
    with subprocess.Popen(
        [sys.executable, "-m", "genframe_data.decoding"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) is not None
