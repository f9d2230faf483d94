"""Volumes: binvox files and arrays of voxels, and what hostile ones are refused with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from genframe import Categorical, DataError, Real, train
from genframe.roles import whole
from genframe_data import Volumes
from genframe_data.volumes import read_binvox

VOXELS = (np.random.default_rng(0).random((12, 4, 5, 6)) < 0.3).astype(np.uint8)  # x, y, z


def binvox(voxels: Any, head: str = "") -> bytes:
    """Return a file of voxels (x, y, z), written as its format says: runs of at most 255, y fastest, then z, then x."""
    x, y, z = voxels.shape
    flat = [int(voxels[i, j, k]) for i in range(x) for k in range(z) for j in range(y)]
    runs: list[list[int]] = []
    for value in flat:
        if runs and runs[-1][0] == value and runs[-1][1] < 255:
            runs[-1][1] += 1
        else:
            runs.append([value, 1])
    head = head or f"#binvox 1\ndim {x} {z} {y}\ntranslate 0 0 0\nscale 1\ndata\n"
    return head.encode() + bytes(number for run in runs for number in run)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve files in two classes."""
    for number, voxels in enumerate(VOXELS):
        path = tmp_path / "v" / ("chair", "desk")[number % 2] / f"{number:02}.binvox"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(binvox(voxels))
    return tmp_path / "v"


def spec(path: Path, **fields: Any) -> Volumes:
    """Return the volumes, all for training, in order."""
    return Volumes(**{"path": path, "validation": 0, "test": 0, "split": "block", **fields})


def test_files_give_the_voxels_that_were_written(folder: Path) -> None:
    """Along x, y and z, with their classes."""
    data = spec(folder, labels=True).load()
    order = [*range(0, 12, 2), *range(1, 12, 2)]
    part = data.split("train")
    assert data.space == spec(folder).data_space() == Real((1, 4, 5, 6), 0.0, 1.0, 2)
    assert torch.equal(part.batch(slice(None)).x, torch.from_numpy(VOXELS[order, None]).float())
    assert data.condition_space == Categorical((), 2)
    assert part.condition.tolist() == [0] * 6 + [1] * 6  # type: ignore[union-attr]
    assert str(spec(folder, labels=True).report()) == str(data.report) == "took 12 volumes of 2 classes"


def test_a_file_by_another_hand(tmp_path: Path) -> None:
    """Two slices along x of 2×3: the first has its first column along y, the second is full; runs may cross slices."""
    (tmp_path / "a.binvox").write_bytes(b"#binvox 1\ndim 2 3 2\ndata\n" + bytes([1, 2, 0, 4, 1, 6]))
    found = read_binvox(tmp_path / "a.binvox")
    assert found.shape == (2, 2, 3)
    assert found[0].tolist() == [[1, 0, 0], [1, 0, 0]]
    assert found[1].tolist() == [[1, 1, 1], [1, 1, 1]]


