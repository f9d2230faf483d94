"""From pydantic's findings to genframe's problems: path, what was expected, what was found, and a hint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, TypeAlias

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ..types.errors import Problem, SpecError

__all__ = ["FieldsError", "problems_of"]

Description: TypeAlias = Callable[[str, object], str]

_WANTED: Final = {  # by pydantic's type of error, where its own words are about Python
    **dict.fromkeys(("int_type", "int_parsing", "int_parsing_size", "int_from_float"), "should be a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "should be a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "should be true or false"),
    **dict.fromkeys(("tuple_type", "list_type"), "should be a list"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "should be a mapping"),
    "string_type": "should be text",
    "path_type": "should be a path",
}


class FieldsError(SpecError, ValueError):
    """Fields that make no spec. As a ``ValueError`` it becomes one of pydantic's findings where a validator raises it."""


def problems_of(error: ValidationError, describe: Description) -> list[Problem]:
    """Return pydantic's findings as problems.

    :param describe: says what a missing field is, by its name and the value that lacks it.
    """
    found = error.errors(include_url=False)
    reported = [details for details in found if not _short_by_refusal(details)]
    return [problem for details in reported for problem in _problems(details, describe)]


def _short_by_refusal(details: ErrorDetails) -> bool:
    """Return whether a list is too short only because items were refused, which is told of them."""
    return details["type"] == "too_short" and details["ctx"]["actual_length"] < len(details["input"])


def _problems(details: ErrorDetails, describe: Description) -> list[Problem]:
    context = details.get("ctx", {})
    path = ".".join(str(part) for part in (*details["loc"], *([context["field"]] if "field" in context else [])))
    if isinstance(inner := context.get("error"), FieldsError):  # a validator made a spec that is wrong
        return [replace(each, path=".".join(filter(None, (path, each.path)))) for each in inner.problems]
    if details["type"] == "missing":
        return [Problem(path, "is missing", describe(str(details["loc"][-1]), details["input"]))]
    if "hint" in context or details["type"] in {"component", "unknown_field"}:
        return [Problem(path, details["msg"], str(context.get("hint", "")))]
    message = _WANTED.get(details["type"]) or details["msg"]
    if details["type"] in ("too_short", "too_long"):
        least = details["type"] == "too_short"
        count = context["min_length" if least else "max_length"]
        message = f"should have at {'least' if least else 'most'} {'one item' if count == 1 else f'{count} items'}"
    for prefix in ("Value error, ", "Input ", "String "):
        message = message.removeprefix(prefix)
    found = "" if isinstance(details["input"], Mapping) else f", found {_brief(details['input'])}"
    return [Problem(path, f"{message[:1].lower()}{message[1:]}{found}")]


def _brief(value: object, limit: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}…"
