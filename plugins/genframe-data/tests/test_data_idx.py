"""idx files: as MNIST has them, and broken in every way."""

from __future__ import annotations

import gzip
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from genframe import Categorical, DataError, Real
from genframe_data import Idx

IMAGES = "train-images-idx3-ubyte.gz"
LABELS = "train-labels-idx1-ubyte.gz"


def test_mnist_files_are_read_as_published(mnist: Path) -> None:
    """Training data keep their order, validation is their end, the test set is its own; plain and gzip files alike."""
    data = Idx(path=mnist, labels=True, validation=8).load()
    content = gzip.decompress((mnist / IMAGES).read_bytes())[16:]
    pixels = torch.tensor(list(content), dtype=torch.uint8).view(50, 1, 4, 3)
    assert data.space == Real((1, 4, 3), 0.0, 1.0, levels=256)
    assert data.condition_space == Categorical((), 5)
    assert torch.equal(data.split("train").stored, pixels[:42])
    assert torch.equal(data.split("validation").stored, pixels[42:])
    assert len(data.split("test")) == 10
    batch = data.split("train").batch(torch.tensor([3, 0]))
    assert batch.condition is not None
    assert batch.condition.tolist() == [3, 0]
    assert torch.equal(batch.x, pixels[[3, 0]] / 255)
    assert str(data.report) == str(Idx(path=mnist).report()) == "took 50 images of 4×3, and 10 to test on"


def test_test_data_can_be_cut_where_none_are_published(mnist: Path) -> None:
    """A number in the place of the test files' name cuts the test split from the end of the training data."""
    data = Idx(path=mnist, test=0.2, validation=0.0).load()
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 40, "test": 10}


