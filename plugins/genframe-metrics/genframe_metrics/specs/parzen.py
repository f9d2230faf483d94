"""Spec of the Parzen-window likelihood. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt

from genframe import Composition, MetricSpec, Real, Spaces

from .fields import Limit

if TYPE_CHECKING:
    from genframe import Encoder, Metric

__all__ = ["Parzen"]

SIGMAS: Final = (0.1, 0.129, 0.167, 0.215, 0.278, 0.359, 0.464, 0.599, 0.774, 1.0)  # even in their logarithm


class Parzen(MetricSpec):
    """Log-likelihood of data under Gaussian windows around samples. Breuleux et al. 2011; Goodfellow et al. 2014, sec. 5.

    log 1/n sum_i N(x; s_i, sigma² I) in nats, sigma the best of a grid for held-out training data; values of bounded data are
    scaled to 0..1 first. It is biased and does not rank models as their log-likelihood does (Theis et al. 2016). Beside it
    stands the same figure of as many training data, which a perfect sampler would have.
    """

    type: Literal["metrics/parzen"] = "metrics/parzen"

    n: PositiveInt = Field(default=10_000, description="number of samples, and of training data where there are as many")
    sigmas: tuple[PositiveFloat, ...] = Field(
        default=SIGMAS, min_length=1, description="standard deviations of the windows to choose from"
    )
    validation: PositiveInt = Field(
        default=1000, description="training data by which the deviation is chosen, at most half of them"
    )
    limit: Limit = None

    @classmethod
    def bounded(cls) -> Self:
        """Return the metric of 1,000 samples and as many data."""
        return cls(n=1000, validation=500, limit=1000)

    def refusal(self, composition: Composition) -> str:
        """Refuse data that are classes."""
        if isinstance(composition.data, Real):
            return ""
        return f"the data are {composition.data}, and classes have no density"

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Make the metric."""
        from ..parzen import ParzenMetric

        return ParzenMetric(self)
