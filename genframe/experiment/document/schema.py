"""The JSON Schema of experiments with everything that is installed: what editors complete and check against."""

from __future__ import annotations

import json
from typing import Any, cast

from ...plugins.discovery import installed
from ...specs.base import ANY_OF_KIND, KINDS, Kind
from .spec import ExperimentSpec

__all__ = ["experiment_schema", "schema_text"]


def experiment_schema() -> dict[str, Any]:
    """Return the schema; each open union is a definition ``any_<kind>`` of all installed components."""
    schema = ExperimentSpec.model_json_schema()
    definitions: dict[str, Any] = schema.setdefault("$defs", {})
    for kind in KINDS:
        definitions[f"any_{kind}"] = _any(kind, definitions)
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "genframe experiment"}
    return cast("dict[str, Any]", _with_unions(schema))


def _with_unions(node: Any) -> Any:
    """Put a reference to ``any_<kind>`` wherever a field takes every component of a kind."""
    if isinstance(node, dict):
        kind = node.get(ANY_OF_KIND)
        kept = {key: _with_unions(value) for key, value in node.items() if key != ANY_OF_KIND}
        return kept if kind is None else {"$ref": f"#/$defs/any_{kind}", **kept}
    return [_with_unions(entry) for entry in node] if isinstance(node, list) else node


def _any(kind: Kind, definitions: dict[str, Any]) -> dict[str, Any]:
    """Add the kind's components to ``definitions`` and return what takes any of them, by name or as a mapping."""
    names, references = [], []
    for spec in installed().registry(kind):
        own = spec.model_json_schema()
        definitions.update(own.pop("$defs", {}))
        own["required"] = sorted({"type", *own.get("required", ())})
        key = f"{kind}:{spec.type_name()}".replace("/", ":")
        definitions[key] = own
        references.append({"$ref": f"#/$defs/{key}"})
        if own["required"] == ["type"]:
            names.append(spec.type_name())
    return {"anyOf": [{"enum": sorted(names)}, *references]}


def schema_text() -> str:
    """Return the schema as indented JSON."""
    return json.dumps(experiment_schema(), indent=1, ensure_ascii=False) + "\n"
