"""Whole numbers in archives: their levels, their range, their channels, and bombs."""

from __future__ import annotations

import gzip
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from genframe import DataError, Real
from genframe_data import Npz, Text, files


def _spec(folder: Path, x: np.ndarray, **fields: Any) -> Npz:
    np.savez(folder / "data.npz", x=x)
    return Npz(**{"path": folder / "data.npz", "layout": "vector", "split": "block", "validation": 0, "test": 0, **fields})


@pytest.mark.parametrize("kind", ["int64", "uint16", "int16"])
def test_wide_numbers_within_bytes_stay_as_they_are(tmp_path: Path, kind: str) -> None:
    """Their type does not change what they are."""
    x = np.array([[3, 200], [0, 255]])
    split = _spec(tmp_path, x.astype(kind)).load().split("train")
    assert split.stored.tolist() == x.tolist()
    assert "intensities" not in split.protocol


def test_wider_numbers_are_scaled_from_their_range(tmp_path: Path) -> None:
    """The range is in the protocol; one that is given is used, and values beyond it are clipped; none wraps."""
    x = np.array([[1000, 1500], [1256, 1510]], np.uint16)
    split = _spec(tmp_path, x).load().split("train")
    assert split.stored.tolist() == [[0, 250], [128, 255]]
    assert split.protocol["intensities"] == [1000, 1510]
    split = _spec(tmp_path, x, intensities=(1255, 1510)).load().split("train")
    assert split.stored.tolist() == [[0, 245], [1, 255]]
    negative = _spec(tmp_path, np.array([[-5, 1], [5, 2]])).load().split("train")
    assert negative.stored.tolist() == [[0, 153], [255, 178]]


def test_zeros_and_ones_are_asked_about(tmp_path: Path) -> None:
    """As 256 levels they would be black and all but black."""
    x = np.array([[0, 1], [1, 1]], np.uint8)
    with pytest.raises(DataError, match=r"found only 0 and 1, .*; say levels: 2 or levels: 256$"):
        _spec(tmp_path, x).load()
    data = _spec(tmp_path, x, levels=2).load()
    assert data.space == Real((2,), 0.0, 1.0, levels=2)
    assert torch.equal(data.split("train").batch(slice(None)).x, torch.from_numpy(x).float())
    assert float(_spec(tmp_path, x, levels=256).load().split("train").batch(slice(None)).x.max()) == pytest.approx(1 / 255)


def test_values_beyond_the_levels_are_refused(tmp_path: Path) -> None:
    """So are levels of bools and of floats, and two scales at once."""
    with pytest.raises(DataError, match="expected whole numbers from 0 to 3, found 0 to 4; change 'levels'"):
        _spec(tmp_path, np.arange(5, dtype=np.uint8)[:, None].repeat(2, 1), levels=4).load()
    with pytest.raises(DataError, match="bools have 2 levels, found levels: 3"):
        _spec(tmp_path, np.ones((4, 2), bool), levels=3).data_space()
    with pytest.raises(DataError, match="floats are taken as they are"):
        _spec(tmp_path, np.ones((4, 2)), levels=3).data_space()
    with pytest.raises(ValueError, match="leave one of them out"):
        _spec(tmp_path, np.ones((4, 2)), levels=3, intensities=(0, 1))
    with pytest.raises(DataError, match="expected values that differ, found 700 everywhere"):
        _spec(tmp_path, np.full((4, 2), 700)).load()


def test_channels_that_may_be_last_are_asked_about(tmp_path: Path) -> None:
    """Not where the layout is said, or where the channels are first as well."""
    np.savez(tmp_path / "data.npz", x=np.zeros((5, 8, 6, 3), np.uint8), first=np.zeros((5, 3, 6, 3), np.uint8))
    path = tmp_path / "data.npz"
    with pytest.raises(DataError, match=r"the shape \(5, 8, 6, 3\) has 3 last, .*say layout: NHWC, or layout: NCHW if"):
        Npz(path=path).data_space()
    assert Npz(path=path, layout="NCHW").data_space().shape == (8, 6, 3)
    assert Npz(path=path, layout="NHWC").data_space().shape == (3, 8, 6)
    assert Npz(path=path, array="first").data_space().shape == (3, 6, 3)


