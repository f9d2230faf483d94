"""From raw data to a data set: cutting splits, what is drawn once, and the protocol that says so.

Random numbers here come from numpy's ``RandomState``, whose stream is frozen for ever: a split or a static
binarisation is the same on every machine and in every version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from genframe import DataError, Dataset, Prepare, Space, Split, data_digest
from genframe.roles import Rows, as_stored, select, whole

from .affine import Augmented
from .bases import SplitBy
from .preparation import Preparation
from .prepare import Binarised, Dequantised, Scaled
from .variation import Cropped, Flipped, Mirrored, Recoloured

__all__ = ["Part", "Protocol", "cut", "divided", "divided_by_groups", "image_dataset", "plain_dataset", "shuffled"]

ROWS_AT_ONCE: Final = 4096
STREAMS: Final = {"train": 1, "validation": 2, "test": 3}
Protocol = Mapping[str, Any]


@dataclass(frozen=True)
class Part:
    """Raw data ``x``, rows (N, ...) wherever they lie, and their labels (N,), if there are any."""

    x: Rows
    labels: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    def at(self, indices: Tensor | slice) -> Part:
        """Return the data at ``indices``."""
        return Part(select(self.x, indices), self.labels[indices] if self.labels is not None else None)


def shuffled(part: Part, seed: int) -> Part:
    """Return the data in an order that only their number and the seed decide."""
    return part.at(torch.from_numpy(np.random.RandomState(seed).permutation(len(part))))


def cut(part: Part, share: float, what: str, of: str = "data") -> tuple[Part, Part]:
    """Return the data without their last ``share`` (below 1) or count, and those.

    :raises DataError: if nothing would be left; ``what`` names the split that asks, ``of`` what is cut.
    """
    count = int(share) if share >= 1 else max(round(share * len(part)), int(share > 0))
    if count >= len(part):
        raise DataError(f"{what}: {share:g} asks for {count} of {len(part)} {of} and leaves none for training; ask for fewer")
    edge = len(part) - count
    return part.at(slice(0, edge)), part.at(slice(edge, len(part)))


def divided(
    train: Part,
    validation: Part | float,
    test: Part | float,
    *,
    by: SplitBy,
    seed: int,
    limit: int | None,
    of: str = "data",
) -> dict[str, Part]:
    """Return the splits by name, in the order train, validation, test; a share is cut from the end of ``train``.

    Where ``by`` is ``random``, what is cut is shuffled before. A split without data is left out.
    """
    if by == "random" and not (isinstance(validation, Part) and isinstance(test, Part)):
        train = shuffled(train, seed)
    if not isinstance(test, Part):
        train, test = cut(train, test, "test", of)
    if not isinstance(validation, Part):
        train, validation = cut(train, validation, "validation", of)
    parts = {"train": train, "validation": validation, "test": test}
    return {name: part.at(slice(0, limit)) for name, part in parts.items() if len(part)}


def divided_by_groups(
    data: Part, groups: Tensor, validation: float, test: float, *, by: SplitBy, seed: int, limit: int | None
) -> dict[str, Part]:
    """Return the splits by name, no group in two of them: (N,) numbers of groups. Shares and counts are of groups.

    Where ``by`` is ``random``, groups are held out at random and the data of each split are shuffled.
    """
    chosen = divided(Part(groups.unique()), validation, test, by=by, seed=seed, limit=None, of="groups")
    parts = {name: data.at(torch.isin(groups, whole(part.x))) for name, part in chosen.items()}
    if by == "random":
        parts = {name: shuffled(part, seed) for name, part in parts.items()}
    return {name: part.at(slice(0, limit)) for name, part in parts.items()}


def plain_dataset(
    parts: Mapping[str, Part], space: Space, classes: Space | None, protocol: Protocol, prepare: Prepare | None = None
) -> Dataset:
    """Return the data set of data that are ready as they are stored, or after ``prepare``; the protocol may say more."""
    none = {"binarisation": "none", "dequantisation": "none"}
    splits = {}
    for name, part in parts.items():
        stamp = {**none, **protocol, "split": name, "count": len(part)}
        splits[name] = Split(name, part.x, part.labels, prepare or as_stored, stamp)
    return Dataset(space, splits, classes)


def image_dataset(
    source: str,
    parts: Mapping[str, Part],
    levels: int,
    classes: Space | None,
    raw: tuple[Rows, ...],
    prepared: Preparation,
    digest: str = "",
) -> Dataset:
    """Return the data set of data on ``levels`` levels; ``raw`` is what was read, and ``source`` names what read it.

    ``digest`` is that of ``raw``, where it is known.
    """
    data = f"{source}@{digest or data_digest(*raw)}"
    splits = {}
    for name, part in parts.items():
        stored, prepare, binarisation = _stored(prepared, part.x, name, levels)
        stamp = {
            "data": data,
            "split": name,
            "count": len(part),
            "seed": prepared.seed,
            "binarisation": binarisation,
            "dequantisation": "uniform" if prepared.dequantise else "none",
        }
        augment = _varied(prepared, prepare, levels) if name == "train" else None
        stamp |= _told(prepared) if augment is not None else {}
        if prepared.window is not None:
            prepare = Cropped(prepared.window, prepare, random=False)
        variants = _variants(prepared, prepare) if augment is not None else ()
        splits[name] = Split(name, stored, part.labels, prepare, stamp, augment, variants=variants)
    shape = tuple(raw[0].shape[1:])
    if prepared.window is not None:
        shape = (*shape[:-2], *prepared.window)
    return Dataset(prepared.space(shape, levels), splits, classes)


def _varied(how: Preparation, prepare: Prepare, levels: int) -> Prepare | None:
    """Return the preparation of training images, varied at random; ``None`` where nothing varies them."""
    varied, rounded = prepare, how.binarise != "dynamic"
    if how.augment is not None:
        varied = Augmented(how.augment, varied, rounded=rounded)
    if how.jitter is not None:
        varied = Recoloured(how.jitter, levels - 1, varied, rounded=rounded)
    if how.flip:
        varied = Flipped(varied)
    if how.window is not None:
        varied = Cropped(how.window, varied, random=True)
    return varied if varied is not prepare else None


def _variants(how: Preparation, prepare: Prepare) -> tuple[Prepare, ...]:
    """Return the two preparations of an image where nothing is drawn but whether it is mirrored."""
    return (prepare, Mirrored(prepare)) if how == replace(how, augment=None, jitter=None, window=None) and how.flip else ()


def _told(how: Preparation) -> dict[str, Any]:
    """Return what the protocol of training images says of their variation."""
    told: dict[str, Any] = {"flip": "horizontal"} if how.flip else {}
    told |= {"augmentation": how.augment.model_dump(mode="json")} if how.augment is not None else {}
    told |= {"jitter": how.jitter.model_dump(mode="json")} if how.jitter is not None else {}
    return told | ({"crop": "random"} if how.window is not None else {})


def _stored(how: Preparation, x: Rows, split: str, levels: int) -> tuple[Rows, Prepare, str]:
    """Return what to store, how to prepare it and what the protocol says of binarisation.

    Rows that are binarised once are read into memory for it.
    """
    match how.binarise:
        case "none":
            return x, (Dequantised if how.dequantise else Scaled)(levels, how.low, how.high), "none"
        case "threshold":
            return (whole(x) > (levels - 1) / 2).to(torch.uint8), Scaled(2), "threshold"
        case "dynamic" if split == "train":
            return x, Binarised(levels), "dynamic"
        case _:
            once = "static" if how.binarise == "static" else "dynamic, drawn once"
            return _drawn_once(whole(x), levels, how.seed, split), Scaled(2), once


def _drawn_once(x: Tensor, levels: int, seed: int, split: str) -> Tensor:
    """Return zeros and ones with the intensity as probability; every split has its own stream."""
    stream = np.random.RandomState([seed, STREAMS[split]])
    drawn = torch.empty_like(x)
    for start in range(0, len(x), ROWS_AT_ONCE):
        rows = x[start : start + ROWS_AT_ONCE]
        noise = torch.from_numpy(stream.random_sample(tuple(rows.shape)))
        drawn[start : start + ROWS_AT_ONCE] = noise * (levels - 1) < rows
    return drawn
