"""Spec of the perceptual loss. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from genframe import EncoderSpec, LossSpec, Mismatch, Needs, Real, Spaces, at, require_real

from ..runs import condition_encoder, readable
from .fields import RunPath

if TYPE_CHECKING:
    from genframe import Encoder, Loss

__all__ = ["Perceptual"]


class Perceptual(LossSpec):
    """Distance of reconstructions from their data in the activations of a trained encoder. Zhang et al. 2018, eq. 1 (LPIPS).

    Activations are scaled to length 1 across channels at each position; their squared differences are summed over channels and
    layers, averaged over positions and batch. Layers have even weights, where LPIPS learns them from people's judgements, and
    the encoder is a run's own, not one of ImageNet: a distance by features, not LPIPS itself. An encoder without Layered
    is compared by its features alone. It reads what the decoder gives, the mean of a likelihood; latents are drawn where
    the encoder has a posterior.

    The encoder's weights are taken, averaged ones where there are any, when training begins. They are in the loss's state and
    never move, and its spec is written into the experiment; a run that was trained needs the folder no more.

    In core/sum each term encodes and decodes for itself: in vqgan-digits, where three terms do, and the critic's turn again,
    that takes 43 of a step's 74 ms on one core beyond the first pass.
    """

    type: Literal["metrics/perceptual"] = "metrics/perceptual"
    needs: ClassVar[Needs] = {"encoder": ()}

    features: RunPath = Field(description="a run whose condition encoder's activations are compared")
    network: EncoderSpec | None = Field(default=None, description="that encoder; as the run says if left out")
    reads: Real | None = Field(default=None, description="the space of what it reads; as the run says if left out")

    @model_validator(mode="before")
    @classmethod
    def _as_the_run_says(cls, value: Any) -> Any:
        """Fill in the encoder if its run is there; if not, ``accepts`` says so, for a run that was trained has it."""
        if not isinstance(value, Mapping) or value.get("network") or not isinstance(value.get("features"), (str, Path)):
            return value
        try:
            network, space = condition_encoder(Path(value["features"]))
        except Mismatch:
            return value
        return {**value, "network": network, "reads": space}

    def accepts(self, spaces: Spaces) -> None:
        """Accept data that the run's encoder reads."""
        data = require_real(spaces.data, self.type)
        with at("features"):
            if self.network is None or self.reads is None:
                condition_encoder(self.features)
                raise Mismatch(f"{self.features} was not there when this was read", "read it again")
            readable(self.features, self.reads, data)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make the loss with its encoder."""
        from ..perceptual import PerceptualLoss

        return PerceptualLoss(self, require_real(spaces.data, self.type))
