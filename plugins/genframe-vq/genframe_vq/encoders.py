"""The encoder round a network: a projection, then a quantiser at every position of the features' grid."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import torch
from torch import Tensor, nn

from genframe import Categorical, Context, DataError, Encoder, Real, Space, ask, projection
from genframe.roles import full_precision

from .grids import grid_of, rows_of
from .quantisers import Quantiser
from .traits import Quantisation

__all__ = ["QuantisedEncoder"]

ROWS_AT_ONCE: Final = 256
ENOUGH_ROWS: Final = 200_000
OUTSIDE: Final = 1e-3  # of a unit, by which rounding may leave the bounds


class QuantisedEncoder(Encoder):
    """A network, a linear head and a quantiser. Latents are vectors (B, dim, grid), codes indices (B, grid).

    Codes are (B, columns, grid) where the quantiser has several indices for a position. Encoding is a function; what learns by
    moving averages is updated in :meth:`quantised` only, in training mode.

    :param network: reads data and gives ``features``: (B, data) -> (B, C, grid).
    :param data: the space of the data. If it is given, values outside its bounds are refused on the CPU, as indices outside the
        codebook always are; on a GPU a look at values would wait for it at every step.

    >>> import torch
    >>> from genframe_vq import VectorQuantiser
    >>> _ = torch.manual_seed(0)
    >>> network = torch.nn.Conv2d(1, 8, 4, stride=4)
    >>> encoder = QuantisedEncoder(network, VectorQuantiser(size=32, dim=4), features=Real((8, 7, 7)))
    >>> x = torch.rand(2, 1, 28, 28)
    >>> encoder(x).shape, encoder.codes(x).shape
    (torch.Size([2, 4, 7, 7]), torch.Size([2, 7, 7]))
    """

    def __init__(self, network: nn.Module, quantiser: Quantiser, *, features: Real, data: Space | None = None) -> None:
        super().__init__()
        columns = (quantiser.columns,) if quantiser.columns > 1 else ()
        self.data, self.code_space = data, Categorical((*columns, *features.shape[1:]), quantiser.size)
        self.network = network
        self.head = projection(features, quantiser.dim)
        self.quantiser = quantiser
        self.several = quantiser.columns > 1

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return the vectors of the codes of data: (B, data) -> (B, latent)."""
        return self._quantised(self._features(x, context)).latent

    def quantised(self, x: Tensor, context: Context | None = None) -> Quantisation:
        """Return data quantised, with the terms of the loss; codebooks learn in training mode."""
        features = self._features(x, context)
        result = self._quantised(features)
        if self.training:
            with full_precision(features):
                self.quantiser.learn(rows_of(features.detach()), self._columns(result.indices))
        return result

    def codes(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return the indices of data, (B, data) -> (B, code); exact, where :meth:`code` may have to search."""
        return self._quantised(self._features(x, context)).indices

    def quantize(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """Return the vectors nearest to latents (B, latent), and their indices (B, code)."""
        result = self._quantised(latent)
        return result.latent, result.indices

    def code(self, latent: Tensor) -> Tensor:
        """Return the indices whose vectors are given, (B, latent) -> (B, code); with layers, see Residual.search."""
        return self._on_grid(grid_of(self.quantiser.search(rows_of(latent)), (len(latent), *latent.shape[2:])))

    def latent(self, code: Tensor) -> Tensor:
        """Return the vectors of indices: (B, code) -> (B, latent).

        :raises DataError: on the CPU, where an index is not in the codebook.
        """
        refuse_outside(code, 0, self.code_space.size - 1, self.code_space, "draw codes from a prior that was trained with it")
        vectors = self.quantiser.vectors(self._columns(code))
        grid = code.shape[2:] if self.several else code.shape[1:]
        return grid_of(vectors, (len(code), *grid))

    def initialise(self, x: Tensor, context: Context | None = None) -> None:
        """Start the codebooks from k-means over features of data (N, data), of as many examples, at random, as that takes."""
        rows: list[Tensor] = []
        for some in torch.randperm(len(x), device=x.device).split(ROWS_AT_ONCE):
            rows.append(rows_of(self._features(x[some], None if context is None else context[some])))
            if sum(map(len, rows)) >= ENOUGH_ROWS:
                break
        self.quantiser.initialise(torch.cat(rows))

    def _features(self, x: Tensor, context: Context | None) -> Tensor:
        """Return the projected features: (B, data) -> (B, latent).

        :raises DataError: on the CPU, where a value is outside the bounds of the data.
        """
        if isinstance(self.data, Real) and self.data.low is not None and self.data.high is not None:
            refuse_outside(x, self.data.low, self.data.high, self.data, "prepare them as the model's data were")
        projected: Tensor = self.head(ask(self.network, x, context))
        return projected

    def _quantised(self, features: Tensor) -> Quantisation:
        result: Quantisation = self.quantiser(features)
        return replace(result, indices=self._on_grid(result.indices))

    def _on_grid(self, indices: Tensor) -> Tensor:
        """Return indices as codes: (B, columns, grid) -> (B, code)."""
        return indices if self.several else indices.squeeze(1)

    def _columns(self, code: Tensor) -> Tensor:
        """Return codes as rows of indices: (B, code) -> (N, columns)."""
        return rows_of(code if self.several else code.unsqueeze(1))


def refuse_outside(values: Tensor, low: float, high: float, space: Space, hint: str) -> None:
    """Refuse values that are not between ``low`` and ``high``, on the CPU.

    :raises DataError: if there are any.
    """
    if values.device.type != "cpu" or torch.compiler.is_compiling() or not values.numel():
        return
    least, most = values.detach().aminmax()
    if not bool((least >= low - OUTSIDE) & (most <= high + OUTSIDE)):
        raise DataError(f"expected values of {space}, found {values.dtype} from {least.item():g} to {most.item():g}; {hint}")
