"""Overrides: ``key.path=value`` words that change a document, as on the command line.

    train.lr=1e-3    model.prior=vae/vamp    model.encoder.network.hidden=[512, 512]    train.stages.0.steps=10

A value is read like a value in a file. It replaces what was there, whole; of two overrides the later wins. Missing
mappings are created on the way, and a component that was given by its name alone is opened: ``model.encoder.dim=8``
turns ``encoder: vae/gaussian`` into ``encoder: {type: vae/gaussian, dim: 8}``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...types.errors import SpecError
from .document import Document, Keys, Place, Plain, check_plain, dotted, shown
from .reader import parse

__all__ = ["apply"]

_COMPONENT = re.compile(r"[A-Za-z_][\w-]*(/[\w-]+)?")
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


def apply(document: Document, assignments: Sequence[str]) -> Document:
    """Return the document with the overrides made, in their order; the document itself stays as it was.

    :raises SpecError: if an assignment is malformed, its value is none that a file could hold, or its path leads
        through a value or outside a list. The problem's source is the override itself.
    """
    for assignment in assignments:
        override = _read(assignment)
        places = dict(document.places)
        document = Document(override.put(document.value, (), places), document.source, places)
    return document


@dataclass(frozen=True)
class _Override:
    place: Place
    keys: tuple[str, ...]
    value: Plain

    def put(self, node: Plain, done: Keys, places: dict[Keys, Place]) -> Plain:
        """Return ``node``, found at the path ``done``, with the value put in; ``places`` follows."""
        if len(done) == len(self.keys):
            for path in [path for path in places if path[: len(done)] == done]:
                del places[path]
            places[done] = self.place
            return self.value
        key = self.keys[len(done)]
        node = self.opened(node, done, places)
        if isinstance(node, list):
            index = self.index(key, node, done)
            return [*node[:index], self.put(node[index], (*done, index), places), *node[index + 1 :]]
        if _INDEX.fullmatch(key) and key not in node:
            raise self.place.refusal(f"is no list, so it has no item {key}", "name a field", done)
        return {**node, key: self.put(node.get(key), (*done, key), places)}

    def opened(self, node: Plain, done: Keys, places: dict[Keys, Place]) -> dict[str, Plain] | list[Plain]:
        """Return the mapping or list at ``done``, made from nothing or from a component's bare name."""
        if isinstance(node, (dict, list)):
            return node
        places.setdefault(done, self.place)
        if node is None:
            return {}
        if isinstance(node, str) and _COMPONENT.fullmatch(node):
            return {"type": node}
        raise self.place.refusal(f"is {shown(node)}, which has no fields", f"set {dotted(done)} itself", done)

    def index(self, key: str, items: list[Plain], done: Keys) -> int:
        if _INDEX.fullmatch(key) and int(key) < len(items):
            return int(key)
        message = f"has no item {shown(key)}, only {len(items)} counted from 0"
        raise self.place.refusal(message, "set the whole list to change their number", done)


def _read(assignment: str) -> _Override:
    key, equals, text = assignment.partition("=")
    place = Place(f"<override {shown(assignment)}>")
    keys = tuple(key.split("."))
    if not equals or not all(keys):
        raise place.refusal("is not of the form key.path=value", "write for example train.lr=1e-3")
    if not text.strip():
        raise place.refusal("has no value", "write null for none, or '\"\"' for empty text", keys)
    try:  # the blanks make columns those of the whole assignment
        value = parse(" " * (len(key) + 1) + text, place.source).value
    except SpecError as error:
        problems = [replace(found, path=dotted((*keys, *filter(None, [found.path])))) for found in error.problems]
        raise SpecError(problems) from None
    _check_fit(keys, value, place)
    return _Override(place, keys, value)


def _check_fit(keys: tuple[str, ...], value: Plain, place: Place) -> None:
    whole = value
    for key in reversed(keys):
        whole = {key: whole}
    check_plain(whole, Document(whole, place.source, {(): place}))
