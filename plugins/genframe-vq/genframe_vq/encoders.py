"""The encoder round a network: a projection, then a quantiser at every position of the features' grid."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

import torch
from torch import Tensor

from genframe import Categorical, Context, ContextSpace, DataError, Encoder, Real, Space, ask, projection
from genframe.execution import full_precision

from .quantisers import Quantiser
from .traits import Quantisation

if TYPE_CHECKING:
    from .specs import QuantiserSpec

__all__ = ["QuantisedEncoder"]

DATA_AT_ONCE: Final = 256
ENOUGH_ROWS: Final = 200_000
OUTSIDE: Final = 1e-3  # of a unit, by which rounding may leave the bounds


class QuantisedEncoder(Encoder):
    """Latents are the quantiser's vectors (B, dim, grid), codes its indices (B, grid) or (B, codebooks, grid).

    Encoding is a function; what learns by averages moves in :meth:`quantised` only, in training mode. Distances are
    computed in single precision, under autocast as well. Data beyond their bounds and indices beyond the codebook are refused
    on the CPU; on a GPU a look at values would stop it at each step.
    """

    def __init__(self, spec: QuantiserSpec, quantiser: Quantiser, data: Space, context: ContextSpace | None) -> None:
        super().__init__()
        features = cast(Real, spec.network.latent_space(data))
        self.data, self.code_space = data, cast(Categorical, spec.code_space(data))
        self.network = spec.network.build(spec.network.spaces(data, context))
        self.head = projection(features, spec.channels)
        self.quantiser = quantiser
        self.several = spec.codebooks > 1

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return the vectors of the codes of data: (B, data) -> (B, latent)."""
        return self._quantised(self._features(x, context)).latent

    def quantised(self, x: Tensor, context: Context | None = None) -> Quantisation:
        """Return data quantised with what that adds to a loss; codebooks learn in training mode."""
        features = self._features(x, context)
        result = self._quantised(features)
        if self.training:
            with full_precision(x):
                self.quantiser.learn(rows_of(features.detach()), self._columns(result.indices))
        return result

    def codes(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return the indices of data: (B, data) -> (B, code); those of :meth:`code`, which has to search for them."""
        return self._quantised(self._features(x, context)).indices

    def quantize(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """Return the vectors nearest to latents, and their indices."""
        result = self._quantised(latent)
        return result.latent, result.indices

    def code(self, latent: Tensor) -> Tensor:
        """Return the indices of which latents are the vectors: (B, latent) -> (B, code); with layers, see Residual.search."""
        return self._on_grid(self.quantiser.search(rows_of(latent)), latent)

    def latent(self, code: Tensor) -> Tensor:
        """Return the vectors of indices: (B, code) -> (B, latent).

        :raises DataError: on the CPU, where an index is not of the codebook.
        """
        refuse_outside(code, 0, self.code_space.size - 1, self.code_space, "draw codes from a prior that was trained with it")
        vectors = self.quantiser.vectors(self._columns(code))
        grid = code.shape[2:] if self.several else code.shape[1:]
        return grid_of(vectors, (len(code), *grid))

    def initialise(self, x: Tensor, context: Context | None = None) -> None:
        """Let the codebooks start from k-means over the features of data, or of as many data drawn at random as it takes."""
        rows: list[Tensor] = []
        for some in torch.randperm(len(x), device=x.device).split(DATA_AT_ONCE):
            rows.append(rows_of(self._features(x[some], None if context is None else context[some])))
            if sum(map(len, rows)) >= ENOUGH_ROWS:
                break
        self.quantiser.initialise(torch.cat(rows))

    def _features(self, x: Tensor, context: Context | None) -> Tensor:
        """Return the projected features: (B, data) -> (B, latent).

        :raises DataError: on the CPU, where a value is beyond the data's bounds.
        """
        if isinstance(self.data, Real) and self.data.low is not None and self.data.high is not None:
            refuse_outside(x, self.data.low, self.data.high, self.data, "prepare them as the model's data were")
        return cast(Tensor, self.head(ask(self.network, x, context)))

    def _quantised(self, features: Tensor) -> Quantisation:
        with full_precision(features):
            result: Quantisation = self.quantiser(rows_of(features))
        latent = grid_of(result.latent, (len(features), *features.shape[2:]))
        return replace(result, latent=latent, indices=self._on_grid(result.indices, features))

    def _on_grid(self, indices: Tensor, latent: Tensor) -> Tensor:
        """Return indices as codes: (N, codebooks) -> (B, code)."""
        codes = grid_of(indices, (len(latent), *latent.shape[2:]))  # (B, codebooks, grid)
        return codes if self.several else codes.squeeze(1)

    def _columns(self, code: Tensor) -> Tensor:
        """Return codes as indices: (B, code) -> (N, codebooks)."""
        return rows_of(code if self.several else code.unsqueeze(1))


def refuse_outside(values: Tensor, low: float, high: float, space: Space, mend: str) -> None:
    """Refuse values that are not between ``low`` and ``high``, on the CPU.

    :raises DataError: if there are any.
    """
    if values.device.type != "cpu" or torch.compiler.is_compiling() or not values.numel():
        return
    least, most = values.detach().aminmax()
    if not bool((least >= low - OUTSIDE) & (most <= high + OUTSIDE)):
        raise DataError(f"expected values of {space}, found {values.dtype} from {least.item():g} to {most.item():g}; {mend}")


def rows_of(grid: Tensor) -> Tensor:
    """Return the channels of each position: (B, D, grid) -> (N, D); floats in single precision at least."""
    rows = grid.flatten(2).transpose(1, 2).flatten(0, 1) if grid.dim() > 2 else grid
    return rows.float() if rows.dtype in (torch.bfloat16, torch.float16) else rows


def grid_of(rows: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return rows on a grid, channels first: (N, D), the batch and the grid -> (B, D, grid)."""
    return rows.reshape(*shape, rows.shape[1]).movedim(-1, 1).contiguous()
