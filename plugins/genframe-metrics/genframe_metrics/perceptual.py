"""The distance of reconstructions from data in the activations of a trained encoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genframe import (
    Batch,
    CheckpointError,
    Loss,
    LossOutput,
    Model,
    Real,
    RunError,
    Unsupported,
    ask,
    drawn_latent,
)
from genframe.roles import full_precision, into
from genframe.types import Layered

__all__ = ["FrozenEncoder", "PerceptualLoss"]

LEAST_NORM: Final = 1e-6


class FrozenEncoder(nn.Module):
    """A network whose weights are buffers, so that they are saved and never trained; always in evaluation mode.

    >>> frozen = FrozenEncoder(nn.Linear(3, 4))
    >>> [*frozen.parameters()], [each.shape for each in frozen(torch.ones(2, 3))]
    ([], [torch.Size([2, 4])])
    """

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self._layers = encoder.activations if isinstance(encoder, Layered) else self._features
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
        """Return the activations of each layer, or the output of a network without Layered: (B, C, ...) each."""
        return self._layers(x)

    def _features(self, x: Tensor) -> list[Tensor]:
        return [ask(self.encoder, x)]


class PerceptualLoss(Loss):
    """Squared differences of unit activations, summed over channels and layers, averaged over positions.

    :param network: whose activations are compared; an encoder with Layered, or any module, of which the output is compared.
        Its weights do not move.
    :param reads: the space of what the network reads.
    :param data: the space of the model's data.
    :param weights: gives the weights of the network when training starts; without it the network keeps its own.

    Source: Zhang et al. 2018, eq. 1, without its fitted weights.

    >>> image = Real((3, 8, 8), 0, 1)
    >>> loss = PerceptualLoss(nn.Conv2d(3, 16, 3), reads=image, data=image)
    >>> x, other = torch.rand(2, 5, 3, 8, 8)
    >>> float(loss.distance(x, x)), bool(loss.distance(x, other) > 0)
    (0.0, True)
    """

    def __init__(
        self, network: nn.Module, reads: Real, data: Real, weights: Callable[[], Mapping[str, Tensor]] | None = None
    ) -> None:
        super().__init__()
        self.data, self.space, self.weights = data, reads, weights
        self.network = FrozenEncoder(network)
        self.without_weights = "" if weights is None else "the network of the perceptual loss has no weights yet"
        self.register_load_state_dict_post_hook(lambda module, keys: setattr(module, "without_weights", ""))  # type: ignore[no-untyped-call]

    def begin(self, model: Model) -> None:
        """Take the weights that ``weights`` gives, if it can; a checkpoint may bring them instead."""
        if self.weights is None or model.device.type == "meta":  # a model on meta has no values; only its sizes are read
            self.without_weights = ""
            return
        try:
            self.network.encoder.load_state_dict(self.weights())
        except (RunError, CheckpointError) as error:
            self.without_weights = self.without_weights and str(error)
        else:
            self.without_weights = ""

    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return the distance of reconstructions from the batch, averaged over it.

        :raises RunError: if the network has no weights: neither ``weights`` nor a checkpoint gave them.
        :raises Unsupported: if the model has no encoder.
        """
        if self.without_weights:
            raise RunError(self.without_weights)
        if model.encoder is None:
            raise Unsupported("a perceptual loss compares reconstructions, and this model has no encoder")
        context = model.context(batch.condition)
        latent = drawn_latent(model.encoder, batch.x, context)
        distance = self.distance(model.decoder.decode(latent, context), batch.x)
        return LossOutput(distance, {"perceptual": distance.detach()})

    def distance(self, x: Tensor, target: Tensor) -> Tensor:
        """Return the mean distance of ``x`` from ``target``, which gets no gradient: (B, data), (B, data) -> ()."""
        with torch.no_grad():
            others = self.network(into(self.space, target, self.data))
        own = self.network(into(self.space, x, self.data))
        with full_precision(x):
            return torch.stack([_distance(*layer) for layer in zip(own, others, strict=True)]).sum()


def _distance(one: Tensor, other: Tensor) -> Tensor:
    """Return the mean over batch and positions of the squared difference of directions: (B, C, ...), (B, C, ...) -> ()."""
    difference = F.normalize(one.float(), dim=1, eps=LEAST_NORM) - F.normalize(other.float(), dim=1, eps=LEAST_NORM)
    return difference.square().sum(1).mean()
