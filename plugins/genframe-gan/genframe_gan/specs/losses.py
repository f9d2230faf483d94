"""Specs of the adversarial losses. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from genframe import ContextSpace, EncoderSpec, LossSpec, Mismatch, Needs, Real, Space, Spaces, at, require_real, vector_dims
from genframe.types import Conditional
from genframe_nets import MLP

from ..rules import Augmentation, Conditioning, Fakes, ObjectiveName, Rules, packed

if TYPE_CHECKING:
    from genframe import Encoder, Loss

    from ..critic import Critic

__all__ = ["Adversarial", "Bidirectional", "Game", "LatentAdversarial"]

MOST_AXES: Final = 4


class Game(LossSpec):
    """A game between a critic, which tells real from fake, and a generator, which makes the fakes. Goodfellow et al. 2014.

    The critic is any encoder: its features get a linear head, which gives a score for each place of spatial features; a
    single feature is the score itself. Gradient penalties are of the score's mean over places with respect to the critic's
    input, averaged over the batch.
    """

    critic: EncoderSpec = Field(default=MLP(), description="the network that tells real from fake")
    objective: ObjectiveName = Field(default="relativistic", description="what critic and generator minimise")
    n_critic: PositiveInt = Field(le=1000, default=1, description="critic's steps for each step of the generator")
    r1: NonNegativeFloat = Field(
        default=0.0, description="weight of half the squared gradient at real data (Mescheder et al. 2018, eq. 9)"
    )
    r2: NonNegativeFloat = Field(default=0.0, description="weight of half the squared gradient at fakes (ibid., eq. 10)")
    gradient_penalty: NonNegativeFloat = Field(
        default=0.0, description="weight of (|gradient| - 1)² between real data and fakes (Gulrajani et al. 2017, eq. 3)"
    )
    penalty_every: PositiveInt = Field(
        default=1, description="penalise every so many critic steps, at as many times the weight (Karras et al. 2020, sec. 2.4)"
    )
    penalty_end: float = Field(
        default=1.0, gt=0, le=1, description="share of their weight to which penalties fall geometrically over anneal_steps"
    )
    clip_weights: PositiveFloat | None = Field(
        default=None, description="keep the critic's weights within ± this (Arjovsky et al. 2017, algorithm 1)"
    )
    noise: NonNegativeFloat = Field(
        default=0.0, description="standard deviation of noise on all the critic sees, in its units (Sønderby et al. 2017)"
    )
    anneal_steps: NonNegativeInt = Field(
        default=0,
        description="critic steps over which noise falls to zero and penalties to penalty_end; 0 leaves them as they are",
    )
    packing: PositiveInt = Field(
        default=1, description="examples that the critic judges together; divides the batch size (Lin et al. 2018)"
    )
    player: Literal["generator", "model"] = Field(
        default="generator", description="who plays the generator; model adds its term to other losses in core/sum"
    )

    def accepts_batch(self, size: int) -> None:
        """Accept a batch that packs divide."""
        if size % self.packing:
            with at("packing"):
                raise Mismatch(
                    f"packs of {self.packing} do not divide a batch of {size}", "choose a train.batch_size that they divide"
                )

    @model_validator(mode="after")
    def _rules_go_together(self) -> Game:
        _ = self.rules  # which refuses those that do not
        return self

    @property
    def rules(self) -> Rules:
        """The rules of the game as one value."""
        return Rules(
            objective=self.objective,
            r1=self.r1,
            r2=self.r2,
            gradient_penalty=self.gradient_penalty,
            penalty_every=self.penalty_every,
            penalty_end=self.penalty_end,
            clip_weights=self.clip_weights,
            noise=self.noise,
            anneal_steps=self.anneal_steps,
            packing=self.packing,
        )

    @property
    def players(self) -> tuple[str, ...]:
        """Return ``n_critic`` times the critic, then who plays the generator."""
        return ("critic",) * self.n_critic + (self.player,)

    def judge(self, data: Space) -> Real:
        """Return the space of the critic's features of ``data``, packed.

        :raises Mismatch: where the critic cannot take the data or gives no real features.
        """
        space = require_real(data, "a critic")
        with at("packing"):
            space = packed(space, self.packing)
        with at("critic"):
            features = self.critic.latent_space(space)
            if not isinstance(features, Real) or not 1 <= len(features.shape) <= MOST_AXES:
                message = (
                    f"a score is of real features with 1 to {MOST_AXES} axes; {self.critic.type} of {data} gives {features}"
                )
                raise Mismatch(message, "choose a network such as nets/mlp or nets/conv with dim: 1")
        return features

    def build_critic(self, data: Real, beside: Real | None = None, *, reads: bool = False) -> Critic:
        """Build the critic of packs of data; it ``reads`` what is ``beside`` them, or its features are projected on it."""
        from ..critic import Critic
        from ..objectives import OBJECTIVES

        beside = packed(beside, self.packing) if beside is not None else None
        context = ContextSpace(beside) if reads and beside is not None else None
        network = self.critic.build(self.critic.spaces(packed(data, self.packing), context))
        projected = beside.dims if beside is not None and not reads else 0
        return Critic(network, self.judge(data), projected=projected, bias=not OBJECTIVES[self.objective].shifted)


class Adversarial(Game):
    """A critic on data against the decoder as generator. Goodfellow et al. 2014; relativistic: Jolicoeur-Martineau 2019.

    The default objective with ``r1`` and ``r2`` is that of R3GAN (Huang et al. 2024, eq. 2 and sec. 2.2). Under a condition
    the critic's features are projected on the context (Miyato & Koyama 2018, eq. 3), or its network reads it.
    """

    type: Literal["gan/adversarial"] = "gan/adversarial"

    fakes: Fakes = Field(default="samples", description="decode draws of the prior, or the latents of data")
    augment: tuple[Augmentation, ...] = Field(
        default=(), description="differentiable changes of all images that the critic sees (Zhao et al. 2020, sec. 3.3)"
    )
    conditioning: Conditioning = Field(
        default="projection", description="how the critic judges under a condition, where the model has one"
    )

    @property
    def needs(self) -> Needs:
        """Need an encoder for reconstructions."""
        return {"encoder": ()} if self.fakes == "reconstructions" else {}

    def accepts(self, spaces: Spaces) -> None:
        """Accept data that the critic can judge, and a condition that it can judge them under."""
        features = self.judge(spaces.data)
        if self.augment and len(require_real(spaces.data, "augmentation").shape) != 3:
            with at("augment"):
                raise Mismatch(
                    f"only images (channels, height, width) are augmented, found {spaces.data}", "leave 'augment' out"
                )
        if self.conditioning == "input" and Conditional not in self.critic.provides:
            with at("critic"):
                message = f"{self.critic.type} does not read a context beside {spaces.data}"
                raise Mismatch(message, "choose a network with Conditional, or say conditioning: projection")
        if spaces.context is not None:
            if spaces.context.vector is None:
                raise Mismatch(
                    f"a critic judges beside a vector, found {spaces.context}", "let the condition's encoder give a vector"
                )
            if self.conditioning == "projection" and features.shape == (1,):
                with at("critic"):
                    message = f"under a condition features are projected on the context; {self.critic.type} gives a single one"
                    raise Mismatch(message, "leave 'dim' out, or say conditioning: input")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make the loss with its critic."""
        from ..losses import AdversarialLoss

        beside = spaces.context.vector if spaces.context is not None else None
        critic = self.build_critic(require_real(spaces.data, "a critic"), beside, reads=self.conditioning == "input")
        return AdversarialLoss(critic, self.rules, fakes=self.fakes, augment=self.augment)


