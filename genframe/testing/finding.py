"""What the kit found wrong, and the error that says it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["ConformanceError", "Finding"]


@dataclass(frozen=True)
class Finding:
    """One promise that a component breaks: which component, under which check, what was declared and what found.

    ``cause`` is the error that kept the check from being carried out, if it was that.
    """

    component: str
    check: str
    message: str
    cause: Exception | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.component}: {self.check}: {self.message}"


class ConformanceError(AssertionError):
    """A component or a plugin does not keep what it promises; ``findings`` lists all that was found."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(map(str, findings)))
