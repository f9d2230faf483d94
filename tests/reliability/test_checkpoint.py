"""Round trips, replacing, pruning and falling back: what a checkpoint keeps and when it is passed over (R9)."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch

from genframe.experiment.run import checkpoint
from genframe.experiment.run.checkpoint import commit, discard_from, free_space, latest, needed_bytes, read, sweep
from genframe.types import CheckpointError, StorageError

FILES = ("tensors.safetensors", "state.json", "MANIFEST.json")
DTYPES = [
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.float8_e4m3fn,
    torch.float8_e5m2,
    torch.int64,
    torch.int32,
    torch.int16,
    torch.int8,
    torch.uint64,
    torch.uint32,
    torch.uint16,
    torch.uint8,
    torch.bool,
    torch.complex64,
]


def of_step(step: int) -> dict[str, torch.Tensor]:
    """Return tensors that tell their step."""
    return {"model/weight": torch.full((3, 2), float(step)), "rng/torch": torch.tensor([step])}


def three(folder: Path) -> Path:
    """Commit the steps 1, 2 and 3."""
    for step in (1, 2, 3):
        commit(folder, step, of_step(step), {"step": step}, keep=3)
    return folder


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the steps 1, 2 and 3, to be copied and not changed."""
    return three(tmp_path_factory.mktemp("committed"))


def names(folder: Path) -> list[str]:
    """Return what is in ``folder``, sorted."""
    return sorted(path.name for path in folder.iterdir())


