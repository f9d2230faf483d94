"""S6: a broken plugin is set aside with its reason, and everything else goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

GOOD = """
from typing import Literal
from genframe import PriorSpec, hookimpl
class Fine(PriorSpec):
    "A prior that does nothing."
    type: Literal["{name}/fine"] = "{name}/fine"
@hookimpl
def genframe_specs():
    return [Fine]
"""

# name of the plugin -> (source of its module, what its reason must say)
BROKEN = {
    "importerror": ("import does_not_exist", "No module named 'does_not_exist'"),
    "syntaxerror": ("def broken(:", "SyntaxError"),
    "systemexit": ("raise SystemExit(3)", "SystemExit: 3"),
    "wronghook": (
        "from genframe import hookimpl\n@hookimpl\ndef genframe_nonsense():\n    return []\n",
        "unknown hook 'genframe_nonsense'",
    ),
    "wrongsignature": (
        "from genframe import hookimpl\n@hookimpl\ndef genframe_specs(surprise):\n    return []\n",
        "{'surprise'}",
    ),
    "hookraises": (
        "from genframe import hookimpl\n@hookimpl\ndef genframe_specs():\n    raise RuntimeError('no luck')\n",
        "RuntimeError: no luck",
    ),
    "junk": ("from genframe import hookimpl\n@hookimpl\ndef genframe_specs():\n    return 7\n", "returned int, not a list"),
    "junkitem": (
        "from genframe import hookimpl\n@hookimpl\ndef genframe_specs():\n    return ['x']\n",
        "'x', which is not a spec class",
    ),
    "junkrecipe": (
        "from genframe import hookimpl\n@hookimpl\ndef genframe_recipes():\n    return [1]\n",
        "which is not a Recipe",
    ),
    "junkkind": (
        "from genframe import hookimpl\n@hookimpl\ndef genframe_kinds():\n    return ['exact']\n",
        "'exact', which is neither a DensityKind nor a SamplingKind",
    ),
    "takenkind": (
        "from genframe import hookimpl\nfrom genframe.specs import SamplingKind\n"
        "@hookimpl\ndef genframe_kinds():\n    return [SamplingKind('direct', 5)]\n",
        "there is a SamplingKind 'direct' already",
    ),
    "outside": (GOOD.format(name="core"), "outside the plugin's namespace 'outside'"),
}


def install(folder: Path, name: str, source: str, *, distribution: str = "", group: str = "genframe.v1") -> None:
    """Put a plugin's module and metadata into ``folder``, as an installer would."""
    distribution = distribution or f"genframe-{name}"
    module = distribution.replace("-", "_")
    (folder / f"{module}.py").write_text(source)
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}\n")


def genframe(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command with ``folder`` on the path."""
    return subprocess.run(
        [sys.executable, "-m", "genframe.cli", *words],
        env={**os.environ, "PYTHONPATH": str(folder), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A path on which every kind of broken plugin lies beside two good ones."""
    folder = tmp_path_factory.mktemp("site")
    for name, (source, _) in BROKEN.items():
        install(folder, name, source)
    install(folder, "good", GOOD.format(name="good"))
    install(folder, "chatty", "print('hello from chatty')\n" + GOOD.format(name="chatty"))
    install(folder, "old", GOOD.format(name="old"), group="genframe.v0")
    install(folder, "twin", GOOD.format(name="twin"), distribution="genframe-twin-a")
    install(folder, "twin", GOOD.format(name="twin"), distribution="genframe-twin-b")
    (folder / "nameless-1.0.dist-info").mkdir()
    (folder / "nameless-1.0.dist-info" / "entry_points.txt").write_text("[genframe.v1]\nnameless = nameless_module\n")
    return folder


@pytest.fixture(scope="module")
def records(crowd: Path) -> dict[str, dict[str, Any]]:
    """What ``genframe plugins --json`` says of that path, by namespace."""
    outcome = genframe(crowd, "plugins", "--json")
    assert outcome.returncode == 0, outcome.stderr
    return {record["name"]: record for record in json.loads(outcome.stdout)}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_plugin_is_set_aside_with_its_reason(records: dict[str, dict[str, Any]], name: str) -> None:
    """A plugin that cannot be used is reported as broken, by its distribution, with the reason."""
    assert records[name]["status"] == "broken"
    assert records[name]["distribution"] == f"genframe-{name}"
    assert BROKEN[name][1] in records[name]["reason"]
    assert records[name]["components"] == []


def test_good_plugins_go_on_beside_broken_ones(records: dict[str, dict[str, Any]]) -> None:
    """Plugins that are in order keep their components, whatever lies beside them."""
    assert records["good"]["components"] == ["good/fine"]
    assert records["core"]["status"] == "ok"


def test_printing_on_import_spoils_nothing(records: dict[str, dict[str, Any]]) -> None:
    """A plugin that prints when it is imported works, its output stays out of ours, and the habit is noted."""
    assert records["chatty"]["components"] == ["chatty/fine"]
    assert records["chatty"]["notes"] == ["it prints when it is imported"]


def test_another_api_version_is_named_without_importing(records: dict[str, dict[str, Any]]) -> None:
    """A plugin of another API version is seen and named."""
    assert records["old"]["reason"] == "it speaks plugin API v0, this genframe speaks v1; install a version that matches"


def test_of_two_that_claim_one_namespace_neither_wins(crowd: Path) -> None:
    """Two distributions with the same namespace are both set aside, and each is told of the other."""
    records = json.loads(genframe(crowd, "plugins", "--json").stdout)
    twins = [record for record in records if record["name"] == "twin"]
    assert [twin["status"] for twin in twins] == ["broken", "broken"]
    assert all("genframe-twin-a, genframe-twin-b" in twin["reason"] for twin in twins)


def test_missing_metadata_is_survived(records: dict[str, dict[str, Any]]) -> None:
    """A distribution without METADATA is named as well as it can be."""
    assert records["nameless"]["status"] == "broken"
    assert "nameless_module" in records["nameless"]["reason"]


@pytest.mark.parametrize("words", [["--help"], ["list"], ["recipes"]])
def test_commands_work_beside_broken_plugins(crowd: Path, words: list[str]) -> None:
    """Commands that do not name a broken plugin's components are not disturbed by it."""
    outcome = genframe(crowd, *words)
    assert (outcome.returncode, outcome.stderr) == (0, "")


def test_naming_a_broken_plugins_component_gives_its_reason(crowd: Path) -> None:
    """Whoever asks for a component of a broken plugin gets the reason, not a riddle."""
    outcome = genframe(crowd, "show", "junk/anything")
    assert outcome.returncode == 2
    assert "the plugin genframe-junk is broken: PluginError: genframe_specs returned int, not a list" in outcome.stderr


def test_disabled_plugin_is_said_to_be_disabled(crowd: Path) -> None:
    """GENFRAME_DISABLE switches a plugin off, and an error that needs it says so."""
    outcome = genframe(crowd, "show", "good/fine", GENFRAME_DISABLE="good, chatty")
    assert outcome.returncode == 2
    assert "the plugin genframe-good is disabled: switched off by GENFRAME_DISABLE" in outcome.stderr
