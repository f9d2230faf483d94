"""Finding and loading plugins, each in isolation: a broken one is set aside with its reason.

Metadata of all distributions is scanned once for entry points in groups that start with ``genframe.``.
The loop is our own because pluggy's stops at the first plugin that fails; pluggy still checks the
signatures of the hooks.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import metadata
from typing import Any, Literal

import pluggy

from ..specs.base import KINDS, ComponentSpec, Kind, resolve_in, suggestion, with_article
from ..specs.kinds import DensityKind, SamplingKind
from ..types.errors import PluginError, Problem, SpecError
from ..types.isolation import Point, disabled, entry_points, quietly, reason
from . import hookspecs
from .recipes import Recipe
from .registry import Registry

__all__ = ["Installed", "Plugin", "installed", "register"]


@dataclass(frozen=True)
class Plugin:
    """What is known of one installed plugin; ``reason`` says why it is not in use, ``notes`` what it does oddly."""

    name: str
    distribution: str
    version: str
    module: str
    api: str
    status: Literal["ok", "broken", "disabled"] = "ok"
    reason: str = ""
    notes: tuple[str, ...] = ()
    specs: tuple[type[ComponentSpec], ...] = ()
    recipes: tuple[Recipe, ...] = ()
    kinds: tuple[DensityKind | SamplingKind, ...] = ()
    entry_point: metadata.EntryPoint | None = field(default=None, repr=False, compare=False)

    def broken(self, reason: str) -> Plugin:
        """Return the plugin, set aside."""
        return replace(self, status="broken", reason=reason, specs=(), recipes=(), kinds=())


class Installed:
    """All plugins that were found, a registry for each kind of component, and the kinds of density and of sampling by name."""

    def __init__(self, plugins: Iterable[Plugin]) -> None:
        self.plugins = tuple(plugins)
        self.registries = {kind: Registry(kind, self._explain) for kind in KINDS}
        self.recipes: dict[str, Recipe] = {}
        kinds = [kind for plugin in self.plugins for kind in plugin.kinds]
        self.densities = {kind.name: kind for kind in kinds if isinstance(kind, DensityKind)}
        self.samplings = {kind.name: kind for kind in kinds if isinstance(kind, SamplingKind)}
        for plugin in self.plugins:
            for spec in plugin.specs:
                self.registries[spec.kind].add(spec)
            self.recipes.update({recipe.name: recipe for recipe in plugin.recipes})

    def registry(self, kind: Kind) -> Registry:
        """Return the registry of one kind."""
        return self.registries[kind]

    def sampling(self, name: str) -> SamplingKind:
        """Return the kind of sampling of a name.

        :raises SpecError: if no plugin brings it.
        """
        if name in self.samplings:
            return self.samplings[name]
        hint = suggestion(name, list(self.samplings)) or f"there are {', '.join(self.samplings)}"
        raise SpecError(Problem("", f"there is no kind of sampling {name!r}", hint))

    def components(self) -> list[type[ComponentSpec]]:
        """Return every component, by kind and then by name."""
        return [registry.find(name) for registry in self.registries.values() for name in registry.names()]

    def named(self, name: str) -> list[type[ComponentSpec]]:
        """Return the components of this name, one for each kind that has one; unqualified names will do.

        :raises SpecError: if there is none, or if several plugins have one.
        """
        matches = self._matches(name)
        names = sorted({spec.type_name() for spec in matches})
        if len(names) == 1:
            return matches
        if names:
            raise SpecError(Problem("", f"several plugins have a component {name!r}", f"say one of {', '.join(names)}"))
        known = [spec.type_name() for spec in self.components()]
        hint = self._missing(name) or suggestion(name, known) or "genframe list says what is installed"
        raise SpecError(Problem("", f"there is no component {name!r}", hint))

    def _matches(self, name: str) -> list[type[ComponentSpec]]:
        exact = [spec for spec in self.components() if spec.type_name() == name]
        return exact or [spec for spec in self.components() if spec.type_name().partition("/")[2] == name]

    def plugin_of(self, spec: type[ComponentSpec]) -> Plugin | None:
        """Return the plugin that registered ``spec``, or ``None`` for a class made in Python."""
        return next((plugin for plugin in self.plugins if spec in plugin.specs), None)

    def _explain(self, kind: Kind, name: str) -> str:
        others = self._matches(name)
        if others:
            return f"{others[0].type_name()!r} is {with_article(others[0].kind)}"
        return self._missing(name)

    def _missing(self, name: str) -> str:
        """Say that the namespace of ``name`` is broken, switched off or not installed."""
        namespace, slash, _ = name.partition("/")
        plugins = [plugin for plugin in self.plugins if plugin.name == namespace]
        unusable = next((plugin for plugin in plugins if plugin.status != "ok"), None)
        if unusable is not None:
            return f"the plugin {unusable.distribution} is {unusable.status}: {unusable.reason}"
        if slash and not plugins:
            near = suggestion(namespace, [plugin.name for plugin in self.plugins])
            return f"no plugin {namespace!r} is installed; " + (near or f"try: pip install genframe-{namespace}")
        return ""


@cache
def installed() -> Installed:
    """Return all plugins of this environment; they are loaded once in a process."""
    return Installed(load(discover(), disabled=disabled()))


def register(*specs: type[ComponentSpec]) -> None:
    """Make components known in this process by their names, as a plugin's are: those of a script or a notebook.

    A file, and a run that was stored, can then name them.

    :raises SpecError: if a plugin has a component of that name.
    """
    for spec in specs:
        registry, name = installed().registry(spec.kind), spec.type_name()
        known = registry.find(name) if name in registry else spec
        if known is not spec and installed().plugin_of(known) is not None:
            raise SpecError(Problem("", f"there is a {spec.kind} {name!r} already", "give the class another type"))
        registry.add(spec)


def discover() -> list[Plugin]:
    """Return a record of every plugin that the installed distributions' metadata names; nothing is imported."""
    records = [_record(point) for point in entry_points(lambda group: group.startswith("genframe."))]
    found = {(plugin.distribution, plugin.name, plugin.api): plugin for plugin in reversed(records)}
    return sorted(found.values(), key=lambda plugin: (plugin.name != "core", plugin.name, plugin.distribution))


