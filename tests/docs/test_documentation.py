"""The documentation is true: every block and command in it runs, nothing is left out, and it builds without warnings."""

from __future__ import annotations

import importlib.util
import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from genframe import ComponentSpec, installed
from genframe.cli import parser, summaries
from genframe.experiment import document as documents
from genframe.experiment.document import spec as experiment
from genframe.plugins import hookspecs
from genframe.specs import KINDS, Spec
from genframe.training import settings
from genframe.types import TRAITS, errors

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]


def module(path: Path) -> ModuleType:
    """Return the Python file as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = loaded
    spec.loader.exec_module(loaded)
    return loaded


pages = module(Path(__file__).with_name("pages.py"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_of_the_page_does_what_it_shows(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are written, commands and Python run in order, outputs are those shown, experiments type."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    pages.Reader(tmp_path).read(page)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_can_be_run_or_says_why_not(page: Path) -> None:
    """Each fence is closed and of a language that the tests know, and each exception has its reason."""
    text = page.read_text(encoding="utf-8")
    found = pages.blocks(page)
    assert len(re.findall(r"^\s*```", text, re.MULTILINE)) == 2 * len(found)
    assert {block.language for block in found} <= set(pages.LANGUAGES)
    assert len(re.findall(r"^<!-- (file|no-run):", text, re.MULTILINE)) == sum(bool(block.directive) for block in found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_make_target_exists(page: Path) -> None:
    """``make x`` in a page is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:^\$ |`)make ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE))
    assert named <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_named_in_a_sentence_exists(page: Path) -> None:
    """``genframe x --option`` between backticks is a command with that option."""
    for words in re.findall(r"`genframe ([^`]+)`", page.read_text(encoding="utf-8")):
        name, *rest = words.split()
        if name.startswith("-"):
            continue
        assert name in summaries(), words
        known = parser(name).format_help() + subparser_help(name)
        assert all(word.split("=")[0] in known for word in rest if word.startswith("--")), words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_path_named_in_a_sentence_exists(page: Path) -> None:
    """Files and links into the repository, in backticks or in brackets, are there."""
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"`((?:tests|docs|plugins|genframe)/[\w./-]+)`", text)
    linked = re.findall(r"\]\((?!https?://|#)([^)#]+)", text)
    generated = DOCS / "reference" / "generated"
    made = {"docs/_build/html", *(block.argument for block in pages.blocks(page))}
    missing = [path for path in named if path not in made and not (ROOT / path).exists()]
    missing += [
        path for path in linked if not (page.parent / path).exists() and generated not in (page.parent / path).resolve().parents
    ]
    assert not missing


def subparser_help(name: str) -> str:
    """Return what ``genframe NAME --help`` prints."""
    action = next(action for action in parser(name)._actions if isinstance(action.choices, dict))
    assert isinstance(action.choices, dict)
    return str(action.choices[name].format_help())


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the generated pages by name."""
    folder = tmp_path_factory.mktemp("reference")
    module(DOCS / "_ext" / "spec_reference.py").write(folder)
    return {path.stem: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}


@pytest.mark.parametrize("kind", KINDS)
def test_every_component_is_in_the_reference(kind: str, reference: dict[str, str]) -> None:
    """Each installed component has a heading on its kind's page, and each of its fields with its description a row."""
    for spec in installed().registry(kind):  # type: ignore[arg-type]
        _, heading, rest = reference["losses" if kind == "loss" else f"{kind}s"].partition(f"\n## {spec.type_name()}\n")
        assert heading, spec.type_name()
        section = rest.partition("\n## ")[0]
        for name, field in spec.model_fields.items():
            if name != "type":
                assert f"| `{name}` |" in section
                assert field.description is not None
                assert field.description.replace("|", "\\|") in section


def test_every_command_is_in_the_reference(reference: dict[str, str]) -> None:
    """Each command has a heading and its options, and a line in the tour."""
    tour = (DOCS / "cli.md").read_text(encoding="utf-8")
    for name in summaries():
        assert f"\n## genframe {name}\n" in reference["commands"]
        assert f"| `{name}` |" in tour
        section = reference["commands"].partition(f"\n## genframe {name}\n")[2].partition("\n## ")[0]
        for option in re.findall(r"^  (--[a-z-]+)", subparser_help(name), re.MULTILINE):
            assert f"`{option}" in section


def test_every_experiment_field_is_in_the_reference(reference: dict[str, str]) -> None:
    """Each field of an experiment, of training and of evaluation has a row in its section."""
    sections = module(DOCS / "_ext" / "spec_reference.py").SECTIONS
    known = [
        value
        for module in (experiment, settings)
        for value in vars(module).values()
        if inspect.isclass(value) and value.__module__ == module.__name__
    ]
    assert set(sections.values()) == {value for value in known if issubclass(value, Spec)}
    for title, model in sections.items():
        section = reference["experiments"].partition(f"\n## {title}\n")[2].partition("\n## ")[0]
        for name in model.model_fields:
            assert f"| `{name}` |" in section


def test_every_hook_has_a_heading() -> None:
    """The page on plugins has a section for each hook."""
    text = (DOCS / "plugins.md").read_text(encoding="utf-8")
    hooks = [name for name in hookspecs.__all__ if name.startswith("genframe_")]
    assert len(hooks) == 3
    assert all(f"\n### {hook}\n" in text for hook in hooks)


def parse_component(kind: str, text: str) -> ComponentSpec:
    """Return the component that a page names, or writes as a mapping."""
    value = documents.parse(text, kind).value
    fields = value if isinstance(value, dict) else {"type": value}
    return installed().registry(kind).find(str(fields["type"])).model_validate(fields)  # type: ignore[arg-type]


def test_every_trait_and_error_is_documented() -> None:
    """The traits have a row each with a component that provides it, and each error's exit code is in the table."""
    text = (DOCS / "parts.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([a-z, ]+) \| .+ \| `([^`]+)` \|$", text, re.MULTILINE)
    assert sorted(name for name, *_ in rows) == sorted(TRAITS)
    for name, kinds, example in rows:
        kind = "encoder" if kinds == "any" else kinds.split(", ")[0]
        spec = parse_component(kind, example)
        assert TRAITS[name] in spec.provides, name
    table = (DOCS / "experiments.md").read_text(encoding="utf-8")
    for name in errors.__all__:
        error = getattr(errors, name)
        if inspect.isclass(error) and issubclass(error, errors.GenframeError):
            assert f"| {error.exit_code} | `{name}` |" in table


def test_the_documentation_builds_without_warnings_and_fetches_nothing(tmp_path: Path) -> None:
    """Sphinx with warnings as errors succeeds, and no page loads a script, style, font or picture from elsewhere."""
    pytest.importorskip("sphinx")
    pytest.importorskip("furo")
    pytest.importorskip("myst_parser")
    source = tmp_path / "docs"
    shutil.copytree(DOCS, source, ignore=shutil.ignore_patterns("_build", "generated"))
    outcome = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", source, tmp_path / "html"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert (tmp_path / "html" / "reference" / "generated" / "encoders.html").exists()
    for page in (tmp_path / "html").rglob("*.html"):
        fetched = re.findall(
            r"<(?:script|img|link|iframe)[^>]+(?:src|href)=\"(https?://[^\"]+)", page.read_text(encoding="utf-8")
        )
        assert not fetched, f"{page.name} fetches {fetched}"
    for style in (tmp_path / "html").rglob("*.css"):
        assert not re.findall(r"url\(['\"]?https?:|@import", style.read_text(encoding="utf-8")), style.name


LIES = {
    "output": "```python\nprint(1)\n```\n\n```text\n2\n```\n",
    "error": "```python\nraise ValueError('no')\n```\n",
    "command": "```console\n$ genframe list nonsense\n```\n",
    "code": "```console\n$ genframe show nothing/here\n$ echo $?\n0\n```\n",
    "shown": "```console\n$ genframe show core/normal\nvae/gaussian ...\n```\n",
    "component": "```yaml\nname: x\ndata: data/digits\nmodel: {encoder: vae/none, decoder: nets/mlp, loss: vae/elbo}\n```\n",
    "composition": "```yaml\nname: x\ndata: data/digits\nmodel: {encoder: nets/mlp, decoder: nets/mlp, loss: vae/elbo}\n```\n",
    "fragment": "```yaml\ntrain: {stepz: 3}\n```\n",
    "program": "```console\n$ rm -rf everything\n```\n",
    "toml": "```toml\na = = 1\n```\n",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_page_that_lies_is_caught(lie: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests above fail on a wrong output, a failing command or block, and an experiment that does not type."""
    monkeypatch.chdir(tmp_path)
    page = tmp_path / "page.md"
    page.write_text(f"# Page\n\n{LIES[lie]}", encoding="utf-8")
    with pytest.raises((AssertionError, ValueError, errors.SpecError)):
        pages.Reader(tmp_path).read(page)
