"""What a component's class says of itself, as plain data."""

from __future__ import annotations

import inspect
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from ..specs import ComponentSpec

__all__ = ["brief", "full"]


def brief(spec: type[ComponentSpec]) -> dict[str, Any]:
    """Return name, kind, first sentence and traits."""
    text = inspect.cleandoc(spec.__doc__ or "")
    return {
        "name": spec.type_name(),
        "kind": spec.kind,
        "summary": " ".join(text.partition("\n\n")[0].split()).partition(". ")[0].rstrip("."),
        "provides": sorted(trait.__name__ for trait in spec.provides),
    }


def full(spec: type[ComponentSpec], distribution: str) -> dict[str, Any]:
    """Return all that ``genframe show`` prints."""
    needs = {
        role: [trait.__name__ for trait in (needed if isinstance(needed, tuple) else (needed,))]
        for role, needed in spec.needs.items()
    }
    fields = [_field(name, field) for name, field in spec.model_fields.items() if name != "type"]
    return {
        **brief(spec),
        "documentation": inspect.cleandoc(spec.__doc__ or ""),
        "needs": needs,
        "plugin": distribution,
        "fields": fields,
    }


def _field(name: str, field: FieldInfo) -> dict[str, Any]:
    default = None if field.is_required() else to_jsonable_python(field.get_default(call_default_factory=True))
    return {
        "name": name,
        "type": _type_name(field.annotation),
        "required": field.is_required(),
        "default": default,
        "description": field.description or "",
    }


def _type_name(annotation: Any) -> str:
    if isinstance(annotation, type) and issubclass(annotation, ComponentSpec) and "kind" in annotation.__dict__:
        return f"any {annotation.kind}"
    text = annotation.__name__ if isinstance(annotation, type) and not getattr(annotation, "__args__", ()) else str(annotation)
    return text.replace("typing.", "").replace("NoneType", "None")
