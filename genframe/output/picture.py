"""Pictures of examples from any space.

``x`` is (N, data) in the space's own values. Every space has a picture: images and volumes are tiles of one sheet,
points in the plane are dots, anything else is a heat map. Values that are not finite are magenta.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from ..types import Categorical, Real, Space
from .files import write_whole
from .png import encode, read_info, write

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image
    from torch import Tensor

    Array: TypeAlias = NDArray[Any]
    Limits: TypeAlias = tuple[float, float]

__all__ = ["animate", "grid", "is_clip", "pairs", "play", "png_bytes", "read_info", "save", "singles", "write"]

MAX_PIXELS: Final = 2**24
MAX_SIDE: Final = 4096
CELL: Final = 32
MOST_FRAMES: Final = 16  # of a clip, in a picture
PLOT: Final = 480
FEW: Final = 2000
GAP: Final = 2
MARGIN: Final = 0.04
BACKGROUND: Final = np.array([226, 228, 232], np.uint8)
NOT_FINITE: Final = np.array([255, 0, 255], np.uint8)
INK: Final = np.array([31, 78, 140])
HEAT: Final = np.array([[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]])  # viridis at quarters
FRAME: Final = 100  # milliseconds
LAST_FRAME: Final = 1500


def grid(x: Tensor, space: Space, columns: int | None = None, scale: int | None = None) -> Image:
    """Return one picture of all examples: (N, data).

    Images, volumes (by their maximum along the first axis) and other arrays are tiles, ``columns`` in a row and
    each pixel ``scale`` wide; by default the grid is nearly square and a tile at least 32 pixels wide. Clips are rows of their
    frames. Points in the plane are a scatter plot; other vectors are the rows of one heat map.
    """
    values = _array(x, space)
    return _image(_grid(values, space, _limits(space, values), columns, scale))


def singles(x: Tensor, space: Space) -> list[Image]:
    """Return a picture of each example, a pixel for a pixel: (N, data).

    :raises ValueError: if an example has no picture of its own, as a vector has none.
    """
    if not _tiled(space):
        raise ValueError(f"examples of {space} have no pictures of their own")
    limits = _limits(space, _array(x, space))
    return [_image(_tiles(_array(one, space), space, limits)[0]) for one in x.split(1)]


def pairs(x: Tensor, y: Tensor, space: Space, columns: int = 10) -> Image:
    """Return a sheet of ``x`` with ``y`` below it, row by row: (N, data), (N, data)."""
    both = _array(x, space), _array(y, space)
    limits = _limits(space, *both)
    if not _tiled(space):
        return _image(np.concatenate([_plot(values, space, limits) for values in both]))
    above, below = (_tiles(values, space, limits) for values in both)
    columns = max(1, min(columns, len(above)))
    rows = [_sheet(half[at : at + columns], columns, None) for at in range(0, len(above), columns) for half in (above, below)]
    for row in rows[1::2]:  # a line under each pair
        row[-GAP:] = INK
    return _image(np.concatenate(rows) if rows else _sheet(above, 1, None))


def png_bytes(x: Tensor, space: Space) -> bytes:
    """Return the grid as the content of a PNG file."""
    return encode(grid(x, space))


def save(path: Path | str, x: Tensor, space: Space, info: Mapping[str, Any], columns: int | None = None) -> None:
    """Write the grid to ``path`` as :func:`write` does."""
    write(path, grid(x, space, columns), info)


def animate(path: Path | str, frames: Sequence[Tensor], space: Space, info: Mapping[str, Any], *, back: bool = False) -> None:
    """Write a GIF that shows the grids of frames (N, data) in turn, without end; it carries ``info`` as its comment.

    The last frame is shown longer; with ``back`` the frames are shown in reverse order after it instead.

    :raises StorageError: if the volume refuses; an earlier file stays as it was.
    """
    shown = [_array(frame, space) for frame in frames]
    limits = _limits(space, *shown)
    images = [_image(_grid(values, space, limits, None, None)) for values in shown]
    images += images[-2:0:-1] if back else []
    durations = [FRAME] * len(images) if back else [*[FRAME] * (len(images) - 1), LAST_FRAME]
    comment = json.dumps(dict(info), allow_nan=False).encode()
    buffer = io.BytesIO()
    images[0].save(buffer, "GIF", save_all=True, append_images=images[1:], duration=durations, loop=0, comment=comment)
    write_whole(Path(path), buffer.getvalue())


def _image(pixels: Array) -> Image:
    from PIL import Image

    return Image.fromarray(np.ascontiguousarray(pixels, np.uint8))


def _array(x: Tensor, space: Space) -> Array:
    """Return the first examples, as many as a picture can hold, as floats (n, *shape)."""
    most = max(1, MAX_PIXELS // max(space.dims, CELL * CELL if _tiled(space) else 1))
    values = x[:most].detach().to("cpu").double().numpy()
    return values.reshape(len(values), *space.shape)


def _limits(space: Space, *arrays: Array) -> Limits:
    """Return the values drawn darkest and brightest: the space's bounds, else the extremes of the arrays."""
    if isinstance(space, Categorical):
        return 0.0, space.size - 1.0
    if space.low is not None and space.high is not None:
        return space.low, space.high
    values = np.concatenate(arrays)
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)


