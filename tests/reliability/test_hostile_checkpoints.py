"""Checkpoints made to do harm: refused by name, never more than a CheckpointError (S2)."""

from __future__ import annotations

import hashlib
import json
import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genframe.errors import CheckpointError
from genframe.experiment.checkpoint import commit, latest, read

TENSORS = {"model/w": torch.arange(6.0).reshape(2, 3), "mask": torch.tensor([True, False, True]), "rng/n": torch.tensor(7)}
EXPECT = {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in TENSORS.items()}
STATE = {"step": 200, "schedule": {"lr": 0.001}, "python": [1, 2, 3]}
GOOD = b'{"t":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}'


def spell(value: object) -> bytes:
    """Write JSON as a commit does."""
    return json.dumps(value, separators=(",", ":")).encode()


def record(data: bytes) -> dict[str, object]:
    """Describe a file as its manifest does."""
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def forge(path: Path, tensors: bytes, state: bytes = b"{}", manifest: bytes | None = None) -> Path:
    """Write a checkpoint of step 200 with any content, and the manifest that fits it unless one is given."""
    folder = path / "step-00000200"
    folder.mkdir(parents=True)
    files = {"tensors.safetensors": record(tensors), "state.json": record(state)}
    (folder / "tensors.safetensors").write_bytes(tensors)
    (folder / "state.json").write_bytes(state)
    (folder / "MANIFEST.json").write_bytes(manifest or spell({"format": 1, "step": 200, "files": files}))
    return folder


def with_header(text: bytes, data: bytes = b"\x00\x01", length: int | None = None, pad: int = 8) -> bytes:
    """Return a tensor file with any header, honest in length and padding unless told otherwise."""
    text += b" " * (-len(text) % pad)
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def entry(dtype: object = "U8", shape: object = (2,), offsets: object = (0, 2)) -> bytes:
    """Return a tensor file that describes its two bytes in this way."""
    return with_header(spell({"t": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}))


def refused(path: Path, said: str) -> None:
    """Check that ``path`` is refused in one line that names it, with and without expectations, and soon."""
    for expect in (EXPECT, None):
        begin = time.perf_counter()
        with pytest.raises(CheckpointError, match=said) as caught:
            read(path, expect=expect)
        assert time.perf_counter() - begin < 2
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 1000


def test_what_the_forger_writes_is_good_where_nothing_is_wrong(tmp_path: Path) -> None:
    """Positive control: an honest file from the forger is read, so each refusal below has its own reason."""
    assert read(forge(tmp_path, with_header(GOOD), spell(STATE))).tensors["t"].tolist() == [0, 1]


