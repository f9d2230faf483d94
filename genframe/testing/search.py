"""Finding settings: spaces that a part accepts, and small models around losses, samplers and metrics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import product
from typing import Any, Final, cast

from ..checking.flow import check
from ..checking.suggestions import as_it_comes
from ..core import Ancestral, Normal, OneHot
from ..plugins.discovery import installed
from ..specs.base import ComponentSpec, Kind
from ..specs.composition import Composition
from ..specs.metric import MetricSpec
from ..specs.parts import DecoderSpec, EncoderSpec, LossSpec, ModelSpec, PriorSpec, SamplerSpec
from ..types.errors import Mismatch, SpecError
from ..types.spaces import Categorical, ContextSpace, Space
from ..types.trait.base import Trait
from ..types.trait.parts import Conditional
from ..types.values import Role
from .drawing import CONTEXT, LATENTS, SPACES
from .example import Example, context_space
from .parts import DecoderSetting, EncoderSetting, PriorSetting
from .setting import ModelSetting, PartSetting

__all__ = ["defaults", "models", "part_settings"]

LABELS: Final = Categorical((), 3)


def defaults(kind: Kind, own: str) -> list[Any]:
    """Return the installed components of a kind that need no fields: those of the plugin ``own`` first, then core's."""
    specs = [as_it_comes(component) for component in installed().registry(kind)]
    made = [spec for spec in specs if spec is not None]
    return sorted(made, key=lambda spec: (namespace(spec) != own, namespace(spec) != "core"))


def namespace(spec: ComponentSpec) -> str:
    """Return the plugin's name in the spec's type."""
    return spec.type.partition("/")[0]


def part_settings(example: Example) -> Iterator[PartSetting]:
    """Yield the settings of an encoder, decoder or prior, with and without context where it is conditional."""
    for context in _contexts(example):
        match example.spec:
            case EncoderSpec():
                yield from _encoder_settings(example, example.spec, context)
            case DecoderSpec():
                yield from _decoder_settings(example, example.spec, context)
            case PriorSpec():
                yield from _prior_settings(example, example.spec, context)


def _contexts(example: Example) -> tuple[ContextSpace | None, ...]:
    if example.context is not None:
        return (context_space(example.context),)
    return (None, CONTEXT) if Conditional in example.spec.provides else (None,)


def _encoder_settings(example: Example, spec: EncoderSpec, context: ContextSpace | None) -> Iterator[EncoderSetting]:
    for data in _given(example.data, SPACES):
        if fits(spec.latent_space, data) and fits(spec.code_space, data):
            yield EncoderSetting(spec, context, data)


def _prior_settings(example: Example, spec: PriorSpec, context: ContextSpace | None) -> Iterator[PriorSetting]:
    tied: list[tuple[Space, Space, EncoderSpec | None]]
    if wanted(spec, "encoder") or example.encoder is not None:
        pairs = list(product(_given(example.data, SPACES), _companions(example, spec)))
        tied = [
            (encoder.code_space(data), data, encoder) for data, encoder in pairs if encoder and fits(encoder.code_space, data)
        ]
    else:
        tied = [(code, code, None) for code in _given(example.latent or spec.own_space(), SPACES)]
    for code, data, encoder in tied:
        if fits(spec.accepts, code):
            yield PriorSetting(spec, context, data, encoder, code)


def _decoder_settings(example: Example, spec: DecoderSpec, context: ContextSpace | None) -> Iterator[DecoderSetting]:
    """Yield pairs of spaces, each with a space that no pair before it had."""
    seen: set[Space] = set()
    for data, encoder in product(_given(example.data, SPACES), _companions(example, spec)):
        for latent in _latents(example, encoder, data):
            if not {data, latent} <= seen and fits(spec.accepts, latent, data):
                seen |= {data, latent}
                yield DecoderSetting(spec, context, data, encoder, latent)


def _companions(example: Example, spec: DecoderSpec | PriorSpec) -> list[EncoderSpec | None]:
    """Return the encoders that the part can be tied to; ``None`` where it needs none."""
    if example.encoder is not None:
        return [example.encoder]
    needed = wanted(spec, "encoder")
    if not needed:
        return [None]
    return [encoder for encoder in defaults("encoder", namespace(spec)) if needed <= encoder.provides]