def same_bits(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Compare shape, dtype and memory, so that NaN equals itself."""
    bits = [tensor.detach().contiguous().reshape(-1).view(torch.uint8) for tensor in (one, other)]
    return one.shape == other.shape and one.dtype == other.dtype and torch.equal(*bits)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_dtype_and_shape_comes_back_bit_for_bit(tmp_path: Path, dtype: torch.dtype) -> None:
    """A tensor of any dtype, also a scalar or an empty one, is read back with the same bits, shape and dtype."""
    bits = torch.randint(0, 2 if dtype == torch.bool else 256, (6 * dtype.itemsize,), dtype=torch.uint8).view(dtype)
    tensors = {"matrix": bits.reshape(3, 2), "one": bits[:1], "scalar": bits[0], "empty": bits[:0].reshape(0, 4)}
    expect = {name: (tuple(tensor.shape), dtype) for name, tensor in tensors.items()}
    back = read(commit(tmp_path, 7, tensors, {}).path, expect=expect).tensors
    assert all(same_bits(back[name], tensors[name]) for name in tensors)


def test_shared_strided_and_trained_tensors_come_back_as_values(tmp_path: Path) -> None:
    """Memory that is shared, strided, expanded, channels-last or a parameter's is stored as plain values."""
    base = torch.randn(2, 3, 4, 4)
    tensors = {
        "base": base,
        "again": base,
        "slice": base[:, 1:, ::2],
        "transposed": base.transpose(0, 3),
        "expanded": base[:1].expand(5, 3, 4, 4),
        "channels last": base.contiguous(memory_format=torch.channels_last),
        "parameter": torch.nn.Parameter(base),
        "negative view": torch.complex(base, base).conj().imag,
    }
    back = read(commit(tmp_path, 1, tensors, {}).path).tensors
    assert back.keys() == tensors.keys()
    assert all(torch.equal(back[name], tensors[name]) and back[name].is_contiguous() for name in tensors)


def test_tensors_that_are_read_share_no_memory(tmp_path: Path) -> None:
    """Writing into a tensor that was read changes neither another one nor the file."""
    path = commit(tmp_path, 1, {"a": torch.zeros(4), "b": torch.zeros(4)}, {}).path
    first = read(path)
    first.tensors["a"].fill_(9)
    assert first.tensors["b"].sum() == 0
    assert read(path).tensors["a"].sum() == 0


def test_state_comes_back_equal_and_in_order(tmp_path: Path) -> None:
    """Integers of any size, floats to the last bit, text and nesting survive; the order of keys too."""
    state = {"z": 2**127 + 1, "a": [0.1 + 0.2, 5e-324, -0.0, True, None], "text": "λ \x00 \n", "deep": {"er": [[]]}}
    back = read(commit(tmp_path, 1, {}, state).path).state
    assert back == state
    assert list(back) == list(state)


def test_the_tensor_file_is_what_safetensors_writes(tmp_path: Path) -> None:
    """The bytes are those of the safetensors library, an outside oracle."""
    tensors = {
        "model/b.weight": torch.randn(3, 2),
        "model/a": torch.randn(()),
        "é/n": torch.arange(5),
        "half": torch.ones(3, dtype=torch.bfloat16),
        "mask": torch.tensor([True, False]),
        "empty": torch.empty(0, 2),
    }
    path = commit(tmp_path, 1, tensors, {}).path / "tensors.safetensors"
    assert path.read_bytes() == safetensors.torch.save(tensors)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_safetensors_reads_the_tensor_file(tmp_path: Path, dtype: torch.dtype) -> None:
    """The safetensors library reads every dtype that is written, with the same bits."""
    tensor = torch.arange(8, dtype=torch.uint8).remainder(2).view(dtype)
    path = commit(tmp_path, 1, {"t": tensor, "u": torch.ones(3)}, {}).path
    assert same_bits(safetensors.torch.load_file(path / "tensors.safetensors")["t"], tensor)


@pytest.mark.parametrize(
    ("tensors", "state", "said"),
    [
        ({"t": torch.zeros(2, dtype=torch.complex128)}, {}, "'t'.*complex128"),
        ({"t": torch.zeros(2).to_sparse()}, {}, "'t'.*sparse_coo"),
        ({"t": torch.zeros(2, dtype=torch.uint8).view(torch.float4_e2m1fn_x2)}, {}, "'t'.*4 bits"),
        ({"t": torch.zeros(2, device="meta")}, {}, "'t'.*meta"),
        ({"__metadata__": torch.zeros(1)}, {}, "names are reserved"),
        ({"\ud800": torch.zeros(1)}, {}, "surrogates"),
        ({}, {"loss": float("nan")}, "not JSON"),
        ({}, {"loss": float("inf")}, "not JSON"),
        ({}, {"rng": (1, 2)}, "tuples"),
        ({}, {"names": {1: "one"}}, "str keys"),
        ({}, {"names": {1: "one", "1": "uno"}}, "duplicate"),
        ({}, {"object": object()}, "not JSON"),
        ({}, {"lone": "\ud800"}, "not JSON"),
        ({}, {"deep": json.loads("[" * 40 + "]" * 40)}, "levels"),
        ({}, {"long": "x" * (1 << 22)}, "as tensors"),
        ({"x" * (1 << 23): torch.zeros(1)}, {}, "names are reserved or take"),
    ],
)
def test_what_could_not_be_read_back_is_not_written(tmp_path: Path, tensors: dict, state: dict, said: str) -> None:
    """A commit refuses what a read would refuse or change, and leaves no trace."""
    with pytest.raises(CheckpointError, match=said):
        commit(tmp_path, 1, tensors, state)
    assert names(tmp_path) == []


def test_a_commit_that_keeps_fewer_than_two_is_refused(tmp_path: Path) -> None:
    """``keep`` below two, and steps that no name can hold, are the caller's mistake."""
    with pytest.raises(ValueError, match="at least 2"):
        commit(tmp_path, 1, {}, {}, keep=1)
    for step in (-1, 10**18):
        with pytest.raises(ValueError, match="whole number"):
            commit(tmp_path, step, {}, {})
    assert names(tmp_path) == []


def test_the_digest_names_the_content(tmp_path: Path) -> None:
    """Equal content has one digest whatever the order of the tensors; other tensors, state or step have another."""
    tensors = of_step(1)
    swapped = dict(reversed(tensors.items()))
    stored = commit(tmp_path / "a", 1, tensors, {"k": 1})
    digest = stored.digest
    assert digest == hashlib.sha256((stored.path / "MANIFEST.json").read_bytes()).hexdigest()
    assert digest == read(stored.path).digest == latest(tmp_path / "a").digest
    assert commit(tmp_path / "b", 1, swapped, {"k": 1}).digest == digest
    others = [(2, tensors, {"k": 1}), (1, of_step(2), {"k": 1}), (1, tensors, {"k": 2})]
    assert digest not in {commit(tmp_path / f"c{n}", *other).digest for n, other in enumerate(others)}


def test_the_newest_by_number_is_found_and_the_older_are_pruned(tmp_path: Path) -> None:
    """Steps are ordered as numbers, also beyond eight digits, and two are kept unless told otherwise."""
    for step in (9, 10, 99_999_999, 100_000_000):
        commit(tmp_path, step, of_step(step), {})
        found = latest(tmp_path)
        assert found is not None
        assert (found.step, found.damaged) == (step, ())
    assert names(tmp_path) == ["step-100000000", "step-99999999"]


def test_the_newest_before_a_step_is_found_and_later_ones_are_discarded(tmp_path: Path) -> None:
    """What is of that step or later is as if it had never been, damaged or not."""
    three(tmp_path)
    found = latest(tmp_path, before=3)
    assert found is not None
    assert found.step == 2
    assert latest(tmp_path, before=1) is None
    (tmp_path / "step-00000003" / "state.json").write_text("{}")
    discard_from(tmp_path, 2)
    assert names(tmp_path) == ["step-00000001"]


def test_a_step_is_replaced_by_its_newer_commit(tmp_path: Path) -> None:
    """Committing a step again replaces it, with the same content or another, and leaves no other folder."""
    for value in (1, 1, 2):
        path = commit(tmp_path, 5, of_step(value), {"value": value}).path
        assert read(path).state == {"value": value}
        assert names(tmp_path) == ["step-00000005"]


def test_a_damaged_step_is_replaced(tmp_path: Path) -> None:
    """A run that fell back and comes to the damaged step again replaces it."""
    path = three(tmp_path) / "step-00000003"
    shutil.rmtree(path)
    path.write_text("not even a folder")
    commit(tmp_path, 3, of_step(3), {})
    assert read(path).step == 3


def test_damaged_checkpoints_do_not_count_as_kept(tmp_path: Path) -> None:
    """Pruning counts whole checkpoints only, so the fall-back survives although a newer one is broken."""
    (three(tmp_path) / "step-00000003" / "state.json").unlink()
    commit(tmp_path, 4, of_step(4), {}, keep=2)
    assert names(tmp_path) == ["step-00000002", "step-00000003", "step-00000004"]
    commit(tmp_path, 5, of_step(5), {}, keep=2)
    assert names(tmp_path) == ["step-00000004", "step-00000005"]


def test_the_checkpoint_just_committed_is_never_pruned(tmp_path: Path) -> None:
    """A run that went back by hand keeps what it commits, although newer steps exist."""
    three(tmp_path)
    assert commit(tmp_path, 0, of_step(0), {}, keep=2).path.is_dir()
    assert names(tmp_path) == ["step-00000000", "step-00000002", "step-00000003"]


@pytest.mark.parametrize("folder", ["", "absent"])
def test_no_checkpoint_is_not_an_error(tmp_path: Path, folder: str) -> None:
    """An empty or absent folder has no latest checkpoint, and sweeping it does nothing."""
    (tmp_path / "step-7").mkdir()
    (tmp_path / "step-000000007").mkdir()
    sweep(tmp_path / folder)
    assert latest(tmp_path / folder) is None


@pytest.mark.parametrize("seed", range(60))
def test_any_damage_to_the_newest_is_found_and_the_previous_used(tmp_path: Path, committed: Path, seed: int) -> None:
    """A flipped bit, a cut, an added byte or a missing file anywhere: found, said, and step 2 is used (R9)."""
    chance = random.Random(seed)
    shutil.copytree(committed, tmp_path, dirs_exist_ok=True)
    victim = tmp_path / "step-00000003" / FILES[seed % 3]
    data = bytearray(victim.read_bytes())
    damage = chance.choice(["flip", "flip", "flip", "cut", "grow", "lose"])
    if damage == "flip":
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    victim.write_bytes(data[: chance.randrange(len(data))] if damage == "cut" else data + b" " * (damage == "grow"))
    if damage == "lose":
        victim.unlink()
    found = latest(tmp_path)
    assert found is not None
    assert found.step == 2
    assert [each.path.name for each in found.damaged] == ["step-00000003"]
    assert victim.name in found.damaged[0].reason
    with pytest.raises(CheckpointError):
        read(victim.parent)


def test_a_grown_file_is_found_by_its_size(tmp_path: Path) -> None:
    """A file that grew, to a terabyte here, is passed over without being read."""
    commit(tmp_path, 1, of_step(1), {})
    os.truncate(commit(tmp_path, 2, of_step(2), {}).path / "state.json", 1 << 40)
    found = latest(tmp_path)
    assert found is not None
    assert found.step == 1
    assert "has 1099511627776 bytes, MANIFEST.json says 2" in found.damaged[0].reason


def test_every_byte_of_the_manifest_matters(tmp_path: Path) -> None:
    """There is no byte of the manifest, which no hash covers, in which a flipped bit goes unnoticed."""
    path = commit(tmp_path, 3, of_step(3), {}).path / "MANIFEST.json"
    data = path.read_bytes()
    for place in range(len(data)):
        flipped = bytearray(data)
        flipped[place] ^= 1 << place % 8
        path.write_bytes(flipped)
        with pytest.raises(CheckpointError):
            read(path.parent)


def test_a_renamed_checkpoint_is_not_taken_for_a_newer_one(tmp_path: Path) -> None:
    """The number in the name alone makes no checkpoint the newest."""
    shutil.copytree(three(tmp_path) / "step-00000001", tmp_path / "step-00000009")
    found = latest(tmp_path)
    assert found is not None
    assert (found.step, [each.path.name for each in found.damaged]) == (3, ["step-00000009"])


def test_all_damaged_is_an_error_that_names_each(tmp_path: Path) -> None:
    """Where no checkpoint is valid, starting anew silently would lose the run: one line says all reasons."""
    for path in list(three(tmp_path).iterdir()):
        (path / "tensors.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError) as caught:
        latest(tmp_path)
    assert all(f"step-0000000{step}" in str(caught.value) for step in (1, 2, 3))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("expect", "said"),
    [
        ({"a": ((2,), torch.float32)}, "1 tensors that nothing expects.*'b'"),
        ({"a": ((2,), torch.float32), "b": ((), torch.int64), "c": ((), torch.int64)}, "lacks 1 .*'c'"),
        ({"a": ((3,), torch.float32), "b": ((), torch.int64)}, r"'a' is \[2\] F32, expected \[3\] F32"),
        ({"a": ((2,), torch.float64), "b": ((), torch.int64)}, r"'a' is \[2\] F32, expected \[2\] F64"),
        ({"a": ((2, 1), torch.float32), "b": ((), torch.int64)}, "expected"),
    ],
)
def test_other_tensors_than_expected_are_refused(tmp_path: Path, expect: dict, said: str) -> None:
    """A name, shape or dtype that differs from the model's is an error that says expected and found."""
    path = commit(tmp_path, 1, {"a": torch.ones(2), "b": torch.tensor(1)}, {}).path
    with pytest.raises(CheckpointError, match=said):
        read(path, expect=expect)


def test_what_is_expected_is_read(tmp_path: Path) -> None:
    """``expect`` takes what the tensors themselves say of their shapes and dtypes."""
    tensors = of_step(4)
    path = commit(tmp_path, 4, tensors, {}).path
    assert read(path, expect={name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()}).step == 4


def test_only_what_is_asked_for_is_loaded(tmp_path: Path) -> None:
    """With ``prefixes`` other tensors are neither loaded nor compared; a prefix that nothing has gives nothing."""
    path = commit(tmp_path, 4, of_step(4), {"k": 1}).path
    some = read(path, expect={"model/weight": ((3, 2), torch.float32)}, prefixes=("model/", "ema/"))
    assert some.tensors.keys() == {"model/weight"}
    assert (some.state, some.digest) == ({"k": 1}, read(path).digest)
    assert read(path, expect={}, prefixes=("ema/",)).tensors == {}
    with pytest.raises(CheckpointError, match=r"lacks 1 .*'rng/torch'"):
        read(path, expect={"rng/torch": ((1,), torch.int64)}, prefixes=("model/",))


def test_optional_tensors_may_be_there_and_must_then_fit(tmp_path: Path) -> None:
    """What ``optional`` gives can be absent; where it is there, its shape and dtype are compared."""
    path = commit(tmp_path, 4, of_step(4), {}).path
    expect, fits = {"model/weight": ((3, 2), torch.float32)}, {"rng/torch": ((1,), torch.int64), "ema/x": ((), torch.int64)}
    assert read(path, expect=expect, optional=fits).step == 4
    with pytest.raises(CheckpointError, match=r"'rng/torch' is \[1\] I64, expected \[2\] I64"):
        read(path, expect=expect, optional={"rng/torch": ((2,), torch.int64)})
    with pytest.raises(CheckpointError, match=r"nothing expects.*'rng/torch'"):
        read(path, expect=expect, optional={})


def test_sweep_removes_leftovers_and_nothing_else(tmp_path: Path) -> None:
    """Folders, files and links that a killed process left are removed; checkpoints and foreign files stay."""
    three(tmp_path)
    (tmp_path / ".tmp-step-00000004-ab" / "sub").mkdir(parents=True)
    (tmp_path / ".del-step-00000000-cd").write_text("x")
    (tmp_path / ".tmp-link").symlink_to(tmp_path / "step-00000003")
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "notes.old").write_text("mine too")
    sweep(tmp_path)
    assert names(tmp_path) == ["notes.old", "notes.txt", "step-00000001", "step-00000002", "step-00000003"]
    assert read(tmp_path / "step-00000003").step == 3


