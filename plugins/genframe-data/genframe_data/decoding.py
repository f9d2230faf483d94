"""One picture of a file as bytes of one size; and the process that decodes blocks of them beside others.

The process reads lines of JSON and answers each by one. It writes pixels into the file of the cache itself.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Literal, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

__all__ = ["Block", "Fit", "Pictures", "Seen", "decode_block", "decoded", "main", "pixels_of"]

FORMATS: Final = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
LARGEST: Final = 1 << 26
DRAFT: Final = 2
"""JPEGs are decoded at a size of at least so many times the one asked for, and then resized."""

Fit: TypeAlias = Literal["cover", "contain", "stretch"]


@dataclass(frozen=True)
class Pictures:
    """How pictures are decoded: size (H, W), grey or colour, what lies behind transparency, the range of 16 bits.

    ``fit`` says what becomes of a picture of another shape: it is cut at the sides, gets borders, or is stretched.
    """

    size: tuple[int, int]
    mode: str = "RGB"
    background: str = "white"
    intensities: tuple[float, float] | None = None
    fit: Fit = "cover"

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of a picture: (C, H, W)."""
        return (1 if self.mode == "L" else 3, *self.size)


@dataclass
class Block:
    """What was found in a block of pictures, by the row of each.

    ``ends`` has the least and greatest value of greys of more than 8 bits. They are left empty where nothing says what range
    becomes 0 to 255.
    """

    sums: list[int] = field(default_factory=list)
    damaged: dict[int, str] = field(default_factory=dict)
    transparent: list[int] = field(default_factory=list)
    ends: dict[int, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    """What was found in a picture: transparency, and the ends of a grey of more than 8 bits."""

    transparent: bool = False
    ends: tuple[float, float] | None = None


def decode_block(paths: list[str], start: int, how: Pictures, into: IO[bytes]) -> Block:
    """Decode pictures into the rows of a file from ``start`` on, and return what was found."""
    import numpy as np

    found, rows = Block(), np.zeros((len(paths), *how.shape), np.uint8)
    for number, path in enumerate(paths):
        try:
            pixels, seen = decoded(Path(path), how)
        except Exception as error:  # a decoder may fail in any way on a file that is damaged
            found.damaged[start + number] = " ".join(str(error).split()) or type(error).__name__
            continue
        if seen.transparent:
            found.transparent.append(start + number)
        if seen.ends is not None:
            found.ends[start + number] = seen.ends
        if pixels is not None:
            rows[number] = pixels
    into.seek(start * rows[0].nbytes)
    into.write(rows.data)
    into.flush()
    found.sums = [zlib.crc32(row.data) for row in rows]
    return found


def decoded(source: Path | IO[bytes], how: Pictures) -> tuple[NDArray[np.uint8] | None, Seen]:
    """Return the pixels of a picture (C, H, W), and what was found in it.

    There are none for a grey of more than 8 bits where nothing says what range becomes 0 to 255. Any error is the picture's.
    """
    from PIL import Image, ImageOps

    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        warnings.simplefilter("ignore", UserWarning)
        with Image.open(source, formats=FORMATS) as image:
            if image.width * image.height > LARGEST:
                raise ValueError(f"{image.width}×{image.height} pixels, more than {LARGEST}")
            if image.format == "JPEG":
                image.draft(None, (DRAFT * max(how.size),) * 2)
            upright = ImageOps.exif_transpose(image)
    return pixels_of(upright, how)


def pixels_of(image: Image.Image, how: Pictures) -> tuple[NDArray[np.uint8] | None, Seen]:
    """Return the pixels (C, H, W) of a picture that is open, and what was found in it; see :func:`decoded`."""
    import numpy as np

    upright, seen = _converted(image, how)
    pixels = np.asarray(_fitted(upright, how, seen.ends))
    if seen.ends is not None:
        if how.intensities is None:
            return None, seen
        low, high = how.intensities
        pixels = np.rint(((pixels.astype(np.float64) - low) / (high - low)).clip(0, 1) * 255).astype(np.uint8)
    if how.mode == "L":
        return pixels[None], seen
    return pixels.transpose(2, 0, 1) if pixels.ndim == 3 else pixels[None].repeat(3, 0), seen


def _fitted(image: Image.Image, how: Pictures, ends: tuple[float, float] | None) -> Image.Image:
    from PIL import Image, ImageOps

    size = (how.size[1], how.size[0])
    match how.fit:
        case "cover":
            return ImageOps.fit(image, size, Image.Resampling.BICUBIC)
        case "contain":
            beside: Any = how.background if ends is None else ends[0]
            return ImageOps.pad(image, size, Image.Resampling.BICUBIC, color=beside)
        case "stretch":
            return image.resize(size, Image.Resampling.BICUBIC)


def _converted(image: Image.Image, how: Pictures) -> tuple[Image.Image, Seen]:
    """Return the picture without transparency, in the mode that is asked for or, with more than 8 bits, as floats."""
    from PIL import Image

    if image.mode.startswith(("I", "F")):
        import numpy as np

        grey = np.asarray(image, np.float32)
        if not np.isfinite(grey).all():
            raise ValueError("it holds NaN or infinity")
        return Image.fromarray(grey), Seen(ends=(float(grey.min()), float(grey.max())))
    if not image.has_transparency_data:
        return image.convert(how.mode), Seen()
    coloured = image.convert("RGBA")
    if coloured.getchannel("A").getextrema() == (255, 255):
        return image.convert(how.mode), Seen()
    behind = Image.new("RGBA", coloured.size, how.background)
    return Image.alpha_composite(behind, coloured).convert(how.mode), Seen(transparent=True)


def main() -> None:
    """Decode what standard input asks for, until it ends: first how and into which file, then blocks of paths."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no answer
    given = json.loads(sys.stdin.readline())
    how = Pictures(**given["how"] | {"size": tuple(given["how"]["size"])})
    with Path(given["into"]).open("r+b") as into:
        print(json.dumps({"ready": True}), file=answers, flush=True)
        for line in sys.stdin:
            start, paths = json.loads(line)
            try:
                answer: dict[str, Any] = {"block": asdict(decode_block(paths, start, how, into))}
            except OSError as error:
                answer = {"error": error.strerror or str(error)}
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
