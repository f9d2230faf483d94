"""Frames of films: GIFs, videos, arrays of an archive; decoded once into the cache."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from genframe import DataError
from genframe.cache import Building, Entry, building, cache_key, find_entry, progress

from . import npz
from .decoding import LARGEST, Pictures, pixels_of
from .footage import Footage

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["CachedFilms", "cached_films"]

KIND: Final = "clips"
VERSION: Final = 1
BLOCK: Final = 64
LONGEST: Final = 1 << 17
"""Frames of a film."""

DEMUXERS: Final = {".avi": "avi", ".mkv": "matroska", ".mov": "mov", ".mp4": "mov", ".webm": "matroska"}
"""The format that a file is read as, by its name and not by its content, which might lead to other files."""


@dataclass(frozen=True)
class CachedFilms:
    """Decoded frames, one film after another: ``counts`` of each that could be read, and why others could not."""

    entry: Entry
    counts: Mapping[str, int]
    damaged: Mapping[str, str]
    digest: str


def cached_films(found: Footage, how: Pictures, *, skip: bool) -> CachedFilms:
    """Return the frames of films, from the cache or decoded into it.

    :raises DataError: with every film that cannot be read, unless they are skipped and some are left.
    :raises StorageError: if there is no room for the cache.
    """
    names = [clip.name for clip in found.clips]
    if any(Path(name).suffix.lower() in DEMUXERS for name in names) and find_spec("av") is None:
        raise DataError(
            f"{found.path}: videos need the package av, which is not installed; pip install 'genframe-data[video]', "
            "or give GIFs or folders of frames"
        )
    key = cache_key(VERSION, asdict(how), str(found.path), _files(found, names))
    entry = find_entry(KIND, key) or _built(key, found, names, how)
    damaged = dict(entry.about["damaged"])
    if damaged and not (skip and entry.about["counts"]):
        lines = [f"{name}: {reason}" for name, reason in damaged.items()]
        raise DataError(
            f"{found.path}: {len(damaged)} of {len(names)} films cannot be read; repair or remove them, or say on_error: skip"
            + "".join(f"\n  {line}" for line in lines[:20])
        )
    return CachedFilms(entry, dict(entry.about["counts"]), damaged, entry.about["digest"])


def _files(found: Footage, names: Sequence[str]) -> list[tuple[str, int, int]]:
    paths = [found.path] if found.path.is_file() else [found.path / name for name in names]
    try:
        stats = [path.stat() for path in paths]
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read: {error.strerror}") from None
    return [(path.name, stat.st_size, stat.st_mtime_ns) for path, stat in zip(paths, stats, strict=True)]


def _built(key: str, found: Footage, names: Sequence[str], how: Pictures) -> Entry:
    """Decode all films: first to count their frames, then into the cache."""
    counts, damaged = {}, {}
    shown = progress()
    shown.begin("count frames", len(names), 0, "film")
    for number, name in enumerate(names, 1):
        try:
            counts[name] = sum(1 for _ in _frames(found, name))
        except DataError:
            raise
        except Exception as error:  # a decoder may fail in any way on a file that is damaged
            damaged[name] = " ".join(str(error).split()) or type(error).__name__
        shown.advance(number)
    total = sum(counts.values())
    row_bytes = int(np.prod(how.shape))
    with building(KIND, key, (total, *how.shape), "uint8", row_bytes) as under_way:
        if isinstance(under_way, Entry):
            return under_way
        shown.begin("decode", total, 0, "frame")
        start = 0
        for name, count in counts.items():
            _decode(under_way, found, name, how, start, count)
            start += count
            shown.advance(start)
        digest = under_way.digest([np.arange(total)], "torch.uint8")
        return under_way.commit({"of": str(found.path), "counts": counts, "damaged": damaged, "digest": digest})


def _decode(under_way: Building, found: Footage, name: str, how: Pictures, start: int, count: int) -> None:
    """Write the frames of a film from row ``start`` on, in blocks; nothing where a build before this one has done so."""
    if all(first in under_way.notes for first in range(start, start + count, BLOCK)):
        return
    block: list[Any] = []
    for number, image in enumerate(_frames(found, name), 1):
        pixels, _ = pixels_of(image, how)
        if pixels is None:
            raise DataError(f"{found.path / name}: has more than 8 bits; say the range of its greys as 'intensities'")
        block.append(pixels)
        if len(block) == BLOCK or number == count:
            under_way.write(start + number - len(block), np.stack(block))
            block = []


def _frames(found: Footage, name: str) -> Iterator[Image]:
    """Yield the frames of a film as pictures."""
    if found.path.is_file():
        read = _of_array(found.path, name)
    else:
        path = found.path / name
        read = _of_gif(path) if path.suffix.lower() == ".gif" else _of_video(path)
    for number, image in enumerate(read):
        if number >= LONGEST:
            raise ValueError(f"more than {LONGEST} frames")
        if image.width * image.height > LARGEST:
            raise ValueError(f"{image.width}×{image.height} pixels, more than {LARGEST}")
        yield image


def _of_gif(path: Path) -> Iterator[Image]:
    from PIL import Image, ImageSequence

    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path, formats=("GIF",)) as film:
            for frame in ImageSequence.Iterator(film):
                yield frame.copy()


def _of_video(path: Path) -> Iterator[Image]:
    import av

    options = {"protocol_whitelist": "file"}
    with av.open(str(path), format=DEMUXERS[path.suffix.lower()], options=options) as container:
        if not container.streams.video:
            raise ValueError("it has no pictures")
        for frame in container.decode(container.streams.video[0]):
            yield frame.to_image()  # type: ignore[no-untyped-call]


def _of_array(path: Path, name: str) -> Iterator[Image]:
    """Yield the frames of an array (T, H, W) or (T, H, W, C) of bytes.

    :raises DataError: if it is none.
    """
    from PIL import Image

    header = npz.header(path, name)
    colours = header.shape[3:]
    if len(header.shape) not in (3, 4) or header.dtype != np.uint8 or colours not in ((), (1,), (3,), (4,)):
        raise DataError(
            f"{path}: {name}: expected bytes of the shape (frames, height, width) or (frames, height, width, colours), "
            f"found {header.dtype} {header.shape}; save them so"
        )
    for frame in npz.read(path, name):
        yield Image.fromarray(frame[..., 0] if colours == (1,) else frame)
