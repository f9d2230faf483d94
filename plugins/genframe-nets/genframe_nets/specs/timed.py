"""What the specs of networks that read a time on a grid share: equal axes, and what a context may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from genframe import DecoderSpec, Mismatch, Real, Space, require_real, traits
from genframe.spaces import format_shape
from genframe.traits import Conditional, TimeConditioned, TraitSet

from .output import require_real_data

__all__ = ["ContextSizes", "TimedDecoder", "context_sizes"]

ANY_SHAPE: Final = "use {type: nets/mlp, time: true}, which takes any shape"


@dataclass(frozen=True)
class ContextSizes:
    """The size of a context that is a vector, or of each of its tokens; zero for what it is not."""

    vector: int = 0
    tokens: int = 0


def context_sizes(context: Space | None, who: str) -> ContextSizes:
    """Return what ``context`` is to the network ``who``: a vector (D) or one value, tokens (L, D), or nothing.

    :raises Mismatch: if it has more axes, or is of classes.
    """
    if context is None:
        return ContextSizes()
    context = require_real(context, "a network's context")
    if len(context.shape) > 2:
        raise Mismatch(
            f"{who} reads a context that is a vector or tokens (L, D), found {context}",
            "make it a vector: set 'dim' in the condition's encoder",
        )
    return ContextSizes(tokens=context.shape[1]) if len(context.shape) == 2 else ContextSizes(vector=context.dims)


class TimedDecoder(DecoderSpec):
    """A network from a latent and a time to data on the latent's own grid of one to three spatial axes."""

    provides: ClassVar[TraitSet] = traits(Conditional, TimeConditioned)

    def accepts(self, latent: Space, data: Space, context: Space | None = None) -> None:
        """Accept latents and data of the same spatial axes, with any number of channels each, and a vector or tokens."""
        self.on_one_grid(latent, data)
        context_sizes(context, self.type)

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
