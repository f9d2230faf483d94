"""What a reader of data takes and what it leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Report"]

SHOWN = 5


@dataclass(frozen=True)
class Report:
    """What a dataset takes from its files, what it skips and what it finds empty.

    ``took`` is in words (``"60 pictures of 3 classes"``). ``skipped`` counts files by what they are, ``empty`` names folders or
    columns without content, ``notes`` say anything else that a user should know.

    >>> print(Report("60 pictures of 3 classes", {".heic": 5, ".txt": 1}, ("owl",)))
    took 60 pictures of 3 classes; skipped 6 files: 5 .heic, 1 .txt; found empty: owl
    """

    took: str
    skipped: Mapping[str, int] = field(default_factory=dict)
    empty: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def remarkable(self) -> bool:
        """Whether anything was not simply taken."""
        return bool(self.skipped or self.empty or self.notes)

    def __str__(self) -> str:
        parts = [f"took {self.took}"]
        if self.skipped:
            total, kinds = sum(self.skipped.values()), ", ".join(f"{count} {kind}" for kind, count in self.skipped.items())
            parts.append(f"skipped {total} {'file' if total == 1 else 'files'}: {kinds}")
        if self.empty:
            more = f" and {len(self.empty) - SHOWN} more" if len(self.empty) > SHOWN else ""
            parts.append(f"found empty: {', '.join(self.empty[:SHOWN])}{more}")
        return "; ".join([*parts, *self.notes])

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "took": self.took,
            "skipped": dict(self.skipped),
            "empty": list(self.empty),
            "notes": list(self.notes),
        }
