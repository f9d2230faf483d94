"""Specs: what they refuse, and what they do without torch."""

from __future__ import annotations

import atexit
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
from PIL import Image

from genframe import DatasetSpec, Real, SpecError
from genframe_data import Digits, Idx, Images, Npz, Table, Toy

FILES = TemporaryDirectory()
atexit.register(FILES.cleanup)


def _files() -> dict[str, Path]:
    """Write one small data set of each format."""
    folder = Path(FILES.name)
    stream = np.random.RandomState(0)
    for name, n in (("train", 200), ("t10k", 50)):
        pixels = stream.randint(0, 256, (n, 4, 4)).astype(np.uint8)
        header = bytes([0, 0, 8, 3]) + b"".join(size.to_bytes(4, "big") for size in pixels.shape)
        (folder / f"{name}-images-idx3-ubyte").write_bytes(header + pixels.tobytes())
        labels = bytes(number % 10 for number in range(n))
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1]) + n.to_bytes(4, "big") + labels)
        for number in range(20):
            path = folder / "pictures" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels[number]).save(path)
    np.savez(folder / "data.npz", x=pixels, labels=np.arange(50) % 4)
    np.savetxt(folder / "table.txt", stream.normal(size=(100, 3)))
    (folder / "words.csv").write_text("a,s,t,c\n" + "1,fox,x,7\n2,owl,y,7\n" * 9)
    pyarrow.parquet.write_table(pyarrow.table({"a": [1.0, 2.0] * 9, "t": ["x", "y"] * 9}), folder / "table.parquet")
    return {"idx": folder, "npz": folder / "data.npz", "images": folder / "pictures", "table": folder / "table.txt"}


PATHS = _files()
READY: tuple[DatasetSpec, ...] = (
    Digits(labels=True),
    Toy(labels=True),
    Idx(path=PATHS["idx"], labels=True),
    Npz(path=PATHS["npz"], layout="NHW", labels=True),
    Images(path=PATHS["images"], labels=True),
    Table(path=PATHS["table"]),
    Table(path=PATHS["table"].with_name("words.csv"), categories=("s",), label="t", drop_constant=True),
    Table(path=PATHS["table"].with_suffix(".parquet"), categories=("t",)),
)


def test_spaces_are_told_without_torch() -> None:
    """What check asks of a data set, its two spaces, imports neither torch nor scikit-learn."""
    code = (
        "import sys, json; from genframe import installed\n"
        "for text in sys.argv[1:]:\n"
        "    value = json.loads(text); spec = installed().registry('dataset').find(value['type']).model_validate(value)\n"
        "    spec.data_space(); spec.condition_space()\n"
        "print([name for name in ('torch', 'sklearn', 'PIL') if name in sys.modules])"
    )
    texts = [spec.model_dump_json() for spec in READY]
    output = subprocess.run([sys.executable, "-c", code, *texts], capture_output=True, text=True, check=True)
    assert output.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (
            lambda: Digits(binarise="static", dequantise=True),
            "binarise: static makes two values and dequantise: true makes continuous ones; leave one of them out",
        ),
        (
            lambda: Digits(binarise="dynamic", range="-1..1"),
            "binarised data are 0 and 1; leave range: -1..1 or binarise: dynamic out",
        ),
        (lambda: Digits(validation=1.5), "expected a share below 1 or a whole number of data, found 1.5"),
        (lambda: Digits(validation=-0.1), "greater than or equal to 0"),
        (lambda: Digits(validation=float("inf")), "finite number"),
        (lambda: Digits(binarize="static"), "unknown field 'binarize'"),  # type: ignore[call-arg]
        (
            lambda: Npz(path="x.npz", labels=True, test="xt"),  # type: ignore[arg-type]
            "labels of test: xt are missing; name their array as test_labels",
        ),
        (
            lambda: Npz(path="x.npz", validation_labels="lv"),  # type: ignore[arg-type]
            "validation_labels: lv has no data; name their array as validation, or leave it out",
        ),
    ],
)
def test_fields_that_contradict_each_other_are_refused(make: Any, expected: str) -> None:
    """The message says which two, and what would do."""
    with pytest.raises(SpecError) as caught:
        make()
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "space"),
    [
        (Digits(), Real((1, 8, 8), 0.0, 1.0, levels=17)),
        (Digits(range="-1..1"), Real((1, 8, 8), -1.0, 1.0, levels=17)),
        (Digits(dequantise=True), Real((1, 8, 8), 0.0, 1.0, levels=17, dequantised=True)),
        (Digits(binarise="dynamic"), Real((1, 8, 8), 0.0, 1.0, levels=2)),
    ],
)
def test_preparation_decides_the_space(spec: Digits, space: Real) -> None:
    """Range, binarisation and dequantisation are in the space, and loading agrees."""
    assert spec.data_space() == spec.load().space == space


def test_paths_are_saved_as_text() -> None:
    """A spec that was dumped, in either mode, has the path as it was given, and reads back."""
    for mode in ("python", "json"):
        dumped = Idx(path="~/mnist").model_dump(mode=mode)  # type: ignore[arg-type]
        assert dumped["path"] == "~/mnist"
        assert Idx.model_validate(dumped) == Idx(path="~/mnist")  # type: ignore[arg-type]
