"""Fields that specs of metrics share. No torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import Field, PlainSerializer, PositiveInt

__all__ = ["Limit", "RunPath"]

Limit = Annotated[PositiveInt | None, Field(description="use only this many examples, drawn by the seed; all if left out")]
RunPath: TypeAlias = Annotated[Path, PlainSerializer(Path.as_posix, return_type=str)]
