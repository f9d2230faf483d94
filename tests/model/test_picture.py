"""Pictures of data, and the recipe that a picture file carries."""

from __future__ import annotations

import io
import json
import math
import os
import subprocess
import sys
import tracemalloc
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from genframe import Categorical, DataError, Real, StorageError
from genframe.output.picture import BACKGROUND, CELL, GAP, NOT_FINITE, PLOT, grid, pairs, png_bytes, read_info, save, write
from genframe.output.png import MAX_INFO

GREY = Real((1, 2, 2), 0, 1)
INFO = {"seed": 3, "n": 4, "condition": None, "spec": {"type": "core/normal"}}
RGB = (0, 255, 128)


def pixels(image: Image.Image) -> np.ndarray:
    """Return the picture's bytes (H, W, 3) as integers that can be added."""
    return np.asarray(image).astype(int)


def chunk(kind: bytes, body: bytes) -> bytes:
    """Return a PNG chunk with its right checksum."""
    return len(body).to_bytes(4) + kind + body + zlib.crc32(kind + body).to_bytes(4)


def png(*chunks: bytes) -> bytes:
    """Return a PNG of a hundred thousand by a hundred thousand pixels with these chunks."""
    header = chunk(b"IHDR", (10**5).to_bytes(4) * 2 + bytes([8, 2, 0, 0, 0]))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IEND", b"")


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """Write a picture that carries INFO."""
    path = tmp_path / "samples.png"
    save(path, torch.rand(4, 1, 2, 2), GREY, INFO)
    return path


def test_grey_image_exact() -> None:
    """A grey image is its values from low to high as 0 to 255, with a gap to the right and below."""
    x = torch.tensor([[[[0.0, 1.0], [0.5, 0.25]]]])
    found = pixels(grid(x, GREY, scale=1))
    assert found.shape == (2 + GAP, 2 + GAP, 3)
    assert found[:2, :2, 0].tolist() == [[0, 255], [128, 64]]
    assert (found[2:] == BACKGROUND).all()
    assert (found[:, 2:] == BACKGROUND).all()


def test_bounds_are_the_spaces() -> None:
    """Bounds come from the space, not from the data, and values beyond them are clipped."""
    x = torch.tensor([-1.0, 0.0, 3.0, -3.0]).reshape(1, 1, 2, 2)
    found = pixels(grid(x, Real((1, 2, 2), -1, 1), scale=1))
    assert found[:2, :2, 0].tolist() == [[0, 128], [255, 0]]


def test_unbounded_image_uses_its_range() -> None:
    """Where a space has no bounds, the least and greatest finite values are black and white."""
    x = torch.tensor([-3.0, 5.0, 1.0, math.inf]).reshape(1, 1, 2, 2)
    found = pixels(grid(x, Real((1, 2, 2)), scale=1))
    assert found[0, :2, 0].tolist() == [0, 255]
    assert found[1, 0, 0] == 128


def test_constant_image_is_grey() -> None:
    """Data that do not vary are drawn in the middle grey, without a division by zero."""
    assert (pixels(grid(torch.zeros(1, 1, 2, 2), Real((1, 2, 2)), scale=1))[:2, :2] == 128).all()


def test_colours_keep_their_channels() -> None:
    """The three channels of a colour image are red, green and blue."""
    x = torch.tensor(RGB).reshape(1, 3, 1, 1) / 255
    assert pixels(grid(x, Real((3, 1, 1), 0, 1), scale=1))[0, 0].tolist() == list(RGB)


def test_categorical_image_is_levels() -> None:
    """Classes with a channel axis are levels of grey or of colour."""
    x = torch.tensor(RGB).reshape(1, 3, 1, 1)
    assert pixels(grid(x, Categorical((3, 1, 1), 256), scale=1))[0, 0].tolist() == list(RGB)


def test_index_map_has_one_colour_a_class() -> None:
    """Classes without a channel axis get a colour each, all different."""
    x = torch.arange(16).reshape(1, 4, 4)
    found = pixels(grid(x, Categorical((4, 4), 16), scale=1))[:4, :4].reshape(-1, 3)
    assert len(np.unique(found, axis=0)) == 16


def test_not_finite_values_are_magenta() -> None:
    """NaN and infinity are drawn in a colour of their own in images and heat maps alike."""
    x = torch.tensor([0.0, math.nan, 1.0, -math.inf])
    found = pixels(grid(x.reshape(1, 1, 2, 2), GREY, scale=1))
    assert (found[:2, 1] == NOT_FINITE).all()
    assert not (found[:2, 0] == NOT_FINITE).all(-1).any()
    assert (pixels(grid(x[None], Real((4,)))) == NOT_FINITE).all(-1).any()


def test_volume_is_its_maximum_along_depth() -> None:
    """A volume shows the largest value along its first spatial axis."""
    volume = torch.zeros(1, 1, 3, 2, 2)
    volume[0, 0, 1, 0, 1] = 1
    found = pixels(grid(volume, Real((1, 3, 2, 2), 0, 1), scale=1))
    assert found[:2, :2, 0].tolist() == [[0, 255], [0, 0]]


