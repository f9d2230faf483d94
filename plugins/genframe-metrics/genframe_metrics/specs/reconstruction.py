"""Specs of the metrics of reconstruction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field, PositiveInt

from genframe import Composition, MetricSpec, Real, Spaces

from .fields import Limit

if TYPE_CHECKING:
    from genframe import Encoder, Metric

__all__ = ["Pca", "Reconstruction"]

LARGEST_COVARIANCE: Final = 10_000


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

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Make the metric."""
        from ..reconstruction import ReconstructionMetric

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

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Make the metric."""
        from ..reconstruction import PcaMetric

        return PcaMetric(self)
