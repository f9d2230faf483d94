"""What torch.compile is to leave alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import torch
from torch._compile import _disable_dynamo  # torch.compiler.disable, without importing the compiler

__all__ = ["eager"]

P = ParamSpec("P")
R = TypeVar("R")


def eager(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function such that torch.compile does not enter it: it does not differentiate a gradient."""
    disabled = _disable_dynamo(function)

    @wraps(function)
    def run(*arguments: P.args, **named: P.kwargs) -> R:
        if torch.compiler.is_compiling():  # else the compiler would be imported, which takes seconds
            return disabled(*arguments, **named)
        return function(*arguments, **named)

    return run
