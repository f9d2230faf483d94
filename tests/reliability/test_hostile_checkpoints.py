"""Checkpoints made to do harm: refused by name, never more than a CheckpointError (S2)."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genframe.experiment.run.checkpoint import commit, latest, read
from genframe.experiment.run.resume import resume
from genframe.experiment.run.run import load
from genframe.experiment.run.training import train
from genframe.types import CheckpointError

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
    "claims a header of": {
        "length of all ones": with_header(GOOD, length=2**64 - 1),
        "a pickle": b"\x80\x02}q\x00X\x05\x00\x00\x00modelq\x01cos\nsystem\n.",
        "a zip of torch.save": b"PK\x03\x04" + b"\x00" * 100,
        "a name of 8 MiB": with_header(b'{"' + b"a" * (1 << 23) + b'":{}}'),
    },
    "is not JSON: ": {
        "empty file": b"",
        "no header": b"\x00" * 7,
        "length above the file": with_header(GOOD, length=len(GOOD) + 20),
        "length zero": with_header(GOOD, length=0),
        "not JSON": with_header(b"{" * 56),
        "not UTF-8": with_header(b'{"\xff":{}}'),
        "byte order mark": with_header(b"\xef\xbb\xbf" + GOOD),
        "UTF-16": with_header(GOOD.decode().encode("utf-16")),
        "nested deeply": with_header(b'{"t":' * 200_000 + b"1" + b"}" * 200_000),
        "a huge number": with_header(b'{"t":' + b"9" * 10_000 + b"}"),
        "half a surrogate": with_header(b'{"\\ud800":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}'),
    },
    "is not JSON: 'not an object": {
        "not an object": with_header(b"[1]     "),
    },
    "is not JSON: 'duplicate keys'": {
        "duplicate tensors": with_header(b'{"t":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},' + GOOD[1:]),
        "duplicate fields": with_header(b'{"t":{"dtype":"F64","dtype":"U8","shape":[2],"data_offsets":[0,2]}}'),
    },
    "invalid JSON in header": {
        "dtype of objects": entry("O"),
        "dtype not text": entry(["U8"]),
        "negative shape": entry(shape=[-2]),
        "two negatives": entry(shape=[-1, -2]),
        "fraction in shape": entry(shape=[2.0]),
        "truth in shape": entry(shape=[True, 2]),
        "text as shape": entry(shape="2"),
        "offsets negative": entry(offsets=[-2, 0]),
        "metadata that is no text": with_header(b'{"__metadata__":{"trust":true},' + GOOD[1:]),
    },
    "overflow": {
        "overflowing shape": entry(shape=[2**32, 2**32]),
        "overflow to two": entry(shape=[2**63, 2, 2]),
        "overflow behind zero": with_header(
            spell({"t": {"dtype": "U8", "shape": [0, 2**62, 2**62], "data_offsets": [0, 0]}}), b""
        ),
    },
    "too many dimensions": {
        "a thousand dimensions": entry(shape=[1] * 1000 + [2]),
    },
    "invalid shape, data type, or offset": {
        "unknown dtype": entry("F4"),
        "offsets outside": entry(offsets=[0, 2**63]),
        "a name that forges a line": with_header(b'{"a\\n\\u001b[31mok":{"dtype":"U8","shape":[3],"data_offsets":[0,2]}}'),
    },
    "invalid offset for tensor": {
        "offsets backwards": entry(offsets=[2, 0]),
        "hole at the start": entry(shape=[1], offsets=[1, 2]),
        "overlap": with_header(spell({name: {"dtype": "U8", "shape": [2], "data_offsets": [0, 2]} for name in "ab"})),
    },
    "file not fully covered": {
        "larger than the data": entry(shape=[2**40], offsets=[0, 2**40]),
        "offsets do not fit": entry(shape=[1], offsets=[0, 1]),
        "data after the end": with_header(GOOD, b"\x00\x01PK\x03\x04"),
        "data too short": with_header(GOOD, b"\x00"),
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


SPELLINGS = {
    "spaces inside": with_header(GOOD.replace(b":", b": ")),
    "no padding": with_header(GOOD, pad=1),
    "more padding": with_header(GOOD, pad=64),
    "metadata": with_header(b'{"__metadata__":{"format":"pt","trust_remote_code":"true"},' + GOOD[1:]),
}


@pytest.mark.parametrize("tensors", SPELLINGS.values(), ids=SPELLINGS)
def test_another_spelling_of_the_header_changes_nothing(tmp_path: Path, tensors: bytes) -> None:
    """Spaces, padding and metadata, which any writer of the format may choose, give the same tensors and nothing else."""
    found = read(forge(tmp_path, tensors, spell(STATE)), expect={"t": ((2,), torch.uint8)})
    assert found.tensors.keys() == {"t"}
    assert found.tensors["t"].tolist() == [0, 1]
    assert found.state == STATE


def test_an_error_obeys_no_name_in_the_file(tmp_path: Path) -> None:
    """A tensor's name that the library repeats in its error reaches the terminal escaped."""
    name = "a\n\x1b[31mok"
    path = forge(tmp_path, with_header(spell({name: {"dtype": "U8", "shape": [2], "data_offsets": [2, 0]}})))
    with pytest.raises(CheckpointError, match="invalid offset for tensor") as caught:
        read(path)
    assert str(caught.value).isprintable()


