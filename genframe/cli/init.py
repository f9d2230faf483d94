"""``genframe init``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..types.errors import Problem, RunError, SpecError

OF_ITS_FILES = {"type", "validation", "test", "limit", "seed"}
"""What a dataset says of its own examples, so that another one does not take it over."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("recipe", metavar="RECIPE", help="the recipe to start from")
    parser.add_argument(
        "overrides",
        nargs="*",
        default=[],
        metavar="[FILE] [key.path=value ...]",
        help="the file to write, RECIPE.yaml if left out; and values to change, such as data.path=photos",
    )
    parser.add_argument("--data", metavar="TYPE", help="the dataset in the place of the recipe's, such as data/images")


def run(options: argparse.Namespace) -> None:
    """Write the recipe's text with the line that tells editors its schema, and the schema beside it.

    :raises SpecError: if there is no such recipe or dataset, or a value does not fit.
    :raises RunError: if the file is there already.
    """
    from ..experiment.document.loading import recipe_text
    from ..experiment.document.schema import schema_text
    from ..output.files import storing

    changes = [word for word in options.overrides if "=" in word]
    files = [Path(word) for word in options.overrides if "=" not in word]
    if len(files) > 1:
        raise SpecError(Problem("", f"expected one file to write, found {', '.join(map(str, files))}"))
    text = recipe_text(options.recipe)
    if changes or options.data is not None:
        text = _changed(options.recipe, options.data, changes)
    path = files[0] if files else Path(f"{options.recipe}.yaml")
    if path.exists():
        raise RunError(f"{path} is there already; name another file")
    schema = path.with_name("genframe.schema.json")
    with storing(path.parent):
        schema.write_text(schema_text(), encoding="utf-8")
        path.write_text(f"# yaml-language-server: $schema={schema.name}\n{text}", encoding="utf-8")
    print(f"{path}\nnext:\n  genframe check {path} --explain\n  genframe train {path}")


def _changed(recipe: str, data: str | None, changes: list[str]) -> str:
    """Return a recipe with another dataset and other values, as YAML; how its data was prepared stays where it can."""
    from ..experiment.document import overrides
    from ..experiment.document.loading import experiment_from, read_document
    from ..experiment.document.writer import dump

    document = read_document(recipe)
    if data is not None:
        document = overrides.apply(document, [f"data={data}", *_taken_over(document.value, data)])
    document = overrides.apply(document, changes)
    experiment_from(document)  # says what does not fit
    return dump(document.value, header=f"the recipe {recipe} with {' '.join([*([data] if data else []), *changes])}")


def _taken_over(recipe: Any, data: str) -> list[str]:
    """Return what a recipe says of preparing its data that another dataset has a field for, as overrides."""
    import json

    from ..plugins.discovery import installed
    from ..specs.base import suggestion

    registry = installed().registry("dataset")
    if data not in registry:
        hint = suggestion(data, sorted(registry.names())) or "genframe list dataset shows them"
        raise SpecError(Problem("--data", f"there is no dataset {data!r}", hint))
    former = recipe["data"] if isinstance(recipe["data"], dict) else {"type": recipe["data"]}
    before, after = (registry.find(name).model_fields for name in (former["type"], data))
    return [
        f"data.{name}={json.dumps(value)}"
        for name, value in former.items()
        if name in after and name not in OF_ITS_FILES and before[name].annotation == after[name].annotation and name != "path"
    ]
