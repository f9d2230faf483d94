"""A decoder that shares its encoder's weights, transposed."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genframe import ContextSpace, DecoderNetwork, Encoder, Real, Unsupported, into_space, vector_dims

from .initialisation import initialised
from .inputs import flat, flat_context, shaped
from .traits import Transposable

__all__ = ["TransposedDecoder"]


class TransposedDecoder(DecoderNetwork):
    """x = W1ᵀ f(W2ᵀ ... f(Wnᵀ z + bn) ...) + b1: the weights W are the encoder's, the biases b are its own."""

    def __init__(self, latent: Real, data: Real, context: ContextSpace | None, encoder: Encoder | None) -> None:
        super().__init__()
        self._encoder = (_transposable(encoder),)  # in a tuple, so that torch does not register it a second time
        self.latent, self.data, self.context_dims = latent, data, vector_dims(context)
        weights = self._encoder[0].weights()[::-1]
        found = (weights[0].shape[0], weights[-1].shape[1])
        if found != (latent.dims, data.dims):
            raise Unsupported(
                f"nets/tied runs its encoder backwards, from {found[0]} values to {found[1]}; "
                f"it was asked for {data} from {latent}"
            )
        self.biases = nn.ParameterList(torch.zeros(weight.shape[1]) for weight in weights)
        if self.context_dims:
            self.context = initialised(nn.Linear(self.context_dims, weights[0].shape[1], bias=False), before=None)

    def forward(self, latent: Tensor, context: Tensor | None = None) -> Tensor:
        """Return data: (B, latent) -> (B, data)."""
        encoder = self._encoder[0]
        first, *others = encoder.weights()[::-1]
        x = F.linear(flat(latent, self.latent), first.t(), self.biases[0])
        if self.context_dims:
            x = x + self.context(flat_context(context, self.context_dims))
        for weight, bias in zip(others, list(self.biases)[1:], strict=True):
            x = F.linear(encoder.activate(x), weight.t(), bias)
        return into_space(shaped(x, self.data), self.data)


def _transposable(encoder: object) -> Transposable:
    if not isinstance(encoder, Transposable):
        raise Unsupported("nets/tied needs an encoder with Transposable, such as nets/mlp")
    return encoder
