"""The words by which settings are chosen. No torch."""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = ["Grid", "Objective", "Pairing", "Prediction", "Schedule", "TimeDistribution", "Variance", "Weight"]

Grid: TypeAlias = Literal["uniform", "karras", "log_snr"]
Objective: TypeAlias = Literal["denoising", "sliced"]
Pairing: TypeAlias = Literal["independent", "optimal"]
Prediction: TypeAlias = Literal["noise", "data", "v", "velocity", "edm"]
Schedule: TypeAlias = Literal["linear", "cosine", "log_snr"]
TimeDistribution: TypeAlias = Literal["uniform", "log_snr", "log_normal", "logit_normal"]
Variance: TypeAlias = Literal["small", "large"]
Weight: TypeAlias = Literal["simple", "min_snr", "edm", "sigmoid", "likelihood"]
