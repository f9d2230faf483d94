"""The typed check: whether five parts make a model, and what kind of model, from their specs alone.

Spaces flow through encoder, code, prior and decoder; what a part needs is matched with what the others
provide; the kinds of density and of sampling fall out. Nothing is built and torch is not imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from pydantic import Field, ValidationError

from .errors import Mismatch, Problem, SpecError
from .plugins import installed
from .spaces import Space, require_real
from .specs import (
    ComponentSpec,
    DecoderSpec,
    EncoderSpec,
    Kind,
    LossSpec,
    PriorSpec,
    Role,
    SamplerSpec,
    Spec,
    with_article,
)
from .traits import (
    Bijective,
    Conditional,
    Density,
    DensityKind,
    EncoderInverse,
    Energy,
    Likelihood,
    Posterior,
    ProbabilityMass,
    SamplingKind,
    Trait,
    TraitSet,
)

__all__ = ["SLOTS", "Composition", "ModelSpec", "as_it_comes", "check", "density_kind", "fitting", "sampling_kind"]

SLOTS: Final[Mapping[str, Kind]] = {
    "condition": "encoder",
    "encoder": "encoder",
    "decoder": "decoder",
    "prior": "prior",
    "loss": "loss",
    "sampler": "sampler",
}


class ModelSpec(Spec):
    """A model: a typed composition of five parts, and an encoder for the condition if it has one."""

    encoder: EncoderSpec | None = Field(default=None, description="how data becomes a latent; none for a GAN")
    decoder: DecoderSpec = Field(description="how a latent becomes data")
    prior: PriorSpec = Field(
        default=cast(PriorSpec, "core/normal"), validate_default=True, description="what codes look like on their own"
    )
    loss: LossSpec = Field(description="what training minimises")
    sampler: SamplerSpec = Field(
        default=cast(SamplerSpec, "core/ancestral"), validate_default=True, description="how new data are drawn"
    )
    condition: EncoderSpec | None = Field(default=None, description="how a label becomes the context that parts read")


@dataclass(frozen=True)
class Composition:
    """A model whose types fit: its spaces, traits, and the kinds of its density and sampling."""

    spec: ModelSpec
    data: Space
    condition: Space | None
    context: Space | None
    latent: Space
    code: Space
    density: DensityKind
    sampling: SamplingKind

    @property
    def players(self) -> tuple[str, ...]:
        """The loss's players, in the order of their steps."""
        return self.spec.loss.player_names()

    @property
    def mass(self) -> bool:
        """Whether the model's log-likelihood is of probability mass rather than of density."""
        return self.has("prior" if self.density == "exact" else "decoder", ProbabilityMass)

    def has(self, role: Role, trait: Trait) -> bool:
        """Return whether the part in ``role`` provides ``trait``."""
        part = cast("ComponentSpec | None", getattr(self.spec, role))
        return part is not None and trait in part.provided_traits()


def check(spec: ModelSpec, data: Space, condition: Space | None = None, context: Space | None = None) -> Composition:
    """Type the model ``spec`` for data of a space, and for labels of the space ``condition`` if it has any.

    ``context`` is for a nested model, which reads the context that the outer model has encoded.

    :raises SpecError: with every problem that was found, each with its path, what is missing and what
        of the installed components would fit.
    """
    flow = _Flow(spec, data, condition, context)
    problems = [*flow.problems, *flow.unmet_needs(), *_unread_condition(spec)]
    if problems or flow.latent is None or flow.code is None:
        raise SpecError(problems)
    return Composition(
        spec,
        data,
        condition if spec.condition else None,
        flow.context,
        flow.latent,
        flow.code,
        density_kind(spec),
        sampling_kind(spec),
    )


