"""PNG files that carry how their picture was drawn, as JSON, so that it can be drawn again."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from warnings import catch_warnings

from ..types import DataError
from .files import write_whole

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["MAX_INFO", "encode", "read_info", "write"]

KEY: Final = "genframe"
MAX_INFO: Final = 2**20
HEAD: Final = MAX_INFO + 2**18  # what may stand before the pixels: our text, and what another program adds


def encode(image: Image, info: Mapping[str, Any] | None = None) -> bytes:
    """Return the content of a PNG file that carries ``info``.

    :raises ValueError: if ``info`` holds NaN or is larger than 1 MiB; TypeError if it is not JSON.
    """
    from PIL.PngImagePlugin import PngInfo

    texts = PngInfo()
    if info is not None:
        text = json.dumps(dict(info), allow_nan=False)
        if len(text) > MAX_INFO:
            raise ValueError(f"a picture carries at most {MAX_INFO} bytes of JSON, found {len(text)}")
        texts.add_text(KEY, text)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", pnginfo=texts)
    return buffer.getvalue()


def write(path: Path | str, image: Image, info: Mapping[str, Any]) -> None:
    """Write a PNG that carries ``info``, whole or not at all.

    :raises ValueError: if ``info`` holds NaN or is larger than 1 MiB; TypeError if it is not JSON.
    :raises StorageError: if the volume refuses; an earlier file stays as it was.
    """
    write_whole(Path(path), encode(image, info))


def read_info(path: Path | str) -> dict[str, Any]:
    """Return the ``info`` that :func:`write` put into a picture.

    Only what stands before the pixels is read, and at most 1.25 MiB of it.

    :raises DataError: if the file is not a PNG, carries no text of genframe, or is damaged.
    """
    path = Path(path)
    text = _texts(path).get(KEY)
    if not isinstance(text, str) or len(text) > MAX_INFO:
        raise DataError(f"{path} carries no recipe of genframe: another program drew it, or dropped or moved the text")
    try:
        info = json.loads(text)
    except (ValueError, RecursionError):
        raise DataError(f"{path} carries a recipe that is not JSON") from None
    if not isinstance(info, dict):
        raise DataError(f"{path} carries a recipe that is not a mapping")
    return info


def _texts(path: Path) -> Mapping[Any, Any]:
    from PIL.PngImagePlugin import PngImageFile

    try:
        if not path.is_file():
            raise DataError(f"{path} is not a file")
        with path.open("rb") as file:
            head = io.BytesIO(file.read(HEAD))
        # Not Image.open, which also tries other formats and refuses a picture by the size that its header claims.
        with catch_warnings(action="ignore"), PngImageFile(head) as image:
            return image.info
    except (OSError, SyntaxError, ValueError) as error:  # SyntaxError is Pillow's word for a broken file
        raise DataError(f"{path} is not a PNG or cannot be read: {getattr(error, 'strerror', None) or error}") from None
