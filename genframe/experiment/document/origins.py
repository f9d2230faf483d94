"""Where each value of a resolved experiment was written: a line of a file or recipe, an override, or nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .document import Document, Keys, Plain, origin
from .loading import Experiment
from .spec import ExperimentSpec

__all__ = ["DEFAULT", "GIVEN", "Value", "differing", "override", "values", "written"]

DEFAULT: Final = "default"
GIVEN: Final = "given"


@dataclass(frozen=True)
class Value:
    """A value at a dotted path, and where it was written, or that it is a default."""

    path: str
    value: Any
    origin: str


def values(experiment: Experiment) -> Iterator[Value]:
    """Yield every value of the resolved experiment; one that plain data or Python gave is ``given``."""
    for path, value in _leaves(experiment.spec.model_dump(mode="json")).items():
        yield Value(_dotted(path), value, _origin(experiment.document, path))


def _origin(document: Document, path: Keys) -> str:
    if not _holds(document.value, path):
        return DEFAULT
    place = origin(document, path)
    if place is None:
        return GIVEN
    return place.source + (f":{place.line}" if place.line is not None else "")


def _holds(value: Plain, path: Keys) -> bool:
    """Return whether the document says what is at ``path``; a component's type, where it is written as its bare name."""
    for depth, key in enumerate(path):
        if isinstance(value, str):
            return path[depth:] == ("type",)
        if isinstance(value, dict) and key in value:
            value = value[str(key)]
        elif isinstance(value, list) and isinstance(key, int) and key < len(value):
            value = value[key]
        else:
            return False
    return True


def written(experiment: Experiment) -> dict[str, str]:
    """Return the origins of all values that are no defaults, by their paths."""
    return {value.path: value.origin for value in values(experiment) if value.origin != DEFAULT}


def override(spec: ExperimentSpec, assignment: str) -> dict[str, str]:
    """Return the origins of the values that ``key.path=value`` gave."""
    key = assignment.partition("=")[0]
    paths = map(_dotted, _leaves(spec.model_dump(mode="json")))
    return {path: f"<override {assignment!r}>" for path in paths if path == key or path.startswith(f"{key}.")}


def differing(spec: ExperimentSpec, origins: Mapping[str, str] | None) -> Iterator[Value]:
    """Yield every value with its origin; without ``origins``, only whether it is the default can be told."""
    known = origins
    if known is None:
        known = {_dotted(path): GIVEN for path in _leaves(spec.model_dump(mode="json", exclude_defaults=True))}
    for path, value in _leaves(spec.model_dump(mode="json")).items():
        yield Value(_dotted(path), value, known.get(_dotted(path), DEFAULT))


def _dotted(path: Keys) -> str:
    return ".".join(map(str, path))


def _leaves(value: Any) -> dict[Keys, Any]:
    return dict(_walk(value, ()))


def _walk(value: Any, path: Keys) -> Iterator[tuple[Keys, Any]]:
    if isinstance(value, Mapping) and value:
        for key, entry in value.items():
            yield from _walk(entry, (*path, key))
    elif isinstance(value, list) and any(isinstance(entry, (dict, list)) for entry in value):
        for index, entry in enumerate(value):
            yield from _walk(entry, (*path, index))
    else:
        yield path, value
