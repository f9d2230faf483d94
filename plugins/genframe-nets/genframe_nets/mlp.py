"""The multilayer perceptron as encoder and decoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final, Literal

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

from .activations import Activation
from .activations import activation as named
from .film import FiLM
from .initialisation import initialised, zeroed
from .inputs import flat, shaped, with_context
from .time_embedding import TimeEmbedding

__all__ = ["PerceptronDecoder", "PerceptronEncoder", "TimedPerceptronDecoder"]

TIME_DIMS: Final = 128


class PerceptronEncoder(EncoderNetwork):
    """Flattened data through linear layers; a tied decoder may run the weights backwards. Rumelhart et al. 1986.

    :param data: the space of the data, of any shape.
    :param context: the space of the context; its vector is concatenated to the data.
    :param hidden: units of each hidden layer.
    :param dim: size of a last linear layer without activation; ``None`` leaves the last hidden features.
    :param norm: normalisation before each activation.
    :param dropout: probability of dropping a hidden unit in training.

    >>> _ = torch.manual_seed(0)
    >>> encoder = PerceptronEncoder(Real((64,)), hidden=(32,), dim=8)
    >>> encoder(torch.randn(5, 64)).shape
    torch.Size([5, 8])
    """

    def __init__(
        self,
        data: Real,
        context: ContextSpace | None = None,
        *,
        hidden: Sequence[int] = (256, 256),
        activation: Activation = "silu",
        dim: int | None = None,
        norm: Literal["none", "layer", "batch"] = "none",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.data, self.context_dims = data, vector_dims(context)
        self.layers = _layers(data.dims + self.context_dims, hidden, dim, activation, norm, dropout)
        self.activation = named(activation)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Return features: (B, data), (B, context) -> (B, D)."""
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
    """Flattened latents through linear layers to the data's shape; a sigmoid maps into the bounds of bounded data.

    :param latent: the space of the latents, of any shape.
    :param data: the space of the data, of any shape.
    :param context: the space of the context; its vector is concatenated to the latent.
    :param hidden: units of each hidden layer.
    :param norm: normalisation before each activation.
    :param dropout: probability of dropping a hidden unit in training.
    :param zero: start the last layer at zero.

    >>> _ = torch.manual_seed(0)
    >>> decoder = PerceptronDecoder(Real((8,)), Real((1, 6, 6), 0.0, 1.0), ContextSpace(Real((3,))), hidden=(32,))
    >>> decoder(torch.randn(5, 8), torch.randn(5, 3)).shape
    torch.Size([5, 1, 6, 6])
    """

    time_dims: ClassVar[int] = 0

    def __init__(
        self,
        latent: Real,
        data: Real,
        context: ContextSpace | None = None,
        *,
        hidden: Sequence[int] = (256, 256),
        activation: Activation = "silu",
        norm: Literal["none", "layer", "batch"] = "none",
        dropout: float = 0.0,
        zero: bool = False,
    ) -> None:
        super().__init__()
        self.latent, self.data, self.context_dims = latent, data, vector_dims(context)
        inputs = latent.dims + self.context_dims
        self.layers = _layers(inputs, hidden, data.dims, activation, norm, dropout, self.time_dims)
        if zero:
            zeroed(self.layers[-1])
        if self.time_dims:
            self.embedding = TimeEmbedding(self.time_dims, activation)

    def forward(self, latent: Tensor, context: Tensor | None = None) -> Tensor:
        """Return data: (B, latent), (B, context) -> (B, data)."""
        x: Tensor = self.layers(with_context(flat(latent, self.latent), context, self.context_dims))
        return into_space(shaped(x, self.data), self.data)


class TimedPerceptronDecoder(PerceptronDecoder):
    """A :class:`PerceptronDecoder` that reads a time, which scales and shifts the hidden units before each activation.

    Its arguments are the same; FiLM is by Perez et al. 2018.

    >>> _ = torch.manual_seed(0)
    >>> decoder = TimedPerceptronDecoder(Real((2,)), Real((2,)), hidden=(32,))
    >>> decoder(torch.randn(5, 2), time=torch.full((5,), 0.5)).shape
    torch.Size([5, 2])
    """

    time_dims = TIME_DIMS

    def forward(self, latent: Tensor, context: Tensor | None = None, *, time: Tensor | None = None) -> Tensor:
        """Return data at ``time``, which is 0 unless given: (B, latent), (B, context), (B,) -> (B, data)."""
        embedding = self.embedding(latent.new_zeros(len(latent)) if time is None else time, None)
        x = with_context(flat(latent, self.latent), context, self.context_dims)
        for layer in self.layers:
            x = layer(x, embedding) if isinstance(layer, FiLM) else layer(x)
        return into_space(shaped(x, self.data), self.data)


def _layers(
    inputs: int,
    hidden: Sequence[int],
    outputs: int | None,
    activation: Activation,
    norm: Literal["none", "layer", "batch"],
    dropout: float,
    time_dims: int = 0,
) -> nn.Sequential:
    """Return the hidden layers, and a last linear one where there are ``outputs``, with FiLM where there is a time."""
    layers: list[nn.Module] = []
    before: Activation | None = None
    for size in hidden:
        layers.append(initialised(nn.Linear(inputs, size, bias=norm != "batch"), before))  # its normalisation has a bias
        if norm != "none":
            layers.append(nn.LayerNorm(size) if norm == "layer" else nn.BatchNorm1d(size))
        if time_dims:
            layers.append(FiLM(time_dims, size))
        layers.append(named(activation, inplace=True))
        if dropout:
            layers.append(nn.Dropout(dropout))
        inputs, before = size, activation
    if outputs is not None:
        layers.append(initialised(nn.Linear(inputs, outputs), before))
    return nn.Sequential(*layers)
