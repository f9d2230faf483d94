"""A decoder that shares its encoder's weights, transposed."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genframe import ContextSpace, DecoderNetwork, Real, Unsupported, into_space, vector_dims

from .initialisation import initialised
from .inputs import flat, flat_context, shaped
from .traits import Transposable

__all__ = ["TransposedDecoder"]


class TransposedDecoder(DecoderNetwork):
    """x = W1ᵀ f(W2ᵀ ... f(Wnᵀ z + bn) ...) + b1, with the encoder's weights W and biases b of its own. Vincent et al. 2010.

    :param encoder: the encoder whose weights are used, and trained with it; it is not registered as a submodule.
    :param context: the space of the context; a linear map of its vector is added to the first layer.
    :raises Unsupported: if the encoder does not map ``data`` to ``latent``.

    >>> _ = torch.manual_seed(0)
    >>> encoder = PerceptronEncoder(Real((64,)), hidden=(32,), dim=8)
    >>> decoder = TransposedDecoder(encoder, Real((8,)), Real((64,)))
    >>> decoder(encoder(torch.randn(5, 64))).shape
    torch.Size([5, 64])
    """

    def __init__(self, encoder: Transposable, latent: Real, data: Real, context: ContextSpace | None = None) -> None:
        super().__init__()
        self._encoder = (encoder,)  # in a tuple, so that torch does not register it a second time
        self.latent, self.data, self.context_dims = latent, data, vector_dims(context)
        weights = encoder.weights()[::-1]
        found = (weights[0].shape[0], weights[-1].shape[1])
        if found != (latent.dims, data.dims):
            raise Unsupported(
                f"a tied decoder runs its encoder backwards, from {found[0]} values to {found[1]}; "
                f"it was asked for {data} from {latent}"
            )
        self.biases = nn.ParameterList(torch.zeros(weight.shape[1]) for weight in weights)
        if self.context_dims:
            self.context = initialised(nn.Linear(self.context_dims, weights[0].shape[1], bias=False), before=None)

    def forward(self, latent: Tensor, context: Tensor | None = None) -> Tensor:
        """Return data: (B, latent), (B, context) -> (B, data)."""
        encoder = self._encoder[0]
        first, *others = encoder.weights()[::-1]
        x = F.linear(flat(latent, self.latent), first.t(), self.biases[0])
        if self.context_dims:
            x = x + self.context(flat_context(context, self.context_dims))
        for weight, bias in zip(others, list(self.biases)[1:], strict=True):
            x = F.linear(encoder.activate(x), weight.t(), bias)
        return into_space(shaped(x, self.data), self.data)
