"""Templates become HTML in which every value is escaped, unless it is Markup already."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

__all__ = ["render"]

UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("genframe_report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def render(template: str, **values: object) -> Markup:
    """Return a template of this package with its values; characters that no file can hold become U+FFFD."""
    known: dict[str, Any] = dict(values)
    return Markup(UNPRINTABLE.sub("\ufffd", _environment().get_template(template).render(known)))  # noqa: S704 - autoescaped