def test_what_is_not_asked_for_is_not_loaded(tmp_path: Path) -> None:
    """With prefixes the rest of the file is verified and left alone: a truth value that is none does not matter there."""
    table = {
        "model/w": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]},
        "x": {"dtype": "BOOL", "shape": [1], "data_offsets": [1, 2]},
    }
    path = forge(tmp_path, with_header(spell(table), b"\x07\x02"))
    assert read(path, prefixes=("model/",)).tensors["model/w"].tolist() == [7]
    with pytest.raises(CheckpointError, match="neither true nor false"):
        read(path, prefixes=("model/", "x"))


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
    "two documents": b"{}{}",
    "not UTF-8": b'{"a":"\xc0\xaf"}',
    "half a surrogate": b'{"a":"\\udfff"}',
    "a huge number": b'{"a":' + b"1" * 5000 + b"}",
    "oversized": b'{"a":"' + b"x" * (1 << 22) + b'"}',
    "NUL": b"\x00" * 100,
}


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_a_hostile_state_is_refused(tmp_path: Path, state: bytes) -> None:
    """A state that fits its manifest, and is not plain, bounded JSON, is a CheckpointError."""
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
        (b'{"format":1,"format":1}', "is not JSON: 'duplicate keys'"),
        (b"[" * 4000, "is not JSON: "),
        (b"\xff", "is not JSON: "),
        (b"null", "is not JSON: 'not an object"),
        (b" " * 5000, "has 5000 bytes, more than 4096"),
        (spell({"format": 1, "step": 200, "files": FILES}) + b" ", "as genframe writes it"),
        (spell({"format": True, "step": 200, "files": FILES}), "as genframe writes it"),
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
    refused(tmp_path / "step-00000300", "not a checkpoint")
    refused(tmp_path / "\x00" / "step-00000300", "not a checkpoint")


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
    with pytest.raises(CheckpointError, match=r"expected \[2, 3\]"):
        read(path, expect={}, optional={"model/w": ((2, 3), torch.float32)}, prefixes=("model/",))


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