HEADERS = {
    "ends early": {
        "empty file": b"",
        "no header": b"\x00" * 7,
        "length above the file": with_header(GOOD, length=len(GOOD) + 20),
    },
    "claims a header of": {
        "length of all ones": with_header(GOOD, length=2**64 - 1),
        "a pickle": b"\x80\x02}q\x00X\x05\x00\x00\x00modelq\x01cos\nsystem\n.",
        "a zip of torch.save": b"PK\x03\x04" + b"\x00" * 100,
        "a name of 8 MiB": with_header(b'{"' + b"a" * (1 << 23) + b'":{}}'),
    },
    "is not JSON: ": {
        "length zero": with_header(GOOD, length=0),
        "not JSON": with_header(b"{" * 56),
        "not UTF-8": with_header(b'{"\xff":{}}'),
        "byte order mark": with_header(b"\xef\xbb\xbf" + GOOD),
        "UTF-16": with_header(GOOD.decode().encode("utf-16")),
        "nested deeply": with_header(b'{"t":' * 200_000 + b"1" + b"}" * 200_000),
        "a huge number": with_header(b'{"t":' + b"9" * 10_000 + b"}"),
        "half a surrogate": with_header(b'{"\\ud800":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}'),
    },
    "not a JSON object": {
        "not an object": with_header(b"[1]     "),
    },
    "not JSON as genframe writes it": {
        "duplicate tensors": with_header(b'{"t":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},' + GOOD[1:]),
        "duplicate fields": with_header(b'{"t":{"dtype":"F64","dtype":"U8","shape":[2],"data_offsets":[0,2]}}'),
        "spaces inside": with_header(GOOD.replace(b":", b": ")),
    },
    "needs a known dtype and a possible shape": {
        "metadata": with_header(b'{"__metadata__":{"format":"pt"},' + GOOD[1:]),
        "unknown dtype": entry("F4"),
        "dtype of objects": entry("O"),
        "dtype not text": entry(["U8"]),
        "negative shape": entry(shape=[-2]),
        "two negatives": entry(shape=[-1, -2]),
        "fraction in shape": entry(shape=[2.0]),
        "truth in shape": entry(shape=[True, 2]),
        "text as shape": entry(shape="2"),
        "overflowing shape": entry(shape=[2**32, 2**32]),
        "overflow to two": entry(shape=[2**63, 2, 2]),
        "overflow behind zero": with_header(
            spell({"t": {"dtype": "U8", "shape": [0, 2**62, 2**62], "data_offsets": [0, 0]}}), b""
        ),
        "a thousand dimensions": entry(shape=[1] * 1000 + [2]),
    },
    "does not fit its data": {
        "no padding": with_header(GOOD, pad=1),
        "more padding": with_header(GOOD, pad=64),
        "larger than the data": entry(shape=[2**40], offsets=[0, 2**40]),
        "offsets outside": entry(offsets=[0, 2**63]),
        "offsets backwards": entry(offsets=[2, 0]),
        "offsets negative": entry(offsets=[-2, 0]),
        "offsets do not fit": entry(shape=[1], offsets=[0, 1]),
        "hole at the start": entry(shape=[1], offsets=[1, 2]),
        "overlap": with_header(spell({name: {"dtype": "U8", "shape": [2], "data_offsets": [0, 2]} for name in "ab"})),
        "data after the end": with_header(GOOD, b"\x00\x01PK\x03\x04"),
        "data too short": with_header(GOOD, b"\x00"),
        "a name that forges a line": with_header(b'{"a\\n\\u001b[31mok":{"dtype":"U8","shape":[3],"data_offsets":[0,2]}}'),
    },
    "neither true nor false": {
        "neither true nor false": entry("BOOL").replace(b"\x00\x01", b"\x00\x02"),
    },
}


CASES = [pytest.param(data, said, id=name) for said, group in HEADERS.items() for name, data in group.items()]


@pytest.mark.parametrize(("tensors", "said"), CASES)
def test_a_hostile_tensor_file_is_refused(tmp_path: Path, tensors: bytes, said: str) -> None:
    """A tensor file that fits its manifest, and is wrong or hostile inside, is a CheckpointError that says how."""
    path = forge(tmp_path, tensors)
    refused(path, "tensors.safetensors")
    with pytest.raises(CheckpointError, match=said):
        read(path)


STATES = {
    "empty": b"",
    "not an object": b"[]",
    "a number": b"1",
    "duplicate keys": b'{"step":1,"step":2}',
    "duplicate keys below": b'{"a":{"step":1,"step":1}}',
    "NaN": b'{"loss":NaN}',
    "infinity": b'{"loss":-Infinity}',
    "infinity in digits": b'{"loss":1e999}',
    "nested lists": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "nested a little": b'{"a":' + b"[" * 40 + b"]" * 40 + b"}",
    "spaces": b'{"a": 1}',
    "two documents": b"{}{}",
    "not UTF-8": b'{"a":"\xc0\xaf"}',
    "half a surrogate": b'{"a":"\\udfff"}',
    "a huge number": b'{"a":' + b"1" * 5000 + b"}",
    "oversized": b'{"a":"' + b"x" * (1 << 22) + b'"}',
    "NUL": b"\x00" * 100,
}


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_a_hostile_state_is_refused(tmp_path: Path, state: bytes) -> None:
    """A state that fits its manifest, and is not plain, bounded JSON as it was written, is a CheckpointError."""
    refused(forge(tmp_path, with_header(GOOD), state), "state.json")


