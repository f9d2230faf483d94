"""Specs of the encoder, the loss and the sampler. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator

from genframe import (
    EncoderSpec,
    LossSpec,
    Mismatch,
    Needs,
    SamplerSpec,
    Space,
    Spaces,
    at,
    conditional_if,
    projected,
    require_real,
    traits,
)
from genframe.types import Likelihood, TraitSet
from genframe_nets import MLP

from .traits import Corrupting, CorruptionKind, Shown

if TYPE_CHECKING:
    from genframe import Encoder, Loss, Sampler

__all__ = ["Chain", "Stochastic", "Walkback"]


class Stochastic(EncoderSpec):
    """A latent drawn from corrupted data: z = e + tanh(e' + a(C(x))), with a the network's activation. Bengio et al. 2014.

    The corruption C of data and the normal noise e and e' are part of the model, in training and in sampling. A latent that
    must be a function of the data, as in a reconstruction, is tanh(a(x)) without either.
    """

    type: Literal["gsn/stochastic"] = "gsn/stochastic"

    dim: PositiveInt = Field(default=64, description="size of the latent; channels of a spatial one")
    network: EncoderSpec = Field(default=MLP(), description="the network that reads the corrupted data")
    corruption: CorruptionKind = Field(
        default="salt_and_pepper", description="set values to either bound of the data, or add noise that is not clipped"
    )
    amount: NonNegativeFloat = Field(
        default=0.4,
        description="fraction of values that are corrupted; for gaussian the standard deviation, in units of the data",
    )
    noise: NonNegativeFloat = Field(
        default=0.1, description="standard deviation of the noise before and after the latent's tanh; 2 in the paper"
    )

    @model_validator(mode="after")
    def _is_a_fraction(self) -> Stochastic:
        if self.corruption == "salt_and_pepper" and self.amount > 1:
            raise ValueError(f"the amount of salt and pepper is a fraction of at most 1, found {self.amount:g}")
        return self

    @property
    def provides(self) -> TraitSet:
        """Provide Corrupting; read the condition if the network does."""
        return traits(Corrupting) | conditional_if(self.network)

    def latent_space(self, data: Space) -> Space:
        """Return the network's features with ``dim`` in the place of their first axis."""
        space = require_real(data, "corruption")
        if self.corruption == "salt_and_pepper" and not space.bounded:
            with at("corruption"):
                raise Mismatch(f"salt and pepper are the bounds of data, found {space}", "say corruption: gaussian")
        with at("network"):
            return projected(self.network.latent_space(data), self.dim)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make the encoder."""
        from .encoders import StochasticEncoder

        data = require_real(spaces.data, self.type)
        return StochasticEncoder(
            self.network.build(self.network.spaces(data, spaces.context)),
            data,
            features=require_real(self.network.latent_space(data), self.type),
            dim=self.dim,
            kind=self.corruption,
            amount=self.amount,
            noise=self.noise,
        )


class Walkback(LossSpec):
    """Walkback training: the chain leaves an example, and each step should lead back to it. Bengio et al. 2013; 2014, sec. 3.

    The mean over ``steps`` of -log p(x|z_t) in nats, z_t drawn by the encoder from x_{t-1}, x_t from p(x|z_t), x_0 = x; no
    gradient passes through x_t. One step is a denoising autoencoder.
    """

    type: Literal["gsn/walkback"] = "gsn/walkback"
    needs: ClassVar[Needs] = {"encoder": Corrupting, "decoder": Likelihood}

    steps: PositiveInt = Field(default=5, description="steps of the chain from each example")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make the loss."""
        from .losses import WalkbackLoss

        return WalkbackLoss(self.steps)


class Chain(SamplerSpec):
    """The model's Markov chain: corrupt, encode, draw from p(x|z), again and again. Bengio et al. 2014, sec. 3.

    Each sample is the last state of a chain of its own, which starts from a decoded draw of the prior.
    """

    type: Literal["gsn/chain"] = "gsn/chain"
    sampling = "Markov chain"
    needs: ClassVar[Needs] = {"encoder": Corrupting, "decoder": Likelihood}

    steps: PositiveInt = Field(default=100, description="steps of each chain")
    burn_in: NonNegativeInt = Field(default=0, description="steps before the first state that a trajectory shows")
    draw: Shown = Field(
        default="mean",
        description="show the mean of p(x|z), as papers do, or the draw from which the chain continues",
    )

    @model_validator(mode="after")
    def _something_after_burn_in(self) -> Chain:
        if self.burn_in >= self.steps:
            raise ValueError(f"burn_in: {self.burn_in} leaves nothing of steps: {self.steps}; give more steps, or less burn_in")
        return self

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Sampler:
        """Make the sampler."""
        from .samplers import ChainSampler

        return ChainSampler(self.steps, burn_in=self.burn_in, draw=self.draw)
