"""Attributes of a dataset by name: which labels and class a name means, and the label of each example."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from genframe import DataError, DatasetSpec, Split
from genframe.roles import whole
from genframe.specs import suggestion

__all__ = ["Attribute", "find_attribute", "labels_of"]


@dataclass(frozen=True)
class Attribute:
    """A class of some labels, ``positive``, against another class or all others. Both are indices into ``classes``."""

    name: str
    classes: tuple[str, ...]
    positive: int
    against: int | None = None

    def positives(self, labels: Tensor) -> Tensor:
        """Return which labels are of the class: (N,) -> (N,) of bool."""
        return labels == self.positive

    def negatives(self, labels: Tensor) -> Tensor:
        """Return which labels are of the class or classes against it: (N,) -> (N,) of bool."""
        return labels != self.positive if self.against is None else labels == self.against

    def __str__(self) -> str:
        other = f" against {self.classes[self.against]}" if self.against is not None else ""
        return f"{self.name}={self.classes[self.positive]}{other}"


def find_attribute(data: DatasetSpec, text: str, against: str | None = None) -> Attribute:
    """Return the attribute that ``text`` means: ``labels=class``, a class of any labels, or labels with two classes.

    Of two classes, the second in the order of their names is the positive one.

    :raises DataError: if the dataset has no such attribute, or several, naming those that it has.
    """
    known = data.attributes()
    if not known:
        raise DataError(f"{data.type} has no labels, so no attributes; use a dataset with labels, such as data/npz with names")
    name, has_name, wanted = text.partition("=")
    found = [(name, wanted)] if has_name else [(label, text) for label, classes in known.items() if text in classes]
    if not has_name and not found and text in known and len(known[text]) == 2:
        found = [(text, known[text][1])]
    found = [(label, wanted) for label, wanted in found if wanted in known.get(label, ())]
    if len(found) != 1:
        said = "several have this name" if found else "there is none"
        near = suggestion(text, [each for classes in known.values() for each in classes])
        raise DataError(f"attribute {text!r}: {said}; {near or 'there are: ' + _listed(known)}")
    ((label, wanted),) = found
    classes = known[label]
    if against is not None and (against not in classes or against == wanted):
        others = ", ".join(each for each in classes if each != wanted)
        raise DataError(f"{label}={wanted} needs another class of {label} against it, found {against!r}; there are: {others}")
    return Attribute(label, classes, classes.index(wanted), None if against is None else classes.index(against))


def _listed(known: object) -> str:
    assert isinstance(known, dict)
    return "; ".join(f"{label}={'|'.join(classes[:12])}{'|...' * (len(classes) > 12)}" for label, classes in known.items())


def labels_of(data: DatasetSpec, name: str, split: Split) -> Tensor:
    """Return the labels ``name`` of a split that ``data`` loaded: (N,).

    :raises DataError: if the dataset with these labels has other examples than without.
    """
    labelled = data.labelled(name).load().split(split.name)
    labels = labelled.condition
    if labels is None or labels.shape != (len(split),) or labelled.stored.shape != split.stored.shape:
        found = "no labels" if labels is None else f"labels {tuple(labels.shape)}"
        raise DataError(f"expected a {name} label for each of {len(split)} examples of the {split.name} split, found {found}")
    return whole(labels).to(split.device)
