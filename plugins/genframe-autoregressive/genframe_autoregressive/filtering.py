"""Sharpening conditional probabilities: temperature, top-k, top-p and min-p."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["adjusted"]


def adjusted(
    logits: Tensor, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None, min_p: float | None = None
) -> Tensor:
    """Return logits divided by the temperature, and minus infinity where a value is struck out: (n, values) -> (n, values).

    Values as probable as the last one kept are kept too, except at temperature 0, which keeps the first most probable one.
    The filters apply one after another to what is left. Holtzman et al. 2019, eq. 3; Nguyen et al. 2024, section 3.
    """
    if temperature == 0:
        best = logits.argmax(1, keepdim=True)
        return torch.full_like(logits, -math.inf).scatter_(1, best, 0.0)
    logits = logits / temperature
    if top_k is not None and top_k < logits.shape[1]:
        logits = _at_least(logits, logits.topk(top_k, 1).values[:, -1:])
    if top_p is not None and top_p < 1:
        ordered = logits.sort(1, descending=True).values
        probabilities = ordered.softmax(1)
        before = probabilities.cumsum(1) - probabilities  # what the more probable values have together
        last = (before < top_p).sum(1, keepdim=True).clamp(min=1) - 1
        logits = _at_least(logits, ordered.gather(1, last))
    if min_p is not None:
        logits = _at_least(logits, logits.amax(1, keepdim=True) + math.log(min_p))
    return logits


def _at_least(logits: Tensor, least: Tensor) -> Tensor:
    return logits.masked_fill(logits < least, -math.inf)
