"""Pictures, read by Pillow one by one into bytes."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from genframe import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from .picture_folder import Images

__all__ = ["Pixels", "colour", "read_images"]

FORMATS: Final = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
LARGEST: Final = 1 << 26


@dataclass(frozen=True)
class Pixels:
    """What was read of some files.

    ``levels``: (N, C, H, W) of those at the indices ``kept``. ``damaged`` says why the others cannot be read. ``composited``
    counts those with transparent pixels. ``grey_range`` has the values that became black and white, where there are pictures
    of more than 8 bits.
    """

    levels: NDArray[np.uint8]
    kept: tuple[int, ...]
    damaged: Mapping[Path, str]
    composited: int
    grey_range: tuple[float, float] | None


@dataclass(frozen=True)
class _Picture:
    """One picture of the wanted size: bytes, or floats with the lowest and the highest value of the file."""

    values: NDArray[Any]
    ends: tuple[float, float] | None = None
    composited: bool = False


def colour(name: str) -> tuple[int, ...]:
    """Return the values of a colour by its name, such as ``white`` or ``#ff8000``.

    :raises ValueError: if there is no such colour.
    """
    from PIL import ImageColor

    return ImageColor.getrgb(name)


def read_images(paths: Sequence[Path], spec: Images) -> Pixels:
    """Return the pictures, cut centrally to the shape and resized.

    :raises DataError: if the range of pictures with more than 8 bits is not known.
    """
    import numpy as np

    levels = np.empty((len(paths), 1 if spec.colour == "grey" else 3, *spec.size), np.uint8)
    kept: list[int] = []
    damaged: dict[Path, str] = {}
    deep: dict[int, _Picture] = {}
    composited = 0
    for index, path in enumerate(paths):
        try:
            picture = _read(path, spec)
        except MemoryError:
            raise
        except Exception as error:  # a decoder may fail in any way on a file that is damaged
            damaged[path] = _reason(path, error)
            continue
        if picture.ends is not None:
            deep[len(kept)] = picture
        else:
            levels[len(kept)] = picture.values if picture.values.ndim == 2 else picture.values.transpose(2, 0, 1)
        composited += picture.composited
        kept.append(index)
    grey_range = _grey_range(deep, len(kept), spec) if deep else None
    for row, picture in deep.items():
        levels[row] = _eight_bits(picture.values, grey_range)
    return Pixels(levels[: len(kept)], tuple(kept), damaged, composited, grey_range)


def _grey_range(deep: Mapping[int, _Picture], count: int, spec: Images) -> tuple[float, float]:
    if spec.grey_range is not None:
        return spec.grey_range
    if len(deep) < count:
        raise DataError(
            f"{spec.path}: expected pictures of equal depth, found {len(deep)} of {count} with more than 8 bits; "
            "say which of their values are black and white, such as grey_range: [0, 65535]"
        )
    ends = [picture.ends for picture in deep.values() if picture.ends is not None]
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    if low == high:
        raise DataError(
            f"{spec.path}: expected pictures of different greys, found {low:g} everywhere; "
            "say which values are black and white, such as grey_range: [0, 65535]"
        )
    return low, high


def _eight_bits(values: NDArray[Any], ends: tuple[float, float] | None) -> NDArray[np.uint8]:
    import numpy as np

    assert ends is not None
    low, high = ends
    return np.rint((values.astype(np.float64) - low) * (255 / (high - low))).clip(0, 255).astype(np.uint8)


def _read(path: Path, spec: Images) -> _Picture:
    from PIL import Image, ImageOps

    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        warnings.simplefilter("ignore", UserWarning)
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > LARGEST:
                raise ValueError(f"{image.width}×{image.height} pixels, more than {LARGEST}")
            if spec.draft:
                image.draft(None, (max(spec.size), max(spec.size)))
            upright = ImageOps.exif_transpose(image)
            return _deep(upright, spec) if image.mode.startswith(("I", "F")) else _plain(upright, spec)


def _fitted(image: Image.Image, spec: Images) -> NDArray[Any]:
    import numpy as np
    from PIL import Image, ImageOps

    return np.asarray(ImageOps.fit(image, (spec.size[1], spec.size[0]), Image.Resampling.BICUBIC))


def _plain(image: Image.Image, spec: Images) -> _Picture:
    """Return a picture of 8 bits, what is transparent in it over the background."""
    from PIL import Image

    composited = False
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        composited = seen.getchannel("A").getextrema() != (255, 255)
        if composited:
            image = Image.alpha_composite(Image.new("RGBA", seen.size, (*spec.background_colour, 255)), seen)
    return _Picture(_fitted(image.convert("L" if spec.colour == "grey" else "RGB"), spec), composited=composited)


def _deep(image: Image.Image, spec: Images) -> _Picture:
    """Return a picture of more than 8 bits as floats."""
    import numpy as np
    from PIL import Image

    values = np.asarray(image).astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError("it holds NaN or infinity")
    return _Picture(_fitted(Image.fromarray(values), spec), (float(values.min()), float(values.max())))


def _reason(path: Path, error: Exception) -> str:
    from PIL import UnidentifiedImageError

    if not isinstance(error, UnidentifiedImageError):
        return str(error) or type(error).__name__
    return "no format that is read" if path.stat().st_size else "an empty file"