def _record(point: Point) -> Plugin:
    entry = point.entry
    api = entry.group.removeprefix("genframe.")
    return Plugin(entry.name, point.distribution, point.version, entry.value, api, entry_point=entry)


def load(plugins: Iterable[Plugin], disabled: frozenset[str] = frozenset()) -> list[Plugin]:
    """Load each plugin by itself and return the records, with reasons where one was set aside."""
    plugins = list(plugins)
    claims = Counter(plugin.name for plugin in plugins)
    manager = pluggy.PluginManager("genframe")
    manager.add_hookspecs(hookspecs)
    loaded: list[Plugin] = []
    for plugin in plugins:
        if plugin.name in disabled:
            plugin = replace(plugin, status="disabled", reason="switched off by GENFRAME_DISABLE")
        elif claims[plugin.name] > 1:
            rivals = ", ".join(other.distribution for other in plugins if other.name == plugin.name)
            plugin = plugin.broken(f"the namespace {plugin.name!r} is claimed by {rivals}; uninstall all but one")
        else:
            plugin = _load_one(plugin, manager, {(type(kind), kind.name) for other in loaded for kind in other.kinds})
        loaded.append(plugin)
    return loaded


def _load_one(plugin: Plugin, manager: pluggy.PluginManager, taken: Collection[tuple[type, str]]) -> Plugin:
    if plugin.api != hookspecs.API:
        return plugin.broken(
            f"it speaks plugin API {plugin.api}, this genframe speaks {hookspecs.API}; install a version that matches"
        )
    torch_before = "torch" in sys.modules
    try:
        module, printed = quietly(lambda: plugin.entry_point.load())  # type: ignore[union-attr]
        manager.register(module, plugin.name)
        manager.check_pending()
        specs = _call(manager, plugin.name, "genframe_specs")
        recipes = _call(manager, plugin.name, "genframe_recipes")
        _check_specs(plugin.name, specs)
        _check_recipes(recipes)
        kinds = _call(manager, plugin.name, "genframe_kinds")
        _check_kinds(kinds, taken)
    except (Exception, SystemExit) as error:
        if manager.has_plugin(plugin.name):
            manager.unregister(name=plugin.name)
        return plugin.broken(reason(error))
    notes: tuple[str, ...] = ("it prints when it is imported",) if printed else ()
    if "torch" in sys.modules and not torch_before:
        notes += ("it imports torch when it is loaded, which makes every command slow",)
    return replace(plugin, specs=tuple(specs), recipes=tuple(recipes), kinds=tuple(kinds), notes=notes)


def _call(manager: pluggy.PluginManager, name: str, hook: str) -> list[Any]:
    """Call one plugin's own implementation of ``hook``; a plugin without one gives nothing."""
    for implementation in getattr(manager.hook, hook).get_hookimpls():
        if implementation.plugin_name == name:
            result, _ = quietly(implementation.function)
            if not isinstance(result, (list, tuple)):
                raise PluginError(f"{hook} returned {type(result).__name__}, not a list")
            return list(result)
    return []


def _check_specs(namespace: str, specs: list[Any]) -> None:
    seen = set()
    for spec in specs:
        if not (isinstance(spec, type) and issubclass(spec, ComponentSpec) and hasattr(spec, "kind")):
            raise PluginError(f"genframe_specs returned {spec!r}, which is not a spec class")
        name = spec.type_name()
        key = (spec.kind, name)
        if name.partition("/")[0] != namespace or not name.partition("/")[2]:
            raise PluginError(f"{spec.__name__} has the type {name!r}, outside the plugin's namespace {namespace!r}")
        if key in seen:
            raise PluginError(f"two {spec.kind} specs have the type {name!r}")
        seen.add(key)


def _check_recipes(recipes: list[Any]) -> None:
    for recipe in recipes:
        if not isinstance(recipe, Recipe):
            raise PluginError(f"genframe_recipes returned {recipe!r}, which is not a Recipe")


def _check_kinds(kinds: list[Any], taken: Collection[tuple[type, str]]) -> None:
    known = set(taken)
    for kind in kinds:
        if not isinstance(kind, (DensityKind, SamplingKind)):
            raise PluginError(f"genframe_kinds returned {kind!r}, which is neither a DensityKind nor a SamplingKind")
        if (type(kind), kind.name) in known:
            raise PluginError(f"there is a {type(kind).__name__} {kind.name!r} already")
        known.add((type(kind), kind.name))


resolve_in(lambda kind: installed().registry(kind))