class _Flow:
    """Spaces flowing through a model's parts; problems are collected, and what depends on one is passed over."""

    def __init__(self, spec: ModelSpec, data: Space, condition: Space | None, context: Space | None) -> None:
        self.spec, self.data, self.condition = spec, data, condition
        self.problems: list[Problem] = []
        self.context = self._context(condition) if spec.condition else context
        self.latent = self._try("encoder", lambda: self._latent())
        self.code = self._try("encoder", lambda: self._code()) if self.latent else None
        latent, code = self.latent, self.code
        if code is not None:
            self._try("prior", lambda: spec.prior.accepts(code))
        if latent is not None:
            self._try("decoder", lambda: spec.decoder.accepts(latent, data))
            self._try("loss", lambda: spec.loss.accepts(data, latent))

    def _context(self, condition: Space | None) -> Space | None:
        encoder = self.spec.condition
        if encoder is None or condition is None:
            mend = "set labels: true in the data, if it has any, or leave 'condition' out"
            self.problems.append(Problem("model.condition", "the data has no labels to condition on", mend))
            return None
        return cast("Space | None", self._try("condition", lambda: require_real(encoder.latent_space(condition), "a context")))

    def _latent(self) -> Space:
        if self.spec.encoder is not None:
            return self.spec.encoder.latent_space(self.data)
        return self._own_space()

    def _code(self) -> Space:
        if self.spec.encoder is not None:
            return self.spec.encoder.code_space(self.data)
        return self._own_space()

    def _own_space(self) -> Space:
        space = self.spec.prior.own_space()
        if space is None:
            raise Mismatch(
                "there is no encoder and the prior does not say its own space",
                "add an encoder, or give the prior a space of its own, such as {type: core/normal, shape: [64]}",
            )
        return space

    def _try(self, role: str, action: Any) -> Any:
        try:
            return action()
        except Mismatch as mismatch:
            slot = "prior" if role == "encoder" and self.spec.encoder is None else role
            problem = mismatch.under("model", slot).problem
            if not problem.mend:
                problem = Problem(problem.path, problem.message, self._what_fits(slot, mismatch.path))
            self.problems.append(problem)
            return None

    def _what_fits(self, slot: str, path: tuple[str, ...]) -> str:
        """Name the installed components that would do at ``path`` within the slot, if a component is there."""
        part = getattr(self.spec, slot)
        present = _at(part, path)
        if path and not isinstance(present, ComponentSpec):
            return ""
        kind = present.kind if isinstance(present, ComponentSpec) else SLOTS[slot]
        candidates = [as_it_comes(component) for component in installed().registry(kind)]
        tried = {candidate.type: _with(part, path, candidate) for candidate in candidates if candidate is not None}
        fit = {name: changed for name, changed in tried.items() if self._takes(slot, changed)}
        meeting = [name for name, changed in fit.items() if self._meets_needs(slot, changed)]
        return f"these fit: {', '.join(sorted(meeting or fit))}" if fit else ""

    def _takes(self, slot: str, part: ComponentSpec) -> bool:
        """Whether the part takes the spaces at the slot."""
        try:
            match part:
                case EncoderSpec() if slot == "condition" and self.condition is not None:
                    require_real(part.latent_space(self.condition), "a context")
                case EncoderSpec() if slot == "encoder":
                    part.latent_space(self.data)
                case DecoderSpec() if self.latent is not None:
                    part.accepts(self.latent, self.data)
                case PriorSpec() if self.code is not None:
                    part.accepts(self.code)
                case LossSpec() if self.latent is not None:
                    part.accepts(self.data, self.latent)
                case _:
                    return False
        except Exception:  # a defect of some other plugin must not stand in the way of this message
            return False
        return True

    def _meets_needs(self, slot: str, part: ComponentSpec) -> bool:
        """Whether the part, put into the slot, finds the traits that it needs and has those that others need of it."""
        changed = self.spec.model_copy(update={slot: part})
        return not any(slot in (need.slot, need.role) for need in _unmet(changed))

    def unmet_needs(self) -> Iterator[Problem]:
        """Yield a problem for each trait that a part needs and does not find in the others."""
        for need in _unmet(self.spec):
            other = cast("ComponentSpec | None", getattr(self.spec, need.role))
            trait = f" with {need.trait.__name__}" if need.trait else ""
            found = f"{other.type!r} has none" if other is not None else "there is none"
            path = ".".join(("model", need.slot, *need.path))
            yield Problem(path, f"needs {with_article(need.role)}{trait}; {found}", self._these_have(need.role, need.trait))

    def _these_have(self, role: Role, trait: Trait | None) -> str:
        """Name the installed components with the trait: those that take the spaces here, or else all."""
        having = {component.type_name(): as_it_comes(component) for component in fitting(role) if _has(component, trait)}
        if not having:
            return f"no installed {role} has it"
        taking = [part for part in having.values() if part is not None and self._takes(role, part)]
        meeting = [part for part in taking if self._meets_needs(role, part)]
        return f"these have: {', '.join([part.type for part in meeting or taking] or having)}"


def as_it_comes(component: type[ComponentSpec]) -> ComponentSpec | None:
    """Return the component with its defaults, or ``None`` where a field must be given."""
    try:
        return component.model_validate({"type": component.type_name()})
    except ValidationError:
        return None


