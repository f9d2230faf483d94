"""Samples as a folder of single pictures, with a list of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..types.captions import caption_text, reads_captions
from ..types.errors import StorageError, Unsupported

if TYPE_CHECKING:
    from torch import Tensor

    from ..experiment.run.run import Run
    from ..model.sampling import Samples

__all__ = ["write_singles"]

LIST = "samples.json"


def write_singles(folder: Path, trained: Run, samples: Samples, condition: Tensor | None, info: dict[str, Any]) -> None:
    """Write a PNG of each sample, a pixel for a pixel, and ``samples.json``: how they were drawn, and which is which.

    Each picture carries the same recipe as a sheet of all would, and its place among them.

    :raises Unsupported: for samples without pictures of their own.
    :raises StorageError: if the folder holds something already, or the volume refuses.
    """
    from ..output.files import storing, write_whole
    from ..output.picture import singles, write

    try:
        images = singles(samples.x, samples.space)
    except ValueError as error:
        raise Unsupported(f"{error}; name a .csv or .npz file") from None
    with storing(folder):
        folder.mkdir(exist_ok=True)
        if any(folder.iterdir()):
            raise StorageError(f"{folder} is not empty; name another folder")
    words = _words(trained, condition, len(images))
    width = len(str(len(images) - 1))
    names = [f"{number:0{width}}.png" for number in range(len(images))]
    for number, (name, image) in enumerate(zip(names, images, strict=True)):
        write(folder / name, image, {**info, "sample": number})
    given = [{} if word is None else {"condition": word} for word in words]
    listed = [{"file": name, **one} for name, one in zip(names, given, strict=True)]
    write_whole(folder / LIST, json.dumps({**info, "samples": listed}, indent=1).encode())


def _words(trained: Run, condition: Tensor | None, count: int) -> list[str | None]:
    """Return the class or the caption of each sample."""
    if condition is None:
        return [None] * count
    if reads_captions(trained.model.composition.condition):
        return [caption_text(row) for row in condition.tolist()]
    names = trained.class_names()
    return [names[number] for number in condition.tolist()] if names else [None] * count
