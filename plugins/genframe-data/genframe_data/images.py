"""Pictures, decoded by Pillow one by one into bytes of one size."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from genframe import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

__all__ = ["Decoded", "Pictures", "read_images"]

FORMATS: Final = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
LARGEST: Final = 1 << 26
SHOWN: Final = 20
DRAFT: Final = 2
"""JPEGs are decoded at a size of at least so many times the one asked for, and then resized."""


@dataclass(frozen=True)
class Pictures:
    """How pictures are read: the size (H, W), grey or colour, what lies behind transparency, and the range of 16 bits."""

    size: tuple[int, int]
    mode: str = "RGB"
    background: str = "white"
    intensities: tuple[float, float] | None = None
    skip: bool = False


@dataclass(frozen=True)
class Decoded:
    """Pictures (N, C, H, W), the files that they come from, those that could not be read, and what a protocol should say."""

    pixels: NDArray[np.uint8]
    paths: list[Path]
    damaged: dict[Path, str]
    protocol: dict[str, Any]


def read_images(folder: Path, paths: list[Path], how: Pictures) -> Decoded:
    """Return the pictures, each cut centrally to the shape and resized.

    Greys of more than 8 bits are scaled from ``intensities``, or from the range of all pictures together, to 0 to 255.

    :raises DataError: with every picture that cannot be read, unless they are skipped; if none is left, or if some pictures
        have 8 bits and others more.
    """
    import numpy as np

    pixels = np.empty((len(paths), 1 if how.mode == "L" else 3, *how.size), np.uint8)
    deep: dict[int, tuple[NDArray[np.float32], float, float]] = {}
    good: list[Path] = []
    damaged: dict[Path, str] = {}
    transparent = 0
    for path in paths:
        try:
            picture, seen = _read(path, how)
        except Exception as error:  # a decoder may fail in any way on a file that is damaged
            damaged[path] = " ".join(str(error).split()) or type(error).__name__
            continue
        transparent += seen.transparent
        if seen.ends is not None:
            deep[len(good)] = (np.asarray(picture, np.float32), *seen.ends)
        else:
            levels = np.asarray(picture)
            pixels[len(good)] = levels if how.mode == "L" else levels.transpose(2, 0, 1)
        good.append(path)
    _refuse_damaged(folder, damaged, len(good), how)
    protocol: dict[str, Any] = {"background": how.background} if transparent else {}
    if deep:
        protocol["intensities"] = _scale(folder, pixels, deep, len(good), how)
    if damaged:
        names = [path.relative_to(folder).as_posix() for path in damaged]
        protocol["skipped"] = {"count": len(damaged), "files": names[:SHOWN]}
    return Decoded(pixels[: len(good)], good, damaged, protocol)


def _refuse_damaged(folder: Path, damaged: dict[Path, str], good: int, how: Pictures) -> None:
    if not damaged or (how.skip and good):
        return
    if len(damaged) == 1 and good:
        ((path, reason),) = damaged.items()
        raise DataError(
            f"{path}: expected a picture, found one that cannot be read ({reason}); repair or remove it, or say on_error: skip"
        )
    lines = [f"  {path.relative_to(folder).as_posix()}: {reason}" for path, reason in [*damaged.items()][:SHOWN]]
    more = [f"  and {len(damaged) - SHOWN} more"] if len(damaged) > SHOWN else []
    raise DataError(
        "\n".join(
            [
                f"{folder}: {len(damaged)} of {len(damaged) + good} pictures cannot be read; repair or remove them"
                + (", or say on_error: skip" if good else ""),
                *lines,
                *more,
            ]
        )
    )


def _scale(
    folder: Path,
    pixels: NDArray[np.uint8],
    deep: dict[int, tuple[NDArray[np.float32], float, float]],
    count: int,
    how: Pictures,
) -> list[float]:
    """Write greys of more than 8 bits among the pixels, and return the range that became 0 to 255."""
    import numpy as np

    if len(deep) < count:
        raise DataError(
            f"{folder}: expected pictures of one depth, found {len(deep)} with more than 8 bits beside "
            f"{count - len(deep)} with 8; convert them to one depth, or give two folders"
        )
    low, high = how.intensities or (min(low for _, low, _ in deep.values()), max(high for *_, high in deep.values()))
    if not low < high:
        raise DataError(f"{folder}: expected greys that differ, found {low:g} everywhere; say their range as 'intensities'")
    for row, (grey, _, _) in deep.items():
        pixels[row] = np.rint(((grey.astype(np.float64) - low) / (high - low)).clip(0, 1) * 255)
    return [float(low), float(high)]


@dataclass(frozen=True)
class _Seen:
    """What was found in a file: transparency, and the least and greatest value of a grey with more than 8 bits."""

    transparent: bool = False
    ends: tuple[float, float] | None = None


def _read(path: Path, how: Pictures) -> tuple[Image.Image, _Seen]:
    from PIL import Image, ImageOps

    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        warnings.simplefilter("ignore", UserWarning)
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > LARGEST:
                raise ValueError(f"{image.width}×{image.height} pixels, more than {LARGEST}")
            if image.format == "JPEG":
                image.draft(None, (DRAFT * max(how.size),) * 2)
            upright = ImageOps.exif_transpose(image)
    upright, seen = _converted(upright, how)
    return ImageOps.fit(upright, (how.size[1], how.size[0]), Image.Resampling.BICUBIC), seen


def _converted(image: Image.Image, how: Pictures) -> tuple[Image.Image, _Seen]:
    """Return the picture without transparency, in the mode that is asked for or, with more than 8 bits, as floats."""
    from PIL import Image

    if image.mode.startswith(("I", "F")):
        import numpy as np

        grey = np.asarray(image, np.float32)
        if not np.isfinite(grey).all():
            raise ValueError("it holds NaN or infinity")
        return Image.fromarray(grey), _Seen(ends=(float(grey.min()), float(grey.max())))
    if not image.has_transparency_data:
        return image.convert(how.mode), _Seen()
    coloured = image.convert("RGBA")
    if coloured.getchannel("A").getextrema() == (255, 255):
        return image.convert(how.mode), _Seen()
    behind = Image.new("RGBA", coloured.size, how.background)
    return Image.alpha_composite(behind, coloured).convert(how.mode), _Seen(transparent=True)
