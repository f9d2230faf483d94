"""What runs and compositions say of encoders whose features are used, and of classifiers. No torch."""

from __future__ import annotations

from pathlib import Path

from genframe import Categorical, Composition, EncoderSpec, GenframeError, Mismatch, Space
from genframe.types import Density, Identity, alike

__all__ = ["condition_encoder", "readable", "why_no_classifier"]


def condition_encoder(run: Path) -> tuple[EncoderSpec, Space]:
    """Return the spec of the condition encoder of a run, and the space of what it reads.

    :raises Mismatch: if there is no run, or none with a condition.
    """
    from genframe import describe  # which reads experiments, and need not be loaded to list components

    folder = run.expanduser()
    if not (folder / "experiment.yaml").is_file():
        hint = "train a classifier, such as genframe train digits-classifier, and name its folder"
        raise Mismatch(f"{run} is not a run", hint)
    try:
        _, composition = describe(folder)
    except GenframeError as error:
        raise Mismatch(str(error), "name another run") from None
    encoder, space = composition.spec.condition, composition.condition
    if encoder is None or space is None:
        hint = "name a classifier, such as digits-classifier trains"
        raise Mismatch(f"{run} has no condition encoder to give features", hint)
    return encoder, space


def readable(run: Path, target: Space, space: Space) -> None:
    """Check that the run, which reads ``target``, can read data of ``space``.

    :raises Mismatch: if it cannot.
    """
    if not alike(target, space):
        raise Mismatch(f"{run} reads {target}, found {space}", "train it on data that is prepared in the same way")


def why_no_classifier(composition: Composition) -> str:
    """Return why a model does not give each class a probability for a condition, or an empty string."""
    data = composition.data
    if not isinstance(data, Categorical) or data.dims != 1:
        return f"the data of this model is {data}, not one class; make it of the labels of another dataset with data/labels"
    if composition.condition is None:
        return "this model has no condition, so it cannot tell the classes of examples apart"
    if not (composition.has("encoder", Identity) and composition.has("prior", Density)):
        return (
            "the probabilities of classes are read from the prior: it needs the encoder core/identity and a prior with Density"
        )
    return ""
