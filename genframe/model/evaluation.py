"""Evaluating a model without leaving a trace of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import torch
from torch import nn

__all__ = ["device_of", "evaluating"]


def device_of(model: nn.Module) -> torch.device:
    """Return the device of the model's first tensor; the CPU where it has none."""
    tensor = next(chain(model.parameters(), model.buffers()), None)
    return tensor.device if tensor is not None else torch.device("cpu")


@contextmanager
def evaluating(model: nn.Module) -> Iterator[torch.device]:
    """Evaluate without gradients, and give the model's device; modes and torch's global generators are as before afterwards.

    The modules within the parts are looked at only where the model or one of its parts is in training mode.
    """
    learning = model.training or any(part.training for part in model.children())
    training = [module for module in model.modules() if module.training] if learning else []
    if training:
        model.eval()
    device = device_of(model)
    try:
        with torch.no_grad(), torch.random.fork_rng([device] if device.type == "cuda" else []):
            yield device
    finally:
        for module in training:
            module.training = True
