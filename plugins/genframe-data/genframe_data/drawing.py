"""Drawing shapes by their signed distances, and reading them off pictures again.

Whatever can be drawn is drawn once, as a stencil: how much of each pixel an object of some kind, place, size and offset
covers. Pictures are sums of coloured stencils, for no two objects overlap, and reading is a match with every stencil.
"""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Any, Final, TypeAlias

import numpy as np
import torch
from numpy.random import RandomState
from numpy.typing import NDArray
from torch import Tensor

from genframe import Categorical, DataError, Dataset

from .preparation import Preparation
from .shapes import AND, COLOURS, KINDS, PLACES, SIDE, caption_length, phrase
from .splits import Part, image_dataset

__all__ = ["attributes_right", "explained_share", "load_shapes", "read_captions", "read_shapes", "scenes", "stencils"]

Numbers: TypeAlias = NDArray[np.integer[Any]]
Pixels: TypeAlias = NDArray[np.uint8]
OBJECTS: Final = len(PLACES) * len(KINDS) * len(COLOURS)  # an object's number: place, kind, colour, from the slowest
RADII: Final = (3.25, 4.25)
OFFSETS: Final = (-0.5, 0.0, 0.5)  # with the larger radius and half a pixel of edge, just within a cell
VARIANTS: Final = len(RADII) * len(OFFSETS) ** 2
RGB: Final = ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1))
PICTURES_AT_ONCE: Final = 1024


def signed_distance(kind: str, x: NDArray[Any], y: NDArray[Any], radius: float) -> NDArray[Any]:
    """Return how far a point is outside a shape around the origin, negative inside; y points down. Exact at its edges."""
    match kind:
        case "circle":
            outside = np.hypot(x, y) - radius
        case "square":
            outside = np.maximum(abs(x), abs(y)) - 0.85 * radius
        case "triangle":
            slope = np.sqrt(0.8), np.sqrt(0.2)  # of the normal of sides that rise twice as fast as they run
            outside = np.maximum(slope[0] * abs(x) - slope[1] * (y + 0.85 * radius), y - 0.9 * radius)
        case _:
            across, along = np.minimum(abs(x), abs(y)), np.maximum(abs(x), abs(y))
            outside = np.maximum(across - radius / 3, along - radius)
    return np.asarray(outside)


