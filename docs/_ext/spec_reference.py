"""Writes the reference from what is installed: the specs of each kind, the fields of experiments, the commands.

As a Sphinx extension it does so before anything is read, into ``reference/generated``, which git ignores.
"""

from __future__ import annotations

import argparse
import inspect
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import to_jsonable_python

from genframe import ComponentSpec, Spec, installed
from genframe.checking import traits_of
from genframe.cli import parser, summaries
from genframe.experiment.document.spec import EvaluateSpec, ExperimentSpec
from genframe.specs import KINDS, Kind
from genframe.specs.base import ANY_OF_KIND
from genframe.training.settings import PlayerSpec, StageSpec, StartSpec, TrainSpec

if TYPE_CHECKING:
    from sphinx.application import Sphinx

__all__ = ["setup", "traits_of", "write"]

WORDS: Final = {"null": "none", "string": "text", "object": "mapping"}
BOUNDS: Final = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}

SECTIONS: Final[dict[str, type[Spec]]] = {
    "experiment": ExperimentSpec,
    "train": TrainSpec,
    "train.start": StartSpec,
    "train.stages": StageSpec,
    "train.players": PlayerSpec,
    "evaluate": EvaluateSpec,
}


def write(folder: Path) -> None:
    """Write all pages into ``folder``; pages that have not changed keep their time, so that they are not built again."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = {plural(kind): components_page(kind) for kind in KINDS}
    pages |= {"experiments": experiments_page(), "commands": commands_page()}
    for name, lines in pages.items():
        path, text = folder / f"{name}.md", "\n".join(lines) + "\n"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def plural(kind: Kind) -> str:
    """Return ``losses`` for ``loss``."""
    return f"{kind}{'e' * kind.endswith('s')}s"


def components_page(kind: Kind) -> Iterator[str]:
    """Yield the page of one kind."""
    yield f"# {plural(kind).capitalize()}\n"
    specs = [installed().registry(kind).find(name) for name in installed().registry(kind).names()]
    for spec in specs:
        yield from _component(spec)


def _component(spec: type[ComponentSpec]) -> Iterator[str]:
    plugin = installed().plugin_of(spec)
    yield f"## {spec.type_name()}\n"
    yield f"{_prose(inspect.cleandoc(spec.__doc__ or ''))}\n"
    package = spec.__module__.partition(".specs")[0]
    yield f"From {plugin.distribution if plugin is not None else package}; in Python, `{spec.__name__}` of `{package}`.\n"
    provides, needs = traits_of(spec)
    if provides:
        yield f"Provides: {_codes(sorted(trait.__name__ for trait in provides))}.\n"
    for role, wanted in needs.items():
        several = wanted if isinstance(wanted, tuple) else (wanted,)
        yield f"Needs: {role} with {_codes(trait.__name__ for trait in several)}.\n"
    yield from _fields(spec)


def _fields(spec: type[Spec]) -> Iterator[str]:
    names = [name for name in spec.model_fields if name != "type"]
    if not names:
        yield "It has no fields.\n"
        return
    schemas = spec.model_json_schema()["properties"]
    rows = (
        (f"`{name}`", _type(schemas[name]), _default(spec, name), spec.model_fields[name].description or "") for name in names
    )
    yield from _table(("field", "type", "default", ""), rows)


def _default(spec: type[Spec], name: str) -> str:
    field = spec.model_fields[name]
    if field.is_required():
        return "required"
    value = to_jsonable_python(field.get_default(call_default_factory=True))
    if isinstance(value, dict) and value:
        return f"`{value['type']}`" if "type" in value else "its own defaults"
    return f"`{json.dumps(value, ensure_ascii=False)}`" if not isinstance(value, str) else f"`{value}`"


def experiments_page() -> Iterator[str]:
    """Yield the page of what an experiment file may say."""
    yield "# Experiments\n"
    for path, spec in SECTIONS.items():
        yield f"## {path}\n"
        yield f"{_prose(inspect.cleandoc(spec.__doc__ or ''))}\n"
        yield from _fields(spec)


def _type(schema: dict[str, Any]) -> str:
    """Return the type of a field by its JSON Schema, in words."""
    if ANY_OF_KIND in schema:
        return f"any {schema[ANY_OF_KIND]}"
    if "enum" in schema or "const" in schema:
        return " or ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    if "anyOf" in schema or "allOf" in schema:
        return " or ".join(_type(option) for option in schema.get("anyOf") or schema["allOf"])
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2].removesuffix("Spec").lower()
    kind = str(schema.get("type", "anything"))
    if kind == "array":
        items = schema.get("items") or (schema.get("prefixItems") or [{}])[0]
        return f"list of {_type(items)}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"mapping of names to {_type(schema['additionalProperties'])}"
    bounds = [f"{sign} {schema[key]}" for key, sign in BOUNDS.items() if key in schema]
    return f"{WORDS.get(kind, kind)}{' ' + ', '.join(bounds) if bounds else ''}"


def commands_page() -> Iterator[str]:
    """Yield the page of the commands, by their own grammar."""
    yield "# Commands\n"
    grammar = next(action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    for name, summary in summaries().items():
        yield f"## genframe {name}\n"
        yield f"{summary[0].upper()}{summary[1:]}.\n"
        actions = [action for action in grammar.choices[name]._actions if action.help != argparse.SUPPRESS]
        yield from _table(("argument", ""), ((_argument(action), action.help or "") for action in actions))


def _argument(action: argparse.Action) -> str:
    metavar = action.metavar or (None if action.nargs == 0 else "|".join(action.choices or ()) or action.dest.upper())
    value = str(metavar) if metavar else ""
    if not action.option_strings:
        return f"`{value}`"
    return ", ".join(f"`{option}{' ' + value if value else ''}`" for option in action.option_strings)


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(headers)} |"
    yield f"|{'---|' * len(headers)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
    yield ""


def _codes(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _prose(text: str) -> str:
    """Return a docstring's text as Markdown: its literals in single backticks, its stars and angle brackets as they are."""
    parts = text.split("``")
    escaped = [part.replace("*", "\\*").replace("<", "\\<").replace("_", "\\_") for part in parts[::2]]
    codes = [f"`{part}`" for part in parts[1::2]]
    return "".join(piece for pair in zip(escaped, [*codes, ""], strict=True) for piece in pair)


def _generate(app: Sphinx) -> None:
    write(Path(app.srcdir) / "reference" / "generated")


def setup(app: Sphinx) -> dict[str, bool]:
    """Let Sphinx write the reference before it reads the pages."""
    app.connect("builder-inited", _generate)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