def test_sweep_settles_a_replacement_that_was_cut_short(tmp_path: Path) -> None:
    """A step set aside is found as it is, gets its name back, and goes where its successor is there."""
    path = three(tmp_path) / "step-00000003"
    aside = path.rename(path.with_suffix(".old"))
    found = latest(tmp_path)
    assert found is not None
    assert (found.step, found.path) == (3, aside)
    sweep(tmp_path)
    assert read(path).step == 3
    shutil.copytree(path, aside)
    assert latest(tmp_path).path == path
    sweep(tmp_path)
    assert names(tmp_path) == ["step-00000001", "step-00000002", "step-00000003"]


def test_a_step_that_was_replaced_before_is_replaced_again(tmp_path: Path) -> None:
    """What an earlier replacement that was cut short set aside does not stop the next one, and goes with it."""
    path = commit(tmp_path, 3, of_step(1), {}).path
    shutil.copytree(path, path.with_suffix(".old"))
    digest = commit(tmp_path, 3, of_step(2), {}).digest
    assert names(tmp_path) == ["step-00000003"]
    assert read(path).digest == digest


def test_free_space_says_needed_and_available(tmp_path: Path) -> None:
    """What the volume has is enough or the error gives both numbers; the folder need not exist."""
    free_space(tmp_path / "not" / "yet", 1)
    available = shutil.disk_usage(tmp_path).free
    with pytest.raises(StorageError, match=rf"needs {available * 2} bytes .* has \d+ available"):
        free_space(tmp_path / "not" / "yet", available * 2)


