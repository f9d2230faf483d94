"""The cache: entries are whole or not there, found damaged, bounded, and continued where a build was stopped."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from genframe import DataError, StorageError
from genframe.cache import Building, Entry, building, cache_folder, clear_cache, entries, find_entry
from genframe.roles import data_digest, whole

ROWS = np.arange(40 * 6, dtype=np.uint8).reshape(40, 2, 3)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a cache of its own."""
    monkeypatch.setenv("GENFRAME_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def build(key: str = "key", rows: np.ndarray[Any, Any] = ROWS, blocks: int = 4) -> Entry:
    """Build an entry, or the rest of one."""
    size = len(rows) // blocks
    with building("test", key, rows.shape, "uint8", rows[0].nbytes) as under_way:
        if isinstance(under_way, Entry):
            return under_way
        for start in range(0, len(rows), size):
            if start not in under_way.notes:
                under_way.write(start, rows[start : start + size], {"from": start})
        return under_way.commit({"of": key})


def stop(key: str = "key", blocks: int = 2) -> None:
    """Stop a build after some of its four blocks."""
    with building("test", key, ROWS.shape, "uint8", 6) as under_way:
        assert isinstance(under_way, Building)
        for start in range(0, 10 * blocks, 10):
            under_way.write(start, ROWS[start : start + 10])


def test_rows_come_back_as_they_were_written() -> None:
    """By index, in any order, and by digest."""
    assert find_entry("test", "key") is None
    entry = build()
    rows = entry.rows()
    assert torch.equal(rows[torch.tensor([7, 0, 39])], torch.from_numpy(ROWS[[7, 0, 39]]))
    assert data_digest(rows) == data_digest(torch.from_numpy(ROWS))
    found = find_entry("test", "key")
    assert found is not None
    assert (found.about["of"], found.shape, found.name) == ("key", (40, 2, 3), "test/key")
    with pytest.raises(IndexError):
        rows[torch.tensor([40])]


@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_rows_have_a_type(dtype: str) -> None:
    """Codes are floats or indices."""
    values = np.arange(12).reshape(4, 3).astype(dtype)
    with building("test", "typed", values.shape, dtype, values[0].nbytes) as under_way:
        assert isinstance(under_way, Building)
        under_way.write(0, values)
        rows = under_way.commit({}).rows()
    assert torch.equal(whole(rows), torch.from_numpy(values))


def test_a_build_that_was_stopped_is_no_entry_and_is_continued() -> None:
    """The blocks that were written are not written again."""
    stop()
    assert find_entry("test", "key") is None
    assert list(entries()) == []
    with building("test", "key", ROWS.shape, "uint8", 6) as under_way:
        assert isinstance(under_way, Building)
        assert sorted(under_way.notes) == [0, 10]
    assert torch.equal(whole(build().rows()), torch.from_numpy(ROWS))


@pytest.mark.parametrize("harm", ["rows", "journal", "line", "other size"])
def test_a_block_that_was_damaged_meanwhile_is_built_again(place: Path, harm: str) -> None:
    """What the journal says is compared with the rows."""
    stop()
    partial = place / "test" / "key.partial"
    if harm == "rows":
        content = bytearray((partial / "rows.bin").read_bytes())
        content[3] ^= 1
        (partial / "rows.bin").write_bytes(content)
    elif harm == "journal":
        (partial / "journal.jsonl").write_bytes(b"\xff\x00[}\n[1]\n")
    elif harm == "line":
        text = (partial / "journal.jsonl").read_text()
        (partial / "journal.jsonl").write_text(text[: len(text) - 9])
    else:
        (partial / "rows.bin").write_bytes(b"short")
    assert torch.equal(whole(build().rows()), torch.from_numpy(ROWS))


def test_a_row_that_is_damaged_is_found_when_it_is_read(place: Path) -> None:
    """The message names the command that removes the entry."""
    entry = build()
    file = place / "test" / "key" / "rows.bin"
    content = bytearray(file.read_bytes())
    content[60] ^= 1
    file.write_bytes(content)
    rows = entry.rows()
    assert rows[torch.tensor([9, 11])].shape == (2, 2, 3)
    with pytest.raises(DataError, match=r"row 10 is damaged; remove it, .*: genframe cache clear test/key"):
        rows[torch.tensor([10])]
    file.write_bytes(content[:30])
    with pytest.raises(DataError, match="cut off at row 39"):
        rows[torch.tensor([39])]


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _edit(path: Path) -> None:
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "shape": "many"}))


