"""From a file, a recipe's name or plain data to a validated experiment, with every problem's place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ..errors import Problem, SpecError
from ..plugins import installed
from ..specs import suggestion
from . import documents, overrides
from .documents import Document
from .spec import ExperimentSpec

__all__ = ["Experiment", "experiment_from", "problems_of", "read_experiment", "recipe_text"]


@dataclass(frozen=True)
class Experiment:
    """A validated experiment and the document that it came from, for the origin of each value."""

    spec: ExperimentSpec
    document: Document


def read_experiment(source: str, assignments: Sequence[str] = ()) -> Experiment:
    """Return the experiment in the file ``source``, or of the recipe of that name, with ``key.path=value`` applied.

    :raises SpecError: if there is neither, or it is wrong; each problem has its file and line.
    """
    path = Path(source).expanduser()
    if path.suffix in {".yaml", ".yml", ".json"} or path.is_file():
        document = documents.read(path)
    else:
        document = documents.parse(recipe_text(source), f"recipe {source}")
    return experiment_from(document, assignments)


def recipe_text(name: str) -> str:
    """Return the text of an installed recipe.

    :raises SpecError: if no plugin ships it.
    """
    recipes = installed().recipes
    if name in recipes:
        return recipes[name].text()
    mend = suggestion(name, sorted(recipes)) or "genframe recipes lists them; a file ends in .yaml or .json"
    raise SpecError(Problem("", f"there is no recipe or file {name!r}", mend))


def experiment_from(document: Document | Mapping[str, Any], assignments: Sequence[str] = ()) -> Experiment:
    """Validate a document, or plain data, as an experiment.

    :raises SpecError: with all problems.
    """
    if not isinstance(document, Document):
        document = Document(dict(document), "<data>", {})
    document = overrides.apply(document, assignments)
    try:
        return Experiment(ExperimentSpec.model_validate(document.value), document)
    except ValidationError as error:
        raise SpecError([_placed(problem, document) for problem in problems_of(error)]) from None


def problems_of(error: ValidationError) -> list[Problem]:
    """Return pydantic's findings as problems: path, what is wrong, and what would do."""
    return [_problem(details) for details in error.errors(include_url=False)]


def _problem(details: ErrorDetails) -> Problem:
    context = details.get("ctx", {})
    path = ".".join(str(part) for part in (*details["loc"], *([context["field"]] if "field" in context else [])))
    if details["type"] == "missing":
        return Problem(path, "is missing")
    if "mend" in context or details["type"] in {"component", "unknown_field"}:
        return Problem(path, details["msg"], str(context.get("mend", "")))
    message = details["msg"].removeprefix("Value error, ")
    return Problem(path, f"{message[:1].lower()}{message[1:]}, found {_brief(details['input'])}")


def _brief(value: object, limit: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}…"


def _placed(problem: Problem, document: Document) -> Problem:
    keys = tuple(int(part) if part.isdigit() else part for part in problem.path.split(".")) if problem.path else ()
    place = documents.origin(document, keys)
    if place is None:
        return replace(problem, source=document.source)
    return replace(problem, source=place.source, line=place.line, column=place.column)
