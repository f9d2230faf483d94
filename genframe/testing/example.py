"""Examples: specs to test a component by, where its defaults cannot be built or are too large."""

from __future__ import annotations

from dataclasses import dataclass

from ..specs.base import ComponentSpec
from ..specs.parts import EncoderSpec, ModelSpec
from ..types.spaces import ContextSpace, Space

__all__ = ["Example", "context_space"]


def context_space(context: ContextSpace | Space | None) -> ContextSpace | None:
    """Return the context that a space of encoded conditions makes."""
    return context if context is None or isinstance(context, ContextSpace) else ContextSpace.of(context)


@dataclass(frozen=True)
class Example:
    """A spec, and where to try it; the kit finds what is left out.

    ``data``: the data's space. ``latent``: the space that a decoder reads, or the code that a prior models.
    ``context``: what the condition is encoded to, or the space of the encoded condition.
    ``encoder``: the encoder that a tied part refers to.
    ``model``: the model around a loss, sampler or metric; its own loss or sampler is replaced by ``spec``.
    """

    spec: ComponentSpec
    data: Space | None = None
    latent: Space | None = None
    context: ContextSpace | Space | None = None
    encoder: EncoderSpec | None = None
    model: ModelSpec | None = None
