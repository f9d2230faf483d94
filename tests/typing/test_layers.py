"""The layering: an import may only point down, and the lower half never needs torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "genframe"
PLUGINS = sorted(ROOT.glob("plugins/*/genframe_*/**/*.py"))
TYPING = {
    "commands",
    "files",
    "errors",
    "isolation",
    "spaces",
    "captions",
    "traits",
    "values",
    "specs",
    "recipes",
    "hookspecs",
    "lazy",
    "registry",
    "plugins",
    "needs",
    "suggestions",
    "composition",
}
MODEL = {
    "byhand",
    "wrapping",
    "data",
    "execution",
    "heads",
    "likelihood",
    "measurement",
    "model",
    "picture",
    "png",
    "roles",
}
RUNS = {"documents", "folder", "loading", "origins", "reconstruction", "run", "spec", "training"}
SHARED = {"output", "runs", "values"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_NAMES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}
FORBIDDEN_ATTRIBUTES = {("torch", "load"), ("torch", "save"), ("yaml", "load"), ("yaml", "unsafe_load"), ("yaml", "full_load")}


def layer(module: str) -> int:
    """Return the height of a module of genframe, given by its dotted path below the package."""
    first = module.partition(".")[0]
    if first in TYPING:
        return 0
    return {"core": 1, "training": 2, "experiment": 3, "cli": 4, "testing": 4}.get(first, 1 if first in MODEL else 4)


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield each module of genframe that a file imports, and whether it does so when it is loaded."""
    package = path.relative_to(ROOT).with_suffix("").parts
    tree = ast.parse(path.read_text())
    guarded = {
        id(inner)
        for node in ast.walk(tree)
        if (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
        or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level] if node.level else ()
            module = ".".join((*base, *([node.module] if node.module else [])))
            names = [f"{module}.{alias.name}" if module == "genframe" else module for alias in node.names]
            yield from ((name, id(node) not in guarded) for name in names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, id(node) not in guarded) for alias in node.names)


def sources() -> list[Path]:
    """Return every source file of genframe and its plugins."""
    return [*sorted(PACKAGE.rglob("*.py")), *PLUGINS]


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    """A module imports, when it is loaded, only from its own layer and from those below."""
    module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    own = layer(module)
    for name, at_load in imports(path):
        if at_load and name.startswith("genframe."):
            other = name.removeprefix("genframe.").removesuffix(".__init__")
            if (PACKAGE / other.replace(".", "/")).exists() or (PACKAGE / f"{other.replace('.', '/')}.py").exists():
                assert layer(other) <= own, f"{module} (layer {own}) imports {name} (layer {layer(other)})"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_only_tests_import_the_kit(path: Path) -> None:
    """The conformance kit is imported by nothing but tests and itself."""
    if "testing" not in path.parts:
        assert not [name for name, _ in imports(path) if name.startswith("genframe.testing")]


@pytest.mark.parametrize("path", PLUGINS, ids=lambda path: str(path.relative_to(ROOT)))
def test_plugins_import_public_names_only(path: Path) -> None:
    """A plugin imports genframe's top level and public modules, never the trainer. One with commands may read and make runs."""
    allowed = {"genframe", *(f"genframe.{name}" for name in TYPING | MODEL)}
    if brings_commands(path):
        allowed |= {*(f"genframe.experiment.{name}" for name in RUNS), *(f"genframe.cli.{name}" for name in SHARED)}
        allowed |= {f"genframe.training.{name}" for name in ("environment", "observer", "settings")}
    for name, _ in imports(path):
        if name == "genframe" or name.startswith("genframe."):
            assert name in allowed or name.rpartition(".")[0] == "genframe", name


def brings_commands(path: Path) -> bool:
    """Return whether the file belongs to a plugin with commands."""
    folder = ROOT.joinpath(*path.relative_to(ROOT).parts[:2])
    return "[project.entry-points.genframe_commands]" in (folder / "pyproject.toml").read_text()


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_dangerous_call_exists(path: Path) -> None:
    """S3: no pickle, no torch.load or save, no eval or exec, no unrestricted YAML, no allow_pickle, in any source."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                assert node.func.id not in FORBIDDEN_CALLS, f"{path}:{node.lineno}"
            for keyword in node.keywords:
                allowed = keyword.arg != "allow_pickle" or ast.unparse(keyword.value) == "False"
                assert allowed, f"{path}:{node.lineno}"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) not in FORBIDDEN_ATTRIBUTES, f"{path}:{node.lineno}"
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            assert not {name.partition(".")[0] for name in names} & FORBIDDEN_NAMES, f"{path}:{node.lineno}"


def test_the_ban_has_teeth(tmp_path: Path) -> None:
    """The test above finds each of the calls that it bans."""
    for text in ("eval('1')", "torch.load(f)", "import pickle", "np.load(f, allow_pickle=True)", "yaml.load(f)"):
        path = tmp_path / "banned.py"
        path.write_text(text)
        with pytest.raises(AssertionError):
            test_no_dangerous_call_exists(path)


LIGHT = ("--help", "list", "plugins", "schema", "recipes", "show core/normal", "check vae-digits", "fit model.prior vae-digits")


@pytest.mark.parametrize("words", [line.split() for line in LIGHT], ids=" ".join)
def test_light_commands_never_import_torch(words: list[str]) -> None:
    """Commands that only read types finish without torch, and without numpy."""
    program = (
        "import sys\nfrom genframe.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "assert not {'torch', 'numpy'} & set(sys.modules), 'imported'\n"
    )
    outcome = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=False)
    assert (outcome.returncode, outcome.stderr) == (0, "")


WITH_SPECS = {"genframe_data"}
"""Packages whose implementations still import specs; this set only shrinks."""


def imports_specs(path: Path) -> bool:
    """Return whether a file imports a module of specs, for types too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            words = {*(node.module or "").split("."), *(alias.name for alias in node.names)}
            if words & {"spec", "specs"} and (node.level or (node.module or "").startswith("genframe_")):
                return True
    return False


def test_implementations_import_no_specs() -> None:
    """What a spec builds takes plain arguments: its files know no spec, but for the packages that are still to follow."""
    found = set()
    for path in ROOT.glob("plugins/*/genframe_*/**/*.py"):
        package = path.relative_to(ROOT).parts[2]
        describes = "specs" in path.relative_to(ROOT).parts or path.stem in {"specs", "__init__", "hooks", "testing"}
        if not describes and imports_specs(path):
            found.add(package)
    assert found == WITH_SPECS
    assert not imports_specs(PACKAGE / "core" / "parts.py")
