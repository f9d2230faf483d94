"""Specs of the metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from genframe import Composition, MetricSpec, Real

if TYPE_CHECKING:
    from genframe import Metric

LARGEST_COVARIANCE = 10_000

Limit = Annotated[PositiveInt | None, Field(description="use so many data, drawn by the seed; all if left out")]


class Nll(MetricSpec):
    """Negative log-likelihood in nats, and in bits for each dimension where the data are discrete.

    Exact where the model's density is; else an upper bound by importance weighting, whose ``samples`` draws
    from q(z|x) for each datum are averaged inside the logarithm: Burda et al. 2015, eq. 8.
    """

    type: Literal["metrics/nll"] = "metrics/nll"

    samples: PositiveInt = Field(default=200, description="draws of the latent for each datum, for a lower bound")
    max_rows: PositiveInt = Field(default=2500, description="decode so many latents at once; bounds memory")
    limit: Limit = None

    def refusal(self, composition: Composition) -> str:
        """Refuse models without a normalised density or a bound of it."""
        if composition.density in ("exact", "lower bound"):
            return ""
        return f"the density of this model is {composition.density}, so it has no likelihood"

    def build(self) -> Metric:
        """Make the metric."""
        from .likelihoods import NllMetric

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
        if composition.density == "lower bound":
            return ""
        return (
            f"the density of this model is {composition.density}: rate and distortion need an encoder with Posterior, "
            "a decoder with Likelihood and a prior with Density"
        )

    def build(self) -> Metric:
        """Make the metric."""
        from .likelihoods import ElboMetric

        return ElboMetric(self)


class Reconstruction(MetricSpec):
    """Squared error of reconstructions, summed over the dimensions of a datum, and its root mean square a dimension."""

    type: Literal["metrics/reconstruction"] = "metrics/reconstruction"

    limit: Limit = None

    def refusal(self, composition: Composition) -> str:
        """Refuse models without an encoder, and data that are classes."""
        if composition.spec.encoder is None:
            return "this model has no encoder, so nothing is reconstructed"
        if not isinstance(composition.data, Real):
            return f"the data are {composition.data}, and a squared difference of classes has no meaning"
        return ""

    def build(self) -> Metric:
        """Make the metric."""
        from .reconstruction import ReconstructionMetric

        return ReconstructionMetric(self)


class Pca(MetricSpec):
    """The errors of metrics/reconstruction for principal components, the best linear autoencoder of the training data.

    The reference for an autoencoder with as many latents: Hinton & Salakhutdinov 2006, fig. 2.
    """

    type: Literal["metrics/pca"] = "metrics/pca"

    components: PositiveInt | None = Field(
        default=None, description="how many; as many as the latent has dimensions if left out"
    )
    limit: Limit = None

    def refusal(self, composition: Composition) -> str:
        """Refuse classes, data too large for their covariance, and more components than dimensions."""
        data, latent = composition.data, composition.latent
        if not isinstance(data, Real):
            return f"the data are {data}, and classes have no principal components"
        if data.dims > LARGEST_COVARIANCE:
            return f"the covariance of {data.dims} dimensions is too large; at most {LARGEST_COVARIANCE}"
        if self.components is None and not isinstance(latent, Real):
            return f"the latent is {latent}, which says no number of components; give 'components'"
        components = self.components or latent.dims
        if components >= data.dims:
            return f"{components} components describe data of {data.dims} dimensions without error"
        return ""

    def build(self) -> Metric:
        """Make the metric."""
        from .reconstruction import PcaMetric

        return PcaMetric(self)


class Mmd(MetricSpec):
    """Squared maximum mean discrepancy between samples of the model and data, 0 in expectation where they are alike.

    The unbiased U-statistic of Gretton et al. 2012, eq. 4, under a mean of Gaussian kernels whose bandwidths are
    ``scales`` times the median distance between data. Classes are compared as one-hot vectors. Beside it
    stands the same figure between two halves of the data.
    """

    type: Literal["metrics/mmd"] = "metrics/mmd"

    n: Annotated[int, Field(ge=8)] = Field(default=1000, description="number of samples, and of data where there are as many")
    scales: tuple[PositiveFloat, ...] = Field(
        default=(0.5, 1.0, 2.0), min_length=1, description="bandwidths in units of the median distance"
    )

    def build(self) -> Metric:
        """Make the metric."""
        from .discrepancy import MmdMetric

        return MmdMetric(self)
