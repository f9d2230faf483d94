"""Gradients of many layers from their result alone: the layers' inverses recompute the activations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from genframe import Context, Unsupported, vector_of

from .bijection import Bijection, Rebuilt
from .coupling import Coupling, Parts

__all__ = ["applied", "recomputed", "undone"]


def applied(layers: Sequence[Bijection], x: Tensor, context: Context | None) -> tuple[Tensor, Tensor]:
    """Return what the layers make of ``x`` one after another and the sum of their log-determinants (B,).

    Couplings in a row pass their two parts on; these are joined after the last one.
    """
    log_det = torch.zeros(len(x), device=x.device, dtype=x.dtype)
    state: Tensor | Parts = x
    for layer in layers:
        state, log_abs_det = layer(_fit_for(layer, state), context)
        log_det = log_det + log_abs_det
    return _whole(state), log_det


def undone(layers: Sequence[Bijection], y: Tensor, context: Context | None) -> Tensor:
    """Return the ``x`` of which :func:`applied` makes ``y``."""
    state: Any = y
    for layer in reversed(layers):
        state = layer.inverse(_fit_for(layer, state), context)
    return _whole(state)


def _fit_for(layer: Bijection, state: Tensor | Parts) -> Any:
    """Return the parts for a coupling, and one tensor for any other layer."""
    return layer.parts(state) if isinstance(layer, Coupling) else _whole(state)


def _whole(state: Tensor | Parts) -> Tensor:
    """Return the parts joined."""
    return state if isinstance(state, Tensor) else torch.cat(state, 1)


def recomputed(layers: Sequence[Bijection], x: Tensor, context: Context | None) -> tuple[Tensor, Tensor]:
    """Return the same as :func:`applied`, keeping only the result for the backward pass. Gomez et al. 2017, alg. 1.

    The backward pass runs each layer once more. Running statistics are not updated a second time.

    :raises Unsupported: if a layer draws random numbers, or in the backward pass if a second derivative is asked for.
    """
    owned = [[parameter for parameter in layer.parameters() if parameter.requires_grad] for layer in layers]
    parameters = dict.fromkeys(chain.from_iterable(owned))
    result: tuple[Tensor, Tensor] = _Recomputed.apply(layers, owned, x, vector_of(context), *parameters)  # type: ignore[no-untyped-call]
    return result


@dataclass(frozen=True)
class Autocast:
    """The state of autocast on a device, to be set again."""

    device: str
    dtype: torch.dtype
    enabled: bool

    @classmethod
    def now(cls, device: str) -> Autocast:
        """Return the present state."""
        return cls(device, torch.get_autocast_dtype(device), torch.is_autocast_enabled(device))

    def again(self) -> AbstractContextManager[object]:
        """Set the state; without a cache, in which weights cast without a graph would hide those cast with one."""
        if not self.enabled and not torch.is_autocast_enabled(self.device):
            return nullcontext()
        return torch.autocast(self.device, self.dtype, self.enabled, cache_enabled=False)


class _Recomputed(torch.autograd.Function):
    """The layers as one function of data, context and parameters."""

    @staticmethod
    def forward(
        ctx: Any,
        layers: Sequence[Bijection],
        owned: Sequence[Sequence[Tensor]],
        x: Tensor,
        vector: Tensor | None,
        *parameters: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Apply the layers without a graph."""
        ctx.layers, ctx.owned, ctx.parameters, ctx.autocast = layers, owned, parameters, Autocast.now(x.device.type)
        with _nothing_drawn(x.device), ctx.autocast.again():
            y, log_det = applied(layers, x, _context(vector))
        ctx.save_for_backward(y, vector, *parameters)
        return y, log_det

    @staticmethod
    def backward(ctx: Any, grad_y: Tensor, grad_log_det: Tensor) -> tuple[Tensor | None, ...]:
        """Go back through the layers: rebuild each one's step from its result, then differentiate it."""
        if torch.is_grad_enabled():
            raise Unsupported(
                "memory: constant has first derivatives only, found a gradient that is to be differentiated; "
                "say memory: ordinary in the flow"
            )
        y, given, *_ = ctx.saved_tensors
        y = y.detach()
        vector: Any = None if given is None else given.detach().requires_grad_(ctx.needs_input_grad[3])
        sums = _Sums((*ctx.parameters, vector) if ctx.needs_input_grad[3] else ctx.parameters)
        with _statistics_kept(ctx.layers):
            for layer, owned in zip(reversed(ctx.layers), reversed(ctx.owned), strict=True):
                with torch.enable_grad(), ctx.autocast.again():
                    step = layer.rebuild(y, _context(vector))
                wanted = [*owned, vector] if vector in sums else owned
                y, grad_y = _pulled_back(layer, step, grad_y, grad_log_det, wanted, sums)
        grad_x = grad_y if ctx.needs_input_grad[2] else None
        return None, None, grad_x, sums.of(vector), *map(sums.of, ctx.parameters)


