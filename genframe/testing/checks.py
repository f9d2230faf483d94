"""The checks, and what each is for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from ..checking.suggestions import as_it_comes
from ..specs.base import KINDS, ComponentSpec, Kind
from ..testing import behaviour, datasets, initialising, losses, metrics, paperwork, probability, samplers, temperatures
from ..types.trait.base import Trait
from ..types.trait.decoders import Likelihood
from ..types.trait.encoders import Bijective, Posterior
from ..types.trait.parts import Completing, Conditional, DataDependent
from ..types.trait.priors import Density, GaussianExpectation, Tempered
from .example import Example
from .finding import Finding
from .search import models, part_settings
from .setting import PartSetting

__all__ = ["CHECKS", "Check", "Component", "component_of"]

PARTS: Final[tuple[Kind, ...]] = ("encoder", "decoder", "prior")
TRIED: Final = 5


class Component:
    """A component under test: its spec class, and the specs and settings by which it is tried."""

    def __init__(self, spec: type[ComponentSpec], examples: Sequence[Example] = ()) -> None:
        self.spec = spec
        self.default = as_it_comes(spec)
        self.examples = tuple(examples) or ((Example(self.default),) if self.default is not None else ())

    @property
    def specs(self) -> tuple[ComponentSpec, ...]:
        """The examples' specs, and the defaults where there are any."""
        specs = [example.spec for example in self.examples]
        return (*specs, self.default) if self.default is not None and self.default not in specs else tuple(specs)

    @cached_property
    def settings_by_example(self) -> list[list[Any]]:
        """All settings of each example: a part's spaces, or the models around a loss, sampler or metric."""
        find: Callable[[Example], Iterable[Any]] = part_settings if self.spec.kind in PARTS else models
        return [list(find(example)) for example in self.examples]

    @property
    def settings(self) -> list[Any]:
        """All settings."""
        return [setting for settings in self.settings_by_example for setting in settings]

    @property
    def varied(self) -> list[Any]:
        """A few settings of each example, no two of one sort."""
        return [setting for settings in self.settings_by_example for setting in _few(settings)]

    def provides(self, trait: Trait) -> bool:
        """Return whether any of the tried specs declares ``trait``."""
        return any(trait in example.spec.provides for example in self.examples)

    def __str__(self) -> str:
        return f"{self.spec.type_name()} ({self.spec.kind})"


def _few(settings: Sequence[Any]) -> list[Any]:
    """Return the first of each sort: so many with a context and as many without."""
    sorts: dict[object, Any] = {}
    for setting in settings:
        sorts.setdefault(_sort(setting), setting)
    plain = [setting for setting in sorts.values() if getattr(setting, "context", None) is None]
    conditional = [setting for setting in sorts.values() if getattr(setting, "context", None) is not None]
    return [*plain[:TRIED], *conditional[:TRIED]]


def _sort(setting: Any) -> object:
    """Return what makes a setting unlike others in more than size or bounds."""
    if not isinstance(setting, PartSetting):
        return setting
    return (setting.context, *((type(space), len(space.shape), space.discrete) for space in setting.spaces))


@dataclass(frozen=True)
class Check:
    """One promise: its name, how it is looked into, and for which kinds and traits it is made."""

    name: str
    look: Callable[[Component], Iterable[str]]
    kinds: tuple[Kind, ...]
    traits: tuple[Trait, ...] = ()

    def concerns(self, component: Component) -> bool:
        """Return whether the component makes this promise."""
        return component.spec.kind in self.kinds and (not self.traits or any(map(component.provides, self.traits)))

    def findings(self, component: Component) -> Iterator[Finding]:
        """Yield each way in which the promise is broken."""
        for message in self.look(component):
            yield Finding(str(component), self.name, message)


def constructible(component: Component) -> Iterator[str]:
    """It can be made from its defaults or there are examples, and there is a setting in which to try it."""
    if not component.examples:
        yield "it has no defaults for all its fields; give the kit an example"
    elif component.spec.kind != "dataset" and not component.settings:
        place = "of the spaces" if component.spec.kind in PARTS else "model of installed parts"
        yield f"it takes none {place} that the kit tries; give an Example with its own"


def component_of(subject: type[ComponentSpec] | ComponentSpec | Example | Sequence[ComponentSpec | Example]) -> Component:
    """Return the component that a spec class, a spec, an example or several of them are of."""
    if isinstance(subject, type):
        return Component(subject)
    if isinstance(subject, (ComponentSpec, Example)):
        subject = [subject]
    examples = [each if isinstance(each, Example) else Example(each) for each in subject]
    return Component(type(examples[0].spec), examples)


def _each_spec(look: Callable[[Any], Iterable[str]]) -> Callable[[Component], Iterable[str]]:
    return lambda component: (message for spec in component.specs for message in look(spec))


def _each_example(look: Callable[[Any], Iterable[str]]) -> Callable[[Component], Iterable[str]]:
    return lambda component: (message for example in component.examples for message in look(example.spec))


def _everywhere(look: Callable[[Any], Iterable[str]]) -> Callable[[Component], Iterable[str]]:
    return lambda component: (message for setting in component.settings for message in look(setting))


def _varied(look: Callable[[Any], Iterable[str]]) -> Callable[[Component], Iterable[str]]:
    return lambda component: (message for setting in component.varied for message in look(setting))


CHECKS: Final[tuple[Check, ...]] = (
    Check("constructible", constructible, KINDS),
    Check("documented", lambda component: paperwork.documented(component.spec), KINDS),
    Check("round-trip", _each_spec(paperwork.round_trip), KINDS),
    Check("refusals", _each_spec(paperwork.refusals), (*PARTS, "loss")),
    Check("spaces", _everywhere(behaviour.spaces), PARTS),
    Check("traits", _varied(behaviour.trait_methods), PARTS),
    Check("gradients", _varied(behaviour.gradients), PARTS),
    Check("seed", _varied(behaviour.seeds), PARTS),
    Check("batch", _varied(behaviour.batches), PARTS),
    Check("state", _varied(behaviour.state), PARTS),
    Check("context", _varied(behaviour.context), PARTS, (Conditional,)),
    Check("density", _varied(probability.density), PARTS, (Density, Likelihood, Posterior)),
    Check("expectation", _varied(probability.expectation), ("prior",), (GaussianExpectation,)),
    Check("bijection", _varied(probability.bijection), ("encoder",), (Bijective,)),
    Check("initialisation", _varied(initialising.initialised), ("encoder", "prior"), (DataDependent,)),
    Check("levels", _everywhere(temperatures.levels), ("encoder",)),
    Check("temperature", _varied(temperatures.tempered), ("prior",), (Tempered,)),
    Check("spaces", _varied(losses.scalars), ("loss",)),
    Check("gradients", _varied(losses.learns), ("loss",)),
    Check("seed", _varied(losses.steady), ("loss",)),
    Check("batch", _varied(losses.averaged), ("loss",)),
    Check("state", _varied(losses.state), ("loss",)),
    Check("spaces", _varied(samplers.walks), ("sampler",)),
    Check("seed", _varied(samplers.seeds), ("sampler",)),
    Check("completion", _varied(samplers.completes), ("sampler",), (Completing,)),
    Check("spaces", _each_example(datasets.spaces), ("dataset",)),
    Check("seed", _each_example(datasets.seeds), ("dataset",)),
    Check("splits", _each_example(datasets.apart), ("dataset",)),
    Check("refusals", lambda component: metrics.answers(component.settings), ("metric",)),
    Check("figures", lambda component: metrics.measures(component.settings), ("metric",)),
)
