"""Modules of one's own in a model: handed in beside the spec, by the place in which they go.

A spec is plain data and cannot hold a module. It holds what is known of the module (``core/module``); the module itself is
found by its place, such as ``encoder.network``, in what :func:`wrap` or ``modules=`` has handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from inspect import signature
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary, finalize, ref

import torch
from torch import Tensor, nn

from ..roles import Decoder, Encoder, Loss, Prior, Sampler, ask
from ..specs.base import ComponentSpec, Spec, nested
from ..specs.module import READS, ModuleDecoder, ModuleEncoder, ModuleFields, lent
from ..types import Categorical, Context, Problem, Real, Space, Spaces, SpecError, Trait

__all__ = ["Modules", "Moved", "Wrapped", "handed_in", "lending", "places", "wrap"]

Modules: TypeAlias = Mapping[str, Any]
"""Modules, or functions that make one, by the place in which they go: ``{"encoder.network": net}``."""

PARTS: Final = (Encoder, Decoder, Prior, Loss, Sampler)
ROWS: Final = 2


class Wrapped:
    """A module with what a spec must know of it; see :func:`wrap`."""

    def __init__(self, source: Any, fields: Mapping[str, Any], call: Callable[..., Tensor] | None) -> None:
        self.source, self.fields, self.call = source, dict(fields), call

    def component(self, kind: str) -> ComponentSpec:
        """Return the spec of the module in the place of a component of ``kind``, which refers to it."""
        kinds: dict[str, type[ComponentSpec]] = {"encoder": ModuleEncoder, "decoder": ModuleDecoder}
        if kind not in kinds:
            raise SpecError(f"a module can be wrapped as an encoder, a decoder or the network of one, not as a {kind}")
        left_out = {"out"} if kind == "decoder" else set()
        spec = kinds[kind](**{name: value for name, value in self.fields.items() if name not in left_out})
        _waiting[id(spec)] = self
        finalize(spec, _waiting.pop, id(spec), None)
        return spec


# Specs are equal by their fields, so what belongs to one of them is found by its identity, as long as it lives.
_waiting: dict[int, Wrapped] = {}
_owners: WeakKeyDictionary[nn.Module, Any] = WeakKeyDictionary()
_moved: ContextVar[list[Moved]] = ContextVar("_moved")
_lent: ContextVar[dict[int, tuple[str, Any]]] = ContextVar("_lent", default={})  # noqa: B039  # never changed in place


def wrap(
    module: nn.Module | Callable[[], nn.Module],
    out: Space | tuple[int, ...] | None = None,
    *,
    provides: Collection[Trait] = (),
    reads: Collection[str] | None = None,
    call: Callable[..., Tensor] | None = None,
) -> Wrapped:
    """Return ``module`` for a place in a spec where an encoder, a decoder or a network goes.

    A module moves into the model, which trains it in place; it can be in one model at a time. A function that makes a module is
    called under the model's seed, once for each model. What is frozen (``requires_grad``), or in evaluation mode, stays so.

    :param out: the space of the output, or its shape; needed where an encoder goes.
    :param provides: traits of ``genframe.types.trait.base`` that the module has, where it is a whole part.
    :param reads: which of ``time``, ``context`` and ``sequence`` it reads; by the names of ``forward``'s
        arguments if left out, which of a function that makes a module are not known.
    :param call: how the module is called, if not as ``module(x)``: ``lambda net, x, time: net(x, time).sample``.

    >>> import torch
    >>> from genframe import ModelSpec, Real, compose, wrap
    >>> encoder = {"type": "vae/gaussian", "dim": 2, "network": wrap(torch.nn.Linear(4, 8), out=(8,))}
    >>> decoder = {"type": "vae/normal", "network": wrap(torch.nn.Linear(2, 4))}
    >>> spec = ModelSpec.model_validate({"encoder": encoder, "decoder": decoder, "loss": "vae/elbo"})
    >>> compose(spec, Real((4,))).sample(3).x.shape
    torch.Size([3, 4])
    """
    if out is not None and not isinstance(out, (Real, Categorical)):
        out = Real(tuple(out))
    arguments = _arguments(call or getattr(module, "forward", None))
    read = [name for name in READS if name in (arguments if reads is None else reads)]
    fields = {
        "of": _name(module),
        "reads": tuple(read),
        "has": tuple(sorted(trait.__name__ for trait in provides)),
        "out": out.to_dict() if out is not None else None,
    }
    return Wrapped(module, fields, call)


def _arguments(function: Any) -> set[str]:
    return {*signature(function).parameters} if function is not None else set()


def _name(source: Any) -> str:
    kind = type(source) if isinstance(source, (nn.Module, Sampler)) else source
    return f"{kind.__module__}.{getattr(kind, '__qualname__', type(kind).__qualname__)}"


def places(spec: Spec) -> Iterator[tuple[str, ModuleFields]]:
    """Yield the places within ``spec`` where a module is to be handed in, such as ``encoder.network``, with its spec."""
    return ((path, part) for path, part in nested(spec) if isinstance(part, ModuleFields))


@contextmanager
def lending(spec: Spec, modules: Modules | None) -> Iterator[list[Moved]]:
    """Have the modules of all places of ``spec`` at hand as long as the context lasts; give the list of those that move.

    :raises SpecError: naming every place whose module is missing, and every module that has no place.
    """
    found = dict(places(spec))
    given: dict[str, Any] = {path: _waiting.get(id(each)) for path, each in found.items()}
    given |= {path: module if isinstance(module, Wrapped) else wrap(module) for path, module in (modules or {}).items()}
    problems = [_missing(path, each) for path, each in found.items() if given.get(path) is None]
    problems += [Problem(f"model.{path}", "takes no module", _known(found)) for path in given if path not in found]
    if problems:
        raise SpecError(problems)
    token = _lent.set(_lent.get() | {id(each): (path, given[path]) for path, each in found.items()})
    finding, moving = lent.set(handed_in), _moved.set([])
    try:
        yield _moved.get()
    finally:
        _moved.reset(moving)
        lent.reset(finding)
        _lent.reset(token)


def _missing(path: str, spec: ModuleFields) -> Problem:
    return Problem(f"model.{path}", f"is a module of your own ({spec.of})", f"hand it in: modules={{{path!r}: module}}")


def _known(found: Mapping[str, object]) -> str:
    return f"modules go to {', '.join(found)}" if found else "the spec has no core/module; put wrap(module) in its place"


def handed_in(spec: ModuleFields, spaces: Spaces) -> Any:
    """Return the module for the place of ``spec``, as it was handed in; a network is tried with two rows.

    :raises SpecError: if it is part of another model, or its output is not of the space that was said.
    """
    path, wrapped = _lent.get().get(id(spec), ("", None))
    if wrapped is None:
        raise SpecError(_missing(path or spec.kind, spec))
    instance = isinstance(wrapped.source, (nn.Module, Sampler))
    module = wrapped.source if instance else wrapped.source()
    if isinstance(module, nn.Module):
        _take(path, module, spec)
        module = getattr(module, "_orig_mod", module)  # of a compiled module, whose names would have another in front
    if isinstance(module, PARTS):
        return module
    network = Called(module, wrapped.call) if wrapped.call is not None else module
    _probe(path, network, spec, spaces)
    whole = path in ("encoder", "decoder", "condition")
    return {"encoder": PlainEncoder, "decoder": PlainDecoder}[spec.kind](network) if whole else network


class Moved:
    """A module that has moved into a model. What of it is frozen, or in evaluation mode, at that time stays so."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.frozen = [parameter for parameter in module.parameters() if not parameter.requires_grad]
        self.quiet = [part for part in module.modules() if not part.training]

    def keep(self) -> None:
        """Freeze again what was frozen, and put what was in evaluation mode into it."""
        for parameter in self.frozen:
            parameter.requires_grad_(False)
        for part in self.quiet:
            part.training = False


