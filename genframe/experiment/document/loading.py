"""From a file, a recipe's name or plain data to a validated experiment, with every problem's place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from ...experiment import document as documents
from ...plugins.discovery import installed
from ...specs.base import Spec, suggestion
from ...specs.composition import Composition
from ...types.errors import Problem, SpecError
from . import overrides
from .document import Document
from .spec import ExperimentSpec, check_experiment

__all__ = [
    "Experiment",
    "check_placed",
    "experiment_from",
    "read_document",
    "read_experiment",
    "recipe_text",
    "validated",
]

AnySpec = TypeVar("AnySpec", bound=Spec)


@dataclass(frozen=True)
class Experiment:
    """A validated experiment and the document that it came from, for the origin of each value."""

    spec: ExperimentSpec
    document: Document


def read_experiment(source: str, assignments: Sequence[str] = ()) -> Experiment:
    """Return the experiment in the file ``source``, or of the recipe of that name, with ``key.path=value`` applied.

    :raises SpecError: if there is neither, or it is wrong; each problem has its file and line.
    """
    return experiment_from(read_document(source), assignments)


def read_document(source: str) -> Document:
    """Return the document in the file ``source``, or of the recipe of that name, as it stands there.

    :raises SpecError: if there is neither, or it cannot be read.
    """
    path = Path(source).expanduser()
    if path.suffix in {".yaml", ".yml", ".json"} or path.is_file():
        return documents.read(path)
    if path.is_dir() and source not in installed().recipes:
        is_run = (path / "experiment.yaml").is_file()
        hint = f"go on with it by: genframe resume {source}" if is_run else "name a file in it"
        raise SpecError(Problem("", f"{source} is {'a run' if is_run else 'a folder'}, not an experiment", hint))
    return documents.parse(recipe_text(source), f"recipe {source}")


def recipe_text(name: str) -> str:
    """Return the text of an installed recipe.

    :raises SpecError: if no plugin ships it.
    """
    recipes = installed().recipes
    if name in recipes:
        return recipes[name].text()
    hint = suggestion(name, sorted(recipes)) or "genframe recipes lists them; a file ends in .yaml or .json"
    raise SpecError(Problem("", f"there is no recipe or file {name!r}", hint))


def experiment_from(document: Document | Mapping[str, Any], assignments: Sequence[str] = ()) -> Experiment:
    """Validate a document, or plain data, as an experiment.

    :raises SpecError: with all problems.
    """
    if not isinstance(document, Document):
        document = Document(dict(document), "<data>", {})
    document = overrides.apply(document, assignments)
    return Experiment(validated(ExperimentSpec, document), document)


def validated(kind: type[AnySpec], document: Document) -> AnySpec:
    """Validate a document as a spec of a kind.

    :raises SpecError: with all problems, each with its file and line.
    """
    try:
        return kind.model_validate(document.value)
    except SpecError as error:
        raise SpecError([_placed(problem, document) for problem in error.problems]) from None


def check_placed(experiment: Experiment) -> Composition:
    """Type the experiment as :func:`check_experiment` does, with the file and line of every problem.

    :raises SpecError: with every problem that was found.
    :raises DataError: if the data's files are missing.
    """
    try:
        return check_experiment(experiment.spec)
    except SpecError as error:
        raise SpecError([_placed(problem, experiment.document) for problem in error.problems]) from None


def _placed(problem: Problem, document: Document) -> Problem:
    keys = tuple(int(part) if part.isdigit() else part for part in problem.path.split(".")) if problem.path else ()
    place = documents.origin(document, keys)
    if place is None:
        return replace(problem, source=document.source)
    return replace(problem, source=place.source, line=place.line, column=place.column)