def _grid(values: Array, space: Space, limits: Limits, columns: int | None, scale: int | None) -> Array:
    if not _tiled(space):
        return _plot(values, space, limits)
    tiles = _tiles(values, space, limits)
    return _sheet(tiles, columns or (1 if is_clip(space) else math.ceil(math.sqrt(len(tiles)))), scale)


def _tiled(space: Space) -> bool:
    return len(space.shape) >= 2


def _tiles(values: Array, space: Space, limits: Limits) -> Array:
    """Return a picture of each example: (n, H, W, 3) bytes."""
    shape = space.shape
    if is_clip(space):
        frames = values[:, :, :: math.ceil(shape[1] / MOST_FRAMES)]  # (n, C, T, H, W), one beside the other
        values = frames.transpose(0, 1, 3, 2, 4).reshape(*frames.shape[:2], shape[2], -1)
        shape = (shape[0], *values.shape[2:])
    elif len(shape) == 4 and isinstance(space, Real):  # volumes: the largest value along the depth
        values, shape = values.max(2), (shape[0], *shape[2:])
        if shape[0] not in (1, 3):
            values, shape = values.max(1, keepdims=True), (1, *shape[1:])
    values = values[(slice(None), *(slice(None, None, _stride(size)) for size in values.shape[1:]))]
    if len(shape) == 3 and shape[0] == 3:
        unit = _unit(values, limits).transpose(0, 2, 3, 1)
        return _marked(255 * unit, unit)
    if len(shape) == 3 and shape[0] == 1:
        return _grey(_unit(values[:, 0], limits))
    return _coloured(_stretched(_flat(values)), space, limits)


def is_clip(space: Space) -> bool:
    """Return whether examples are moving pictures, (colours, frames, height, width), of more than two levels in each colour."""
    return isinstance(space, Real) and len(space.shape) == 4 and space.shape[0] == 3 and space.levels != 2


def play(path: Path | str, x: Tensor, space: Space, info: Mapping[str, Any]) -> None:
    """Write a GIF in which clips (N, C, T, H, W) run side by side; it carries ``info`` as its comment.

    :raises StorageError: if the volume refuses; an earlier file stays as it was.
    """
    assert isinstance(space, Real)
    colours, frames, *size = space.shape
    frame = Real((colours, *size), space.low, space.high, space.levels)
    clips = x.reshape(len(x), *space.shape)
    animate(path, [clips[:, :, number] for number in range(frames)], frame, info)


