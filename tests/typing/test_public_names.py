"""The public surface: each module's ``__all__`` is what it means to give, sorted, and there."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import genframe
from genframe.types import GenframeError, errors

PACKAGE = Path(genframe.__file__).parent
MODULES = sorted(
    ".".join(("genframe", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
    if path.name != "__main__.py"
)
NAMED = [name for name in MODULES if hasattr(importlib.import_module(name), "__all__")]


FACES = [
    f"genframe.{name}"
    for name in ("types", "types.trait", "specs", "roles", "plugins", "checking", "model", "core", "core.specs")
]
"""Packages that show what their files list, file by file."""


def in_order(names: list[str]) -> list[str]:
    """Return the names, each once: constants, then classes, then the others."""
    return sorted(set(names), key=lambda name: (not name.isupper(), not name[:1].isupper(), name))


@pytest.mark.parametrize("name", NAMED)
def test_all_is_sorted_and_there(name: str) -> None:
    """Every name of ``__all__`` exists, once, in order."""
    module = importlib.import_module(name)
    if name not in FACES:
        assert list(module.__all__) == in_order(module.__all__)
    assert len(module.__all__) == len(set(module.__all__))
    assert [missing for missing in module.__all__ if not hasattr(module, missing)] == []


def classes(module: ModuleType) -> set[str]:
    """Return the public classes that a module itself defines."""
    own = {name: value for name, value in vars(module).items() if not name.startswith("_") and inspect.isclass(value)}
    return {name for name, value in own.items() if value.__module__ == module.__name__}


@pytest.mark.parametrize("name", FACES)
def test_public_classes_are_in_all(name: str) -> None:
    """A room shows every public class of its files, but for those that a file keeps to itself."""
    module = importlib.import_module(name)
    assert classes(module) <= set(module.__all__)


def test_the_top_level_gives_what_it_lists() -> None:
    """``from genframe import name`` works for every public name, and ``dir`` shows them all."""
    assert list(genframe.__all__) == in_order(genframe.__all__)
    assert [name for name in genframe.__all__ if getattr(genframe, name, None) is None] == []
    assert set(genframe.__all__) <= set(dir(genframe))


def test_the_top_level_lists_what_it_imports() -> None:
    """Whatever ``genframe/__init__.py`` imports from its modules, lazily or not, is public."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for alias in node.names
    }
    assert imported - {"__version__"} == set(genframe.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A misspelled import fails as imports do."""
    with pytest.raises(AttributeError, match="no attribute 'Encodr'"):
        genframe.Encodr  # noqa: B018


def test_importing_genframe_imports_no_torch() -> None:
    """The names that need torch are loaded when they are first used, and not before."""
    program = (
        "import sys, genframe; assert not {'torch', 'numpy'} & set(sys.modules);"
        "genframe.EncoderSpec, genframe.check; assert 'torch' not in sys.modules;"
        "genframe.compose; assert 'torch' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_every_error_is_in_the_tree_and_has_a_code_of_its_own() -> None:
    """Each class of error is drawn at the top of errors.py, and no two share an exit code."""
    own = [error for error in GenframeError.__subclasses__() if error.__module__ == errors.__name__]
    assert [error.__name__ for error in own if error.__name__ not in (errors.__doc__ or "")] == []
    assert len({error.exit_code for error in own}) == len(own)