def fitting(slot: str) -> list[type[ComponentSpec]]:
    """Return the installed components of the slot's kind, by name."""
    registry = installed().registry(SLOTS[slot])
    return [registry.find(name) for name in registry.names()]


@dataclass(frozen=True)
class _Need:
    """What the part at ``path`` within ``slot`` needs of ``role``: a trait, or only that there is a part."""

    slot: str
    path: tuple[str, ...]
    role: Role
    trait: Trait | None


def _unmet(spec: ModelSpec) -> Iterator[_Need]:
    for slot in ("encoder", "decoder", "prior", "loss", "sampler"):
        part = cast("ComponentSpec | None", getattr(spec, slot))
        if part is None:
            continue
        for role in part.needed_traits():
            other = cast("ComponentSpec | None", getattr(spec, role))
            for trait in _needed(part, role) or (None,):
                if other is None or (trait is not None and trait not in other.provided_traits()):
                    yield _Need(slot, _within(part, role, trait), role, trait)


def _needed(part: ComponentSpec, role: Role) -> tuple[Trait, ...]:
    needed = part.needed_traits().get(role, ())
    return needed if isinstance(needed, tuple) else (needed,)


def _within(part: ComponentSpec, role: Role, trait: Trait | None) -> tuple[str, ...]:
    """Return the path to the nested component that has the need, so that the message names it and not its wrapper."""
    for path, child in _children(part):
        if role in child.needed_traits() and (trait is None or trait in _needed(child, role)):
            return (*path, *_within(child, role, trait))
    return ()


def _children(part: ComponentSpec) -> Iterator[tuple[tuple[str, ...], ComponentSpec]]:
    for name in type(part).model_fields:
        value = getattr(part, name)
        if isinstance(value, ComponentSpec):
            yield (name,), value
        elif isinstance(value, tuple):
            yield from (((name, str(i)), entry) for i, entry in enumerate(value) if isinstance(entry, ComponentSpec))


def _at(node: Any, path: tuple[str, ...]) -> Any:
    """Return what is at ``path`` within a component, or ``None``."""
    for key in path:
        if isinstance(node, tuple):
            node = node[int(key)] if key.isdigit() and int(key) < len(node) else None
        else:
            node = getattr(node, key, None)
    return node


def _with(node: Any, path: tuple[str, ...], child: ComponentSpec) -> Any:
    """Return a component with ``child`` in the place of what is at ``path`` within it."""
    if not path:
        return child
    key, rest = path[0], path[1:]
    if isinstance(node, tuple):
        index = int(key)
        return (*node[:index], _with(node[index], rest, child), *node[index + 1 :])
    return node.model_copy(update={key: _with(getattr(node, key), rest, child)})


def _unread_condition(spec: ModelSpec) -> Iterator[Problem]:
    if spec.condition is None or any(Conditional in traits for traits in _trait_sets(spec)):
        return
    parts = [component for role in ("encoder", "decoder", "prior") for component in fitting(role)]
    names = sorted({component.type_name() for component in parts if _has(component, Conditional)})
    yield Problem("model.condition", "no part of the model reads the condition", f"these can: {', '.join(names)}")


def _has(component: type[ComponentSpec], trait: Trait | None) -> bool:
    part = as_it_comes(component)
    return trait is None or trait in (part.provided_traits() if part is not None else component.provides)


def _trait_sets(spec: ModelSpec) -> tuple[TraitSet, TraitSet, TraitSet]:
    encoder = spec.encoder.provided_traits() if spec.encoder is not None else frozenset()
    return encoder, spec.decoder.provided_traits(), spec.prior.provided_traits()


def density_kind(spec: ModelSpec) -> DensityKind:
    """Return what can be said of log p(x) under the model, by its parts' traits."""
    encoder, decoder, prior = _trait_sets(spec)
    invertible = Bijective in encoder and EncoderInverse in decoder
    if invertible and Density in prior:
        return "exact"
    if invertible and Energy in prior:
        return "unnormalised"
    if Posterior in encoder and Likelihood in decoder and Density in prior:
        return "lower bound"
    return "implicit"


def sampling_kind(spec: ModelSpec) -> SamplingKind:
    """Return how the model draws data: the more laborious of its sampler's and its prior's ways."""
    order: tuple[SamplingKind, ...] = ("direct", "sequential", "Markov chain")
    return max(spec.sampler.sampling, spec.prior.sampling_kind(), key=order.index)