FILES = {"tensors.safetensors": record(with_header(GOOD)), "state.json": record(b"{}")}
MANIFESTS = {
    "empty object": {},
    "later format": {"format": 2, "step": 200, "files": FILES},
    "no format": {"step": 200, "files": FILES},
    "format as text": {"format": "1", "step": 200, "files": FILES},
    "other step": {"format": 1, "step": 201, "files": FILES},
    "no step": {"format": 1, "files": FILES},
    "extra key": {"format": 1, "step": 200, "files": FILES, "trust_remote_code": True},
    "files are text": {"format": 1, "step": 200, "files": "all"},
    "a file less": {"format": 1, "step": 200, "files": {"state.json": FILES["state.json"]}},
    "a file above": {"format": 1, "step": 200, "files": FILES | {"../../step-00000100/state.json": record(b"{}")}},
    "an absolute file": {"format": 1, "step": 200, "files": FILES | {"/etc/passwd": record(b"{}")}},
    "only dots": {"format": 1, "step": 200, "files": {"..": {}, ".": {}}},
    "no size": {"format": 1, "step": 200, "files": FILES | {"state.json": {"sha256": "0" * 64}}},
    "size as text": {"format": 1, "step": 200, "files": FILES | {"state.json": {"size": "2", "sha256": "0" * 64}}},
    "no hash": {"format": 1, "step": 200, "files": FILES | {"state.json": {"size": 2}}},
    "hash null": {"format": 1, "step": 200, "files": FILES | {"state.json": {"size": 2, "sha256": None}}},
    "record is a list": {"format": 1, "step": 200, "files": FILES | {"state.json": [2]}},
    "record has more": {"format": 1, "step": 200, "files": FILES | {"state.json": {**record(b"{}"), "skip_check": True}}},
    "oversized": {"format": 1, "step": 200, "files": FILES, "x": "x" * 5000},
}


@pytest.mark.parametrize("manifest", MANIFESTS.values(), ids=MANIFESTS)
def test_a_hostile_manifest_is_refused(tmp_path: Path, manifest: dict) -> None:
    """A manifest of another format, step or list of files is a CheckpointError, and no other file is opened."""
    refused(forge(tmp_path, with_header(GOOD), manifest=spell(manifest)), "MANIFEST.json|state.json")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"{}{}", "is not JSON: "),
        (b'{"format":1,"format":1}', "as genframe writes it"),
        (b"[" * 4000, "is not JSON: "),
        (b"\xff", "is not JSON: "),
        (b"null", "not a JSON object"),
        (b" " * 5000, "more than 4096 bytes"),
    ],
)
def test_a_manifest_that_is_not_its_json_is_refused(tmp_path: Path, text: bytes, said: str) -> None:
    """A manifest with duplicate keys, deep nesting, too many bytes or no JSON at all is a CheckpointError."""
    refused(forge(tmp_path, with_header(GOOD), manifest=text), f"MANIFEST.json.*{said}")


@pytest.mark.parametrize("name", ["tensors.safetensors", "state.json", "MANIFEST.json"])
@pytest.mark.parametrize("kind", ["link", "folder", "pipe", "missing", "dangling"])
def test_what_is_not_a_regular_file_is_refused(tmp_path: Path, name: str, kind: str) -> None:
    """A link, also to the very same bytes, a folder, a pipe that would block, and nothing at all: all refused."""
    victim = forge(tmp_path, with_header(GOOD)) / name
    victim.rename(tmp_path / name)
    makers: dict[str, Callable[[], object]] = {
        "link": lambda: victim.symlink_to(tmp_path / name),
        "folder": victim.mkdir,
        "pipe": lambda: os.mkfifo(victim),
        "missing": lambda: None,
        "dangling": lambda: victim.symlink_to("/nowhere"),
    }
    makers[kind]()
    refused(victim.parent, name)