@pytest.mark.parametrize(
    ("file", "harm"),
    [
        ("entry.json", _cut),
        ("entry.json", _edit),
        ("entry.json", lambda path: path.write_bytes(b"[]")),
        ("rows.bin", _cut),
        ("rows.bin", Path.unlink),
        ("sums.bin", _cut),
        ("sums.bin", lambda path: path.write_bytes(bytes(160))),
    ],
)
def test_an_entry_that_is_not_whole_is_built_again(place: Path, file: str, harm: Callable[[Path], Any]) -> None:
    """It is removed: whatever it holds can be computed."""
    build()
    harm(place / "test" / "key" / file)
    assert find_entry("test", "key") is None
    assert not (place / "test" / "key").exists()
    assert torch.equal(whole(build().rows()), torch.from_numpy(ROWS))


def test_processes_that_need_the_same_entry_build_it_once() -> None:
    """The second waits, and gets the first's."""
    written = []

    def work() -> None:
        with building("test", "key", ROWS.shape, "uint8", 6) as under_way:
            if isinstance(under_way, Building):
                under_way.write(0, ROWS)
                under_way.commit({})
                written.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert written == [1]


def test_what_was_not_used_for_longest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a limit; one entry alone may not be larger."""
    import os

    for number, key in enumerate("abc"):
        entry = build(key)
        os.utime(entry.folder, (1000 + number, 1000 + number))
    entry = find_entry("test", "a")
    assert entry is not None
    entry.rows()  # used now
    monkeypatch.setenv("GENFRAME_CACHE_LIMIT", str(entry.bytes + 300))
    build("d")
    assert [entry.folder.name for entry in entries()] == ["a", "d"]
    monkeypatch.setenv("GENFRAME_CACHE_LIMIT", "100")
    with pytest.raises(StorageError, match="may hold 100 bytes, and this would take 240; allow more by GENFRAME_CACHE_LIMIT"):
        build("e")
    monkeypatch.setenv("GENFRAME_CACHE_LIMIT", "many")
    with pytest.raises(StorageError, match="such as 500M or 2T, found 'many'"):
        build("e")


def test_a_disk_without_room_is_found_before_anything_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what would help."""
    monkeypatch.setenv("GENFRAME_CACHE_LIMIT", "9999T")
    with pytest.raises(StorageError, match=r"the volume has [0-9]+; free some"), building("test", "k", (1 << 40,), "uint8", 1):
        pass


def test_a_place_that_cannot_be_written_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file in the place of the folder."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GENFRAME_CACHE", str(tmp_path / "file"))
    with pytest.raises(StorageError, match="cannot be made: Not a directory"):
        build()


def test_the_platform_has_a_folder_for_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where nothing else is said."""
    monkeypatch.delenv("GENFRAME_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    assert cache_folder() == tmp_path / "genframe"


def test_entries_are_listed_and_cleared(genframe: Callable[..., Any]) -> None:
    """One by its name, or all; what stopped builds have left goes too."""
    for key in "ab":
        build(key)
    stop("c")
    listed = genframe("cache", "--json")
    assert [entry["name"] for entry in listed["entries"]] == ["test/a", "test/b"]
    assert genframe("cache", "clear", "test/a", "--json") == {"removed": ["test/a"]}
    assert "no entry 'test/a'; it has test/b, test/c.partial" in genframe("cache", "clear", "test/a", code=7)
    assert genframe("cache", "clear", "--json") == {"removed": ["test/b", "test/c.partial"]}
    assert clear_cache() == []
