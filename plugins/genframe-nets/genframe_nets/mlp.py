"""The multilayer perceptron as encoder and decoder."""

from __future__ import annotations

from typing import Final

from torch import Tensor, nn

from genframe import (
    Context,
    ContextSpace,
    DecoderNetwork,
    EncoderNetwork,
    Real,
    into_space,
    vector_dims,
    vector_of,
)

from .activations import Activation, activation
from .film import FiLM
from .initialisation import initialised, zeroed
from .inputs import flat, shaped, with_context
from .specs.mlp import MLP, MLPDecoder
from .time_embedding import TimeEmbedding

__all__ = ["PerceptronDecoder", "PerceptronEncoder", "TimedPerceptronDecoder"]

TIME_DIMS: Final = 128


class PerceptronEncoder(EncoderNetwork):
    """Flattened data through linear layers; the weights may be run backwards by a tied decoder."""

    def __init__(self, spec: MLP, data: Real, context: ContextSpace | None) -> None:
        super().__init__()
        self.data, self.context_dims = data, vector_dims(context)
        self.layers = _layers(spec, data.dims + self.context_dims, spec.dim)
        self.activation = activation(spec.activation)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Return features: (B, data) -> (B, D)."""
        encoded: Tensor = self.layers(with_context(flat(x, self.data), context, self.context_dims))
        return encoded

    def activations(self, x: Tensor, context: Context | None = None) -> list[Tensor]:
        """Return what each linear layer gives, activated where it is hidden: (B, data) -> (B, units) each."""
        x, found = with_context(flat(x, self.data), vector_of(context), self.context_dims), []
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                found.append(x)
            x = layer(x)
        return [*found[1:], x]

    def weights(self) -> list[Tensor]:
        """Return the linear layers' weights, (out, in) each, the first without the context's columns."""
        first, *others = [layer.weight for layer in self.layers if isinstance(layer, nn.Linear)]
        return [first[:, : self.data.dims], *others]

    def activate(self, x: Tensor) -> Tensor:
        """Return the activation of ``x``."""
        activated: Tensor = self.activation(x)
        return activated


class PerceptronDecoder(DecoderNetwork):
    """Flattened latents through linear layers to the data's shape and bounds."""

    time_dims = 0

    def __init__(self, spec: MLPDecoder, latent: Real, data: Real, context: ContextSpace | None) -> None:
        super().__init__()
        self.latent, self.data, self.context_dims = latent, data, vector_dims(context)
        self.layers = _layers(spec, latent.dims + self.context_dims, data.dims, self.time_dims)
        if spec.zero:
            zeroed(self.layers[-1])

    def forward(self, latent: Tensor, context: Tensor | None = None) -> Tensor:
        """Return data: (B, latent) -> (B, data)."""
        x: Tensor = self.layers(with_context(flat(latent, self.latent), context, self.context_dims))
        return into_space(shaped(x, self.data), self.data)


class TimedPerceptronDecoder(PerceptronDecoder):
    """The same, with a time that scales and shifts the units of each hidden layer before its activation."""

    time_dims = TIME_DIMS

    def __init__(self, spec: MLPDecoder, latent: Real, data: Real, context: ContextSpace | None) -> None:
        super().__init__(spec, latent, data, context)
        self.embedding = TimeEmbedding(self.time_dims, spec.activation)

    def forward(self, latent: Tensor, context: Tensor | None = None, *, time: Tensor | None = None) -> Tensor:
        """Return data at ``time``, which is 0 unless given: (B, latent), (B,) -> (B, data)."""
        embedding = self.embedding(latent.new_zeros(len(latent)) if time is None else time, None)
        x = with_context(flat(latent, self.latent), context, self.context_dims)
        for layer in self.layers:
            x = layer(x, embedding) if isinstance(layer, FiLM) else layer(x)
        return into_space(shaped(x, self.data), self.data)


def _layers(spec: MLP | MLPDecoder, inputs: int, outputs: int | None, time_dims: int = 0) -> nn.Sequential:
    """Return the hidden layers, and a last linear one where there are ``outputs``, with FiLM where there is a time."""
    layers: list[nn.Module] = []
    before: Activation | None = None
    for size in spec.hidden:
        bias = spec.norm != "batch"  # batch normalisation would take it away again
        layers.append(initialised(nn.Linear(inputs, size, bias=bias), before))
        if spec.norm != "none":
            layers.append(nn.LayerNorm(size) if spec.norm == "layer" else nn.BatchNorm1d(size))
        if time_dims:
            layers.append(FiLM(time_dims, size))
        layers.append(activation(spec.activation, inplace=True))
        if spec.dropout:
            layers.append(nn.Dropout(spec.dropout))
        inputs, before = size, spec.activation
    if outputs is not None:
        layers.append(initialised(nn.Linear(inputs, outputs), before))
    return nn.Sequential(*layers)
