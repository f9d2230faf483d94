"""Spec of the learned embedding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt

from genframe import Categorical, EncoderSpec, Mismatch, Real, Space, Spaces

if TYPE_CHECKING:
    from genframe import Encoder

__all__ = ["Embedding"]


class Embedding(EncoderSpec):
    """A learned vector for each class, as a condition's encoder. Bengio et al. 2003, section 2.

    Vectors start as N(0, I).
    """

    type: Literal["nets/embedding"] = "nets/embedding"

    dim: PositiveInt = Field(default=64, description="size of each class's vector")

    def latent_space(self, data: Space) -> Space:
        """Return one more axis, of ``dim``; a single class gives a vector."""
        return Real((*self._classes(data).shape, self.dim))

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make the encoder; it reads no context."""
        from ..embedding import EmbeddingTable

        return EmbeddingTable(self, self._classes(spaces.data))

    def _classes(self, data: Space) -> Categorical:
        if not isinstance(data, Categorical):
            raise Mismatch(
                f"{self.type} needs classes, found {data}", "for real values use nets/mlp, or core/identity as they are"
            )
        return data
