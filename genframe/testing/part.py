"""Building one component between given spaces: the only place in tests that calls a spec's ``build``."""

from __future__ import annotations

from typing import Final, overload

from ..roles.metric import Metric
from ..roles.parts import Decoder, Encoder, Loss, Prior, Sampler
from ..specs.base import ComponentSpec, with_article
from ..specs.metric import MetricSpec
from ..specs.parts import DecoderSpec, EncoderSpec, LossSpec, PriorSpec, SamplerSpec
from ..types.spaces import ContextSpace, Real, Space, Spaces
from .example import context_space

__all__ = ["part"]

ANYTHING: Final = Real((1,))  # for samplers and metrics that look at no space


@overload
def part(spec: EncoderSpec, *, data: Space, context: ContextSpace | Space | None = None) -> Encoder: ...


@overload
def part(
    spec: DecoderSpec,
    *,
    data: Space,
    latent: Space,
    context: ContextSpace | Space | None = None,
    encoder: Encoder | None = None,
) -> Decoder: ...


@overload
def part(
    spec: PriorSpec,
    *,
    code: Space,
    data: Space | None = None,
    context: ContextSpace | Space | None = None,
    encoder: Encoder | None = None,
) -> Prior: ...


@overload
def part(
    spec: LossSpec, *, data: Space, latent: Space, code: Space | None = None, context: ContextSpace | Space | None = None
) -> Loss: ...


@overload
def part(spec: SamplerSpec) -> Sampler: ...


@overload
def part(spec: MetricSpec) -> Metric: ...


def part(
    spec: ComponentSpec,
    *,
    data: Space | None = None,
    latent: Space | None = None,
    code: Space | None = None,
    context: ContextSpace | Space | None = None,
    encoder: Encoder | None = None,
) -> Encoder | Decoder | Prior | Loss | Sampler | Metric:
    """Return the component that ``spec`` describes, built between the given spaces.

    An encoder needs ``data``, since its latent and code follow from its spec. A decoder needs ``data`` and ``latent``, a prior
    needs ``code``, and ``data`` where its encoder's differs; a loss needs ``data`` and ``latent``. Samplers and metrics need no
    space.

    :param code: the space of the codes; for a loss it is ``latent`` unless given.
    :param context: the space of the encoded condition, if there is one.
    :param encoder: an encoder that is already built, for a decoder or a prior that is tied to it.
    :raises ValueError: where a space is missing, or a component of this kind cannot be built.
    """
    context = context_space(context)
    match spec:
        case EncoderSpec():
            return spec.build(spec.spaces(_given(spec, "data", data), context))
        case DecoderSpec():
            latent = _given(spec, "latent", latent)
            return spec.build(Spaces(_given(spec, "data", data), latent, code or latent, context), encoder)
        case PriorSpec():
            code = _given(spec, "code", code)
            return spec.build(Spaces(data or code, latent or code, code, context), encoder)
        case LossSpec():
            latent = _given(spec, "latent", latent)
            return spec.build(Spaces(_given(spec, "data", data), latent, code or latent, context))
        case SamplerSpec() | MetricSpec():
            data = data or ANYTHING
            return spec.build(Spaces(data, latent or data, code or latent or data, context))
    raise ValueError(f"{with_article(spec.kind)} is not a part; its spec is not built")


def _given(spec: ComponentSpec, name: str, space: Space | None) -> Space:
    if space is None:
        raise ValueError(f"to build the {spec.kind} {spec.type}, give the space '{name}'")
    return space
