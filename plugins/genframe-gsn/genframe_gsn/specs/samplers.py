"""Spec of the sampler. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from genframe import Needs, SamplerSpec, Spaces
from genframe.traits import Likelihood, SamplingKind

from ..traits import Corrupting

if TYPE_CHECKING:
    from genframe import Encoder, Sampler

__all__ = ["Chain"]


class Chain(SamplerSpec):
    """The model's Markov chain: corrupt, encode, draw from p(x|z), again and again. Bengio et al. 2014, sec. 3.

    Each sample is the last state of a chain of its own, which starts from a decoded draw of the prior.
    """

    type: Literal["gsn/chain"] = "gsn/chain"
    sampling: ClassVar[SamplingKind] = "Markov chain"
    needs: ClassVar[Needs] = {"encoder": Corrupting, "decoder": Likelihood}

    steps: PositiveInt = Field(default=100, description="steps of each chain")
    burn_in: NonNegativeInt = Field(default=0, description="steps before the first state that a trajectory shows")
    draw: Literal["mean", "sample"] = Field(
        default="mean", description="show the mean of p(x|z) at each step, as papers do, or the draw by which the chain goes on"
    )

    @model_validator(mode="after")
    def _something_after_burn_in(self) -> Chain:
        if self.burn_in >= self.steps:
            raise ValueError(f"burn_in: {self.burn_in} leaves nothing of steps: {self.steps}; give more steps, or less burn_in")
        return self

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Sampler:
        """Make the sampler."""
        from ..samplers import ChainSampler

        return ChainSampler(self)
