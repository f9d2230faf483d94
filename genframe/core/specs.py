"""Specs of the core components."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import (
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)

from ..composition import ModelSpec, check, density_kind, sampling_kind
from ..errors import Mismatch, SpecError, at
from ..spaces import Categorical, ContextSpace, Real, Space, Spaces, require_real
from ..specs import DecoderSpec, EncoderSpec, LossSpec, Needs, PriorSpec, Role, SamplerSpec, conditional_if
from ..traits import (
    Bijective,
    Conditional,
    DataDependent,
    Denoiser,
    Density,
    EncoderInverse,
    GaussianExpectation,
    Identity,
    Invertible,
    NoiseProcess,
    NormalBase,
    ProbabilityMass,
    SamplingKind,
    Tempered,
    Trait,
    TraitSet,
    Truncatable,
    traits,
)

__all__ = [
    "Ancestral",
    "CategoricalPrior",
    "IdentityDecoder",
    "IdentityEncoder",
    "Inverse",
    "ModelPrior",
    "NegativeLogLikelihood",
    "Normal",
    "OneHot",
    "Sum",
]

if TYPE_CHECKING:
    from ..roles import Decoder, Encoder, Loss, Prior, Sampler


class IdentityEncoder(EncoderSpec):
    """Leaves data as they are, so that the prior models them directly."""

    type: Literal["core/identity"] = "core/identity"
    provides: ClassVar[TraitSet] = traits(Bijective, Identity)

    def latent_space(self, data: Space) -> Space:
        """Return the data's space."""
        return data

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make the encoder."""
        from .parts import Identity

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
        from .parts import OneHotEncoder

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
        from .parts import IdentityAsDecoder

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
        from .parts import InverseDecoder

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
        space = require_real(code, "a normal prior", mend="")
        if space.discrete:
            raise Mismatch(
                f"a normal density of values on a grid has no meaning, found {space}", "set dequantise: true in the data"
            )
        if self.shape is not None and self.shape != space.shape:
            with at("shape"):
                raise Mismatch(f"the encoder's code is {space}", "leave 'shape' out")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Prior:
        """Make the prior."""
        from .parts import StandardNormal

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
        from .parts import IndependentClasses

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
        density: TraitSet = traits(Density) if density_kind(model) == "exact" else traits()
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
    def sampling(self) -> SamplingKind:
        """Return the nested model's kind."""
        return sampling_kind(self.model)

    def accepts(self, code: Space, context: ContextSpace | None = None) -> None:
        """Accept codes that the nested model can have as data."""
        try:
            check(self.model, code, context=context)
        except SpecError as error:
            first = error.problems[0]
            raise Mismatch(first.message, first.mend, tuple(first.path.split("."))) from None

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Prior:
        """Make the nested model."""
        from .parts import NestedModel

        return NestedModel(check(self.model, spaces.code, context=spaces.context), normal_base=self._has_normal_base())


