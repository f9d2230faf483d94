"""Folders of pictures, read by Pillow one by one into bytes."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from genframe import DataError

from .files import existing_folder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

__all__ = ["class_names", "list_images", "read_images"]

SUFFIXES: Final = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
FORMATS: Final = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
LARGEST: Final = 1 << 26
MEND: Final = "give a folder of pictures as 'path'"


def list_images(folder: Path) -> list[Path]:
    """Return the pictures in the folder and its subfolders, in the order of their names; hidden ones are left out.

    :raises DataError: if there is no such folder or no picture in it.
    """
    folder = existing_folder(folder, MEND)
    paths = [
        path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and not _hidden(path, folder) and path.is_file()
    ]
    if not paths:
        raise DataError(f"{folder}: expected pictures ({', '.join(sorted(SUFFIXES))}), found none; {MEND}")
    return sorted(paths, key=lambda path: path.relative_to(folder).parts)


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def class_names(folder: Path) -> list[str]:
    """Return the names of the subfolders, sorted: the classes.

    :raises DataError: if there are fewer than two.
    """
    folder = existing_folder(folder, MEND)
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if len(names) < 2:
        raise DataError(
            f"{folder}: expected a subfolder for each of at least two classes, found {len(names)}; leave 'labels' out"
        )
    return names


def read_images(paths: list[Path], size: tuple[int, int], mode: str) -> NDArray[np.uint8]:
    """Return the pictures in the mode ``L`` or ``RGB``, cut centrally to the shape and resized: (N, C, H, W).

    :raises DataError: for the first that cannot be read.
    """
    import numpy as np

    pixels = np.empty((len(paths), 1 if mode == "L" else 3, *size), np.uint8)
    for row, path in zip(pixels, paths, strict=True):
        picture = np.asarray(_read(path, size, mode))
        row[...] = picture if mode == "L" else picture.transpose(2, 0, 1)
    return pixels


def _read(path: Path, size: tuple[int, int], mode: str) -> Any:
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.simplefilter("ignore", UserWarning)
            with Image.open(path, formats=FORMATS) as image:
                _refuse_unfit(image)
                upright = ImageOps.exif_transpose(image).convert(mode)
                return ImageOps.fit(upright, (size[1], size[0]), Image.Resampling.BICUBIC)
    except Exception as error:  # a decoder may fail in any way on a file that is damaged
        raise DataError(f"{path}: expected a picture, found one that cannot be read ({error}); hint or remove it") from None


def _refuse_unfit(image: Image.Image) -> None:
    if image.mode.startswith(("I", "F")):
        raise ValueError(f"its mode is {image.mode}, which 8 bits cannot hold")
    if image.width * image.height > LARGEST:
        raise ValueError(f"{image.width}×{image.height} pixels, more than {LARGEST}")