def _take(path: str, module: nn.Module, spec: ModuleFields) -> None:
    """Note that a module has moved into the model that is being built, which keeps the note, and so the module, its own."""
    owner = _owners.get(module)
    if owner is not None and owner() is not None:
        message = f"the module {spec.of} is part of another model already"
        raise SpecError(Problem(f"model.{path}", message, "give a copy of it, or a function that makes a new one"))
    moved = Moved(module)
    _owners[module] = ref(moved)
    _moved.get().append(moved)


class Called(nn.Module):
    """A module that is called in a way of the user's."""

    def __init__(self, module: nn.Module, call: Callable[..., Tensor]) -> None:
        super().__init__()
        self.module, self.call = module, call
        self._read = {*signature(call).parameters} & {"time", "context", "sequence", "mask"}

    def forward(
        self,
        x: Tensor,
        context: Tensor | None = None,
        *,
        time: Tensor | None = None,
        sequence: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Return what the user's function gives of the module and the arguments that it names."""
        named = {"time": time, "context": context, "sequence": sequence, "mask": mask}
        return self.call(self.module, x, **{name: value for name, value in named.items() if name in self._read})


class PlainEncoder(Encoder):
    """A module as an encoder."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return the module's output: (B, data) -> (B, latent)."""
        return ask(self.module, x, context)


class PlainDecoder(Decoder):
    """A module as a decoder."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def decode(self, latent: Tensor, context: Context | None = None) -> Tensor:
        """Return the module's output: (B, latent) -> (B, data)."""
        return ask(self.module, latent, context)


@torch.no_grad()
def _probe(path: str, network: nn.Module, spec: ModuleFields, spaces: Spaces) -> None:
    """Try a network with two rows: it also gives lazy layers their sizes."""
    encodes = spec.kind == "encoder"
    source, target = (spaces.data, spaces.latent) if encodes else (spaces.latent, spaces.data)
    training = [module for module in network.modules() if module.training]
    with torch.random.fork_rng(devices=[]):
        network.eval()
        try:
            time = torch.full((ROWS,), 0.5) if "time" in spec.reads else None
            result = ask(network, _rows(source), _context(spaces), time=time)
        except Exception as error:
            text = " ".join(str(error).split())
            message = f"{spec.of} does not take {source}: {type(error).__name__}: {text}"
            raise SpecError(Problem(f"model.{path}", message)) from error
        finally:
            for module in training:
                module.training = True
    if not isinstance(result, Tensor) or tuple(result.shape) != (ROWS, *target.shape):
        found = tuple(result.shape[1:]) if isinstance(result, Tensor) else type(result).__name__
        fitted = "give it a last layer of that size, or say by call= what is read of it"
        hint = "say its own space by out=" if encodes else fitted
        raise SpecError(Problem(f"model.{path}", f"{spec.of} gives {found} for {source}, expected {target}", hint))


def _rows(space: Space) -> Tensor:
    if isinstance(space, Categorical):
        return torch.zeros(ROWS, *space.shape, dtype=torch.int64)
    low = space.low if space.low is not None else 0.0
    return torch.full((ROWS, *space.shape), float(low))


def _context(spaces: Spaces) -> Context | None:
    if spaces.context is None:
        return None
    vector, sequence = spaces.context.vector, spaces.context.sequence
    return Context(_rows(vector) if vector is not None else None, _rows(sequence) if sequence is not None else None)
