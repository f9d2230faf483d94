"""Specs of the five parts of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from pydantic import Field

from ..types.spaces import ContextSpace, Space, Spaces
from ..types.trait.base import TraitSet, traits
from ..types.values import Role
from .base import ComponentSpec, Kind, Spec

if TYPE_CHECKING:
    from ..roles.parts import Decoder, Encoder, Loss, Prior, Sampler

__all__ = ["DecoderSpec", "EncoderSpec", "LossSpec", "ModelSpec", "PriorSpec", "SamplerSpec"]


class EncoderSpec(ComponentSpec):
    """How data becomes a latent, and which part of it a prior models."""

    kind: ClassVar[Kind] = "encoder"

    def latent_space(self, data: Space) -> Space:
        """Return the space of ``encode``'s result.

        :raises Mismatch: where the encoder cannot take ``data``.
        """
        raise NotImplementedError(f"{type(self).__name__}.latent_space")

    def code_space(self, data: Space) -> Space:
        """Return the space on which the prior lives; the latent space unless the encoder says otherwise."""
        return self.latent_space(data)

    def levels(self, data: Space) -> tuple[int, ...]:
        """Return the sizes of the groups of consecutive dimensions into which a code falls, from fine to coarse.

        A sampler may give each a temperature of its own. One group unless the encoder says otherwise.
        """
        return (self.code_space(data).dims,)

    def context_space(self, condition: Space) -> ContextSpace:
        """Return what a condition is encoded to: a sequence where latents are (L, D), else a vector; override to give both.

        :raises Mismatch: where the encoder cannot take the condition.
        """
        return ContextSpace.of(self.latent_space(condition))

    def spaces(self, data: Space, context: ContextSpace | None = None) -> Spaces:
        """Return the spaces around this encoder alone, from which it is built as a network, a critic or a condition."""
        return Spaces(data, self.latent_space(data), self.code_space(data), context)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Build the encoder of ``spaces.data``, which reads ``spaces.context`` if there is one."""
        raise NotImplementedError(f"{type(self).__name__}.build")


class DecoderSpec(ComponentSpec):
    """How a latent becomes data."""

    kind: ClassVar[Kind] = "decoder"

    def accepts(self, latent: Space, data: Space, context: ContextSpace | None = None) -> None:
        """Return if latents of this space can be decoded to ``data``, beside a ``context`` where there is one.

        :raises Mismatch: otherwise.
        """
        raise NotImplementedError(f"{type(self).__name__}.accepts")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Decoder:
        """Build the decoder of ``spaces.latent``; a tied one may refer to ``encoder`` without owning its parameters."""
        raise NotImplementedError(f"{type(self).__name__}.build")


class PriorSpec(ComponentSpec):
    """What codes look like on their own."""

    kind: ClassVar[Kind] = "prior"

    def own_space(self) -> Space | None:
        """Return the space of the codes where no encoder gives one, or ``None`` if the spec does not say."""
        return None

    def accepts(self, code: Space, context: ContextSpace | None = None) -> None:
        """Return if the prior can model codes of this space, beside a ``context`` where there is one.

        :raises Mismatch: otherwise.
        """
        raise NotImplementedError(f"{type(self).__name__}.accepts")

    @property
    def sampling(self) -> str:
        """Return the name of the kind by which codes are drawn; override where it depends on the fields."""
        return "direct"

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Prior:
        """Build the prior of ``spaces.code``; a tied one may refer to ``encoder`` without owning its parameters."""
        raise NotImplementedError(f"{type(self).__name__}.build")


class LossSpec(ComponentSpec):
    """What training minimises, one term a player."""

    kind: ClassVar[Kind] = "loss"

    @property
    def players(self) -> tuple[str, ...]:
        """Return the players in the order of their steps; override where they depend on the fields."""
        return ("model",)

    def accepts(self, spaces: Spaces) -> None:
        """Return if the loss can be computed between these spaces.

        :raises Mismatch: otherwise.
        """

    def accepts_batch(self, size: int) -> None:
        """Return if the loss can be computed on batches of this size.

        :raises Mismatch: otherwise.
        """

    def trained_parts(self) -> tuple[Role, ...]:
        """Return the parts that another run must have trained before this loss can begin; none unless it says so."""
        return ()

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make the loss."""
        raise NotImplementedError(f"{type(self).__name__}.build")


class SamplerSpec(ComponentSpec):
    """How to walk from the prior to data."""

    kind: ClassVar[Kind] = "sampler"
    sampling: ClassVar[str] = "direct"

    def accepts(self, model: ModelSpec, spaces: Spaces) -> None:
        """Return if the sampler can draw data from the model, whose parts lie between ``spaces``.

        :raises Mismatch: otherwise.
        """

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Sampler:
        """Make the sampler."""
        raise NotImplementedError(f"{type(self).__name__}.build")


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
    conditional: tuple[Role, ...] | None = Field(
        default=None, min_length=1, description="the parts that read the condition; all that can if left out"
    )

    def provided(self) -> dict[Role, TraitSet]:
        """Return the traits of encoder, decoder and prior, by role; none where there is no such part."""
        parts: dict[Role, ComponentSpec | None] = {"encoder": self.encoder, "decoder": self.decoder, "prior": self.prior}
        return {role: part.provides if part is not None else traits() for role, part in parts.items()}

    def reads(self, role: Role, context: ContextSpace | None) -> ContextSpace | None:
        """Return the space of the context that the part in ``role`` reads: ``context``, or none where it is left out."""
        return context if self.conditional is None or role in self.conditional else None
