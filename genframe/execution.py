"""How parts run: what autocast and the compiler are to leave alone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor
from torch._compile import _disable_dynamo  # torch.compiler.disable, without importing the compiler until it is called

__all__ = ["eager", "full_precision"]

P = ParamSpec("P")
R = TypeVar("R")


def eager(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function such that torch.compile does not enter it: where gradients are differentiated, say."""
    disabled = _disable_dynamo(function)

    @wraps(function)
    def run(*arguments: P.args, **named: P.kwargs) -> R:
        if torch.compiler.is_compiling():  # else the compiler would be imported, which takes seconds
            return disabled(*arguments, **named)
        return function(*arguments, **named)

    return run


def full_precision(x: Tensor) -> AbstractContextManager[object]:
    """Return a context without autocast on the device of ``x``: for what becomes of values themselves."""
    device = x.device.type
    cast = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
    return torch.autocast(device, enabled=False) if cast else nullcontext()
