"""The layering: an import may only point down, and the lower half never needs torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "genframe"
PLUGINS = sorted(ROOT.glob("plugins/*/genframe_*/**/*.py"))
ROOMS = (
    "types",
    "output",
    "cache",
    "roles",
    "specs",
    "plugins",
    "checking",
    "model",
    "core",
    "training",
    "experiment",
    "cli",
    "testing",
)
"""The folders of genframe, from the lowest up: a file imports from its own and from those before it."""

FACES = {"cache", "core", "types", "roles", "specs", "plugins", "checking", "model"}
"""The rooms whose packages show what their files list; plugins import these, and not the files within."""

OF_COMMANDS = ("core", "output", "experiment", "training", "cli")
"""The rooms into whose files a plugin with commands may look besides."""

FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_NAMES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}
FORBIDDEN_ATTRIBUTES = {("torch", "load"), ("torch", "save"), ("yaml", "load"), ("yaml", "unsafe_load"), ("yaml", "full_load")}


def file_of(module: str) -> Path | None:
    """Return the file of a module of genframe, given by its dotted name."""
    path = ROOT.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def imports(path: Path) -> Iterator[str]:
    """Yield each module of genframe that a file imports: when it is loaded, within functions, and for types alone."""
    package = path.relative_to(ROOT).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level] if node.level else ()
            module = ".".join((*base, *([node.module] if node.module else [])))
            within = [f"{module}.{alias.name}" for alias in node.names]
            yield from dict.fromkeys(name if module.startswith("genframe") and file_of(name) else module for name in within)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def room(path: Path) -> str:
    """Return the folder of genframe in which a file is; the face of genframe is in none."""
    inner = path.relative_to(PACKAGE).parts
    return inner[0] if len(inner) > 1 else ""


def sources() -> list[Path]:
    """Return every source file of genframe and its plugins."""
    return [*sorted(PACKAGE.rglob("*.py")), *PLUGINS]


def test_rooms_are_folders() -> None:
    """Every folder of genframe is a room, and at most four files lie outside them."""
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(ROOMS)
    assert len([path for path in PACKAGE.iterdir() if path.is_file()]) <= 4


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    """A file imports from its own room and from those below, wherever in the file; none imports the face of genframe."""
    own = room(path)
    for name in imports(path):
        file = file_of(name) if name.partition(".")[0] == "genframe" else None
        if file is not None and own and own != "testing":
            other = room(file)
            free = other == "" and file.stem in {"version", "lazy"}
            assert free or (other in ROOMS and ROOMS.index(other) <= ROOMS.index(own)), f"{own} imports {name}"


BY_NAME = {"cli/command_line.py", "cli/commands.py", "lazy.py", "specs/base.py", "testing/docstrings.py", "testing/no_torch.py"}


def test_imports_by_name_are_known() -> None:
    """What no import statement shows is in few files: the lazy ones, commands, the kit, and specs that ask for plugins."""
    using = {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if "import_module(" in path.read_text()}
    assert using <= BY_NAME


def test_a_spec_finds_its_components_whatever_was_imported_before() -> None:
    """Importing a room alone is enough to name components of plugins."""
    program = (
        "from genframe.specs import ModelSpec\n"
        "assert ModelSpec.model_validate({'decoder': 'nets/mlp', 'loss': 'gan/adversarial'}).loss.type == 'gan/adversarial'"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def circles(files: Iterable[Path]) -> list[list[str]]:
    """Return the groups of files that import one another in a circle."""
    graph = {path: {file for name in imports(path) if (file := file_of(name)) and file != path} for path in files}
    found, sorter = [], TopologicalSorter(graph)
    while True:
        try:
            sorter.prepare()
        except CycleError as error:
            circle = error.args[1]
            found.append([str(path.relative_to(ROOT)) for path in circle])
            graph[circle[1]] = graph[circle[1]] - {circle[0]}
            sorter = TopologicalSorter(graph)
        else:
            return found


def test_no_file_imports_in_a_circle() -> None:
    """No chain of imports comes back to where it began, lazy ones and those for types included."""
    assert circles(sorted(PACKAGE.rglob("*.py"))) == []


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_only_tests_import_the_kit(path: Path) -> None:
    """The conformance kit is imported by nothing but tests and itself."""
    if room(path) != "testing":
        assert not [name for name in imports(path) if name.startswith("genframe.testing")]


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_files_are_short(path: Path) -> None:
    """No file has more than 300 lines."""
    assert len(path.read_text().splitlines()) <= 300


@pytest.mark.parametrize("path", PLUGINS, ids=lambda path: str(path.relative_to(ROOT)))
def test_plugins_import_public_names_only(path: Path) -> None:
    """A plugin imports genframe's face and the faces of rooms, never the trainer. One with commands may read and make runs."""
    for name in imports(path):
        first, _, inner = name.partition(".")
        if first == "genframe":
            of_commands = brings_commands(path) and inner.partition(".")[0] in OF_COMMANDS
            assert inner in {"", "lazy", "testing", *FACES} or of_commands, name


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


def imports_specs(path: Path) -> bool:
    """Return whether a file imports a module of specs, for types too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            words = {*(node.module or "").split("."), *(alias.name for alias in node.names)}
            if words & {"spec", "specs"} and (node.level or (node.module or "").startswith("genframe_")):
                return True
    return False


def test_implementations_import_no_specs() -> None:
    """What a spec builds takes plain arguments: its files know no spec."""
    found = set()
    for path in ROOT.glob("plugins/*/genframe_*/**/*.py"):
        package = path.relative_to(ROOT).parts[2]
        describes = "specs" in path.relative_to(ROOT).parts or path.stem in {"specs", "__init__", "hooks", "testing"}
        if not describes and imports_specs(path):
            found.add(package)
    assert not found
    for path in (PACKAGE / "core").glob("*.py"):
        if path.stem != "__init__":
            assert not [name for name in imports(path) if name.startswith("genframe.core.specs")]
