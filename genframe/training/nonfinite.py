"""NaN and infinity: which part holds them, and a sentence that names where they began."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import is_dataclass

import torch
from torch import Tensor, nn

from ..types import Batch, LossOutput
from .objective import Objective

__all__ = ["diagnosis", "first_nonfinite", "first_nonfinite_parameter"]


def first_nonfinite(module: nn.Module) -> str | None:
    """Return the name of the first parameter that holds NaN or infinity, or of a buffer with NaN.

    Infinity in a buffer may be meant: masks have it.
    """
    with_nan = (name for name, buffer in module.named_buffers() if bool(torch.isnan(buffer).any()))
    return first_nonfinite_parameter(module) or next(with_nan, None)


def first_nonfinite_parameter(module: nn.Module, *, gradients: bool = False) -> str | None:
    """Return the name of the first parameter whose weights, or gradient, hold NaN or infinity."""
    for name, parameter in module.named_parameters():
        tensor = parameter.grad if gradients else parameter
        if tensor is not None and not bool(torch.isfinite(tensor).all()):
            return name
    return None


def diagnosis(objective: Objective, batch: Batch, player: str, output: LossOutput, encoded: bool = False) -> str:
    """Return what is not finite in a step that failed: weights, a gradient, or the loss and where in the model it began."""
    model = objective.model
    weights = first_nonfinite_parameter(model)
    if weights is not None:
        return f"the weights {weights!r} hold NaN or infinity; lower train.lr or set train.clip"
    if math.isfinite(output.total.item()):
        gradient = first_nonfinite_parameter(model, gradients=True)
        return f"the gradient of {gradient!r} holds NaN or infinity; lower train.lr or set train.clip"
    terms = [name for name, value in output.metrics.items() if not math.isfinite(value.item())]
    named = f" ({', '.join(terms)})" if terms else ""
    module = _first_nonfinite_module(model, lambda: objective(batch, player, encoded))
    begin = f"; it begins in {module!r}" if module else ""
    data = "" if bool(torch.isfinite(batch.x).all()) else "; the data hold NaN or infinity themselves"
    return f"the loss of player {player!r} is {output.total.item()}{named}{begin}{data}"


def _first_nonfinite_module(module: nn.Module, forward: Callable[[], object]) -> str | None:
    """Run ``forward`` once more and return the name of the first submodule whose output holds NaN or infinity."""
    found: list[str] = []

    def watch(name: str) -> Callable[[nn.Module, object, object], None]:
        def hook(_: nn.Module, __: object, output: object) -> None:
            if not found and not all(bool(torch.isfinite(tensor).all()) for tensor in _tensors(output)):
                found.append(name)

        return hook

    handles = [child.register_forward_hook(watch(name)) for name, child in module.named_modules() if name]
    try:
        with torch.no_grad():
            forward()
    finally:
        for handle in handles:
            handle.remove()
    return found[0] if found else None


def _tensors(output: object) -> Iterator[Tensor]:
    """Yield the tensors in what a module returned; a loss, which its own message names, has none."""
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, (tuple, list)):
        for entry in output:
            yield from _tensors(entry)
    elif isinstance(output, Mapping) or (is_dataclass(output) and not isinstance(output, LossOutput)):
        yield from _tensors([*(output if isinstance(output, Mapping) else vars(output)).values()])
