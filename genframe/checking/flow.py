"""The typed check: whether five parts make a model, and what kind of model, from their specs alone.

Spaces flow through encoder, code, prior and decoder; what a part needs is matched with what the others
provide; the kinds of density and of sampling fall out. Nothing is built and torch is not imported.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from ..specs.base import ComponentSpec, with_article
from ..specs.composition import Composition
from ..specs.parts import EncoderSpec, ModelSpec
from ..types.errors import Mismatch, Problem, SpecError
from ..types.spaces import ContextSpace, Space, Spaces
from ..types.trait.parts import Conditional, ReadsSequence
from .kinds import density_kind, sampling_kind
from .needs import unmet_needs
from .suggestions import Suggestions, fitting, has

__all__ = ["check"]


def check(spec: ModelSpec, data: Space, condition: Space | None = None, context: ContextSpace | None = None) -> Composition:
    """Type the model ``spec`` for data of a space, and for labels of the space ``condition`` if it has any.

    ``context`` is for a nested model, which reads the context that the outer model has encoded.

    :raises SpecError: with every problem that was found, each with its path, what is missing and what
        of the installed components would fit.
    """
    flow = _Flow(spec, data, condition, context)
    problems = [*flow.problems, *flow.unmet_needs(), *_unread_condition(spec), *_unreadable_context(spec, flow.context)]
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

    def __init__(self, spec: ModelSpec, data: Space, condition: Space | None, context: ContextSpace | None) -> None:
        self.spec, self.data, self.condition = spec, data, condition
        self.problems: list[Problem] = []
        self.latent: Space | None = None
        self.code: Space | None = None
        self.context = context
        if spec.condition is not None:
            self.context = self._context(spec.condition, condition)
        self.latent = self._try("encoder", self._latent)
        self.code = self._try("encoder", self._code) if self.latent else None
        latent, code = self.latent, self.code
        if code is not None:
            self._try("prior", lambda: spec.prior.accepts(code, spec.reads("prior", self.context)))
        if latent is not None:
            self._try("decoder", lambda: spec.decoder.accepts(latent, data, spec.reads("decoder", self.context)))
        if latent is not None and code is not None:
            spaces = Spaces(data, latent, code, self.context)
            self._try("loss", lambda: spec.loss.accepts(spaces))
            self._try("sampler", lambda: spec.sampler.accepts(spec, spaces))

    @property
    def _suggestions(self) -> Suggestions:
        return Suggestions(self.spec, self.data, self.condition, self.latent, self.code, self.context)

    def _context(self, encoder: EncoderSpec, condition: Space | None) -> ContextSpace | None:
        if condition is None:
            hint = "set labels: true in the data, if it has any, or leave 'condition' out"
            self.problems.append(Problem("model.condition", "the data has no labels to condition on", hint))
            return None
        found: ContextSpace | None = self._try("condition", lambda: encoder.context_space(condition))
        return found

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
            if not problem.hint:
                problem = Problem(problem.path, problem.message, self._suggestions.what_fits(slot, mismatch.path))
            self.problems.append(problem)
            return None

    def unmet_needs(self) -> Iterator[Problem]:
        """Yield a problem for each trait that a part needs and does not find in the others."""
        for need in unmet_needs(self.spec):
            other = cast("ComponentSpec | None", getattr(self.spec, need.role))
            trait = f" with {need.trait.__name__}" if need.trait else ""
            found = f"{other.type!r} has none" if other is not None else "there is none"
            path = ".".join(("model", need.slot, *need.path))
            yield Problem(
                path, f"needs {with_article(need.role)}{trait}; {found}", self._suggestions.these_have(need.role, need.trait)
            )


def _unread_condition(spec: ModelSpec) -> Iterator[Problem]:
    if spec.condition is None:
        return
    able = [role for role, traits in spec.provided().items() if Conditional in traits]
    if not able:
        parts = [component for role in spec.provided() for component in fitting(role)]
        names = sorted({component.type_name() for component in parts if has(component, Conditional)})
        yield Problem("model.condition", "no part of the model reads the condition", f"these can: {', '.join(names)}")
        return
    for role in spec.conditional or ():
        if role not in able:
            yield Problem("model.conditional", f"the {role} reads no condition", f"of the parts, these can: {', '.join(able)}")


def _unreadable_context(spec: ModelSpec, context: ContextSpace | None) -> Iterator[Problem]:
    """Yield a problem for each part that reads the condition, but not in the form that it has."""
    for role, traits in spec.provided().items():
        given = spec.reads(role, context)
        if given is None or Conditional not in traits or given.vector is not None or ReadsSequence in traits:
            continue
        able = [component.type_name() for component in fitting(role) if has(component, ReadsSequence)]
        hint = "let the encoder of the condition give a vector" + (f", or choose one of {', '.join(able)}" if able else "")
        yield Problem(f"model.{role}", f"reads a vector as its condition, found {given}", hint)