@pytest.mark.parametrize("name", ["model/", "\x01" * 40_000, "\U0001f600" * 40_000], ids=["plain", "escaped", "wide"])
def test_needed_bytes_bounds_what_a_commit_writes(tmp_path: Path, name: str) -> None:
    """The bytes on disk are below ``needed_bytes``, for plain names by at most one MiB and what describes each tensor."""
    tensors = {f"{name}{n}": torch.zeros(n, 1000) for n in range(30)}
    path = commit(tmp_path, 1, tensors, {"some": "state"}).path
    used = sum(file.stat().st_size for file in path.iterdir())
    assert used <= needed_bytes(tensors) <= used + (1 << 20) + 30 * (150 + 6 * len(name))


def test_the_public_names_are_sorted_and_exist() -> None:
    """``__all__`` lists constants, classes, functions, each in order, and nothing that is missing."""
    assert all(hasattr(checkpoint, name) for name in checkpoint.__all__)
    assert sorted(checkpoint.__all__, key=lambda name: (not name.isupper(), name)) == checkpoint.__all__


PROGRAM = """
import resource, sys
from pathlib import Path
import torch
from genframe.experiment.run import checkpoint

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10

tensors = {f"model/{number}": torch.rand(1 << 20) for number in range(40)}  # 160 MiB
checkpoint.commit(Path(sys.argv[1]), 1, {"model/0": tensors["model/0"]}, {})  # what is loaded when it is first used
before = peak()
checkpoint.commit(Path(sys.argv[1]), 2, tensors, {})
print((peak() - before) / sum(tensor.nbytes for tensor in tensors.values()))
"""


def test_a_commit_needs_no_second_copy_of_the_tensors(tmp_path: Path) -> None:
    """Its peak of memory is that of one tensor."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 0.1
