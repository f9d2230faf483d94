"""The kit catches specs that lie, plugins that import torch, and works with and without pytest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field, field_validator

from genframe import Encoder, EncoderSpec, Mismatch, Real, Space, Spaces
from genframe.testing import (
    CHECKS,
    ConformanceError,
    Example,
    PluginConformance,
    check_component,
    check_plugin,
    require_conformance,
)
from genframe.testing.no_torch import imports_of_torch
from genframe.testing.suite import plugin_cases


class Plain(EncoderSpec):
    """Is the identity on vectors. Nobody 2025, eq. 1."""

    type: Literal["kit/plain"] = "kit/plain"

    scale: float = Field(default=2.0, description="is not used")

    def latent_space(self, data: Space) -> Space:
        if not isinstance(data, Real) or len(data.shape) != 1:
            raise Mismatch(f"vectors are needed, found {data}")
        return data

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        from genframe.core.parts import Identity

        return Identity()


class NoDocumentation(Plain):
    type: Literal["kit/undocumented"] = "kit/undocumented"
    depth: int = 1


class Doubles(Plain):
    """Doubles what it is given, each time it is read."""

    @field_validator("scale")
    @classmethod
    def _twice(cls, value: float) -> float:
        return 2 * value


class LosesField(Plain):
    """Leaves a field out when it is written."""

    hidden: int = Field(default=1, description="is not written", exclude=True)


class Crashes(Plain):
    """Raises another error than a Mismatch."""

    def latent_space(self, data: Space) -> Space:
        return Real((data.shape[1],))


class SaysNothing(Plain):
    """Refuses without saying what."""

    def latent_space(self, data: Space) -> Space:
        raise Mismatch("this does not fit")


class NeedsField(Plain):
    """Cannot be made from defaults."""

    must: int = Field(description="must be given")


class TakesNothing(Plain):
    """Takes only data that the kit does not try."""

    def latent_space(self, data: Space) -> Space:
        if data != Real((77,)):
            raise Mismatch(f"77 values are needed, found {data}")
        return data


SPEC_LIES = [
    (NoDocumentation, "documented", "the docstring of NoDocumentation must begin with a sentence"),
    (NoDocumentation, "documented", "the field 'depth' of NoDocumentation has no description"),
    (Doubles, "round-trip", "Doubles reads"),
    (LosesField, "round-trip", "LosesField reads"),
    (Crashes, "refusals", "must refuse Real(2) by a Mismatch, it raised IndexError"),
    (SaysNothing, "refusals", "refuses Real(2) without naming what it found: 'this does not fit'"),
    (NeedsField, "constructible", "it has no defaults for all its fields; give the kit an example"),
    (TakesNothing, "constructible", "it takes none of the spaces that the kit tries; give an Example with its own"),
]


def test_an_honest_spec_passes_every_check() -> None:
    """The control: the kit finds nothing wrong with it."""
    assert check_component(Plain) == []


@pytest.mark.parametrize(("spec", "check", "message"), SPEC_LIES)
def test_a_lying_spec_is_caught(spec: type[EncoderSpec], check: str, message: str) -> None:
    """The check meant for a lie finds it, and says what was declared and what was found."""
    assert any(message in str(finding) for finding in check_component(spec, only=[check]))


def test_examples_stand_in_for_defaults_and_bring_their_own_spaces() -> None:
    """What cannot be made from defaults, or takes unusual spaces, is tested by examples."""
    assert check_component(NeedsField(must=1)) == []
    assert check_component([NeedsField(must=1), NeedsField(must=2)]) == []
    assert check_component(Example(TakesNothing(), data=Real((77,)))) == []


PLUGIN = """
from genframe import EncoderSpec, hookimpl
{module}
class Lazy(EncoderSpec):
    type: str = "lazy/encoder"
    def latent_space(self, data):
        {function}
        return data
@hookimpl
def genframe_specs():
    {hook}
    return [Lazy]
"""


@pytest.mark.parametrize("place", ["module", "function", "hook"])
def test_a_plugin_that_imports_torch_too_early_is_caught(tmp_path: Path, place: str) -> None:
    """An import of torch in the module, in a hook or in a spec's space function is found, with its place."""
    parts = {"module": "pass", "function": "pass", "hook": "pass"}
    (tmp_path / "lazy_plugin.py").write_text(PLUGIN.format(**parts))
    assert imports_of_torch("lazy_plugin", tmp_path) == []
    (tmp_path / "eager_plugin.py").write_text(PLUGIN.format(**parts | {place: "import torch.nn"}))
    line = 1 + [text.strip() for text in (tmp_path / "eager_plugin.py").read_text().splitlines()].index("import torch.nn")
    found = imports_of_torch("eager_plugin", tmp_path)
    assert found == [f"{tmp_path / 'eager_plugin.py'}:{line} imports torch"]


def test_a_module_that_fails_otherwise_is_named(tmp_path: Path) -> None:
    """A plugin whose import raises is told from one that imports torch."""
    (tmp_path / "broken_plugin.py").write_text("raise ValueError('oh')")
    assert imports_of_torch("broken_plugin", tmp_path) == ["broken_plugin cannot be imported without torch: ValueError: oh"]


def test_a_missing_plugin_and_a_stray_example_are_findings() -> None:
    """A name that no plugin has makes a test that fails, not an empty list of tests that pass."""
    assert "no plugin of this name is installed" in str(check_plugin("nobody")[0])
    cases = list(plugin_cases("core", {"core/nobody": [Plain()]}))
    assert "there is no component 'core/nobody'" in str(cases[0].findings()[0])


def test_findings_become_one_error() -> None:
    """Without pytest, findings are data or one error that lists them all."""
    findings = check_component(NoDocumentation, only=["documented"])
    with pytest.raises(ConformanceError, match=r"kit/undocumented \(encoder\): documented: the docstring") as caught:
        require_conformance(findings)
    assert caught.value.findings == tuple(findings)
    assert str(caught.value).count("\n") == len(findings) - 1
    require_conformance([])


def test_every_check_says_what_it_is_for() -> None:
    """Names are unique for each kind of component, so that test ids are."""
    for kind in {kind for check in CHECKS for kind in check.kinds}:
        names = [check.name for check in CHECKS if kind in check.kinds]
        assert len(names) == len(set(names))


def test_three_lines_make_a_test_of_each_promise(tmp_path: Path) -> None:
    """A subclass in a stranger's test file is collected by pytest, with readable names."""
    (tmp_path / "test_mine.py").write_text(
        "from genframe.testing import PluginConformance\nclass TestMine(PluginConformance):\n    plugin = 'core'\n"
    )
    command = [sys.executable, "-m", "pytest", "--import-mode=importlib", "--collect-only", "-q", "-p", "no:cacheprovider"]
    listing = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, cwd=tmp_path, check=True).stdout
    assert "test_mine.py::TestMine::test_promise[core/normal-prior-density]" in listing
    assert "test_mine.py::TestMine::test_promise[core-no-torch]" in listing


def test_the_kit_does_not_need_pytest() -> None:
    """The functions work where pytest is not installed."""
    code = "import sys; sys.modules['pytest'] = None; from genframe.testing import check_plugin; print(callable(check_plugin))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


def test_the_class_itself_is_not_collected() -> None:
    """Importing the base class into a test file makes no tests of it."""
    assert not PluginConformance.__name__.startswith("Test")