class NegativeLogLikelihood(LossSpec):
    """Maximum likelihood by the exact density: minus the log-density of data, averaged over the batch."""

    type: Literal["core/nll"] = "core/nll"
    needs: ClassVar[Needs] = {"encoder": Bijective, "decoder": EncoderInverse, "prior": Density}

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make the loss."""
        from .parts import ExactNll

        return ExactNll()


class Sum(LossSpec):
    """A weighted sum of losses, player by player."""

    type: Literal["core/sum"] = "core/sum"

    terms: tuple[LossSpec, ...] = Field(min_length=1, description="the losses to add")
    weights: tuple[float, ...] | None = Field(default=None, description="a weight for each term; all 1 if left out")

    @model_validator(mode="after")
    def _one_weight_a_term(self) -> Sum:
        if self.weights is not None and len(self.weights) != len(self.terms):
            raise ValueError(f"there are {len(self.terms)} terms and {len(self.weights)} weights; give one weight a term")
        return self

    @property
    def players(self) -> tuple[str, ...]:
        """Return every term's players, in the order they come up, each as often as the term that moves it most."""
        names: list[str] = []
        for term in self.terms:
            own = term.players
            for player in dict.fromkeys(own):
                names += [player] * (own.count(player) - names.count(player))
        return tuple(names)

    @property
    def needs(self) -> Needs:
        """Return what any of the terms needs."""
        needed: dict[Role, dict[Trait, None]] = {}
        for term in self.terms:
            for role, wanted in term.needs.items():
                needed.setdefault(role, {}).update(dict.fromkeys(wanted if isinstance(wanted, tuple) else (wanted,)))
        return {role: tuple(wanted) for role, wanted in needed.items()}

    def accepts(self, spaces: Spaces) -> None:
        """Accept what every term accepts."""
        for number, term in enumerate(self.terms):
            with at("terms", str(number)):
                term.accepts(spaces)

    def accepts_batch(self, size: int) -> None:
        """Accept what every term accepts."""
        for number, term in enumerate(self.terms):
            with at("terms", str(number)):
                term.accepts_batch(size)

    def trained_parts(self) -> tuple[Role, ...]:
        """Return what any of the terms says."""
        return tuple(dict.fromkeys(part for term in self.terms for part in term.trained_parts()))

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make all terms."""
        from .parts import SumOfLosses

        losses = [term.build(spaces) for term in self.terms]
        for loss, term in zip(losses, self.terms, strict=True):
            loss.players = term.players
        return SumOfLosses(losses, self.weights or (1.0,) * len(losses))


class Ancestral(SamplerSpec):
    """Draw a code from the prior, then decode it."""

    type: Literal["core/ancestral"] = "core/ancestral"

    draw: Literal["mean", "sample"] = Field(
        default="mean", description="take the decoder's mean, or draw from its likelihood where it has one"
    )
    temperature: PositiveFloat | tuple[PositiveFloat, ...] = Field(
        default=1.0,
        description="how widely codes are drawn; 1 is the prior as it is. One, or one for each level of a code, fine to coarse",
    )
    truncation: PositiveFloat | None = Field(
        default=None,
        description="threshold within which every dimension of a code is drawn (Brock et al. 2019, sec. 3.1)",
    )

    @field_validator("temperature", mode="wrap")
    @classmethod
    def _say_once(cls, value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        try:
            return handler(value)
        except ValidationError:  # one error for each kind of value, at paths that no file has
            raise ValueError("should be a number greater than 0, or a list of them") from None

    @property
    def temperatures(self) -> tuple[float, ...]:
        """The temperature of each level; a single one is of all."""
        return self.temperature if isinstance(self.temperature, tuple) else (self.temperature,)

    @model_validator(mode="after")
    def _one_way_to_narrow(self) -> Ancestral:
        if self.truncation is not None and self.tempered:
            raise ValueError("temperature and truncation both narrow the codes; leave one of them out")
        return self

    @property
    def tempered(self) -> bool:
        """Whether any temperature is not 1."""
        return any(temperature != 1 for temperature in self.temperatures)

    @property
    def needs(self) -> Needs:
        """Return Tempered of the prior for any temperature but 1, Truncatable for a threshold."""
        if self.truncation is not None:
            return {"prior": Truncatable}
        return {"prior": Tempered} if self.tempered else {}

    def accepts(self, model: ModelSpec, spaces: Spaces) -> None:
        """Accept a decoder that needs one step, and one temperature, or one for each level of the model's code."""
        if Denoiser in model.decoder.provides:
            raise Mismatch(f"{model.decoder.type} removes noise step by step, and {self.type} would take a single step")
        if not isinstance(self.temperature, tuple):
            return
        levels = len(model.encoder.levels(spaces.data)) if model.encoder is not None else 1
        if len(self.temperature) != levels:
            with at("temperature"):
                raise Mismatch(
                    f"this model's code has {levels} level{'s' * (levels > 1)}, found {len(self.temperature)} temperatures",
                    "give a single temperature, or one for each level, from fine to coarse",
                )

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Sampler:
        """Make the sampler."""
        from .parts import AncestralSampler

        return AncestralSampler(self.draw, self.temperatures, self.truncation)