@pytest.mark.parametrize("kind", ["bool", "bytes", "floats", "packed"])
def test_arrays_are_volumes(tmp_path: Path, kind: str) -> None:
    """Truth values, numbers of 0 and 1, or bits with their sizes beside them."""
    arrays = {
        "bool": {"voxels": VOXELS.astype(bool)},
        "bytes": {"voxels": VOXELS},
        "floats": {"voxels": VOXELS.astype(np.float32)},
        "packed": {"voxels": np.packbits(VOXELS.reshape(12, -1), axis=1), "shape": np.array(VOXELS.shape)},
    }[kind]
    np.savez(tmp_path / "v.npz", **arrays)
    data = spec(tmp_path / "v.npz").load()
    assert data.space == spec(tmp_path / "v.npz").data_space()
    assert torch.equal(whole(data.split("train").stored), torch.from_numpy(VOXELS[:, None]))
    assert str(data.report) == "took 12 volumes of 'voxels'"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "expected the header of a binvox file, found none"),
        (b"#binvox 1\ndim 4 6\ndata\n", "expected the header of a binvox file, found none"),
        (b"#binvox 1\ndim -4 6 5\ndata\n", "expected the header of a binvox file, found none"),
        (b"#binvox 1\ndim 4 6 5\n" + b"x" * 9000 + b"data\n", "expected the header of a binvox file, found none"),
        (b"#binvox 1\ndim 99999 99999 99999\ndata\n", "expected 1 to 1073741824 voxels, found 99999×99999×99999"),
        (b"#binvox 1\ndim 4 6 5\ndata\n" + bytes([1, 255] * 9999), "expected 120 voxels by its header, found 2549745"),
        (binvox(VOXELS[0])[:-2], "expected 120 voxels by its header, found 11"),
        (binvox(VOXELS[0])[:-1], "expected 120 voxels by its header, found 11"),
        (b"#binvox 1\ndim 4 6 5\ndata\n" + bytes([7, 120]), "expected values of 0 and 1, found 7"),
        (binvox(VOXELS[0, :3]), "expected 4×5×6 voxels as the first one has, found"),
    ],
)
def test_files_that_are_damaged_are_named_or_left_out(folder: Path, content: bytes, said: str) -> None:
    """All at once, by their names below the folder."""
    (folder / "desk" / "03.binvox").write_bytes(content)
    with pytest.raises(DataError, match=r"1 of 12 volumes cannot be read.*\n  desk/03\.binvox: ") as caught:
        spec(folder).load()
    assert said in str(caught.value)
    data = spec(folder, on_error="skip", labels=True).load()
    assert len(data.split("train")) == 11
    assert data.split("train").condition.tolist() == [0] * 6 + [1] * 5  # type: ignore[union-attr]
    assert data.split("train").protocol["skipped"] == {"count": 1, "files": ["desk/03.binvox"]}
    assert str(data.report) == "took 11 volumes of 2 classes; skipped 1 file: 1 damaged"


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"voxels": VOXELS[0]}, r"expected volumes of the shape \(N, depth, height, width\), found \(4, 5, 6\)"),
        ({"voxels": VOXELS * 3}, "expected voxels of 0 and 1, found 3; use data/npz"),
        ({"voxels": VOXELS.reshape(12, -1)}, "need an array 'shape' of four numbers beside them, found none"),
        ({"voxels": VOXELS.reshape(12, -1), "shape": np.array(VOXELS.shape)}, "they do not fit"),
        ({"voxels": VOXELS.reshape(12, -1), "shape": np.array([12, 2**40, 2**40, 2**40])}, "they do not fit"),
        ({"other": VOXELS}, "expected an array 'voxels', found other"),
    ],
)
def test_arrays_that_are_no_volumes_are_named(tmp_path: Path, arrays: dict[str, Any], said: str) -> None:
    """By the archive and the array."""
    np.savez(tmp_path / "v.npz", **arrays)
    with pytest.raises(DataError, match=said):
        spec(tmp_path / "v.npz").data_space(), spec(tmp_path / "v.npz").load()


def test_folders_without_volumes_say_what_was_there(tmp_path: Path) -> None:
    """So that a wrong suffix is seen."""
    (tmp_path / "a.vox").write_bytes(b"junk")
    with pytest.raises(DataError, match=r"expected files \(\.binvox\), found none; took nothing; skipped 1 file: 1 \.vox"):
        spec(tmp_path).data_space()


def test_a_model_of_volumes_is_trained_and_shown(folder: Path, tmp_path: Path, genframe: Callable[..., Any]) -> None:
    """As the largest value along the depth; training volumes may be mirrored, held-out ones never."""
    network = {"type": "nets/mlp", "hidden": [8]}
    model = {
        "encoder": {"type": "vae/gaussian", "dim": 2, "network": network},
        "decoder": {"type": "vae/bernoulli", "network": network},
    }
    data = {"type": "data/volumes", "path": str(folder), "validation": 0, "test": 4, "flip": "horizontal"}
    run = train(
        {"name": "v", "data": data, "model": {**model, "loss": "vae/elbo"}, "train": {"steps": 2, "batch_size": 4}},
        folder=tmp_path / "run",
    )
    assert run.sample(3).x.shape == (3, 1, 4, 5, 6)
    assert run.dataset().split("train").augment is not None
    assert run.dataset().split("test").augment is None
    genframe("sample", tmp_path / "run", "-n", "4", "--out", tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as sheet:
        assert sheet.size[0] > 12
