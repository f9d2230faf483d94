"""The pictures of a folder with their splits and conditions, as a list to pack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from genframe.roles import whole

from .packing import Sample
from .splits import Part, divided

if TYPE_CHECKING:
    from .specs import Images

__all__ = ["samples_of"]


def samples_of(spec: Images) -> tuple[list[Sample], tuple[str, ...]]:
    """Return the pictures that ``spec`` would load, split by split, and the names of their classes.

    :raises DataError: if there are none, or one has no class or caption.
    """
    from .pictures import listed_parts

    folders, condition = spec.folders(), spec.condition()
    scans = folders.scans()
    classes = condition.classes(scans)
    values = {split: condition.values(found, classes) for split, found in scans.items()}
    own = {split: Part(torch.arange(len(found.pictures))) for split, found in scans.items()}
    own |= listed_parts(folders, scans["train"], own["train"], whole(own["train"].x).numpy())
    validation, test = (0 if isinstance(share, str) else share for share in (spec.validation, spec.test))
    held_out = own.get("validation", validation), own.get("test", test)
    parts = divided(own["train"], *held_out, by=spec.split, seed=spec.seed, limit=spec.limit)
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