@cache
def stencils() -> NDArray[np.uint8]:
    """Return the coverage of pixels, from 0 to 255, by every kind at every place: (places, kinds, variants, side, side)."""
    middle = np.arange(SIDE) + 0.5
    third = SIDE / 3
    drawn = []
    for place, kind in product(range(len(PLACES)), KINDS):
        for radius, down, right in product(RADII, OFFSETS, OFFSETS):
            x = middle[None, :] - (place % 3 + 0.5) * third - right
            y = middle[:, None] - (place // 3 + 0.5) * third - down
            drawn.append(np.clip(0.5 - signed_distance(kind, x, y, radius), 0, 1))
    return np.round(255 * np.stack(drawn)).astype(np.uint8).reshape(len(PLACES), len(KINDS), VARIANTS, SIDE, SIDE)


def scenes(objects: int) -> Numbers:
    """Return all sets of so many objects in places of their own, in reading order: (N, objects) numbers of objects."""
    every = np.arange(OBJECTS)
    if objects == 1:
        return every[:, None]
    first, second = np.triu_indices(OBJECTS, 1)
    at_a_place = OBJECTS // len(PLACES)
    apart = first // at_a_place != second // at_a_place
    return np.stack([every[first[apart]], every[second[apart]]], axis=1)


def attributes(objects: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Return the colours, kinds and places of objects by their numbers: (...) -> three of (...)."""
    return objects % len(COLOURS), objects // len(COLOURS) % len(KINDS), objects // (len(COLOURS) * len(KINDS))


def pictures(scene: Numbers, variants: Numbers) -> Pixels:
    """Return the pictures of scenes (N, K) in which each object is drawn in one of its variants: (N, 3, side, side)."""
    drawn = np.zeros((len(scene), 3, SIDE, SIDE), np.uint8)
    for objects, variant in zip(scene.T, variants.T, strict=True):
        colour, kind, place = attributes(objects)
        drawn += stencils()[place, kind, variant][:, None] * np.array(RGB, np.uint8)[colour][:, :, None, None]
    return drawn


def captions(scene: Numbers, length: int) -> Pixels:
    """Return the captions of scenes (N, K) as bytes, with zeros at their ends: (N, length)."""
    phrases = [phrase(*words) for words in np.stack(attributes(np.arange(OBJECTS)), 1).tolist()]
    texts = [AND.join(phrases[number] for number in row).encode().ljust(length, b"\0") for row in scene]
    return np.frombuffer(b"".join(texts), np.uint8).reshape(len(scene), length)


def load_shapes(
    n: int, objects: int, prepared: Preparation, *, labels: bool, validation: float, test: float, limit: int | None
) -> Dataset:
    """Draw the pictures of each split from captions of its own.

    :raises DataError: if no caption would be left for training.
    """
    shares = {name: share / n if share >= 1 else share for name, share in (("validation", validation), ("test", test))}
    if sum(shares.values()) > 0.9:
        raise DataError(f"validation and test hold out {sum(shares.values()):.0%} of the captions; ask for at most 90 %")
    stream = RandomState(prepared.seed)
    known = [stream.permutation(scenes(count)) for count in range(1, objects + 1)]
    length, parts, start = caption_length(objects), {}, 0.0
    for name, share in {**shares, "train": 1 - sum(shares.values())}.items():
        own = [rows[round(start * len(rows)) : round((start + share) * len(rows))] for rows in known]
        start += share
        if count := round(share * n):
            parts[name] = _part(own, count, length, stream)
    parts = {name: parts[name] for name in ("train", "validation", "test") if name in parts}
    raw = tuple(tensor for part in parts.values() for tensor in (part.x, part.labels) if tensor is not None)
    kept = {name: Part(part.x, part.labels if labels else None).at(slice(0, limit)) for name, part in parts.items()}
    return image_dataset("data/shapes", kept, 256, Categorical((length,), 256) if labels else None, raw, prepared)


def _part(known: list[Numbers], n: int, length: int, stream: RandomState) -> Part:
    """Draw ``n`` pictures: first how many objects, then a scene of so many, then how each object is drawn."""
    counts = stream.randint(len(known), size=n)
    x, labels = np.empty((n, 3, SIDE, SIDE), np.uint8), np.empty((n, length), np.int64)
    for number, rows in enumerate(known):
        here = counts == number
        scene = rows[stream.randint(len(rows), size=here.sum())]
        x[here] = pictures(scene, stream.randint(VARIANTS, size=scene.shape))
        labels[here] = captions(scene, length)
    return Part(torch.from_numpy(x), torch.from_numpy(labels))


def read_captions(captions: Tensor) -> Tensor:
    """Return the colour, kind and place of each object that captions (B, length) name, -1 where there is none: (B, 2, 3).

    They are places in the lists of words of :mod:`genframe_data.shapes`.

    :raises DataError: if one is not a caption of data/shapes.
    """
    known = {phrase(*words): words for words in product(range(len(COLOURS)), range(len(KINDS)), range(len(PLACES)))}
    found = torch.full((len(captions), 2, 3), -1)
    for row, line in enumerate(captions.tolist()):
        text = bytes(line).rstrip(b"\0").decode(errors="replace")
        named = [known.get(part) for part in text.split(AND)]
        if None in named or len(named) > 2:
            raise DataError(f"expected a caption of data/shapes, found {text!r}")
        found[row, : len(named)] = torch.tensor(named)
    return found


def read_shapes(x: Tensor, count: Tensor) -> Tensor:
    """Return the colour, kind and place of the ``count`` (B,) objects that pictures (B, 3, 32, 32) show best: (B, 2, 3).

    Values are from 0 to 1. Each place's object is the one that takes most off the squared error to a black picture, over every
    stencil and colour; places where that is most are taken, in reading order. -1 where there is none.
    """
    best, which = _gains(x).flatten(2).max(2)  # (B, places)
    place = best.topk(2, 1).indices  # (B, 2)
    which = which.gather(1, place)
    found = torch.stack((which % len(COLOURS), which // len(COLOURS), place), 2)  # (B, 2, 3)
    alone = torch.stack((found[:, 0], torch.full_like(found[:, 0], -1)), 1)
    ordered = torch.where((place[:, 0] < place[:, 1])[:, None, None], found, found.flip(1))
    return torch.where((count > 1)[:, None, None], ordered, alone)


def explained_share(x: Tensor) -> Tensor:
    """Return the share of squared values that the best one or two objects explain: (B, 3, 32, 32) -> (B,).

    It is 1 for whatever data/shapes draws, and 0 for a black picture.
    """
    gain = _gains(x).flatten(2).amax(2).topk(2, 1).values.clamp(min=0).sum(1)
    return gain / x.flatten(1).square().sum(1).clamp(min=1e-12)


@torch.no_grad()
def _gains(x: Tensor) -> Tensor:
    """Return by how much each object in its best variant lowers the squared error: (B, places, kinds, colours)."""
    covers = torch.from_numpy(stencils()).to(x.device).flatten(0, 2).flatten(1).float() / 255  # (stencils, pixels)
    colours = torch.tensor(RGB, dtype=torch.float32, device=x.device)
    cost = covers.square().sum(1)[:, None] * colours.sum(1)
    shape = (len(PLACES), len(KINDS), VARIANTS)
    parts = []
    for some in x.float().flatten(2).split(PICTURES_AT_ONCE):
        shown = (colours @ some) @ covers.T  # (B, colours, stencils)
        parts.append((2 * shown.transpose(1, 2) - cost).unflatten(1, shape).amax(3))
    return torch.cat(parts)


def attributes_right(x: Tensor, captions: Tensor) -> Tensor:
    """Return the share of objects whose colour, kind and place in pictures are those of their captions: (B, 3).

    Pictures (B, 3, 32, 32) with values from 0 to 1, captions (B, length). Two objects are compared with the two that were read
    in the order in which more is right.

    :raises DataError: if a caption is none of data/shapes.
    """
    wanted = read_captions(captions).to(x.device)
    count = (wanted[:, :, 0] >= 0).sum(1)
    found = read_shapes(x, count)
    orders = torch.stack([(found == wanted), (found.flip(1) == wanted)], 1) & (wanted >= 0)[:, None]  # (B, orders, 2, 3)
    right = orders.sum(2)  # (B, orders, 3)
    better = right.sum(2).argmax(1)
    return right[torch.arange(len(x), device=x.device), better] / count[:, None]
