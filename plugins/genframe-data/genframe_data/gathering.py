"""The pictures of a folder with their splits and conditions, as a list to pack."""

from __future__ import annotations

import torch

from genframe.roles import whole

from .annotations import Condition
from .bases import SplitBy
from .folders import Folders
from .packing import Sample
from .pictures import listed_parts
from .splits import Part, divided

__all__ = ["samples_of"]


def samples_of(
    folders: Folders, condition: Condition, *, validation: float, test: float, by: SplitBy, seed: int, limit: int | None
) -> tuple[list[Sample], tuple[str, ...]]:
    """Return the pictures with their splits, as :func:`~genframe_data.pictures.load_images` makes them, and their classes.

    :raises DataError: if there are none, or one has no class or caption.
    """
    scans = folders.scans()
    classes = condition.classes(scans)
    values = {split: condition.values(found, classes) for split, found in scans.items()}
    own = {split: Part(torch.arange(len(found.pictures))) for split, found in scans.items()}
    own |= listed_parts(folders, scans["train"], own["train"], whole(own["train"].x).numpy())
    held_out = own.get("validation", validation), own.get("test", test)
    parts = divided(own["train"], *held_out, by=by, seed=seed, limit=limit)
    samples = []
    for split, part in parts.items():
        found = scans.get(split, scans["train"])
        given = values.get(split, values["train"])
        for place in whole(part.x).tolist():
            value = given[place] if given is not None else None
            label = value if isinstance(value, int) else None
            caption = value.rstrip(b"\0").decode() if isinstance(value, bytes) else None
            samples.append(Sample(found.folder / found.pictures[place], found.pictures[place], split, label, caption))
    return samples, classes