def _latents(example: Example, encoder: EncoderSpec | None, data: Space) -> tuple[Space, ...]:
    if encoder is None:
        return _given(example.latent, (*LATENTS, data))
    return (encoder.latent_space(data),) if fits(encoder.latent_space, data) else ()


def _given(space: Space | None, otherwise: Sequence[Space]) -> tuple[Space, ...]:
    return (space,) if space is not None else tuple(otherwise)


def fits(function: Any, *spaces: Space) -> bool:
    """Return whether a spec's space function takes the spaces; how it refuses is another check's matter."""
    try:
        function(*spaces)
    except Exception:
        return False
    return True


def wanted(spec: ComponentSpec, role: Role) -> frozenset[Trait]:
    """Return the traits that ``spec`` needs of the part in ``role``."""
    needed = spec.needs.get(role, ())
    return frozenset(needed if isinstance(needed, tuple) else (needed,))


def models(example: Example) -> Iterator[ModelSetting]:
    """Yield small models around a loss, sampler or metric: one for each data space and kind of density.

    For each kind of density there is a conditional one as well, where a part reads a condition.
    """
    seen = set()
    for composition in _given_model(example) if example.model is not None else _compositions(example):
        for version in (composition, *_conditional(composition)):
            key = (version.density, version.data if version.condition is None else version.condition)
            if key not in seen:
                seen.add(key)
                yield ModelSetting(example.spec, version)


def _conditional(composition: Composition) -> Iterator[Composition]:
    """Yield the model with labels as its condition, if it can have them."""
    if composition.condition is None:
        model = composition.spec.model_copy(update={"condition": OneHot()})
        with suppress(SpecError):
            yield check(model, composition.data, LABELS)


def _given_model(example: Example) -> Iterator[Composition]:
    model, slot = cast(ModelSpec, example.model), example.spec.kind
    if not isinstance(example.spec, MetricSpec):
        model = model.model_copy(update={slot: example.spec})
    for data in _given(example.data, SPACES):
        with suppress(SpecError):
            yield check(model, data)


def _compositions(example: Example) -> Iterator[Composition]:
    """Yield a composition of defaults for each encoder; spaces and needs are matched part by part, so that few fail."""
    own = namespace(example.spec)
    losses = [example.spec] if isinstance(example.spec, LossSpec) else defaults("loss", own)
    sampler = example.spec if isinstance(example.spec, SamplerSpec) else None
    needed = {role: wanted(sampler, role) if sampler is not None else frozenset() for role in ("encoder", "decoder", "prior")}
    for data, loss in product(_given(example.data, SPACES), losses):
        needs = {role: needed[role] | wanted(loss, cast(Role, role)) for role in needed}
        done = set()
        for encoder, prior, decoder in _parts(own, data, needs):
            if encoder not in done:
                model = ModelSpec(encoder=encoder, decoder=decoder, prior=prior, loss=loss, sampler=sampler or Ancestral())
                with suppress(SpecError):
                    yield check(model, data)
                    done.add(encoder)


def _parts(own: str, data: Space, needs: dict[str, frozenset[Trait]]) -> Iterator[tuple[Any, Any, Any]]:
    encoders = [spec for spec in defaults("encoder", own) if needs["encoder"] <= spec.provides]
    priors = [spec for spec in defaults("prior", "core") if needs["prior"] <= spec.provides]
    decoders = [spec for spec in defaults("decoder", own) if needs["decoder"] <= spec.provides]
    without = [] if needs["encoder"] else [None]
    for encoder, prior in [*product(encoders, priors), *product(without, [Normal(shape=(6,)), *priors])]:
        latent = _latent(encoder, prior, data)
        if latent is not None:
            for decoder in decoders:
                if fits(decoder.accepts, latent, data):
                    yield encoder, prior, decoder


def _latent(encoder: EncoderSpec | None, prior: PriorSpec, data: Space) -> Space | None:
    """Return the latent space, or ``None`` where encoder and prior do not fit."""
    try:
        if encoder is None:
            return prior.own_space()
        prior.accepts(encoder.code_space(data))
        return encoder.latent_space(data)
    except Mismatch:
        return None
