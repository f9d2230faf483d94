"""Specs of the core encoders, decoders and priors."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, PositiveInt

from ...checking.flow import check
from ...checking.kinds import density_kind, sampling_kind
from ...specs.base import Needs, conditional_if
from ...specs.parts import DecoderSpec, EncoderSpec, ModelSpec, PriorSpec
from ...types.errors import Mismatch, SpecError, at
from ...types.spaces import Categorical, ContextSpace, Real, Space, Spaces, require_real
from ...types.trait.base import TraitSet, traits
from ...types.trait.decoders import EncoderInverse
from ...types.trait.encoders import Bijective, Identity, NoiseProcess
from ...types.trait.parts import Conditional, DataDependent, Invertible
from ...types.trait.priors import Density, GaussianExpectation, NormalBase, ProbabilityMass, Tempered, Truncatable

if TYPE_CHECKING:
    from ...roles.parts import Decoder, Encoder, Prior

__all__ = ["CategoricalPrior", "IdentityDecoder", "IdentityEncoder", "Inverse", "ModelPrior", "Normal", "OneHot"]


class IdentityEncoder(EncoderSpec):
    """Leaves data as they are, so that the prior models them directly."""

    type: Literal["core/identity"] = "core/identity"
    provides: ClassVar[TraitSet] = traits(Bijective, Identity)

    def latent_space(self, data: Space) -> Space:
        """Return the data's space."""
        return data

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make the encoder."""
        from ..parts import Identity

        return Identity()


class OneHot(EncoderSpec):
    """Turns a class into a vector of zeros with a one at its place; the simplest encoder of conditions."""

    type: Literal["core/one_hot"] = "core/one_hot"

    def latent_space(self, data: Space) -> Space:
        """Return one more axis, of the number of classes; a single class gives a vector."""
        if not isinstance(data, Categorical):
            raise Mismatch(f"one-hot vectors are of classes, found {data}")
        return Real((*data.shape, data.size))

    def context_space(self, condition: Space) -> ContextSpace:
        """Return a vector: that of a class, or those of several classes one after another."""
        return ContextSpace(Real((self.latent_space(condition).dims,)))

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make the encoder."""
        from ..parts import OneHotEncoder

        return OneHotEncoder(spaces.data)


class IdentityDecoder(DecoderSpec):
    """Leaves latents as they are: for models whose latent space is the data space."""

    type: Literal["core/identity"] = "core/identity"
    provides: ClassVar[TraitSet] = traits(EncoderInverse)
    needs: ClassVar[Needs] = {"encoder": Identity}

    def accepts(self, latent: Space, data: Space, context: ContextSpace | None = None) -> None:
        """Accept a latent space that is the data space."""
        if latent != data:
            raise Mismatch(f"the latent is {latent}, the data is {data}, and nothing lies between")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Decoder:
        """Make the decoder."""
        from ..parts import IdentityAsDecoder

        return IdentityAsDecoder()


class Inverse(DecoderSpec):
    """The encoder's own inverse, sharing its parameters: the decoder of every flow."""

    type: Literal["core/inverse"] = "core/inverse"
    provides: ClassVar[TraitSet] = traits(EncoderInverse)
    needs: ClassVar[Needs] = {"encoder": Bijective}

    def accepts(self, latent: Space, data: Space, context: ContextSpace | None = None) -> None:
        """Accept whatever the encoder makes."""

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Decoder:
        """Make the decoder."""
        from ..parts import InverseDecoder

        return InverseDecoder(encoder)


class Normal(PriorSpec):
    """The standard normal distribution N(0, I)."""

    type: Literal["core/normal"] = "core/normal"
    provides: ClassVar[TraitSet] = traits(Density, GaussianExpectation, NormalBase, Tempered, Truncatable)

    shape: tuple[PositiveInt, ...] | None = Field(
        default=None, description="shape of the code, needed only where no encoder gives one"
    )

    def own_space(self) -> Space | None:
        """Return the space of ``shape``."""
        return Real(self.shape) if self.shape is not None else None

    def accepts(self, code: Space, context: ContextSpace | None = None) -> None:
        """Accept continuous real codes, of ``shape`` where that is given."""
        space = require_real(code, "a normal prior", continuous=True, hint="")
        if self.shape is not None and self.shape != space.shape:
            with at("shape"):
                raise Mismatch(f"the encoder's code is {space}", "leave 'shape' out")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Prior:
        """Make the prior."""
        from ..parts import StandardNormal

        return StandardNormal(spaces.code)


class CategoricalPrior(PriorSpec):
    """Independent classes with learned logits, linear in the context where there is one: multinomial logistic regression.

    Bridle 1990. Behind a network that encodes the condition, and trained by core/nll, it is a classifier of conditions.
    """

    type: Literal["core/categorical"] = "core/categorical"
    provides: ClassVar[TraitSet] = traits(Density, ProbabilityMass, Conditional)

    def accepts(self, code: Space, context: ContextSpace | None = None) -> None:
        """Accept classes."""
        if not isinstance(code, Categorical):
            raise Mismatch(f"a categorical prior is of classes, found {code}")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Prior:
        """Make the prior."""
        from ..parts import IndependentClasses

        return IndependentClasses(spaces.code, spaces.context)


class ModelPrior(PriorSpec):
    """A whole model as a prior: its data space is the code space. Makes families combine."""

    type: Literal["core/model"] = "core/model"

    model: ModelSpec = Field(description="the model of the codes")

    @property
    def provides(self) -> TraitSet:
        """Provide Density where the nested density is exact, NormalBase where its latents are, and what its parts take."""
        model = self.model
        base: TraitSet = traits(NormalBase) if self._has_normal_base() else traits()
        density: TraitSet = traits(Density) if density_kind(model).relation == "=" else traits()
        learnt = (part for part in (model.encoder, model.prior) if model.encoder is not None and part is not None)
        dependent = traits(DataDependent) if any(DataDependent in part.provides for part in learnt) else traits()
        return base | density | dependent | conditional_if(model.encoder, model.decoder, model.prior)

    def _has_normal_base(self) -> bool:
        """Return whether data of the nested model go one to one to a normal base, by its encoder or its sampler."""
        model = self.model
        if model.encoder is None or NormalBase not in model.prior.provides:
            return False
        encoder, decoder = model.encoder.provides, model.decoder.provides
        if NoiseProcess in encoder:
            return Invertible in model.sampler.provides
        return Bijective in encoder and EncoderInverse in decoder

    @property
    def sampling(self) -> str:
        """Return the nested model's kind."""
        return sampling_kind(self.model).name

    def accepts(self, code: Space, context: ContextSpace | None = None) -> None:
        """Accept codes that the nested model can have as data."""
        try:
            check(self.model, code, context=context)
        except SpecError as error:
            first = error.problems[0]
            raise Mismatch(first.message, first.hint, tuple(first.path.split("."))) from None

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Prior:
        """Make the nested model."""
        from ..nested import NestedModel

        return NestedModel(check(self.model, spaces.code, context=spaces.context), normal_base=self._has_normal_base())