def test_home_and_current_folder_are_understood(mnist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """~ is the home folder, and a relative path is seen from the current one."""
    monkeypatch.setenv("HOME", str(mnist.parent))
    monkeypatch.chdir(mnist.parent)
    for path in (f"~/{mnist.name}", mnist.name):
        assert Idx(path=path).data_space().dims == 12  # type: ignore[arg-type]


def _images(mnist: Path, content: bytes) -> Path:
    path = mnist / IMAGES
    path.write_bytes(content)
    return path


def _message(spec: Idx) -> str:
    with pytest.raises(DataError) as caught:
        spec.load()
    return str(caught.value)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """The message says which folder, what it would hold, and which field to change; check finds it without loading."""
    spec = Idx(path=tmp_path / "none")
    expected = (
        f"{tmp_path}/none: expected a folder, found nothing; "
        "give the folder that holds train-images-idx3-ubyte or train-images-idx3-ubyte.gz as 'path'"
    )
    assert _message(spec) == expected
    with pytest.raises(DataError, match=re.escape(expected)):
        spec.data_space()


@pytest.mark.parametrize("name", ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", IMAGES, LABELS])
def test_a_missing_file_is_found_before_loading(mnist: Path, name: str) -> None:
    """Each of the four files is looked for when the experiment is checked."""
    (mnist / name).unlink()
    plain = name.removesuffix(".gz")
    expected = f"{mnist}: expected {plain} or {plain}.gz in it, found neither; put one there or change 'path'"
    with pytest.raises(DataError, match=f"^{re.escape(expected)}$"):
        Idx(path=mnist, labels=True).data_space()


def test_a_wrong_magic_number_is_refused(mnist: Path) -> None:
    """Labels in the place of images are found by the magic number."""
    path = _images(mnist, (mnist / LABELS).read_bytes())
    assert _message(Idx(path=mnist)) == (
        f"{path}: expected the magic number 0x00000803 (unsigned bytes, 3 axes), found 0x00000801; is it the right file?"
    )


def test_other_types_than_bytes_are_refused(mnist: Path) -> None:
    """An idx file of floats has another magic number."""
    path = _images(mnist, bytes([0, 0, 0x0D, 3]) + bytes(60))
    assert "found 0x00000d03" in _message(Idx(path=mnist))
    assert str(path) in _message(Idx(path=mnist))


def test_a_short_header_is_refused(mnist: Path) -> None:
    """A file that ends within its header says so."""
    path = _images(mnist, b"\x00\x00\x08")
    assert _message(Idx(path=mnist)) == f"{path}: expected a header of 16 bytes, found 3"


def test_an_empty_file_is_refused(mnist: Path) -> None:
    """So does an empty one."""
    path = _images(mnist, b"")
    assert _message(Idx(path=mnist)) == f"{path}: expected a header of 16 bytes, found 0"


def test_a_size_of_zero_is_refused(mnist: Path, idx: Callable[[np.ndarray], bytes]) -> None:
    """No images are no data."""
    path = _images(mnist, idx(np.zeros((0, 4, 3), np.uint8)))
    assert _message(Idx(path=mnist)) == f"{path}: expected sizes of at least 1, found (0, 4, 3)"


def test_missing_pixels_are_counted(mnist: Path, idx: Callable[[np.ndarray], bytes]) -> None:
    """A file with fewer bytes than its header announces."""
    path = _images(mnist, idx(np.zeros((50, 4, 3), np.uint8))[:-5])
    assert _message(Idx(path=mnist)) == (f"{path}: expected 600 bytes of data by its header, found 595; copy the file again")


def test_spare_bytes_are_refused(mnist: Path, idx: Callable[[np.ndarray], bytes]) -> None:
    """A file with more bytes than its header announces."""
    path = _images(mnist, idx(np.zeros((50, 4, 3), np.uint8)) + b"!")
    assert _message(Idx(path=mnist)) == (
        f"{path}: expected 600 bytes of data by its header, found more; it is not one idx file"
    )


def test_a_truncated_gzip_is_refused(mnist: Path) -> None:
    """Half a download."""
    whole = (mnist / IMAGES).read_bytes()
    path = _images(mnist, whole[: len(whole) // 2])
    assert _message(Idx(path=mnist)) == f"{path}: expected a whole gzip stream, found one that is cut off; copy the file again"


def test_a_flipped_bit_in_gzip_is_found(mnist: Path) -> None:
    """The checksum at the end of the stream is compared."""
    whole = bytearray((mnist / IMAGES).read_bytes())
    whole[-6] ^= 1
    path = _images(mnist, bytes(whole))
    message = _message(Idx(path=mnist))
    assert message.startswith(f"{path}: expected a sound gzip stream, found a damaged one (CRC check failed")


def test_labels_must_be_as_many_as_images(mnist: Path, idx: Callable[[np.ndarray], bytes]) -> None:
    """49 labels for 50 images."""
    path = mnist / LABELS
    path.write_bytes(idx((np.arange(49) % 2).astype(np.uint8)))
    assert _message(Idx(path=mnist, labels=True)) == (
        f"{path}: expected 50 labels, one for each image of train-images-idx3-ubyte.gz, found 49"
    )


def test_test_images_must_have_the_training_images_size(mnist: Path, idx: Callable[[np.ndarray], bytes]) -> None:
    """Two sets thrown together are refused."""
    (mnist / "t10k-images-idx3-ubyte").write_bytes(idx(np.zeros((10, 3, 4), np.uint8)))
    assert _message(Idx(path=mnist)) == (
        f"{mnist}: expected test images of (4, 3), found (3, 4); the two sets do not belong together"
    )


def test_one_class_is_no_condition(mnist: Path, idx: Callable[[np.ndarray], bytes]) -> None:
    """Labels that are all 0 are refused when the experiment is checked."""
    for name, n in ((LABELS, 50), ("t10k-labels-idx1-ubyte", 10)):
        (mnist / name).write_bytes(idx(np.zeros(n, np.uint8)))
    with pytest.raises(DataError, match="expected labels of at least two classes, found only 0"):
        Idx(path=mnist, labels=True).condition_space()


@pytest.mark.parametrize("announced", [12, 2**40])
def test_a_gzip_bomb_is_not_unpacked(mnist: Path, announced: int) -> None:
    """64 MiB of zeros behind a header of 12 bytes are not read; a header of a tebibyte makes no more memory than the file."""
    sizes = (1, 4, 3) if announced == 12 else (2**20, 2**10, 2**10)
    header = bytes([0, 0, 8, 3]) + b"".join(size.to_bytes(4, "big") for size in sizes)
    _images(mnist, gzip.compress(header + bytes((1 << 26) if announced == 12 else 1 << 20), 1))
    tracemalloc.start()
    try:
        message = _message(Idx(path=mnist))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert f"expected {announced} bytes of data by its header, found " in message
    assert peak < 8 << 20