def test_layout_and_scale() -> None:
    """Tiles fill rows from the left, each pixel repeated until a tile is at least 32 wide."""
    x = torch.zeros(5, 1, 8, 8)
    x[3] = 1
    found = pixels(grid(x, Real((1, 8, 8), 0, 1), columns=3))
    side = CELL + GAP
    assert found.shape == (2 * side, 3 * side, 3)
    assert (found[side : side + CELL, :CELL] == 255).all()
    assert (found[:CELL, :CELL] == 0).all()
    assert (found[side:, 2 * side :] == BACKGROUND).all()


def test_scatter_points_upwards() -> None:
    """The first coordinate of a point goes right, the second up."""
    space = Real((2,), -1, 1)
    dark = pixels(grid(torch.tensor([[1.0, 1.0]]), space)).sum(-1)[GAP:-GAP, GAP:-GAP].argmin()
    row, column = divmod(int(dark), PLOT - 2 * GAP)
    assert row < PLOT / 10
    assert column > PLOT * 9 / 10


def test_scatter_frame_tells_of_lost_points() -> None:
    """A point that is not finite cannot be placed, so the frame turns magenta."""
    x = torch.zeros(3, 2)
    assert (pixels(grid(x, Real((2,))))[0] == BACKGROUND).all()
    x[1, 0] = math.nan
    assert (pixels(grid(x, Real((2,))))[0] == NOT_FINITE).all()


def test_pairs_put_one_below_the_other() -> None:
    """Each datum of the second batch stands right below its partner of the first."""
    x, y = torch.zeros(3, 1, 8, 8), torch.ones(3, 1, 8, 8)
    found = pixels(pairs(x, y, Real((1, 8, 8), 0, 1), columns=2))
    side = CELL + GAP
    assert found.shape == (4 * side, 2 * side, 3)
    for row, column, value in [(0, 0, 0), (1, 0, 255), (0, 1, 0), (1, 1, 255), (2, 0, 0), (3, 0, 255)]:
        assert (found[row * side : row * side + CELL, column * side : column * side + CELL] == value).all()


def test_pairs_of_points_share_their_axes() -> None:
    """Two clouds of points are drawn to the same scale."""
    x = torch.tensor([[-1.0, -1.0], [1.0, 1.0]])
    apart = [np.flatnonzero((half[GAP:-GAP, GAP:-GAP].sum(-1) < 700).any(1)) for half in
             np.split(pixels(pairs(x, x / 2, Real((2,)))), 2)]  # fmt: skip
    assert np.ptp(apart[0]) == pytest.approx(2 * np.ptp(apart[1]), abs=6)


@pytest.mark.parametrize("n", [0, 1, 7])
@pytest.mark.parametrize("space", [GREY, Real((2,)), Real((5,)), Real(()), Categorical((3, 3), 4), Real((2, 3, 4, 5))])
def test_any_number_of_data(space: Real | Categorical, n: int) -> None:
    """Pictures and pairs of no data, of one and of a few can be drawn in every kind of space."""
    x = torch.zeros(n, *space.shape)
    assert Image.open(io.BytesIO(png_bytes(x, space))).size[0] > 0
    assert pairs(x, x, space).size[0] > 0


def spaces() -> st.SearchStrategy[Real | Categorical]:
    """Spaces of up to five axes, bounded or not."""
    shapes = st.lists(st.integers(1, 5), max_size=5).map(tuple)
    bounds = st.sampled_from([{}, {"low": -1.0, "high": 1.0}, {"low": 0.0, "high": 255.0, "levels": 256}])
    real = st.builds(lambda shape, extra: Real(shape, **extra), shapes, bounds)
    return real | st.builds(Categorical, shapes, st.integers(2, 300))


@settings(max_examples=60, deadline=None)
@given(spaces(), st.integers(0, 6), st.sampled_from([0.0, 1e-40, 1.0, 1e38, math.inf, math.nan]), st.integers(0, 2**31))
def test_every_space_has_a_picture(space: Real | Categorical, n: int, size: float, seed: int) -> None:
    """No space, and no values however large, small or not finite, are refused."""
    x = torch.randn(n, *space.shape, generator=torch.Generator().manual_seed(seed))
    values: Tensor = x * size if isinstance(space, Real) else (x.abs() * 100).long() % space.size
    assert Image.open(io.BytesIO(png_bytes(values, space))).mode == "RGB"


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64, torch.uint8])
def test_every_dtype_has_a_picture(dtype: torch.dtype) -> None:
    """Tensors of any type are drawn, also where numpy has no such type or gradients are recorded."""
    x = torch.ones(2, 1, 2, 2, dtype=dtype)
    assert (pixels(grid(x, GREY, scale=1))[:2, :2] == 255).all()
    assert grid(torch.ones(1, 1, 2, 2, requires_grad=True), GREY).size


