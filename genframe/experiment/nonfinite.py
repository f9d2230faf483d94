"""Finding where NaN or infinity began, for a message that names the part."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

__all__ = ["all_finite", "first_nonfinite_module", "first_nonfinite_parameter"]


def all_finite(tensors: Iterable[Tensor]) -> bool:
    """Return whether no tensor holds NaN or infinity."""
    floating = [tensor for tensor in tensors if tensor.is_floating_point() and tensor.numel()]
    if not floating:
        return True
    return bool(torch.isfinite(torch.stack(torch._foreach_norm(floating, float("inf")))).all())


def first_nonfinite_parameter(module: nn.Module, *, gradients: bool) -> str | None:
    """Return the name of the first parameter whose weights, or gradient, hold NaN or infinity."""
    for name, parameter in module.named_parameters():
        tensor = parameter.grad if gradients else parameter
        if tensor is not None and not bool(torch.isfinite(tensor).all()):
            return name
    return None


def first_nonfinite_module(module: nn.Module, forward: Callable[[], object]) -> str | None:
    """Run ``forward`` once more and return the name of the first submodule whose output holds NaN or infinity."""
    found: list[str] = []

    def watch(name: str) -> Callable[[nn.Module, object, object], None]:
        def hook(_: nn.Module, __: object, output: object) -> None:
            if not found and isinstance(output, Tensor) and not bool(torch.isfinite(output).all()):
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