def _labels(folder: Path, labels: np.ndarray) -> Npz:
    np.savez(folder / "data.npz", x=np.arange(len(labels), dtype=np.uint8)[:, None], labels=labels)
    return Npz(path=folder / "data.npz", layout="vector", labels=True, split="block", validation=0, test=0)


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (np.array([1, 2, 5, 3, 4] * 4), ("1", "2", "3", "4", "5")),
        (np.array([0, 1000, 4000] * 8), ("0", "1000", "4000")),
        (np.array([0, 2**40] * 8), ("0", str(2**40))),
        (np.array(["b", "a"] * 8), ("a", "b")),
        (np.array([True, False] * 8), ("False", "True")),
        (np.array([b"b", b"a"] * 8), ("a", "b")),
    ],
)
def test_classes_are_those_that_occur(tmp_path: Path, labels: np.ndarray, names: tuple[str, ...]) -> None:
    """They are numbered without gaps, and keep their names."""
    spec = _labels(tmp_path, labels)
    data = spec.load()
    assert data.classes == spec.attributes()["labels"] == names
    found = data.split("train").condition
    assert found is not None
    texts = [label.decode() if isinstance(label, bytes) else str(label) for label in labels.tolist()]
    assert [names[number] for number in found.tolist()] == texts


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (np.array([0.0, 1.0, 2.0, 1.0]), "they are whole: save them with .astype('int64')"),
        (np.array([0.5, 1.0, 2.0, 1.0]), "name an array of classes as 'label_array', or leave 'labels' out"),
        (np.eye(4, dtype=int), "they are one-hot: save them with .argmax(1)"),
        (np.array([-1, 0, 1, 0]), "found -1; where that means that there is no label, leave these data out or give them a"),
        (np.arange(30) * 7, "expected classes, found 30 labels that are all different; leave 'labels' out"),
        (np.array([0, 2**64 - 1], np.uint64), "expected labels up to 9223372036854775807, found larger ones"),
    ],
)
def test_labels_that_are_no_classes_are_refused(tmp_path: Path, labels: np.ndarray, expected: str) -> None:
    """With what would do, which never damages what they say."""
    with pytest.raises(DataError) as caught:
        _labels(tmp_path, labels).condition_space()
    assert expected in str(caught.value)


def test_bombs_are_refused_in_a_second(tmp_path: Path) -> None:
    """Archives and gzip streams that unpack to hundreds of times their size are not unpacked."""
    size = 1 << 28
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({size >> 10}, 1024), }}"
        with archive.open("x.npy", "w", force_zip64=True) as member:
            member.write(b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + header.encode().ljust(117) + b"\n")
            for _ in range(size >> 20):
                member.write(bytes(1 << 20))
    with gzip.open(tmp_path / "bomb.gz", "wb") as stream:
        for _ in range(200):
            stream.write(bytes(1 << 20))
    start = time.process_time()
    with pytest.raises(DataError, match=f"found {size} bytes packed into .*: nothing but repeats"):
        Npz(path=tmp_path / "bomb.npz", layout="vector").data_space()
    with pytest.raises(DataError, match="nothing but repeats"):
        Text(path=tmp_path / "bomb.gz").load()
    assert time.process_time() - start < 1


def test_what_memory_cannot_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any of it is allocated."""
    monkeypatch.setattr(files.os, "sysconf", lambda name: 1024)
    files.require_memory(1 << 20, "x")
    with pytest.raises(DataError, match=f"x: needs {(1 << 20) + 1} bytes of memory, found {1 << 20}"):
        files.require_memory((1 << 20) + 1, "x")


def test_the_report_counts_examples_and_classes(tmp_path: Path) -> None:
    """By the headers, and the labels."""
    spec = _labels(tmp_path, np.array([1, 2, 5, 3] * 4))
    assert str(spec.report()) == "took 16 examples of 'x' of 4 classes"
    assert spec.load().report == spec.report()
