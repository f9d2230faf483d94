"""Recipes: ready experiments that plugins ship as package data."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

__all__ = ["Recipe"]


@dataclass(frozen=True)
class Recipe:
    """A named experiment file; ``package`` is the importable package and ``path`` the file within it."""

    name: str
    package: str
    path: str
    summary: str

    def text(self) -> str:
        """Return the recipe's YAML text."""
        return files(self.package).joinpath(self.path).read_text(encoding="utf-8")
