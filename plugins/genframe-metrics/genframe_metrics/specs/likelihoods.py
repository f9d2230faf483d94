"""Specs of the likelihood of data, and of the accuracy of labels. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt

from genframe import Composition, MetricSpec, Real, Spaces

from ..choices import SIGMAS
from ..runs import why_no_classifier
from .fields import Limit

if TYPE_CHECKING:
    from genframe import Encoder, Metric

__all__ = ["Accuracy", "Elbo", "Nll", "Parzen"]


class Accuracy(MetricSpec):
    """Share of examples whose most probable class, given their condition, is their own."""

    type: Literal["metrics/accuracy"] = "metrics/accuracy"

    limit: Limit = None

    def refusal(self, composition: Composition) -> str:
        """Refuse models that do not give one class a probability."""
        return why_no_classifier(composition)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Build the metric."""
        from ..accuracy import AccuracyMetric

        return AccuracyMetric(self.limit)


class Elbo(MetricSpec):
    """Rate, distortion and evidence lower bound in nats, elbo = -(rate + distortion).

    Rate is KL(q(z|x) || p(z)), distortion -E_q[log p(x|z)]: Kingma & Welling 2013, eq. 3.
    """

    type: Literal["metrics/elbo"] = "metrics/elbo"

    samples: PositiveInt = Field(default=1, description="draws of the latent per example, averaged")
    limit: Limit = None

    def refusal(self, composition: Composition) -> str:
        """Refuse models whose density is not a lower bound."""
        if composition.estimate == "importance weights":
            return ""
        return (
            f"the density of this model is {composition.density}: rate and distortion need an encoder with Posterior, "
            "a decoder with Likelihood and a prior with Density"
        )

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Build the metric."""
        from ..likelihoods import ElboMetric

        return ElboMetric(self.samples, self.limit)


class Nll(MetricSpec):
    """Negative log-likelihood in nats, and in bits per dimension if the data is discrete.

    It is exact if the density of the model is. Else it is an upper bound: by importance weighting, which averages ``samples``
    draws from q(z|x) per example inside the logarithm (Burda et al. 2015, eq. 8), or by the estimate of a denoiser itself.
    """

    type: Literal["metrics/nll"] = "metrics/nll"

    samples: PositiveInt = Field(default=200, description="draws per example, where the density is estimated")
    max_rows: PositiveInt = Field(default=2500, description="how many latents to decode at once; bounds memory")
    limit: Limit = None

    @classmethod
    def bounded(cls) -> Self:
        """Return the metric of 500 examples with 50 draws each."""
        return cls(samples=50, limit=500)

    def refusal(self, composition: Composition) -> str:
        """Refuse models without a normalised density or a bound of it."""
        if not composition.density_kind.refusal:
            return ""
        return f"the density of this model is {composition.density}, so it has no likelihood"

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Build the metric."""
        from ..likelihoods import NllMetric

        return NllMetric(self.samples, self.max_rows, self.limit)


class Parzen(MetricSpec):
    """Log-likelihood of data under Gaussian windows around samples. Breuleux et al. 2011; Goodfellow et al. 2014, sec. 5.

    log 1/n sum_i N(x; s_i, sigma² I) in nats, with the sigma of a grid that is best for held-out training data. Bounded data is
    scaled to 0..1 first. It is biased and does not rank models as their log-likelihood does (Theis et al. 2016). The same of as
    many training examples, which a perfect sampler would reach, is reported as well.
    """

    type: Literal["metrics/parzen"] = "metrics/parzen"
    least_training: ClassVar[int] = 2

    n: PositiveInt = Field(default=10_000, description="number of samples, and of training examples if there are as many")
    sigmas: tuple[PositiveFloat, ...] = Field(
        default=SIGMAS, min_length=1, description="standard deviations of the windows to choose from"
    )
    validation: PositiveInt = Field(
        default=1000, description="training examples that choose the deviation, at most half of them"
    )
    limit: Limit = None

    @classmethod
    def bounded(cls) -> Self:
        """Return the metric of 1,000 samples and as many examples."""
        return cls(n=1000, validation=500, limit=1000)

    def refusal(self, composition: Composition) -> str:
        """Refuse data that is classes."""
        if isinstance(composition.data, Real):
            return ""
        return f"the data is {composition.data}, and classes have no density"

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Build the metric."""
        from ..parzen import ParzenMetric

        return ParzenMetric(self.n, self.sigmas, self.validation, self.limit)
