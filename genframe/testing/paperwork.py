"""Checks that need a spec only: documentation, round trips, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final, Literal, get_args, get_origin

from pydantic import TypeAdapter, ValidationError

from ..plugins.discovery import installed
from ..specs.base import ComponentSpec, Kind
from ..specs.dataset import DatasetSpec
from ..specs.metric import MetricSpec
from ..specs.parts import DecoderSpec, EncoderSpec, LossSpec, PriorSpec, SamplerSpec
from ..types.errors import Mismatch, SpecError
from ..types.spaces import Categorical, Real, Space, Spaces, format_shape
from .drawing import LATENTS, SPACES

__all__ = ["documented", "refusals", "round_trip"]

ROOTS: Final[dict[Kind, type[ComponentSpec]]] = {
    "encoder": EncoderSpec,
    "decoder": DecoderSpec,
    "prior": PriorSpec,
    "loss": LossSpec,
    "sampler": SamplerSpec,
    "dataset": DatasetSpec,
    "metric": MetricSpec,
}
ODD_SPACES: Final[tuple[Space, ...]] = (Real(()), Real((3, 5, 7, 2, 3)), Real((5, 3, 7)), Categorical((2, 3), 4))


def documented(component: type[ComponentSpec]) -> Iterator[str]:
    """Its docstring begins with a sentence, and every field has a description."""
    text = (component.__dict__.get("__doc__") or "").strip()
    if len(text.split()) < 3 or "." not in text:
        yield f"the docstring of {component.__name__} must begin with a sentence that says what it is, found {text!r}"
    for name, field in component.model_fields.items():
        if name != "type" and not (field.description or "").strip():
            yield f"the field {name!r} of {component.__name__} has no description"


def round_trip(spec: ComponentSpec) -> Iterator[str]:
    """What is written is read back as the same spec: with and without defaults, by class and by name, with any plain value."""
    for variant in [spec, *_variants(spec)]:
        component = type(variant)
        readers: dict[str, Callable[[Any], Any]] = {component.__name__: component.model_validate}
        if installed().plugin_of(component) is not None:
            readers[ROOTS[component.kind].__name__] = TypeAdapter(ROOTS[component.kind]).validate_python
        for short in (False, True):
            written = json.loads(json.dumps(variant.model_dump(mode="json", exclude_defaults=short)))
            for name, read in readers.items():
                yield from _compared(name, read, written, variant)


def _compared(name: str, read: Callable[[Any], Any], written: Any, spec: ComponentSpec) -> Iterator[str]:
    try:
        found = read(written)
    except (SpecError, ValidationError) as error:  # pydantic's own where a root is read as a field is
        yield f"{name} does not read what {spec!r} wrote, {written}: {error}"
        return
    if found != spec:
        yield f"{name} reads {written} as {found!r}, it was written by {spec!r}"


def _variants(spec: ComponentSpec) -> Iterator[ComponentSpec]:
    """Yield the spec with one plain field changed, for each value that the field accepts."""
    for name, field in type(spec).model_fields.items():
        for value in _others(field.annotation, getattr(spec, name)) if name != "type" else ():
            try:
                yield type(spec).model_validate({**dict(spec), name: value})
            except SpecError:
                continue


def _others(annotation: Any, value: Any) -> list[Any]:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, (int, float)):
        return [value + 1, value / 2]
    if get_origin(annotation) is Literal:
        return [other for other in get_args(annotation) if other != value]
    return []


def refusals(spec: ComponentSpec) -> Iterator[str]:
    """A space that does not fit is refused by a Mismatch that names it."""
    for call, spaces in _calls(spec):
        try:
            call(*spaces)
        except Mismatch as mismatch:
            if not any(name in str(mismatch) for space in spaces for name in _names(space)):
                found = " and ".join(map(str, spaces))
                yield f"{call.__name__} refuses {found} without naming what it found: {str(mismatch)!r}"
        except Exception as error:
            found = " and ".join(map(str, spaces))
            yield f"{call.__name__} must refuse {found} by a Mismatch, it raised {type(error).__name__}: {error}"


def _calls(spec: ComponentSpec) -> Iterator[tuple[Callable[..., Any], tuple[Space, ...]]]:
    spaces = (*SPACES, *ODD_SPACES)
    for space in spaces:
        match spec:
            case EncoderSpec():
                yield spec.latent_space, (space,)
                yield spec.code_space, (space,)
            case PriorSpec():
                yield spec.accepts, (space,)
            case DecoderSpec():
                for other in (*LATENTS, *ODD_SPACES):
                    yield spec.accepts, (other, space)
            case LossSpec():
                for other in (*LATENTS, *ODD_SPACES):
                    yield _accepts_between(spec), (space, other)


def _accepts_between(spec: LossSpec) -> Callable[[Space, Space], None]:
    """Return what asks a loss about data and latents, whose codes are the same."""

    def accepts(data: Space, latent: Space) -> None:
        spec.accepts(Spaces(data, latent, latent))

    return accepts


def _names(space: Space) -> tuple[str, ...]:
    return str(space), format_shape(space.shape), str(space.shape), str(list(space.shape))
