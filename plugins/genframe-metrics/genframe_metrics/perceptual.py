"""The distance of reconstructions from data in the activations of a trained encoder."""

from __future__ import annotations

from typing import Final, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genframe import Batch, CheckpointError, Encoder, EncoderSpec, Loss, LossOutput, Model, Real, RunError, drawn_latent
from genframe.data import into
from genframe.execution import full_precision
from genframe.traits import Layered

from .features import reader
from .specs import Perceptual

__all__ = ["PerceptualLoss"]

LEAST_NORM: Final = 1e-6


class FrozenEncoder(nn.Module):
    """An encoder whose weights are buffers, so that they are saved and never trained; always in evaluation mode."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        for module in encoder.modules():
            for name, parameter in list(module.named_parameters(recurse=False)):
                delattr(module, name)
                module.register_buffer(name, parameter.detach())
        self.train()

    def train(self, mode: bool = True) -> FrozenEncoder:
        """Stay in evaluation mode."""
        super().train(False)
        return self

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the activations of each layer, or the features where the encoder does not tell them: (B, C, ...) each."""
        return self.encoder.activations(x) if isinstance(self.encoder, Layered) else [self.encoder.encode(x)]


class PerceptualLoss(Loss):
    """Squared differences of unit activations, summed over channels and layers, averaged over positions."""

    def __init__(self, spec: Perceptual, data: Real) -> None:
        super().__init__()
        self.spec, self.data, self.space = spec, data, cast(Real, spec.reads)
        self.network = FrozenEncoder(cast(EncoderSpec, spec.network).build(cast(EncoderSpec, spec.network).spaces(self.space)))
        self.without_weights = f"{spec.features} has given no weights yet"
        self.register_load_state_dict_post_hook(lambda module, keys: setattr(module, "without_weights", ""))  # type: ignore[no-untyped-call]

    def begin(self, model: Model) -> None:
        """Take the weights of the run's encoder, if it is there; a checkpoint may bring them as well."""
        if model.device.type == "meta":  # tensors without values, whose sizes alone are wanted
            self.without_weights = ""
            return
        try:
            run = reader(self.spec.features, self.data, torch.device("cpu"))
            if run.model.composition.spec.condition != self.spec.network:
                raise RunError(f"{self.spec.features} has another encoder than 'network' says; leave network and reads out")
            self.network.encoder.load_state_dict(cast(Encoder, run.model.condition).state_dict())
        except (RunError, CheckpointError) as error:
            self.without_weights = self.without_weights and str(error)
        else:
            self.without_weights = ""

    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return the distance, averaged over the batch.

        :raises RunError: if neither the run nor a checkpoint has given the encoder its weights.
        """
        if self.without_weights:
            raise RunError(self.without_weights)
        context = model.context(batch.condition)
        latent = drawn_latent(cast(Encoder, model.encoder), batch.x, context)
        distance = self.distance(model.decoder.decode(latent, context), batch.x)
        return LossOutput(distance, {"perceptual": distance.detach()})

    def distance(self, x: Tensor, target: Tensor) -> Tensor:
        """Return the mean distance of data from others, to which no gradient goes: (B, data), (B, data) -> ()."""
        with torch.no_grad():
            others = self.network(into(self.space, target, self.data))
        own = self.network(into(self.space, x, self.data))
        with full_precision(x):
            return torch.stack([_distance(*layer) for layer in zip(own, others, strict=True)]).sum()


def _distance(one: Tensor, other: Tensor) -> Tensor:
    """Return the mean over batch and positions of the squared difference of directions: (B, C, ...), (B, C, ...) -> ()."""
    difference = F.normalize(one.float(), dim=1, eps=LEAST_NORM) - F.normalize(other.float(), dim=1, eps=LEAST_NORM)
    return difference.square().sum(1).mean()
