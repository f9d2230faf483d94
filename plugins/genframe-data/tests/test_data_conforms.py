"""Every data set keeps what a component promises, on files small enough for a test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import datasets
import numpy as np
from PIL import Image

from genframe.testing import PluginConformance
from genframe_data import (
    Clips,
    Digits,
    HuggingFace,
    Idx,
    Images,
    Jitter,
    Labels,
    Npz,
    Shapes,
    Shards,
    Stacked,
    Table,
    Text,
    Toy,
    Volumes,
)
from genframe_data.packing import pack

FOLDER = TemporaryDirectory(prefix="genframe-conforms-")  # examples are made when tests are collected, before any fixture
PATH = Path(FOLDER.name)


def _idx(name: str, values: np.ndarray[Any, Any]) -> None:
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    (PATH / name).write_bytes(bytes([0, 0, 8, values.ndim]) + sizes + values.astype(np.uint8).tobytes())


def _write(stream: np.random.RandomState) -> None:
    """Write 60 random pictures of 4×4 pixels, in five classes, in every form."""
    pixels = stream.randint(0, 256, (60, 4, 4)).astype(np.uint8)
    labels = np.arange(60) % 5
    for name, rows in (("train", slice(0, 50)), ("t10k", slice(50, 60))):
        _idx(f"{name}-images-idx3-ubyte", pixels[rows])
        _idx(f"{name}-labels-idx1-ubyte", labels[rows])
    np.savez(PATH / "bytes.npz", x=pixels[:, None], labels=labels)
    np.savez(PATH / "volumes.npz", voxels=pixels[:, None] > 127)
    np.savez(PATH / "clips.npz", **{f"c{place:02}": pixels[place : place + 6] for place in range(0, 60, 6)})
    np.savez(PATH / "floats.npz", x=stream.randn(60, 4).astype(np.float32))
    np.savetxt(PATH / "table.csv", stream.randn(60, 3), delimiter=",")
    for number, picture in enumerate(pixels):
        place = PATH / "pictures" / str(labels[number])
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(place / f"{number}.png")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=[*"abcde"])})
    datasets.disable_progress_bars()
    table = {"image": [*map(Image.fromarray, pixels)], "label": labels}
    datasets.Dataset.from_dict(table, features=features).save_to_disk(PATH / "saved")
    (PATH / "text").write_bytes(stream.randint(97, 123, 1000).astype(np.uint8).tobytes())
    pack(*Images(path=PATH / "pictures", labels=True).samples(), PATH / "shards", per_shard=25)


_write(np.random.RandomState(0))


class TestData(PluginConformance):
    """The conformance kit."""

    plugin = "data"
    examples: ClassVar[dict[str, Sequence[Any]]] = {
        "data/digits": [
            Digits(),
            Digits(dequantise=True, labels=True),
            Digits(binarise="dynamic"),
            Digits(dequantise=True, range="-1..1", limit=100),
        ],
        "data/toy": [Toy(n=200), Toy(n=200, name="rings", labels=True)],
        "data/idx": [Idx(path=PATH), Idx(path=PATH, labels=True, binarise="static"), Idx(path=PATH, test=0.2)],
        "data/npz": [
            Npz(path=PATH / "bytes.npz", labels=True, dequantise=True),
            Npz(path=PATH / "floats.npz", layout="vector"),
        ],
        "data/labels": [Labels(of=Digits(labels=True)), Labels(of=Toy(n=200, labels=True))],
        "data/stacked": [
            Stacked(of=Digits(), n=100, held_out=50),
            Stacked(of=Digits(labels=True, dequantise=True), n=100, held_out=50),
        ],
        "data/shapes": [Shapes(n=100), Shapes(n=100, labels=True, objects=1)],
        "data/table": [Table(path=PATH / "table.csv"), Table(path=PATH / "table.csv", columns=(1,), standardise=False)],
        "data/text": [
            Text(path=PATH / "text", length=16),
            Text(path=PATH / "text", length=16, vocabulary="characters", stride=3),
        ],
        "data/images": [
            Images(path=PATH / "pictures", size=(4, 4), colour="grey", labels=True),
            Images(path=PATH / "pictures"),
            Images(path=PATH / "pictures", size=(4, 4), crop="random", flip="horizontal", jitter=Jitter()),
        ],
        "data/shards": [
            Shards(path=PATH / "shards", size=(4, 4), labels=True),
            Shards(path=PATH / "shards", size=(4, 4), dequantise=True),
        ],
        "data/clips": [
            Clips(path=PATH / "clips.npz", size=(4, 4), colour="grey", frames=2),
            Clips(path=PATH / "clips.npz", size=(4, 4), frames=3, step=1, flip="horizontal", crop="random"),
        ],
        "data/volumes": [Volumes(path=PATH / "volumes.npz"), Volumes(path=PATH / "volumes.npz", flip="horizontal", test=0)],
        "data/huggingface": [
            HuggingFace(path=PATH / "saved", size=(4, 4), labels=True),
            HuggingFace(path=PATH / "saved", size=(4, 4), validation=7, test=0, dequantise=True),
        ],
    }
