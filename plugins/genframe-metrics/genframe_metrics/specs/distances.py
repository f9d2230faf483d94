"""Specs of the distances between samples and data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt

from genframe import Composition, MetricSpec, Spaces

from .fields import RunPath

if TYPE_CHECKING:
    from genframe import Encoder, Metric

__all__ = ["FeatureMetric", "Frechet", "KernelDistance", "Mmd", "PrecisionRecall"]


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

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Make the metric."""
        from ..discrepancy import MmdMetric

        return MmdMetric(self)


class FeatureMetric(MetricSpec):
    """What the metrics that compare features of samples with features of data share; abstract."""

    features: RunPath | None = Field(
        default=None, description="a run whose condition encoder gives the features of data; their own values if left out"
    )
    n: Annotated[int, Field(ge=20)] = Field(default=2048, description="number of samples, and of data where there are as many")

    @classmethod
    def bounded(cls) -> Self:
        """Return the metric of 1,000 samples."""
        return cls.model_validate({"n": 1000})

    def refusal(self, composition: Composition) -> str:
        """Refuse a run that does not read the model's data."""
        if self.features is None:
            return ""
        from ..features import unusable

        return unusable(self.features, composition.data)


class Frechet(FeatureMetric):
    """Fréchet distance between normals with the moments of features of samples and of data. Heusel et al. 2017, eq. 6.

    It is biased upwards, the more the fewer samples there are; beside it stands the distance of as many training data, which a
    perfect sampler would have. Only features of the Inception network would make it a FID.
    """

    type: Literal["metrics/frechet"] = "metrics/frechet"

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Make the metric."""
        from ..frechet import FrechetMetric

        return FrechetMetric(self)


class KernelDistance(FeatureMetric):
    """Squared maximum mean discrepancy of features under the kernel (x·y / d + 1)³. Bińkowski et al. 2018, sec. 4.

    Unbiased, by all pairs at once. Beside it stands the distance of as many training data.
    """

    type: Literal["metrics/kernel_distance"] = "metrics/kernel_distance"

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Make the metric."""
        from ..discrepancy import KernelDistanceMetric

        return KernelDistanceMetric(self)


class PrecisionRecall(FeatureMetric):
    """Precision and recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020), by nearest neighbours.

    Precision is the share of samples within the distance of a datum to its k-th nearest datum, density how many such data a
    sample has, over k; coverage is the share of data with a sample within that distance, and recall the share within the
    distance of a sample to its k-th nearest sample. Beside each stands that of as many training data.
    """

    type: Literal["metrics/precision_recall"] = "metrics/precision_recall"

    neighbours: PositiveInt = Field(default=5, le=19, description="k, the neighbour whose distance is meant")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Make the metric."""
        from ..neighbours import PrecisionRecallMetric

        return PrecisionRecallMetric(self)


class SlicedWasserstein(FeatureMetric):
    """Wasserstein distance of features along random directions, averaged. Rabin et al. 2011; Bonneel et al. 2015, eq. 8.

    (E_u W_p(u·x, u·y)^p)^(1/p) over uniform directions u, in units of the features. It is biased upwards, the more the fewer
    samples there are; beside it stands that of as many training data.
    """

    type: Literal["metrics/sliced_wasserstein"] = "metrics/sliced_wasserstein"

    order: Literal[1, 2] = Field(default=2, description="p, the power of distances")
    projections: PositiveInt = Field(default=256, description="number of directions")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Make the metric."""
        from ..sliced import SlicedWassersteinMetric

        return SlicedWassersteinMetric(self)


class TwoSample(FeatureMetric):
    """Classifier two-sample test: how often a classifier tells samples from data that it has not seen. Lopez-Paz & Oquab 2017.

    The accuracy over five folds, 1/2 where samples are like data and 1 where each can be told; beside it stands that of
    training data in the samples' place. Values of one grid and those between its levels are told apart at once.
    """

    type: Literal["metrics/two_sample"] = "metrics/two_sample"

    classifier: Literal["network", "neighbours"] = Field(
        default="network", description="a perceptron with one hidden layer, or the vote of the √n nearest neighbours"
    )

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Make the metric."""
        from ..two_sample import TwoSampleMetric

        return TwoSampleMetric(self)
