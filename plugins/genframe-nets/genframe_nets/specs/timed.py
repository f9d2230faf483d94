"""What the specs of networks that read a time on a grid share: equal axes, and what a context may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from genframe import ContextSpace, DecoderSpec, Mismatch, Real, Space, require_real, traits
from genframe.spaces import format_shape
from genframe.traits import Conditional, ReadsSequence, TimeConditioned, TraitSet

from .output import require_real_data

__all__ = ["ContextSizes", "TimedDecoder", "context_sizes"]

ANY_SHAPE: Final = "use {type: nets/mlp, time: true}, which takes any shape"


@dataclass(frozen=True)
class ContextSizes:
    """The size of a context that is a vector, or of each of its tokens; zero for what it is not."""

    vector: int = 0
    tokens: int = 0


def context_sizes(context: ContextSpace | None) -> ContextSizes:
    """Return the size of the context's vector and of each token of its sequence."""
    if context is None:
        return ContextSizes()
    vector, sequence = context.vector, context.sequence
    return ContextSizes(vector.dims if vector is not None else 0, sequence.shape[1] if sequence is not None else 0)


class TimedDecoder(DecoderSpec):
    """A network from a latent and a time to data on the latent's own grid of one to three spatial axes."""

    provides: ClassVar[TraitSet] = traits(Conditional, ReadsSequence, TimeConditioned)

    def accepts(self, latent: Space, data: Space, context: ContextSpace | None = None) -> None:
        """Accept latents and data of the same spatial axes, with any number of channels each, and a vector or tokens."""
        self.on_one_grid(latent, data)

    def on_one_grid(self, latent: Space, data: Space) -> tuple[Real, Real]:
        """Return both spaces.

        :raises Mismatch: if they are not real values with the same one to three spatial axes.
        """
        latent, data = require_real(latent, self.type), require_real_data(data, self.type)
        axes = data.shape[1:]
        if not 1 <= len(axes) <= 3:
            raise Mismatch(f"{self.type} needs channels and 1 to 3 spatial axes, found {data}", ANY_SHAPE)
        if latent.shape[1:] != axes:
            raise Mismatch(
                f"{self.type} keeps the grid: for data of {format_shape(axes)} it reads features of {format_shape(axes)}, "
                f"found {latent}",
                ANY_SHAPE,
            )
        return latent, data
