"""The JSON Schema of experiments with everything that is installed: what editors complete and check against."""

from __future__ import annotations

import json
from typing import Any

from ..plugins import installed
from ..specs import KINDS, Kind
from .spec import ExperimentSpec

__all__ = ["experiment_schema", "schema_text"]


def experiment_schema() -> dict[str, Any]:
    """Return the schema; each open union is a definition ``any_<kind>`` of all installed components."""
    schema = ExperimentSpec.model_json_schema()
    definitions: dict[str, Any] = schema.setdefault("$defs", {})
    for kind in KINDS:
        definitions[f"any_{kind}"] = _any(kind, definitions)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "genframe experiment", **schema}


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
