"""Names of the choices that the specs and their implementations share."""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = ["LogScale"]

LogScale: TypeAlias = Literal["exp", "tanh", "sigmoid"]
