"""A model whose types fit: what is known of it before it is built."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

from ..types.spaces import ContextSpace, Space, Spaces
from ..types.trait.base import DensityKind, SamplingKind, Trait
from ..types.trait.decoders import DataBound, DataDensity
from ..types.trait.parts import Conditional
from ..types.trait.priors import ProbabilityMass
from ..types.values import Role
from .base import ComponentSpec
from .parts import ModelSpec

__all__ = ["Composition"]


@dataclass(frozen=True)
class Composition:
    """A model whose types fit: its spaces, traits, and the kinds of its density and sampling."""

    spec: ModelSpec
    data: Space
    condition: Space | None
    context: ContextSpace | None
    latent: Space
    code: Space
    density: DensityKind
    sampling: SamplingKind

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

    @property
    def mass(self) -> bool:
        """Whether the model's log-likelihood is of probability mass rather than of density."""
        if self.of_data:
            return self.data.discrete
        return self.has("prior" if self.density == "exact" else "decoder", ProbabilityMass)

    @property
    def of_data(self) -> bool:
        """Whether the decoder says the likelihood of data by itself."""
        return self.has("decoder", DataBound) or self.has("decoder", DataDensity)

    @property
    def levels(self) -> tuple[int, ...]:
        """The sizes of the groups of dimensions into which a code falls, from fine to coarse."""
        encoder = self.spec.encoder
        return encoder.levels(self.data) if encoder is not None else (self.code.dims,)

    def has(self, role: Role, trait: Trait) -> bool:
        """Return whether the part in ``role`` provides ``trait``."""
        part = cast("ComponentSpec | None", getattr(self.spec, role))
        return part is not None and trait in part.provides

    def reads(self, role: Role) -> bool:
        """Return whether the part in ``role`` reads the condition."""
        return self.has(role, Conditional) and self.spec.reads(role, self.context) is not None
