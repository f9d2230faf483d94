"""What the specs of all adversarial losses share: the critic, the objective, and what keeps the critic in check."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, TypeAlias

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from genframe import EncoderSpec, LossSpec, Mismatch, Real, Space, at, require_real
from genframe_nets import MLP

__all__ = ["Game", "ObjectiveName", "packed"]

ObjectiveName: TypeAlias = Literal["minimax", "non_saturating", "least_squares", "hinge", "wasserstein", "relativistic"]
MOST_AXES = 4


def packed(space: Real, count: int) -> Real:
    """Return the space of ``count`` data as one, concatenated along the first axis. Lin et al. 2018, sec. 3."""
    if count == 1:
        return space
    if not space.shape:
        raise Mismatch(f"packing concatenates along the first axis, found {space}", "say packing: 1")
    first, *others = space.shape
    return replace(space, shape=(count * first, *others))


class Game(LossSpec):
    """A game between a critic, which tells real from fake, and a generator, which makes the fakes. Goodfellow et al. 2014.

    The critic is any encoder: its features get a linear head, which gives a score for each place of spatial features; a
    single feature is the score itself. Gradient penalties are of the score's mean over places with respect to the critic's
    input, averaged over the batch.
    """

    critic: EncoderSpec = Field(default=MLP(), description="the network that tells real from fake")
    objective: ObjectiveName = Field(default="relativistic", description="what critic and generator minimise")
    n_critic: PositiveInt = Field(default=1, description="critic's steps for each step of the generator")
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
        default=1, description="data that the critic judges together; divides the batch size (Lin et al. 2018)"
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
    def _one_bound_on_the_critic(self) -> Game:
        if self.clip_weights is None:
            return self
        if self.gradient_penalty:
            raise ValueError("clip_weights and gradient_penalty both bound the critic's gradient; leave clip_weights out")
        if self.objective != "wasserstein":
            raise ValueError(f"clip_weights is for objective: wasserstein, found {self.objective}; leave it out, or use r1")
        return self

    @model_validator(mode="after")
    def _something_to_anneal(self) -> Game:
        if self.penalty_every > 1 and not self.penalised:
            raise ValueError("penalty_every needs a penalty; give r1, r2 or gradient_penalty, or leave it out")
        if self.anneal_steps and not self.noise and self.penalty_end == 1:
            raise ValueError("anneal_steps has nothing to anneal; give noise or penalty_end, or leave it out")
        if self.penalty_end < 1 and not (self.anneal_steps and self.penalised):
            raise ValueError("penalty_end needs anneal_steps and a penalty; give both, or leave it out")
        return self

    @property
    def penalised(self) -> bool:
        """Whether the critic pays for its gradient."""
        return bool(self.r1 or self.r2 or self.gradient_penalty)

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