MLP = {"type": "nets/mlp", "hidden": [4]}
EXPERIMENT = {
    "name": "small",
    "data": {"type": "data/digits", "limit": 200},
    "model": {"encoder": {**MLP, "dim": 2}, "decoder": MLP, "loss": "vae/reconstruction"},
    "train": {"steps": 3, "batch_size": 16, "ema": 0.5, "threads": 1, "device": "cpu"},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of three steps, to be copied and not changed."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    train(EXPERIMENT, folder=folder)
    return folder


def replaced(trained: Path, folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> Path:
    """Copy the run, with its newest checkpoint committed again after a change to its tensors."""
    shutil.copytree(trained, folder)
    whole = read(folder / "checkpoints" / "step-00000003")
    change(whole.tensors)
    commit(folder / "checkpoints", 3, whole.tensors, whole.state)
    return folder


def first(tensors: dict[str, torch.Tensor], prefix: str, suffix: str = ".weight") -> str:
    """Return the first name with this prefix and suffix."""
    return next(name for name in sorted(tensors) if name.startswith(prefix) and name.endswith(suffix))


FOREIGN: dict[str, Callable[[dict[str, torch.Tensor]], object]] = {
    "a weight of another shape": lambda t: t.update({first(t, "model/"): torch.zeros(1 << 20)}),
    "a weight of another dtype": lambda t: t.update({first(t, "model/"): t[first(t, "model/")].double()}),
    "a weight less": lambda t: t.pop(first(t, "model/")),
    "a weight more": lambda t: t.update({"model/payload": torch.zeros(1 << 20)}),
    "an average of another shape": lambda t: t.update({first(t, "ema/"): torch.zeros(1 << 20)}),
    "an average of nothing": lambda t: t.update({"ema/payload": torch.zeros(1)}),
}
FOREIGN_TO_TRAINING: dict[str, Callable[[dict[str, torch.Tensor]], object]] = {
    "moments of another shape": lambda t: t.update({first(t, "optimizer/", "/exp_avg"): torch.zeros(1 << 20)}),
    "moments of nothing": lambda t: t.update({"optimizer/model/payload/exp_avg": torch.zeros(1)}),
    "a generator of another shape": lambda t: t.update({"rng/torch": torch.zeros(1 << 20, dtype=torch.uint8)}),
    "a name of no kind": lambda t: t.update({"payload": torch.zeros(1)}),
}


def refused_unloaded(monkeypatch: pytest.MonkeyPatch, use: Callable[[Path], object], folder: Path) -> None:
    """Check that ``use`` of the run is a CheckpointError before any tensor is loaded."""
    reading = importlib.import_module("genframe.experiment.run.checkpoint.read")  # the package's read is the function
    monkeypatch.setattr(reading, "_tensor", lambda file, name: pytest.fail(f"{name} was loaded"))
    with pytest.raises(CheckpointError, match=r"lacks|nothing expects|expected"):
        use(folder)


def resume_for_longer(folder: Path) -> object:
    """Go on with the run of three steps for one more, which needs the whole state."""
    return resume(folder, ["train.steps=4"])


@pytest.mark.parametrize("use", [load, resume, resume_for_longer])
@pytest.mark.parametrize("change", FOREIGN.values(), ids=FOREIGN)
def test_a_run_refuses_weights_of_another_model_from_the_header(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable, use: Callable
) -> None:
    """What the spec's model does not have, or has in another shape, is found before a tensor is allocated (S2)."""
    refused_unloaded(monkeypatch, use, replaced(trained, tmp_path / "run", change))


@pytest.mark.parametrize("change", FOREIGN_TO_TRAINING.values(), ids=FOREIGN_TO_TRAINING)
def test_a_resumed_run_refuses_what_its_training_cannot_have(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable
) -> None:
    """Moments and generators are compared too; a model to sample from needs them not and is not stopped by them (S2)."""
    folder = replaced(trained, tmp_path / "run", change)
    assert load(folder).step == 3
    refused_unloaded(monkeypatch, resume_for_longer, folder)


def test_a_loaded_run_has_the_averages_and_does_without(trained: Path, tmp_path: Path) -> None:
    """Averages stand in for the weights where the checkpoint has them; where it has none, the weights are used."""
    tensors = read(trained / "checkpoints" / "step-00000003").tensors
    name = first(tensors, "ema/").removeprefix("ema/")
    assert not torch.equal(tensors[f"ema/{name}"], tensors[f"model/{name}"])
    assert torch.equal(load(trained).model.state_dict()[name], tensors[f"ema/{name}"])

    def drop(found: dict[str, torch.Tensor]) -> None:
        for each in [each for each in found if each.startswith("ema/")]:
            del found[each]

    plain = load(replaced(trained, tmp_path / "run", drop))
    assert torch.equal(plain.model.state_dict()[name], tensors[f"model/{name}"])
