"""A model whose types fit: what is known of it before it is built."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias, cast

from ..types.spaces import ContextSpace, Space, Spaces
from ..types.trait.base import Trait
from ..types.trait.decoders import EncoderInverse
from ..types.trait.parts import Conditional
from ..types.trait.priors import ProbabilityMass
from ..types.values import Role
from .base import ComponentSpec, Needs
from .kinds import INVERTIBLE, VARIATIONAL, DensityKind, SamplingKind, met
from .parts import ModelSpec

__all__ = ["Composition", "Estimate"]

Estimate: TypeAlias = Literal["decoder", "change of variables", "importance weights"]
"""By what the log-likelihood of data is computed."""


@dataclass(frozen=True)
class Composition:
    """A model whose types fit: its spaces, traits, and the kinds of its density and sampling.

    ``of_data`` says whether the decoder gives the likelihood of data by itself, by a trait with the method ``data_log_prob``;
    ``estimate`` by what the log-likelihood is computed, where there is one; ``mass`` whether it is of probabilities, not of
    densities.
    """

    spec: ModelSpec
    data: Space
    condition: Space | None
    context: ContextSpace | None
    latent: Space
    code: Space
    density_kind: DensityKind
    sampling_kind: SamplingKind
    of_data: bool = field(init=False)
    estimate: Estimate | None = field(init=False)
    mass: bool = field(init=False)

    def __post_init__(self) -> None:
        """Find once what every step reads."""
        object.__setattr__(self, "of_data", any(hasattr(trait, "data_log_prob") for trait in self.spec.decoder.provides))
        object.__setattr__(self, "estimate", self._estimate())
        object.__setattr__(self, "mass", self.data.discrete if self.of_data else self._prior_or_decoder_has_mass())

    def _estimate(self) -> Estimate | None:
        if self.of_data:
            return "decoder"
        if self.meets(INVERTIBLE):
            return "change of variables"
        return "importance weights" if self.meets(VARIATIONAL) else None

    def _prior_or_decoder_has_mass(self) -> bool:
        return self.has("prior" if self.has("decoder", EncoderInverse) else "decoder", ProbabilityMass)

    @property
    def density(self) -> str:
        """The name of the kind of its density."""
        return self.density_kind.name

    @property
    def sampling(self) -> str:
        """The name of the kind of its sampling."""
        return self.sampling_kind.name

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