def _context(vector: Tensor | None) -> Context | None:
    return Context(vector) if vector is not None else None


class _Sums:
    """Gradients added up in tensors that are made at once, at the start.

    Small ones that stay, made among large ones that come and go, would keep the allocator from using a large one's place again.
    """

    def __init__(self, sources: Iterable[Tensor]) -> None:
        self._sums = {source: torch.zeros_like(source) for source in sources}
        self._met: set[Tensor] = set()

    def __contains__(self, source: Tensor | None) -> bool:
        return source in self._sums

    def add(self, source: Tensor, gradient: Tensor) -> None:
        """Add to what there is for ``source``."""
        self._sums[source].add_(gradient)
        self._met.add(source)

    def of(self, source: Tensor | None) -> Tensor | None:
        """Return the sum, or nothing where nothing was added."""
        return self._sums[source] if source is not None and source in self._met else None


def _pulled_back(
    layer: Bijection,
    step: Rebuilt,
    grad_y: Tensor,
    grad_log_det: Tensor,
    wanted: Sequence[Tensor],
    sums: _Sums,
) -> tuple[Tensor, Tensor]:
    """Return a layer's input and its gradient, and add to the ``sums`` of gradients what comes from this step."""
    outputs, gradients = [step.y], [grad_y]
    if step.log_det.requires_grad:
        outputs.append(step.log_det)
        gradients.append(grad_log_det.sum_to_size(step.log_det.shape))
    found = torch.autograd.grad(outputs, (*step.leaves, *wanted), gradients, allow_unused=True)
    for source, gradient in zip(wanted, found[len(step.leaves) :], strict=True):
        if gradient is not None:
            sums.add(source, gradient)
    leaves = [leaf.detach() for leaf in step.leaves]
    pieces = [torch.zeros_like(leaf) if piece is None else piece for leaf, piece in zip(leaves, found, strict=False)]
    return layer.joined(leaves), layer.joined(pieces)


@contextmanager
def _nothing_drawn(device: torch.device) -> Iterator[None]:
    """See that torch's global generator, which a second run would find in another state, is not used."""
    before = _generator_state(device)
    yield
    if not torch.equal(before, _generator_state(device)):
        raise Unsupported(
            "memory: constant runs every layer twice, and one draws random numbers, so that gradients would be wrong; "
            "say memory: ordinary in the flow, or dropout: 0 in its network"
        )


def _generator_state(device: torch.device) -> Tensor:
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


@contextmanager
def _statistics_kept(layers: Sequence[Bijection]) -> Iterator[None]:
    """Let batch normalisation in training mode leave its running statistics as the first run has left them."""
    modules = [module for layer in layers for module in layer.modules() if module.training]
    tracking: list[Any] = [module for module in modules if getattr(module, "track_running_stats", False)]
    for module in tracking:
        module.track_running_stats = False
    try:
        yield
    finally:
        for module in tracking:
            module.track_running_stats = True
