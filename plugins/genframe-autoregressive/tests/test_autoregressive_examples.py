"""The examples in the docstrings of the implementation run, and every public class has one."""

from __future__ import annotations

import doctest
import inspect
from importlib import import_module
from pkgutil import walk_packages

import pytest

import genframe_autoregressive

MODULES = [module.name for module in walk_packages(genframe_autoregressive.__path__, "genframe_autoregressive.")]
EXAMPLES = [
    test for name in MODULES for test in doctest.DocTestFinder(exclude_empty=True).find(import_module(name)) if test.examples
]
PUBLIC = [
    value
    for name in genframe_autoregressive._LOADED_WHEN_USED
    if inspect.isclass(value := getattr(genframe_autoregressive, name)) and not inspect.isabstract(value)
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_example_runs(example: doctest.DocTest) -> None:
    """It prints what it says."""
    assert doctest.DocTestRunner().run(example).failed == 0


@pytest.mark.parametrize("public", PUBLIC, ids=lambda public: public.__name__)
def test_public_class_has_an_example(public: type) -> None:
    """Its docstring shows its use."""
    assert any(example.name == f"{public.__module__}.{public.__qualname__}" for example in EXAMPLES)
