"""Samples as a folder of single files, pictures or texts, with a list of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
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

    Each picture carries the same recipe as a sheet of all would, and its place among them. Samples of text are .txt files,
    which hold the text and nothing else.

    :raises Unsupported: for samples without pictures of their own.
    :raises StorageError: if the folder holds something already, or the volume refuses.
    """
    from ..output.files import storing, write_whole

    suffix, each = _contents(trained, samples, info)
    with storing(folder):
        folder.mkdir(exist_ok=True)
        if any(folder.iterdir()):
            raise StorageError(f"{folder} is not empty; name another folder")
    words = _words(trained, condition, len(each))
    width = len(str(len(each) - 1))
    names = [f"{number:0{width}}{suffix}" for number in range(len(each))]
    for name, write in zip(names, each, strict=True):
        write(folder / name)
    given = [{} if word is None else {"condition": word} for word in words]
    listed = [{"file": name, **one} for name, one in zip(names, given, strict=True)]
    write_whole(folder / LIST, json.dumps({**info, "samples": listed}, indent=1).encode())


def _contents(trained: Run, samples: Samples, info: dict[str, Any]) -> tuple[str, list[Callable[[Path], None]]]:
    """Return what the names of the files end with, and for each sample what writes its file."""
    from ..output.files import write_whole
    from ..output.picture import singles, write

    if trained.tokenizer() is not None:
        texts = [text.encode() for text in trained.texts(samples)]
        return ".txt", [partial(write_whole, content=text) for text in texts]
    try:
        images = singles(samples.x, samples.space)
    except ValueError as error:
        raise Unsupported(f"{error}; name a .csv or .npz file") from None
    return ".png", [partial(write, image=image, info={**info, "sample": number}) for number, image in enumerate(images)]


def _words(trained: Run, condition: Tensor | None, count: int) -> list[str | None]:
    """Return the class or the caption of each sample."""
    if condition is None:
        return [None] * count
    if reads_captions(trained.model.composition.condition):
        return [caption_text(row) for row in condition.tolist()]
    names = trained.class_names()
    return [names[number] for number in condition.tolist()] if names else [None] * count
