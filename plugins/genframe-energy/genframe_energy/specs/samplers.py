"""Specs of the samplers. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, field_validator, model_validator

from genframe import Mismatch, ModelSpec, Needs, SamplerSpec, Spaces, traits
from genframe.types import Energy, MarkovKernel, TraitSet

from ..traits import Walks
from .priors import continuous

if TYPE_CHECKING:
    from genframe import Encoder, Sampler

__all__ = ["Chain", "Gibbs", "Hmc", "Langevin", "Tempering"]


class Chain(SamplerSpec):
    """A walk of many steps from random states; abstract."""

    provides: ClassVar[TraitSet] = traits(Walks)
    sampling = "Markov chain"

    steps: PositiveInt = Field(default=1000, description="steps of each chain; the last state is the sample")
    burn_in: NonNegativeInt = Field(default=0, description="steps before the first state that a trajectory shows")
    thinning: PositiveInt = Field(default=100, description="steps between the states that a trajectory shows")

    @model_validator(mode="after")
    def _something_after_burn_in(self) -> Chain:
        if self.burn_in >= self.steps:
            raise ValueError(f"burn_in: {self.burn_in} leaves nothing of steps: {self.steps}; give more steps, or less burn_in")
        return self


class Gibbs(Chain):
    """Chains by the prior's own transition: block Gibbs for Boltzmann machines. Geman & Geman 1984."""

    type: Literal["energy/gibbs"] = "energy/gibbs"
    needs: ClassVar[Needs] = {"prior": MarkovKernel}

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Sampler:
        """Make the sampler."""
        from ..chains import GibbsSampler

        return GibbsSampler(self.steps, burn_in=self.burn_in, thinning=self.thinning)


class GradientChain(Chain):
    """Chains that follow the energy's gradient; abstract."""

    needs: ClassVar[Needs] = {"prior": Energy}

    step_size: PositiveFloat = Field(default=0.1, description="of one step, in units of the code")

    def accepts(self, model: ModelSpec, spaces: Spaces) -> None:
        """Accept continuous real codes."""
        try:
            continuous(spaces.code, self.type)
        except Mismatch as mismatch:
            raise Mismatch(mismatch.problem.message, "say sampler: energy/gibbs") from None


class Langevin(GradientChain):
    """Langevin dynamics: x - step_size² / 2 grad E(x) + step_size * noise. Rossky et al. 1978; Roberts & Tweedie 1996.

    Unadjusted, its stationary distribution is off by the order of the squared step size; adjusted, it is exact.
    """

    type: Literal["energy/langevin"] = "energy/langevin"

    adjusted: bool = Field(default=True, description="accept each step by Metropolis and Hastings' rule")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Sampler:
        """Make the sampler."""
        from ..chains import LangevinSampler

        return LangevinSampler(
            self.steps, burn_in=self.burn_in, thinning=self.thinning, step_size=self.step_size, adjusted=self.adjusted
        )


class Hmc(GradientChain):
    """Hamiltonian Monte Carlo with unit masses. Duane et al. 1987; Neal 2011, sec. 3."""

    type: Literal["energy/hmc"] = "energy/hmc"

    leapfrogs: PositiveInt = Field(
        le=1000, default=10, description="leapfrog steps, of step_size each, in one step of the chain"
    )

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Sampler:
        """Make the sampler."""
        from ..chains import HmcSampler

        return HmcSampler(
            self.steps, burn_in=self.burn_in, thinning=self.thinning, step_size=self.step_size, leapfrogs=self.leapfrogs
        )


class Tempering(GradientChain):
    """Parallel tempering: chains of adjusted Langevin dynamics at rising temperatures, of which neighbours swap states.

    Swendsen & Wang 1986; Geyer 1991. A chain at temperature T has the energy E / T and steps of step_size * sqrt(T). The first
    one's states are the samples.
    """

    type: Literal["energy/tempering"] = "energy/tempering"

    temperatures: tuple[PositiveFloat, ...] = Field(
        default=(1.0, 2.0, 4.0, 8.0), min_length=2, description="of the chains, from 1 upwards"
    )

    @field_validator("temperatures")
    @classmethod
    def _rise_from_one(cls, temperatures: tuple[float, ...]) -> tuple[float, ...]:
        if temperatures[0] != 1 or sorted(set(temperatures)) != list(temperatures):
            raise ValueError(f"temperatures rise from 1, found {list(temperatures)}")
        return temperatures

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Sampler:
        """Make the sampler."""
        from ..chains import TemperingSampler

        return TemperingSampler(
            self.steps,
            burn_in=self.burn_in,
            thinning=self.thinning,
            step_size=self.step_size,
            temperatures=self.temperatures,
        )
