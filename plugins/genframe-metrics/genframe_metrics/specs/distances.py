"""Specs of the distances between samples and data. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt

from genframe import Composition, MetricSpec, Spaces

from ..choices import C2stClassifier
from .fields import RunPath

if TYPE_CHECKING:
    from genframe import Encoder, Metric

__all__ = ["FeatureMetric", "Frechet", "KernelDistance", "Mmd", "PrecisionRecall", "SlicedWasserstein", "TwoSample"]


class Mmd(MetricSpec):
    """Squared maximum mean discrepancy between samples of the model and data, 0 in expectation if they are alike.

    The unbiased U-statistic of Gretton et al. 2012, eq. 4, under a mean of Gaussian kernels whose bandwidths are
    ``scales`` times the median distance between examples. Classes are compared as one-hot vectors. The same between
    two halves of the data is reported as well.
    """

    type: Literal["metrics/mmd"] = "metrics/mmd"
    least_held_out: ClassVar[int] = 8

    n: Annotated[int, Field(ge=8)] = Field(default=1000, description="number of samples, and of examples if there are as many")
    scales: tuple[PositiveFloat, ...] = Field(
        default=(0.5, 1.0, 2.0), min_length=1, description="bandwidths in units of the median distance"
    )

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Build the metric."""
        from ..discrepancy import MmdMetric

        return MmdMetric(self.n, self.scales)


class FeatureMetric(MetricSpec):
    """What metrics that compare features of samples with features of data have in common; abstract."""

    least_held_out: ClassVar[int] = 20
    least_training: ClassVar[int] = 20

    features: RunPath | None = Field(
        default=None,
        description="a run whose condition encoder gives the features; the values of the data themselves if left out",
    )
    n: Annotated[int, Field(ge=20)] = Field(default=2048, description="number of samples, and of examples if there are as many")

    @classmethod
    def bounded(cls) -> Self:
        """Return the metric of 1,000 samples."""
        return cls.model_validate({"n": 1000})

    def refusal(self, composition: Composition) -> str:
        """Refuse a run that does not read the model's data."""
        if self.features is None:
            return ""
        from ..features import why_no_features

        return why_no_features(self.features, composition.data)


class Frechet(FeatureMetric):
    """Fréchet distance between normals with the moments of features of samples and of data. Heusel et al. 2017, eq. 6.

    It is biased upwards, more so with fewer samples. The distance of as many training examples, which a perfect sampler would
    reach, is reported as well. It is a FID only with the features of the Inception network.
    """

    type: Literal["metrics/frechet"] = "metrics/frechet"

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Build the metric."""
        from ..frechet import FrechetMetric

        return FrechetMetric(self.features, self.n)


class KernelDistance(FeatureMetric):
    """Squared maximum mean discrepancy of features under the kernel (x·y / d + 1)³. Bińkowski et al. 2018, sec. 4.

    Unbiased, over all pairs. The distance of as many training examples is reported as well.
    """

    type: Literal["metrics/kernel_distance"] = "metrics/kernel_distance"

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Build the metric."""
        from ..discrepancy import KernelDistanceMetric

        return KernelDistanceMetric(self.features, self.n)


class PrecisionRecall(FeatureMetric):
    """Precision and recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020), by nearest neighbours.

    The ball of an example reaches to its k-th nearest example, that of a sample to its k-th nearest sample. Precision is the
    share of samples in the ball of an example; density is the number of such balls per sample, divided by k. Coverage is the
    share of examples with a sample in their ball, recall the share in the ball of a sample. The same of as many training
    examples is reported with each.
    """

    type: Literal["metrics/precision_recall"] = "metrics/precision_recall"

    neighbours: PositiveInt = Field(default=5, le=19, description="k, the neighbour to which a ball reaches")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Build the metric."""
        from ..neighbours import PrecisionRecallMetric

        return PrecisionRecallMetric(self.features, self.n, self.neighbours)


class SlicedWasserstein(FeatureMetric):
    """Wasserstein distance of features along random directions, averaged. Rabin et al. 2011; Bonneel et al. 2015, eq. 8.

    (E_u W_p(u·x, u·y)^p)^(1/p) over uniform directions u, in units of the features. It is biased upwards, more so with fewer
    samples. The same of as many training examples is reported as well.
    """

    type: Literal["metrics/sliced_wasserstein"] = "metrics/sliced_wasserstein"

    order: Literal[1, 2] = Field(default=2, description="p, the power of distances")
    projections: PositiveInt = Field(default=256, description="number of directions")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Build the metric."""
        from ..sliced import SlicedWassersteinMetric

        return SlicedWassersteinMetric(self.features, self.n, self.order, self.projections)


class TwoSample(FeatureMetric):
    """Classifier two-sample test: how often a classifier tells samples from data that it has not seen. Lopez-Paz & Oquab 2017.

    The accuracy over five folds: 1/2 if samples are like data, 1 if each can be told apart. The same of training examples in
    place of samples is reported as well. Values on a grid are easily told from values between its levels.
    """

    type: Literal["metrics/two_sample"] = "metrics/two_sample"

    classifier: C2stClassifier = Field(
        default="network", description="a perceptron with one hidden layer, or the vote of the √n nearest neighbours"
    )

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Build the metric."""
        from ..c2st import TwoSampleMetric

        return TwoSampleMetric(self.features, self.n, self.classifier)
