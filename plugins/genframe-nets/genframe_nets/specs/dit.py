"""Spec of the diffusion transformer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt, model_validator

from genframe import Mismatch, Real, Space, Spaces

from .timed import TimedDecoder

if TYPE_CHECKING:
    from genframe import Decoder, Encoder

__all__ = ["DiT"]


class DiT(TimedDecoder):
    """A transformer over patches that reads a time. Peebles & Xie 2023, section 3.

    For latents and data on one grid of 1, 2 or 3 spatial axes, so that one network serves sequences, images and volumes or
    video. Each patch is a token, its place a fixed vector of sinusoids. The time, and a context that is a vector, enter by
    adaLN-zero: each block starts as the identity, the output as zero. A context of tokens (L, D) is read by cross-attention
    in each block, whatever the tokens' order (Chen et al. 2024, section 2.3). Bounded data come out of a sigmoid.
    """

    type: Literal["nets/dit"] = "nets/dit"

    patch: PositiveInt = Field(default=2, description="positions of a patch along each axis; divides them")
    dim: int = Field(default=128, ge=8, description="size of each token")
    depth: PositiveInt = Field(default=6, description="number of blocks")
    heads: PositiveInt = Field(default=4, description="heads of each attention, which share 'dim'")
    mlp_ratio: PositiveInt = Field(default=4, description="hidden size of each block's perceptron, in multiples of 'dim'")

    @model_validator(mode="after")
    def _heads_fit(self) -> DiT:
        if self.dim % self.heads:
            raise ValueError(f"a 'dim' of {self.dim} cannot be shared by {self.heads} heads")
        return self

    def on_one_grid(self, latent: Space, data: Space) -> tuple[Real, Real]:
        """Return both spaces.

        :raises Mismatch: if they are not real values with the same one to three spatial axes, which patches divide.
        """
        latent, data = super().on_one_grid(latent, data)
        shared = math.gcd(*data.shape[1:])
        if shared % self.patch:
            sizes = ", ".join(str(size) for size in range(1, shared + 1) if shared % size == 0)
            raise Mismatch(
                f"{self.type} cannot cut {data} into patches of {self.patch} along each axis",
                f"a 'patch' of {sizes} would fit" if shared > 1 else "only a 'patch' of 1 would fit",
            )
        return latent, data

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Decoder:
        """Make the decoder."""
        from ..dit import DiffusionTransformer

        return DiffusionTransformer(self, *self.on_one_grid(spaces.latent, spaces.data), spaces.context)
