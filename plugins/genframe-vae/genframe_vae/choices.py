"""The names that fields of specs and arguments of parts choose from. No torch."""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = ["CorruptionKind", "Covariance", "ReconstructionError", "Scale", "Variance"]

CorruptionKind: TypeAlias = Literal["masking", "gaussian", "salt_and_pepper"]
Covariance: TypeAlias = Literal["diagonal", "full"]
ReconstructionError: TypeAlias = Literal["squared", "absolute", "cross_entropy"]
Scale: TypeAlias = Literal["per_pixel", "shared"]
Variance: TypeAlias = Literal["fixed", "learned", "per_pixel"]