def _stride(size: int) -> int:
    return math.ceil(size / (MAX_SIDE // 4))


def _flat(values: Array) -> Array:
    """Return (n, ..., W) as (n, H, W): inner axes one below the other, with rows left out where that is too tall."""
    height = math.prod(values.shape[1:-1])
    return values.reshape(len(values), height, values.shape[-1])[:, :: _stride(height)]


def _stretched(values: Array) -> Array:
    """Return (n, H, W) with the shorter side repeated until it is a quarter of the longer."""
    height, width = values.shape[1:]
    return values.repeat(math.ceil(width / (4 * height)), 1).repeat(math.ceil(height / (4 * width)), 2)


def _sheet(tiles: Array, columns: int, scale: int | None) -> Array:
    """Lay tiles (n, H, W, 3) out in rows of ``columns``, each pixel ``scale`` wide."""
    if not len(tiles):
        return np.tile(BACKGROUND, (CELL, CELL, 1))
    n, height, width, _ = tiles.shape
    rows = math.ceil(n / columns)
    most = max(1, MAX_SIDE // max(rows * height, columns * width))
    scale = scale or min(most, math.ceil(CELL / max(height, width)))
    height, width = height * scale + GAP, width * scale + GAP
    sheet = np.tile(BACKGROUND, (rows * columns, height, width, 1))
    sheet[:n, :-GAP, :-GAP] = tiles.repeat(scale, 1).repeat(scale, 2)
    return sheet.reshape(rows, columns, height, width, 3).swapaxes(1, 2).reshape(rows * height, columns * width, 3)


def _plot(values: Array, space: Space, limits: Limits) -> Array:
    if not len(values):
        return _sheet(np.empty((0, 1, 1, 3)), 1, None)
    if isinstance(space, Real) and space.shape == (2,):
        return _scatter(values, limits)
    rows = values.reshape(len(values), -1)
    rows = _stretched(rows[None, :: _stride(len(rows)), :: _stride(rows.shape[1])])
    return _sheet(_coloured(rows, space, limits), 1, math.ceil(PLOT / max(rows.shape[1:])))


def _scatter(points: Array, limits: Limits) -> Array:
    """Draw points (n, 2) as dots, darker where they overlap; the frame is magenta where a point is not finite."""
    finite = np.isfinite(points).all(1)
    place = (MARGIN + (1 - 2 * MARGIN) * _unit(points[finite], limits)) * (PLOT - 1)
    column, row = place[:, 0].round().astype(int), PLOT - 1 - place[:, 1].round().astype(int)
    counts = np.zeros((PLOT, PLOT))
    radius = 1 if len(points) > FEW else 2
    for down in range(-radius, radius + 1):
        for right in range(-radius, radius + 1):
            np.add.at(counts, (row + down, column + right), radius / (1 + abs(down) + abs(right)))
    cover = (1 - 0.5**counts)[..., None]
    plot = (255 * (1 - cover) + INK * cover).round().astype(np.uint8)
    frame = BACKGROUND if finite.all() else NOT_FINITE
    plot[:GAP] = plot[-GAP:] = plot[:, :GAP] = plot[:, -GAP:] = frame
    return plot


def _unit(values: Array, limits: Limits) -> Array:
    """Return values with ``limits`` moved to 0 and 1, clipped; NaN and infinity become NaN."""
    low, high = limits
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = (values - low) / (high - low) if high > low else np.full_like(values, 0.5)
    return np.where(np.isfinite(values), scaled.clip(0, 1), np.nan)


def _marked(colours: Array, unit: Array) -> Array:
    """Return (..., 3) bytes, magenta where ``unit`` (...,) or (..., 3) is NaN."""
    lost = np.isnan(unit if unit.ndim == colours.ndim else unit[..., None]).any(-1, keepdims=True)
    return np.where(lost, NOT_FINITE, np.nan_to_num(colours).round().astype(np.uint8))


def _coloured(values: Array, space: Space, limits: Limits) -> Array:
    return _palette(values, space.size) if isinstance(space, Categorical) else _heat(_unit(values, limits))


def _grey(unit: Array) -> Array:
    return _marked(np.repeat(255 * unit[..., None], 3, -1), unit)


def _heat(unit: Array) -> Array:
    stops = np.linspace(0, 1, len(HEAT))
    return _marked(np.stack([np.interp(unit, stops, HEAT[:, channel]) for channel in range(3)], -1), unit)


def _palette(classes: Array, size: int) -> Array:
    """Return a colour for each class, with the hues of neighbouring classes far apart; two classes are black and white."""
    if size == 2:
        return _grey(classes.clip(0, 1))
    hue = (classes * 0.6180339887498949) % 1  # the golden ratio spreads any number of hues
    waves = np.stack([np.cos(2 * np.pi * (hue - shift)) for shift in (0, 1 / 3, 2 / 3)], -1)
    brightness = (150 + 40 * (classes % 3 - 1))[..., None]
    return _marked((brightness + 75 * waves).clip(0, 255), classes)
