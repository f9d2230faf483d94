"""What the files of a run say of the encoder whose features are used. No torch."""

from __future__ import annotations

from pathlib import Path

from genframe import EncoderSpec, GenframeError, Mismatch, Space, describe
from genframe.spaces import alike

__all__ = ["condition_encoder", "readable"]


def condition_encoder(run: Path) -> tuple[EncoderSpec, Space]:
    """Return the condition encoder of a run and the space of what it reads.

    :raises Mismatch: if there is no run, or none with a condition.
    """
    folder = run.expanduser()
    if not (folder / "experiment.yaml").is_file():
        mend = "train a classifier, such as genframe train digits-classifier, and name its folder"
        raise Mismatch(f"{run} is not a run", mend)
    try:
        _, composition = describe(folder)
    except GenframeError as error:
        raise Mismatch(str(error), "name another run") from None
    encoder, space = composition.spec.condition, composition.condition
    if encoder is None or space is None:
        mend = "name a classifier, such as digits-classifier trains"
        raise Mismatch(f"{run} has no condition encoder to give features", mend)
    return encoder, space


def readable(run: Path, target: Space, space: Space) -> None:
    """Accept data of ``space`` if the run, which reads ``target``, reads them.

    :raises Mismatch: if it does not.
    """
    if not alike(target, space):
        raise Mismatch(f"{run} reads {target}, found {space}", "train it on data that are prepared as these are")
