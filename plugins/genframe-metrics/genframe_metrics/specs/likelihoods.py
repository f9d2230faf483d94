"""Specs of the metrics of likelihood."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, PositiveInt

from genframe import Composition, MetricSpec, Spaces

from .fields import Limit

if TYPE_CHECKING:
    from genframe import Encoder, Metric

__all__ = ["Elbo", "Nll"]


class Nll(MetricSpec):
    """Negative log-likelihood in nats, and in bits for each dimension where the data are discrete.

    Exact where the model's density is; else an upper bound: by importance weighting, whose ``samples`` draws from q(z|x) for
    each datum are averaged inside the logarithm (Burda et al. 2015, eq. 8), or by a denoiser's own estimate with as many.
    """

    type: Literal["metrics/nll"] = "metrics/nll"

    samples: PositiveInt = Field(default=200, description="draws for each datum, where the density is estimated")
    max_rows: PositiveInt = Field(default=2500, description="decode so many latents at once; bounds memory")
    limit: Limit = None

    @classmethod
    def bounded(cls) -> Self:
        """Return the metric of 500 data by 50 draws each."""
        return cls(samples=50, limit=500)

    def refusal(self, composition: Composition) -> str:
        """Refuse models without a normalised density or a bound of it."""
        if composition.density in ("exact", "lower bound"):
            return ""
        return f"the density of this model is {composition.density}, so it has no likelihood"

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Make the metric."""
        from ..likelihoods import NllMetric

        return NllMetric(self)


class Elbo(MetricSpec):
    """Rate, distortion and evidence lower bound in nats, elbo = -(rate + distortion).

    Rate is KL(q(z|x) || p(z)), distortion -E_q[log p(x|z)]: Kingma & Welling 2013, eq. 3.
    """

    type: Literal["metrics/elbo"] = "metrics/elbo"

    samples: PositiveInt = Field(default=1, description="draws of the latent for each datum, averaged")
    limit: Limit = None

    def refusal(self, composition: Composition) -> str:
        """Refuse models whose density is not a lower bound."""
        if composition.density == "lower bound" and not composition.of_data:
            return ""
        return (
            f"the density of this model is {composition.density}: rate and distortion need an encoder with Posterior, "
            "a decoder with Likelihood and a prior with Density"
        )

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Make the metric."""
        from ..likelihoods import ElboMetric

        return ElboMetric(self)
