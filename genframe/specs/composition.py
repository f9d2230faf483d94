"""A model whose types fit: what is known of it before it is built."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, cast

from ..types.spaces import ContextSpace, Space, Spaces
from ..types.trait.base import Trait
from ..types.trait.decoders import EncoderInverse
from ..types.trait.parts import Conditional
from ..types.trait.priors import ProbabilityMass
from ..types.values import Role
from .base import ComponentSpec, Needs
from .kinds import INVERTIBLE, VARIATIONAL, met
from .parts import ModelSpec

__all__ = ["Composition"]


@dataclass(frozen=True)
class Composition:
    """A model whose types fit: its spaces, traits, and the names of the kinds of its density and sampling."""

    spec: ModelSpec
    data: Space
    condition: Space | None
    context: ContextSpace | None
    latent: Space
    code: Space
    density: str
    sampling: str

    @property
    def spaces(self) -> Spaces:
        """The spaces between the parts."""
        return Spaces(self.data, self.latent, self.code, self.context)

    def spaces_of(self, role: Role) -> Spaces:
        """Return the spaces around the part in ``role``, without a context where it does not read the condition."""
        return replace(self.spaces, context=self.spec.reads(role, self.context))

    @property
    def players(self) -> tuple[str, ...]:
        """The loss's players, in the order of their steps."""
        return self.spec.loss.players

    @cached_property
    def mass(self) -> bool:
        """Whether the model's log-likelihood is of probabilities, not of densities."""
        if self.of_data:
            return self.data.discrete
        return self.has("prior" if self.has("decoder", EncoderInverse) else "decoder", ProbabilityMass)

    @cached_property
    def of_data(self) -> bool:
        """Whether the decoder says the likelihood of data by itself: one of its traits has the method ``data_log_prob``."""
        return any(hasattr(trait, "data_log_prob") for trait in self.spec.decoder.provides)

    @cached_property
    def estimate(self) -> Literal["decoder", "change of variables", "importance weights"] | None:
        """By what the log-likelihood of data is computed, where there is one."""
        if self.of_data:
            return "decoder"
        if self.meets(INVERTIBLE):
            return "change of variables"
        return "importance weights" if self.meets(VARIATIONAL) else None

    @property
    def levels(self) -> tuple[int, ...]:
        """The sizes of the groups of dimensions into which a code falls, from fine to coarse."""
        encoder = self.spec.encoder
        return encoder.levels(self.data) if encoder is not None else (self.code.dims,)

    def has(self, role: Role, trait: Trait) -> bool:
        """Return whether the part in ``role`` provides ``trait``."""
        part = cast("ComponentSpec | None", getattr(self.spec, role))
        return part is not None and trait in part.provides

    def meets(self, needs: Needs) -> bool:
        """Return whether the parts provide all traits of ``needs``."""
        return met(needs, self.spec.provided())

    def reads(self, role: Role) -> bool:
        """Return whether the part in ``role`` reads the condition."""
        return self.has(role, Conditional) and self.spec.reads(role, self.context) is not None
