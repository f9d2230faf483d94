"""Choices that specs and metrics share. No torch."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

__all__ = ["SIGMAS", "C2stClassifier"]

SIGMAS: Final = (0.1, 0.129, 0.167, 0.215, 0.278, 0.359, 0.464, 0.599, 0.774, 1.0)  # evenly spaced in their logarithm

C2stClassifier: TypeAlias = Literal["network", "neighbours"]
