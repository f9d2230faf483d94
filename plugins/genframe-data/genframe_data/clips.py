"""Loading clips: windows of frames that lie decoded in the cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from genframe import Categorical, DataError, Dataset
from genframe.cache import cache_key
from genframe.roles import Rows

from .bases import SplitBy
from .decoding import Pictures
from .films import cached_films
from .folders import Scan
from .footage import Footage, Windows
from .picture_cache import SHOWN, cached_pictures
from .preparation import Preparation
from .splits import Part, divided_by_groups, image_dataset

__all__ = ["ClipRows", "load_clips"]


class ClipRows:
    """Examples of several frames each, (N, C, T, H, W), out of rows that are frames (M, C, H, W).

    ``starts`` (N,) are the rows of the examples' first frames; the others follow every ``stride`` rows.

    >>> frames = torch.arange(6).view(6, 1, 1, 1)
    >>> ClipRows(frames, torch.tensor([0, 3]), Windows(frames=2, stride=2, step=1))[torch.tensor([1])].flatten()
    tensor([3, 5])
    """

    def __init__(self, frames: Rows, starts: Tensor, windows: Windows) -> None:
        self.frames, self.starts = frames, starts
        self.offsets = torch.arange(windows.frames) * windows.stride
        channels, *size = frames.shape[1:]
        self.shape = (len(starts), channels, windows.frames, *size)

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, indices: Tensor, /) -> Tensor:
        """Return examples: (B,) -> (B, C, T, H, W)."""
        rows = self.starts[indices, None] + self.offsets
        frames = self.frames[rows.flatten()]
        return frames.view(*rows.shape, *frames.shape[1:]).transpose(1, 2).contiguous()


@dataclass(frozen=True)
class _Decoded:
    """Frames in the cache: for each clip its first row and how many there are; the names of those that cannot be read."""

    frames: Rows
    places: Mapping[str, tuple[int, int]]
    damaged: Sequence[str]
    digest: str
    protocol: Mapping[str, Any]
    changes: str = ""


def load_clips(
    found: Footage,
    how: Pictures,
    windows: Windows,
    prepared: Preparation,
    *,
    labels: bool,
    skip: bool,
    validation: float,
    test: float,
    by: SplitBy,
    limit: int | None,
) -> Dataset:
    """Read the clips, from the cache or into it. Shares and counts that are held out are of clips.

    :raises DataError: if some cannot be read and are not skipped, or all are shorter than an example.
    """
    decoded = (_frames if found.of_frames else _films)(found, how, skip=skip)
    classes = found.classes() if labels else ()
    starts, clips, given = [], [], []
    short = 0
    for number, (name, (first, count)) in enumerate(decoded.places.items()):
        own = [first + start for start in windows.starts(count)]
        short += not own
        starts += own
        clips += [number] * len(own)
        given += [classes.index(name.partition("/")[0])] * len(own) if labels else []
    if not starts:
        longest = max((count for _, count in decoded.places.values()), default=0)
        raise DataError(
            f"{found.path}: expected clips of at least {windows.span} frames, found none longer than {longest}; "
            "say fewer frames, or a smaller stride"
        )
    rows = ClipRows(decoded.frames, torch.tensor(starts), windows)
    part = Part(rows, torch.tensor(given) if labels else None)
    parts = divided_by_groups(part, torch.tensor(clips), validation, test, by=by, seed=prepared.seed, limit=limit)
    digest = cache_key(decoded.digest, windows.frames, windows.stride, windows.step)
    space = Categorical((), len(classes)) if labels else None
    data = image_dataset("data/clips", parts, 256, space, (rows,), prepared, digest)
    protocol = {**decoded.protocol, "frames": windows.frames, "stride": windows.stride, "step": windows.step}
    if decoded.damaged:
        protocol["skipped"] = {"count": len(decoded.damaged), "clips": [*decoded.damaged][:SHOWN]}
    notes = [f"left out {short} shorter than {windows.span} frames"] if short else []
    told = found.report(
        len(decoded.places) - short,
        f", {len(starts)} windows of {windows.frames} frames",
        len(classes),
        len(decoded.damaged),
        (*notes, *([decoded.changes] if decoded.changes else [])),
    )
    splits = {name: replace(split, protocol={**split.protocol, **protocol}) for name, split in data.splits.items()}
    return replace(data, splits=splits, report=told, classes=classes)


def _frames(found: Footage, how: Pictures, *, skip: bool) -> _Decoded:
    """Return clips that are folders of frames; one with a frame that cannot be read is left out whole."""
    pictures = [frame for clip in found.clips for frame in clip.frames]
    cached = cached_pictures({"train": Scan(found.path, pictures)}, how, skip=skip)
    lost = cached.damaged["train"]
    places, damaged, first = {}, [], 0
    for clip in found.clips:
        if any(frame in lost for frame in clip.frames):
            damaged.append(clip.name)
        else:
            places[clip.name] = (first, len(clip.frames))
        first += len(clip.frames)
    return _Decoded(cached.entry.rows(), places, damaged, cached.digest, cached.protocol, cached.changes)


def _films(found: Footage, how: Pictures, *, skip: bool) -> _Decoded:
    cached = cached_films(found, how, skip=skip)
    places, first = {}, 0
    for name, count in cached.counts.items():
        places[name] = (first, count)
        first += count
    return _Decoded(cached.entry.rows(), places, [*cached.damaged], cached.digest, {})
