"""Specs of the metrics. No torch."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator

from genframe import Composition, MetricSpec, Spaces
from genframe.types import Energy

from ..traits import Annealed, Walks

if TYPE_CHECKING:
    from genframe import Encoder, Metric

__all__ = ["LogLikelihood", "Mixing"]

Schedule = tuple[tuple[PositiveInt, float], ...]


class LogLikelihood(MetricSpec):
    """Log-likelihood in nats, -energy - log Z, with log Z by annealed importance sampling. Salakhutdinov & Murray 2008.

    Runs go from units with the marginals of the training data to the model, and back from states of long chains. Forward runs
    underestimate log Z in the mean; reverse ones overestimate it if the chains had mixed. The interval spans the 95 % intervals
    of both (delta method, Student's t). Up to 20 hidden units log Z is enumerated.
    """

    type: Literal["energy/log_likelihood"] = "energy/log_likelihood"

    samples: Annotated[int, Field(ge=2)] = Field(default=100, description="runs forward, and as many back")
    betas: Schedule = Field(
        default=((500, 0.5), (4000, 0.9), (10000, 1.0)),
        min_length=1,
        description="inverse temperatures: pairs of a number of steps and the value at their end, the last at 1",
    )
    sweeps: PositiveInt = Field(default=1000, description="transitions from data to the states from which runs go back")
    limit: PositiveInt | None = Field(default=None, description="number of examples to use, the first ones; all if left out")

    @classmethod
    def bounded(cls) -> Self:
        """Return the metric by a short annealing."""
        return cls.model_validate({"betas": [[1000, 1.0]]})

    @field_validator("betas")
    @classmethod
    def _rise_to_one(cls, betas: Schedule) -> Schedule:
        ends = [0.0, *(end for _, end in betas)]
        if ends[-1] != 1 or any(after <= before for before, after in pairwise(ends)):
            raise ValueError(f"inverse temperatures rise from 0 to 1, found ends {ends[1:]}")
        return betas

    def refusal(self, composition: Composition) -> str:
        """Refuse densities without an energy, energies that may have no integral, and conditions."""
        if composition.density != "unnormalised":
            return f"the density of this model is {composition.density}; a log normaliser is of an unnormalised one"
        if not composition.has("prior", Annealed):
            return (
                f"no bound is known of the energy of {composition.spec.prior.type!r}, so its integral may be infinite; "
                "annealed importance sampling is for priors with Annealed, such as energy/rbm"
            )
        if composition.context is not None:
            return "this model has a condition, and there is a log normaliser for each"
        return ""

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Make the metric."""
        from ..metrics import LogLikelihoodMetric

        return LogLikelihoodMetric(self.samples, betas=self.betas, sweeps=self.sweeps, limit=self.limit)


class Mixing(MetricSpec):
    """Whether the sampler's chains have mixed: split R-hat and effective sample size of the energy and of each dimension.

    Gelman et al. 2013 (BDA3), sec. 11.4 and 11.5; Geyer 1992. Of the dimensions that move, the worst is reported.
    """

    type: Literal["energy/mixing"] = "energy/mixing"

    chains: Annotated[int, Field(ge=2)] = Field(default=16, description="number of chains")
    burn_in: NonNegativeInt = Field(default=1000, description="steps that do not count")
    draws: Annotated[int, Field(ge=4)] = Field(default=1000, description="steps of each chain that count")

    def refusal(self, composition: Composition) -> str:
        """Refuse samplers that are no chains, priors without an energy, and conditions."""
        if Walks not in composition.spec.sampler.provides:
            return f"{composition.spec.sampler.type!r} is no chain; one such as energy/gibbs is"
        if not composition.has("prior", Energy):
            return f"{composition.spec.prior.type!r} has no energy to measure"
        if composition.context is not None:
            return "this model has a condition, and chains under different ones do not agree"
        return ""

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Make the metric."""
        from ..metrics import MixingMetric

        return MixingMetric(self.chains, burn_in=self.burn_in, draws=self.draws)
