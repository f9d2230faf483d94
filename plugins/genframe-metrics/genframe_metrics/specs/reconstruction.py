"""Specs of reconstructions: metrics, and a loss over features. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from pydantic import Field, PositiveInt, model_validator

from genframe import Composition, EncoderSpec, LossSpec, MetricSpec, Mismatch, Needs, Real, Spaces, at, require_real

from ..runs import condition_encoder, readable
from .fields import Limit, RunPath

if TYPE_CHECKING:
    from torch import Tensor

    from genframe import Encoder, Loss, Metric

__all__ = ["Pca", "Perceptual", "Reconstruction"]

LARGEST_COVARIANCE: Final = 10_000


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
            return f"the data is {data}, and classes have no principal components"
        if data.dims > LARGEST_COVARIANCE:
            return f"the covariance of {data.dims} dimensions is too large; at most {LARGEST_COVARIANCE}"
        if self.components is None and not isinstance(latent, Real):
            return f"the latent is {latent}, which gives no number of components; give 'components'"
        components = self.components or latent.dims
        if components >= data.dims:
            return f"{components} components describe data of {data.dims} dimensions without error"
        return ""

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Build the metric."""
        from ..reconstruction import PcaMetric

        return PcaMetric(self.components, self.limit)


class Perceptual(LossSpec):
    """Distance of reconstructions from their data in the activations of a trained encoder. Zhang et al. 2018, eq. 1 (LPIPS).

    Activations are scaled to length 1 across channels at each position. Their squared differences are summed over channels and
    layers, and averaged over positions and batch. This is not LPIPS itself: all layers have the same weight, where LPIPS learns
    weights from people's judgements, and the encoder is that of a run, not of ImageNet. Of an encoder without Layered only the
    features are compared. It reads the output of the decoder, which is the mean of a likelihood. Latents are drawn if the
    encoder has a posterior.

    The weights of the encoder are taken from the run when training starts, averaged ones if there are any. They are part of the
    state of the loss and never move. The spec of the encoder is written into the experiment, so a trained run does not need the
    folder any more.

    In core/sum each term encodes and decodes for itself. In vqgan-digits, with three such terms and the critic's step, all
    passes after the first take 43 of the 74 ms of a step on one core.
    """

    type: Literal["metrics/perceptual"] = "metrics/perceptual"
    needs: ClassVar[Needs] = {"encoder": ()}

    features: RunPath = Field(description="a run whose condition encoder's activations are compared")
    network: EncoderSpec | None = Field(default=None, description="that encoder; as the run says if left out")
    reads: Real | None = Field(default=None, description="the space of what it reads; as the run says if left out")

    @model_validator(mode="before")
    @classmethod
    def _as_the_run_says(cls, value: Any) -> Any:
        """Fill in the encoder if its run is there; if not, ``accepts`` raises. A trained run has the encoder in its files."""
        if not isinstance(value, Mapping) or value.get("network") or not isinstance(value.get("features"), (str, Path)):
            return value
        try:
            network, space = condition_encoder(Path(value["features"]))
        except Mismatch:
            return value
        return {**value, "network": network, "reads": space}

    def accepts(self, spaces: Spaces) -> None:
        """Check that the encoder of the run reads such data."""
        data = require_real(spaces.data, self.type)
        with at("features"):
            if self.network is None or self.reads is None:
                condition_encoder(self.features)
                raise Mismatch(f"{self.features} was not there when this was read", "read it again")
            readable(self.features, self.reads, data)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Build the loss with its encoder."""
        from ..perceptual import PerceptualLoss

        if self.network is None or self.reads is None:
            raise Mismatch(f"{self.features} was not there when this was read", "read it again")
        network = self.network.build(self.network.spaces(self.reads))
        data = require_real(spaces.data, self.type)
        return PerceptualLoss(network, self.reads, data, partial(self.weights, data))

    def weights(self, data: Real) -> Mapping[str, Tensor]:
        """Return the weights of the run's encoder.

        :raises RunError: if the run is missing, does not read such data, or has another encoder.
        :raises CheckpointError: if it has no valid checkpoint.
        """
        from ..features import encoder_weights

        return encoder_weights(self.features, data, self.network)


class Reconstruction(MetricSpec):
    """Squared error of reconstructions, summed over the dimensions of an example, and its root mean square per dimension."""

    type: Literal["metrics/reconstruction"] = "metrics/reconstruction"

    limit: Limit = None

    def refusal(self, composition: Composition) -> str:
        """Refuse models without an encoder, and data that is classes."""
        if composition.spec.encoder is None:
            return "this model has no encoder, so nothing is reconstructed"
        if not isinstance(composition.data, Real):
            return f"the data is {composition.data}, and a squared difference of classes has no meaning"
        return ""

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Build the metric."""
        from ..reconstruction import ReconstructionMetric

        return ReconstructionMetric(self.limit)
