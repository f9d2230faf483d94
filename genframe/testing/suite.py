"""The kit's front: a class for pytest to collect, and functions that need no pytest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ..plugins.discovery import Plugin, installed
from ..specs.base import ComponentSpec
from .checks import CHECKS, Check, Component, component_of
from .example import Example
from .finding import ConformanceError, Finding
from .no_torch import imports_of_torch

__all__ = ["Case", "PluginConformance", "check_component", "check_plugin", "require_conformance"]


@dataclass(frozen=True)
class Case:
    """One promise of one component, ready to be tested."""

    name: str
    findings: Callable[[], list[Finding]]

    def __str__(self) -> str:
        return self.name

    def run(self) -> None:
        """Look into it.

        :raises ConformanceError: if the promise is broken.
        """
        __tracebackhide__ = True  # pytest then shows the findings only
        require_conformance(self.findings())


class PluginConformance:
    """Tests for every component of a plugin. Subclass it in a test file, with a name that begins with ``Test``.

    ``plugin`` is the plugin's namespace. ``examples`` gives, by a component's name, the specs (or
    :class:`Example`) to test it by where its defaults cannot be built or are too large.
    """

    plugin: ClassVar[str]
    examples: ClassVar[Mapping[str, Sequence[ComponentSpec | Example]]] = {}

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """Make a test of each promise."""
        if "promise" in metafunc.fixturenames:
            metafunc.parametrize("promise", list(plugin_cases(self.plugin, self.examples)), ids=str)

    def test_promise(self, promise: Case) -> None:
        """The component keeps what it promises."""
        promise.run()


def check_component(
    subject: type[ComponentSpec] | ComponentSpec | Example | Sequence[ComponentSpec | Example],
    *,
    only: Sequence[str] = (),
) -> list[Finding]:
    """Return how a component breaks its promises: a spec class, a spec, or examples of one class.

    ``only`` names the checks to make, such as ``gradients``; all that concern it if left out.
    """
    component = component_of(subject)
    cases = _component_cases(component, [check for check in CHECKS if not only or check.name in only])
    return [finding for case in cases for finding in case.findings()]


def check_plugin(plugin: str, examples: Mapping[str, Sequence[ComponentSpec | Example]] | None = None) -> list[Finding]:
    """Return how the components of an installed plugin break their promises."""
    return [finding for case in plugin_cases(plugin, examples or {}) for finding in case.findings()]


def require_conformance(findings: Sequence[Finding]) -> None:
    """Return if there are no findings.

    :raises ConformanceError: with all of them otherwise, from the error that kept a check from being carried out.
    """
    __tracebackhide__ = True
    if findings:
        raise ConformanceError(findings) from next((finding.cause for finding in findings if finding.cause), None)


def plugin_cases(name: str, examples: Mapping[str, Sequence[ComponentSpec | Example]]) -> Iterator[Case]:
    """Yield the promises of a plugin and of each of its components."""
    plugin = next((plugin for plugin in installed().plugins if plugin.name == name), None)
    yield Case(f"{name}-no-torch", lambda: _plugin_findings(name, plugin, examples))
    for spec in plugin.specs if plugin is not None else ():
        if not spec.listed:
            continue
        given = [each if isinstance(each, Example) else Example(each) for each in examples.get(spec.type_name(), ())]
        component = Component(spec, [example for example in given if isinstance(example.spec, spec)])
        yield from _component_cases(component, CHECKS)


def _plugin_findings(name: str, plugin: Plugin | None, examples: Mapping[str, object]) -> list[Finding]:
    if plugin is None:
        return [Finding(name, "no-torch", "no plugin of this name is installed")]
    if plugin.status != "ok":
        return [Finding(name, "no-torch", f"the plugin is {plugin.status}: {plugin.reason}")]
    known = {spec.type_name() for spec in plugin.specs}
    strays = [Finding(name, "examples", f"there is no component {example!r}") for example in examples if example not in known]
    return strays + [Finding(name, "no-torch", place) for place in imports_of_torch(plugin.module)]


def _component_cases(component: Component, checks: Sequence[Check]) -> Iterator[Case]:
    for check in checks:
        if check.concerns(component):
            name = f"{component.spec.type_name()}-{component.spec.kind}-{check.name}"
            yield Case(name, lambda check=check: _findings(check, component))  # type: ignore[misc]


def _findings(check: Check, component: Component) -> list[Finding]:
    """Return the findings of one check; that it could not be carried out is one, with the error as its cause."""
    findings = []
    try:
        for finding in check.findings(component):
            findings.append(finding)  # one by one, so that what was found before an error is kept
    except Exception as error:
        findings.append(Finding(str(component), check.name, f"it raised {type(error).__name__}: {error}", error))
    return findings
