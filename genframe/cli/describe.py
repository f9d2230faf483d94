"""What a component's class says of itself, as plain data."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from types import NoneType
from typing import Annotated, Any, Final, Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from ..checking.suggestions import traits_of
from ..specs.base import ComponentSpec, Spec

__all__ = ["brief", "full", "summary"]

SENTENCE: Final = re.compile(r"(?<!\bal)\.\s+(?=[A-Z])")
YEAR: Final = re.compile(r"\b(18|19|20)\d\d\b")
BOUNDS: Final = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
NAMES: Final = {bool: "true or false", int: "whole number", float: "number", str: "text", NoneType: "null"}


def summary(spec: type[ComponentSpec]) -> str:
    """Return the first sentence of the documentation."""
    return _first_paragraph(spec)[0]


def brief(spec: type[ComponentSpec]) -> dict[str, Any]:
    """Return name, kind, first sentence and traits."""
    return {
        "name": spec.type_name(),
        "kind": spec.kind,
        "summary": summary(spec),
        "provides": sorted(trait.__name__ for trait in traits_of(spec)[0]),
    }


def full(spec: type[ComponentSpec], distribution: str) -> dict[str, Any]:
    """Return all that ``genframe show`` prints; traits are those of the component as it comes."""
    _, needs = traits_of(spec)
    return {
        **brief(spec),
        "paper": _first_paragraph(spec)[1],
        "documentation": _documentation(spec),
        "needs": {
            role: [trait.__name__ for trait in (needed if isinstance(needed, tuple) else (needed,))]
            for role, needed in needs.items()
        },
        "plugin": distribution,
        "fields": [_field(name, field) for name, field in spec.model_fields.items() if name != "type"],
    }


def _documentation(spec: type[ComponentSpec]) -> str:
    return inspect.cleandoc(spec.__doc__ or "").replace("``", "")


def _first_paragraph(spec: type[ComponentSpec]) -> tuple[str, str]:
    """Return the first sentence of the documentation, and the papers behind it if there are any."""
    paragraph = " ".join(_documentation(spec).partition("\n\n")[0].split())
    sentence, *rest = SENTENCE.split(paragraph, maxsplit=1)
    return sentence.rstrip("."), next((text for text in rest if YEAR.search(text)), "")


def _field(name: str, field: FieldInfo) -> dict[str, Any]:
    default = None if field.is_required() else field.get_default(call_default_factory=True)
    return {
        "name": name,
        "type": _type_name(Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation),
        "required": field.is_required(),
        "default": default.model_dump(mode="json", exclude_defaults=True)
        if isinstance(default, ComponentSpec)
        else to_jsonable_python(default),
        "description": field.description or "",
    }


def _type_name(annotation: Any) -> str:
    """Return what a field takes, in words: ``list of whole number > 0``, ``any encoder or null``."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if annotation in NAMES:
        return NAMES[annotation]
    if origin is Annotated:
        name, *others = _type_name(inner[0]).split(" or ")
        bounds = [bound for constraint in inner[1:] for bound in _bounds(constraint)]
        return " or ".join([f"{name} {', '.join(bounds)}" if bounds else name, *others])
    if origin is Literal:
        return ", ".join(map(str, inner))
    if origin is tuple and inner[1:] == (Ellipsis,):
        return f"list of {_type_name(inner[0])}"
    if origin is tuple:
        return f"[{', '.join(map(_type_name, inner))}]"
    if origin is dict:
        return f"mapping to {_type_name(inner[1])}"
    if inner:
        return " or ".join(dict.fromkeys(map(_type_name, inner)))
    if isinstance(annotation, type) and issubclass(annotation, ComponentSpec) and "kind" in annotation.__dict__:
        return f"any {annotation.kind}"
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        return annotation.__name__.removesuffix("Spec").lower()
    return str(getattr(annotation, "__name__", annotation))


def _bounds(constraint: Any) -> Iterator[str]:
    """Yield ``> 0`` for a bound, or for those that a pydantic field or annotation holds."""
    for part in getattr(constraint, "metadata", ()):
        yield from _bounds(part)
    for name, sign in BOUNDS.items():
        bound = getattr(constraint, name, None)
        if isinstance(bound, (int, float)):
            yield f"{sign} {bound}"
