"""All traits of genframe, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from . import decoders, encoders, parts, priors
from .base import Trait

__all__ = ["TRAITS"]

TRAITS: Final[Mapping[str, Trait]] = {
    name: getattr(module, name) for module in (decoders, encoders, parts, priors) for name in module.__all__
}
