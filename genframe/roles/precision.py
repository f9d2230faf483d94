"""How parts run: in which precision, whether compiled, and what autocast and the compiler are to leave alone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache, wraps
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor
from torch._compile import _disable_dynamo  # torch.compiler.disable, without importing the compiler until it is called

from ..types import Precision

__all__ = ["eager", "full_precision", "no_compiler", "run_in"]

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


def run_in(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which networks run in a precision: autocast for bfloat16, none for float32."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bfloat16" else nullcontext()


def full_precision(x: Tensor) -> AbstractContextManager[object]:
    """Return a context without autocast on the device of ``x``: for what becomes of values themselves."""
    device = x.device.type
    cast = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
    return torch.autocast(device, enabled=False) if cast else nullcontext()


@cache
def no_compiler(device: torch.device) -> str:
    """Return why nothing can be compiled for the device, such as for want of a C++ compiler; an empty text where it can."""
    from torch._dynamo.exc import TorchDynamoException

    try:
        torch.compile(torch.sin)(torch.zeros(1, device=device))
    except TorchDynamoException as error:
        return f"nothing can be compiled on this machine: {str(error).partition(chr(10))[0]}"
    return ""
