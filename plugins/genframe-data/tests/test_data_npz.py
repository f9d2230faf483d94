"""npz archives: layouts, labels, splits by name, and what is refused."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genframe import Categorical, DataError, Real
from genframe_data import Digits, Labels, Npz, Table, Toy


def _save(folder: Path, **arrays: Any) -> Path:
    path = folder / "data.npz"
    np.savez_compressed(path, **arrays)
    return path


def _refusal(spec: Npz) -> str:
    with pytest.raises(DataError) as caught:
        spec.load()
    return str(caught.value)


@pytest.mark.parametrize(
    ("layout", "axes", "order"),
    [
        ("NCHW", (3, 4, 2), (0, 1, 2)),
        ("NHWC", (4, 2, 3), (2, 0, 1)),
        ("NCL", (3, 5), (0, 1)),
        ("NLC", (5, 3), (1, 0)),
        ("NDHWC", (2, 4, 5, 3), (3, 0, 1, 2)),
        ("NCDHW", (3, 2, 4, 5), (0, 1, 2, 3)),
    ],
)
def test_layouts_put_channels_first(tmp_path: Path, layout: Any, axes: tuple[int, ...], order: tuple[int, ...]) -> None:
    """The space and the stored data have the channels in front of the spatial axes, whatever their order in the file."""
    array = np.random.RandomState(0).randint(0, 256, (6, *axes)).astype(np.uint8)
    spec = Npz(path=_save(tmp_path, x=array), layout=layout, validation=0, test=0)
    stored = spec.load().split("train").stored
    expected = np.transpose(array, (0, *(1 + axis for axis in order)))
    assert spec.data_space() == Real(expected.shape[1:], 0.0, 1.0, levels=256)
    assert sorted(row.tobytes() for row in stored.numpy()) == sorted(row.tobytes() for row in expected)


@pytest.mark.parametrize(
    ("layout", "axes", "shape"),
    [("NHW", (4, 2), (1, 4, 2)), ("NL", (7,), (1, 7)), ("NDHW", (2, 3, 4), (1, 2, 3, 4)), ("vector", (4, 2), (8,))],
)
def test_layouts_without_channels(tmp_path: Path, layout: Any, axes: tuple[int, ...], shape: tuple[int, ...]) -> None:
    """Data without channels get one; vectors are flattened."""
    spec = Npz(path=_save(tmp_path, x=np.zeros((6, *axes), np.uint8)), layout=layout)
    assert spec.data_space() == spec.load().space == Real(shape, 0.0, 1.0, levels=256)


def test_bools_are_two_levels_and_floats_are_continuous(tmp_path: Path) -> None:
    """The type of the array decides what space its values have; float64 becomes float32, Fortran order is put right."""
    values = np.asfortranarray(np.random.RandomState(0).normal(size=(20, 3)).astype(">f8"))
    path = _save(tmp_path, voxels=np.ones((6, 2, 2, 2), bool), floats=values)
    voxels = Npz(path=path, array="voxels", layout="NDHW").load()
    floats = Npz(path=path, array="floats", layout="vector", split="block", validation=0, test=0).load()
    assert voxels.space == Real((1, 2, 2, 2), 0.0, 1.0, levels=2)
    assert bool((voxels.split("train").batch(slice(None)).x == 1).all())
    assert floats.space == Real((3,))
    assert torch.equal(floats.split("train").batch(slice(None)).x, torch.from_numpy(values.astype("=f8").copy()).float())


def test_splits_and_labels_by_name(tmp_path: Path) -> None:
    """Arrays may hold the validation and test data, each with its labels; names of classes are numbered in sorted order."""
    x = np.arange(12, dtype=np.uint8).reshape(12, 1)
    names = np.array(["cat", "ant", "bee"] * 4)
    path = _save(tmp_path, x=x, labels=names, xt=x[:3], lt=names[:3], xv=x[:2], lv=names[:2])
    spec = Npz(path=path, layout="vector", labels=True, test="xt", test_labels="lt", validation="xv", validation_labels="lv")
    data = spec.load()
    assert data.condition_space == spec.condition_space() == Categorical((), 3)
    test = data.split("test").condition
    assert test is not None
    assert test.tolist() == [2, 0, 1]
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 12, "validation": 2, "test": 3}


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    """An array of Python objects is refused by its header, as data and as labels."""
    path = _save(tmp_path, x=np.array([{"a": 1}] * 4), y=np.zeros((4, 2), np.uint8), labels=np.array([None] * 4))
    expected = f"{path}: x: expected numbers, found pickled Python objects, which are never loaded"
    assert _refusal(Npz(path=path, layout="vector")) == expected
    with pytest.raises(DataError, match="labels: expected numbers, found pickled Python objects"):
        Npz(path=path, layout="vector", array="y", labels=True).condition_space()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"array": "y"}, "expected an array 'y', found x, labels, few, wide, nan, alike, person"),
        (
            {"layout": "NCHW"},
            "layout NCHW, found the shape (6, 2, 2); say layout: NCL or NLC or NHW, or vector",
        ),
        (
            {"array": "wide"},
            "which may be 2 levels or the lowest of 256; say levels: 2 or levels: 256",
        ),
        ({"array": "wide", "levels": 2, "test": "x"}, "x: expected int64 of (1, 2, 2) as in 'wide', found uint8 of (1, 2, 2)"),
        ({"array": "person"}, "person: expected numbers or bools, found <U1; name another as 'array'"),
        ({"test": "nan"}, "nan: expected uint8 of (1, 2, 2) as in 'x', found float32 of (1, 2, 2)"),
        ({"array": "nan"}, "nan: expected finite numbers, found NaN or infinity"),
        (
            {"array": "nan", "dequantise": True},
            "nan: expected whole numbers or bools to prepare, found float32; floats are taken as they are",
        ),
        ({"labels": True, "label_array": "few"}, "expected 6 labels, one for each datum of 'x', found 5"),
        (
            {"labels": True, "label_array": "x"},
            "name an array of classes as 'label_array', or leave 'labels' out",
        ),
        (
            {"labels": True, "label_array": "alike"},
            "two classes, found only '0'; leave 'labels' out",
        ),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, fields: dict[str, Any], expected: str) -> None:
    """The message names the file, the array, what was expected and what was found."""
    path = _save(
        tmp_path,
        x=np.zeros((6, 2, 2), np.uint8),
        labels=np.arange(6),
        few=np.arange(5),
        wide=np.eye(2, dtype=np.int64)[None].repeat(6, 0),
        nan=np.full((6, 2, 2), np.nan, np.float32),
        alike=np.zeros(6, np.int64),
        person=np.full((6, 2, 2), "a"),
    )
    message = _refusal(Npz(**{"path": path, "layout": "NHW", **fields}))
    assert message.startswith(f"{path}: ")
    assert message.endswith(expected)


def test_missing_and_damaged_archives_are_named(tmp_path: Path) -> None:
    """No file, a folder, text, and half an archive."""
    assert _refusal(Npz(path=tmp_path / "no.npz")) == (
        f"{tmp_path}/no.npz: expected a file, found nothing; give an npz file as 'path'"
    )
    assert "expected a file, found a folder" in _refusal(Npz(path=tmp_path))
    path = _save(tmp_path, x=np.random.RandomState(0).randint(0, 256, (50, 40)).astype(np.uint8))
    whole = path.read_bytes()
    for content in (b"text", whole[: len(whole) // 2]):
        path.write_bytes(content)
        assert _refusal(Npz(path=path, layout="vector")).startswith(
            f"{path}: expected a sound npz archive, found a damaged one"
        )


def _archive(folder: Path, header: bytes, content: bytes) -> Path:
    """Write an archive that is sound but for the header of its array."""
    path = folder / "data.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + header.ljust(117) + b"\n" + content)
    return path


def test_a_header_that_lies_about_the_size_is_refused(tmp_path: Path) -> None:
    """A header that announces another size than the archive holds makes no array."""
    path = _archive(tmp_path, b"{'descr': '|u1', 'fortran_order': False, 'shape': (1000000, 1000000), }", bytes(10))
    assert _refusal(Npz(path=path, layout="vector")) == f"{path}: x: expected 1000000000000 bytes by its header, found 10"


@pytest.mark.parametrize(
    "header",
    [
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (4, 2, }",
        b"{'descr': '|u1', b'fortran_order': False, 'shape': (4, 2), }",
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (04, 2), }",
        b"{'descr': 'nonsense', 'fortran_order': False, 'shape': (4, 2), }",
        b"__import__('os').abort()",
    ],
)
def test_a_hostile_header_is_refused(tmp_path: Path, header: bytes) -> None:
    """Headers that make numpy's parser raise TokenError, TypeError, SyntaxError or ValueError are named; none is run."""
    path = _archive(tmp_path, header, bytes(8))
    assert _refusal(Npz(path=path, layout="vector")).startswith(
        f"{path}: x: expected an npy header, found one that cannot be read ("
    )


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_a_mutated_archive_is_refused_or_read(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Whatever bytes are changed, an archive is read or a DataError names it: nothing else escapes."""
    path = tmp_path_factory.mktemp("npz") / "data.npz"
    np.savez(path, x=np.zeros((4, 2), np.uint8))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        Npz(path=path, layout="vector").load()
    except DataError as error:
        assert re.match(re.escape(str(path)), str(error))  # noqa: PT017 - either outcome is right


def _people(folder: Path, **more: Any) -> Path:
    """Save 60 pictures of six persons, each picture filled with its number, with the persons' and the moods' names."""
    numbers = np.arange(60, dtype=np.uint8)
    x = np.broadcast_to(numbers[:, None, None], (60, 4, 6)).copy()
    person = np.array([f"person {number % 6}" for number in range(60)])
    return _save(folder, x=x, person=person, mood=np.array(["sad", "glad"] * 30), weight=np.linspace(0, 1, 60), **more)


@pytest.mark.parametrize("split", ["random", "block"])
def test_groups_stay_in_one_split(tmp_path: Path, split: Any) -> None:
    """No person is in two splits; counts are of persons; the labels follow the data, and no datum is lost."""
    spec = Npz(path=_people(tmp_path), layout="NHW", group_array="person", validation=1, test=2, split=split, labels=True)
    data = spec.model_copy(update={"label_array": "mood"}).load()
    numbers = {name: part.stored[:, 0, 0, 0].long() for name, part in data.splits.items()}
    persons = {name: set((part % 6).tolist()) for name, part in numbers.items()}
    assert {name: len(found) for name, found in persons.items()} == {"train": 3, "validation": 1, "test": 2}
    assert set.union(*persons.values()) == set(range(6))
    assert sum(map(len, numbers.values())) == 60
    for name, part in data.splits.items():
        assert part.condition is not None
        assert torch.equal(part.condition, (numbers[name] + 1) % 2)  # glad comes before sad
    if split == "block":
        assert persons["test"] == {4, 5}


def test_groups_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    """Missing arrays, arrays of floats or of another length, and more groups than there are."""
    path = _people(tmp_path, few=np.array(["a", "b"]))
    spec = {"path": path, "layout": "NHW"}
    assert "expected an array 'nobody'" in _refusal(Npz(**spec, group_array="nobody"))
    assert "weight: expected names or whole numbers (N,), found float64" in _refusal(Npz(**spec, group_array="weight"))
    assert "expected 60 groups, one for each datum of 'x', found 2" in _refusal(Npz(**spec, group_array="few"))
    assert "test: 6 asks for 6 of 6 groups and leaves none for training" in _refusal(Npz(**spec, group_array="person", test=6))
    with pytest.raises(ValueError, match="group_array divides one array, and test has its own"):
        Npz(path=path, group_array="person", test="few")


def test_downscaling_averages_squares(tmp_path: Path) -> None:
    """Each pixel is the mean of a square, rounded to its level; of floats it is not rounded."""
    stream = np.random.RandomState(0)
    for x in (stream.randint(0, 256, (5, 4, 6)).astype(np.uint8), stream.rand(5, 4, 6).astype(np.float32)):
        spec = Npz(path=_save(tmp_path, x=x), layout="NHW", downscale=2, validation=0, test=0, split="block")
        stored = spec.load().split("train").stored
        means = x.astype(np.float64).reshape(5, 2, 2, 3, 2).mean((2, 4))
        expected = means if x.dtype == np.float32 else np.rint(means)
        assert spec.data_space().shape == (1, 2, 3)
        np.testing.assert_allclose(stored[:, 0].numpy(), expected, rtol=1e-6)
    assert "expected sides that 4 divides, found [4, 6]" in _refusal(Npz(path=spec.path, layout="NHW", downscale=4))
    with pytest.raises(ValueError, match="downscale is of images"):
        Npz(path=spec.path, layout="vector", downscale=2)


def test_attributes_are_arrays_of_classes(tmp_path: Path) -> None:
    """Each array of names or whole numbers, one a datum, is an attribute with its classes in order; others are not."""
    path = _people(tmp_path, age=np.arange(60) % 3, all_alike=np.zeros(60, np.int64), few=np.array(["a", "b"]))
    spec = Npz(path=path, layout="NHW")
    persons = tuple(f"person {number}" for number in range(6))
    assert spec.attributes() == {"person": persons, "mood": ("glad", "sad"), "age": ("0", "1", "2")}
    assert spec.label_name() is None
    labelled = spec.labelled("mood")
    assert (labelled.label_name(), labelled.condition_space()) == ("mood", Categorical((), 2))
    plain, named = spec.load(), labelled.load()
    assert all(torch.equal(plain.split(name).stored, named.split(name).stored) for name in plain.splits)


def test_other_data_have_their_classes_as_attribute() -> None:
    """Digits have ten whether or not they give labels; those of data/labels are those of what is labelled; toys their modes."""
    digits = {"label": tuple("0123456789")}
    assert Digits().attributes() == Digits(labels=True).attributes() == digits
    assert (Digits().label_name(), Digits(labels=True).label_name()) == (None, "label")
    labels = Labels(of=Digits(labels=True))
    assert (labels.attributes(), labels.label_name()) == (digits, "label")
    assert labels.labelled("label").condition_space() == Digits().data_space()
    assert Toy(name="moons").attributes() == {"label": ("0", "1")}
    assert Table(path=Path("table.txt")).attributes() == {}