def test_a_checkpoint_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    """A link in the place of a checkpoint, and a folder of another name, are no checkpoints."""
    folder = forge(tmp_path / "elsewhere", with_header(GOOD))
    (tmp_path / "step-00000200").symlink_to(folder)
    refused(tmp_path / "step-00000200", "not a checkpoint")
    refused(folder.rename(tmp_path / "best"), "not a checkpoint")
    refused(tmp_path / "step-00000300", "No such file")
    refused(tmp_path / "\x00" / "step-00000300", "null byte")


def test_a_terabyte_is_refused_from_its_header(tmp_path: Path) -> None:
    """A sparse file that honestly holds a tensor of one TiB is refused before anything of that size is allocated."""
    size = 1 << 40
    text = spell({"model/w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}})
    start = with_header(text, b"")
    whole = {"size": len(start) + size, "sha256": "0" * 64}
    manifest = spell({"format": 1, "step": 200, "files": FILES | {"tensors.safetensors": whole}})
    path = forge(tmp_path, start, manifest=manifest)
    os.truncate(path / "tensors.safetensors", len(start) + size)
    with pytest.raises(CheckpointError, match="lacks 2 tensors"):
        read(path, expect=EXPECT)
    with pytest.raises(CheckpointError, match=r"expected \[2, 3\]"):
        read(path, expect={"model/w": ((2, 3), torch.float32)})


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the files of an honest checkpoint."""
    path = commit(tmp_path_factory.mktemp("honest"), 200, TENSORS, STATE).path
    return {name: (path / name).read_bytes() for name in ("tensors.safetensors", "state.json", "MANIFEST.json")}


@pytest.mark.parametrize("seed", range(40))
def test_random_mutants_are_refused_or_harmless(tmp_path: Path, contents: dict[str, bytes], seed: int) -> None:
    """Random edits of any file, with the manifest made to fit, give a CheckpointError or the expected tensors (S2)."""
    chance = random.Random(seed)
    for n in range(10):
        tensors, state, manifest = (bytearray(contents[name]) for name in contents)
        mutate(chance, chance.choice([tensors, tensors, state, manifest]))
        keep = None if manifest == contents["MANIFEST.json"] else bytes(manifest)
        path = forge(tmp_path / f"{n}", bytes(tensors), bytes(state), keep)
        outcome(path)


def mutate(chance: random.Random, data: bytearray) -> None:
    """Make one to four random edits in place."""
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(data))
        piece = chance.choice(
            [b"", b"\x00", b"-", b"9" * 20, b"[", b"{", b'"', b"NaN", b"\xff", bytes([chance.randrange(256)])]
        )
        data[place : place + chance.choice([0, 1, 1, 8])] = piece


def outcome(path: Path) -> None:
    """Read ``path``; whatever is read has exactly the expected tensors."""
    for expect in (EXPECT, None):
        try:
            whole = read(path, expect=expect)
        except CheckpointError:
            continue
        assert isinstance(whole.state, dict)
        if expect is not None:
            assert {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in whole.tensors.items()} == EXPECT


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["U8", "F32", "t", 2**63, -1]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.sampled_from(["dtype", "shape"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, database=None)
@given(dtype=JUNK, shape=JUNK, offsets=JUNK, state=JUNK, files=JUNK, honest=st.booleans())
def test_junk_in_every_field_is_refused(
    tmp_path_factory: pytest.TempPathFactory,
    dtype: object,
    shape: object,
    offsets: object,
    state: object,
    files: object,
    honest: bool,
) -> None:
    """Any JSON in place of dtype, shape, offsets, state or list of files gives a CheckpointError and nothing else (S2)."""
    manifest = None if honest else json.dumps({"format": 1, "step": 200, "files": files}, separators=(",", ":")).encode()
    outcome(forge(tmp_path_factory.mktemp("junk"), entry(dtype, shape, offsets), json.dumps(state).encode(), manifest))


def test_a_hostile_newest_checkpoint_does_not_stop_a_run(tmp_path: Path) -> None:
    """``latest`` says what is wrong with it and gives the one before."""
    commit(tmp_path, 100, TENSORS, STATE)
    forge(tmp_path, b"", manifest=b"[" * 4000)
    found = latest(tmp_path)
    assert found is not None
    assert (found.step, len(found.damaged)) == (100, 1)