def test_large_data_stay_drawable() -> None:
    """Very many or very large data make a picture of bounded size."""
    assert max(grid(torch.zeros(20_000, 1, 8, 8), Real((1, 8, 8), 0, 1)).size) < 6000
    assert max(grid(torch.zeros(1, 1, 5000, 3000), Real((1, 5000, 3000), 0, 1)).size) < 6000
    assert max(grid(torch.zeros(3000, 3000), Real((3000,))).size) < 6000


def test_info_comes_back(picture: Path) -> None:
    """The recipe in a picture is read back as it was, by genframe and by Pillow."""
    assert read_info(picture) == INFO
    with Image.open(picture) as image:
        image.verify()
    with Image.open(picture) as image:
        assert json.loads(image.text["genframe"]) == INFO


def test_info_leaves_pixels_alone(tmp_path: Path) -> None:
    """A picture shows the same with and without its recipe."""
    image = grid(torch.rand(3, 1, 2, 2), GREY)
    write(tmp_path / "a.png", image, INFO)
    with Image.open(tmp_path / "a.png") as stored:
        assert (pixels(stored) == pixels(image)).all()


def test_nothing_is_left_of_a_refused_picture(tmp_path: Path, picture: Path) -> None:
    """A picture that cannot be written leaves no temporary file, and what was there is as it was."""
    before = picture.read_bytes()
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(StorageError, match="cannot be written"):
        write(tmp_path / "folder.png", grid(torch.rand(1, 1, 2, 2), GREY), {})
    with pytest.raises(StorageError, match="cannot be written"):
        write(tmp_path / "missing" / "a.png", grid(torch.rand(1, 1, 2, 2), GREY), {})
    with pytest.raises(ValueError, match="at most"):
        save(picture, torch.rand(1, 1, 2, 2), GREY, {"x": "y" * MAX_INFO})
    with pytest.raises(ValueError, match="JSON"):
        save(picture, torch.rand(1, 1, 2, 2), GREY, {"x": math.nan})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.png", "samples.png"]
    assert picture.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a PNG"),
        (b"GIF89a" * 10, "is not a PNG"),
        (b"\x89PNG\r\n\x1a\n", "cannot be read"),
        (png(), "carries no recipe"),
        (png(chunk(b"tEXt", b"Software\0other")), "carries no recipe"),
        (png(chunk(b"IDAT", b""), chunk(b"tEXt", b'genframe\0{"n": 1}')), "carries no recipe"),
        (png(b"\xff\xff\xff\xfftEXtgenframe\0{}"), "cannot be read: Truncated File Read"),
        (png(chunk(b"tEXt", b"genframe\0{}")[:-1] + b"!"), "checksum"),
        (png(chunk(b"tEXt", b"genframe\0{")), "not JSON"),
        (png(chunk(b"tEXt", b"genframe\0" + b"[" * 500_000)), "not JSON"),
        (png(chunk(b"tEXt", b"genframe\0" + b"1" * 5000)), "not JSON"),
        (png(chunk(b"tEXt", b"genframe\0\xff\xfe\xfd")), "not JSON"),
        (png(chunk(b"tEXt", b"genframe\0[1]")), "not a mapping"),
        (png(chunk(b"tEXt", b'genframe\0{"x": "' + b"y" * MAX_INFO + b'"}')), "carries no recipe"),
    ],
)
def test_foreign_files_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    """A file that is no picture of genframe is a DataError that names the file and what is wrong."""
    path = tmp_path / "foreign.png"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_info(path)
    assert str(path) in str(caught.value)


def test_not_a_regular_file(tmp_path: Path) -> None:
    """A folder, a missing file and a pipe are refused at once; a pipe is not waited for."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "missing.png", tmp_path / "pipe"):
        with pytest.raises(DataError, match="is not a file"):
            read_info(path)


def test_pixels_are_not_decoded(tmp_path: Path) -> None:
    """A picture that claims ten thousand million pixels is read without making room for them."""
    path = tmp_path / "bomb.png"
    path.write_bytes(png(chunk(b"tEXt", b'genframe\0{"n": 1}'), chunk(b"IDAT", zlib.compress(bytes(10**6)))))
    assert read_info(path) == {"n": 1}


def test_huge_chunks_are_not_read(tmp_path: Path) -> None:
    """A text of a gigabyte is passed over, not read."""
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.write(png()[:33] + (2**30).to_bytes(4) + b"tEXtgenframe\0")
        file.truncate(2**30 + 100)
    tracemalloc.start()
    try:
        with pytest.raises(DataError):
            read_info(path)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_pictures_never_mislead(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A truncated or altered file gives the recipe as it was or a DataError, never another recipe."""
    path = tmp_path_factory.getbasetemp() / "damaged.png"
    save(path, torch.zeros(1, 1, 2, 2), GREY, INFO)
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    with suppress(DataError):
        assert read_info(path) == INFO


def test_reading_a_recipe_needs_no_torch() -> None:
    """The module is imported, and a recipe read, without torch."""
    code = "import sys, genframe.output.picture; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