class LatentAdversarial(Game):
    """A critic on latents against the encoder: draws of the prior are real, latents of data fake. Makhzani et al. 2016, sec. 2.

    With vae/reconstruction in core/sum it makes an adversarial autoencoder. The critic reads no condition, so that latents
    become independent of it.
    """

    type: Literal["gan/latent_adversarial"] = "gan/latent_adversarial"
    needs: ClassVar[Needs] = {"encoder": ()}

    def accepts(self, spaces: Spaces) -> None:
        """Accept latents that the critic can judge."""
        self.judge(spaces.latent)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make the loss with its critic."""
        from ..losses import LatentAdversarialLoss

        return LatentAdversarialLoss(self.build_critic(require_real(spaces.latent, "a critic")), self.rules)


class Bidirectional(Game):
    """A critic on pairs of example and latent: (x, E(x)) is real, (G(z), z) fake. Donahue et al. 2017, eq. 2 (BiGAN).

    Encoder and decoder together play the generator, with the labels exchanged (ibid., sec. 3.4). The critic reads the latent
    as its context.
    """

    type: Literal["gan/bidirectional"] = "gan/bidirectional"
    needs: ClassVar[Needs] = {"encoder": ()}

    def accepts(self, spaces: Spaces) -> None:
        """Accept data and latents that the critic can judge together."""
        self.judge(spaces.data)
        require_real(spaces.latent, "a critic of pairs")
        if Conditional not in self.critic.provides:
            with at("critic"):
                message = f"{self.critic.type} does not read the latent {spaces.latent} beside {spaces.data}"
                raise Mismatch(message, "choose a network with Conditional, such as nets/mlp")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make the loss with its critic."""
        from ..losses import BidirectionalLoss

        beside = Real((spaces.latent.dims + vector_dims(spaces.context),))
        critic = self.build_critic(require_real(spaces.data, "a critic"), beside, reads=True)
        return BidirectionalLoss(critic, self.rules)
