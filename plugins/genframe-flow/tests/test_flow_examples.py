"""The examples in the docstrings run, every public class has one, and importing the plugin does not import torch."""

from __future__ import annotations

import doctest
import inspect
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module

import pytest

import genframe_flow

MODULES = sorted(module.name for module in pkgutil.iter_modules(genframe_flow.__path__) if not module.ispkg)
WITHOUT_EXAMPLE = {"Bijection", "Elementwise"}  # abstract


def examples() -> Iterator[doctest.DocTest]:
    """Yield the examples of each docstring of the implementation."""
    for name in MODULES:
        yield from (test for test in doctest.DocTestFinder().find(import_module(f"genframe_flow.{name}")) if test.examples)


@pytest.mark.parametrize("test", list(examples()), ids=lambda test: test.name.removeprefix("genframe_flow."))
def test_example(test: doctest.DocTest) -> None:
    """The example gives what it says."""
    assert doctest.DocTestRunner().run(test).failed == 0


def test_every_public_class_has_an_example() -> None:
    """Each class and each flow that the package gives by name, apart from its specs."""
    lazy = sorted(set(genframe_flow.__all__) - set(genframe_flow.specs.__all__))
    without = {name for name in lazy if ">>>" not in (inspect.getdoc(getattr(genframe_flow, name)) or "")}
    assert without == WITHOUT_EXAMPLE | {"glow_stack", "realnvp_stack", "vector_stack"}


def test_importing_the_plugin_imports_no_torch() -> None:
    """The parts are loaded when they are first used, and not before; an unknown name is an attribute error."""
    program = (
        "import sys, genframe_flow; assert not {'torch', 'numpy'} & set(sys.modules);"
        "from genframe_flow import Spline, nsf; assert 'torch' in sys.modules;"
        "assert 'nsf' in dir(genframe_flow) and not hasattr(genframe_flow, 'nfs')"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
