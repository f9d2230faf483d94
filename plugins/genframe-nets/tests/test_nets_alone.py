"""The networks without their specs: the examples of their docstrings, and how the package gives them."""

from __future__ import annotations

import doctest
import subprocess
import sys
from importlib import import_module

import pytest
import torch
from torch import nn

import genframe
import genframe_nets

MODULES = ["conv", "dit", "embedding", "isotropic", "masked", "mlp", "resnet", "sngan", "tied", "unet"]
NAMES = {name: getattr(package, name) for package in (genframe, genframe_nets) for name in package.__all__}
EXAMPLES = [
    test
    for module in MODULES
    for test in doctest.DocTestFinder(exclude_empty=True).find(
        import_module(f"genframe_nets.{module}"), globs={"torch": torch, "nn": nn, **NAMES}
    )
    if test.examples
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_the_example_runs(example):
    """What the docstring shows is what happens, given the public names of genframe and of this package."""
    report = []
    result = doctest.DocTestRunner(verbose=False).run(example, out=report.append)
    assert not result.failed, "".join(report)


@pytest.mark.parametrize("module", MODULES)
def test_every_class_is_exported_and_has_an_example(module):
    """Each public class can be imported from the package, and its docstring shows its use."""
    shown = {example.name.rpartition(".")[2] for example in EXAMPLES}
    for name in import_module(f"genframe_nets.{module}").__all__:
        assert name in genframe_nets.__all__
        assert name in shown


def test_networks_are_loaded_when_they_are_used():
    """Importing the package imports no torch; asking for a network does; a misspelled name is an AttributeError."""
    code = (
        "import sys, genframe_nets as nets; assert 'torch' not in sys.modules;"
        "nets.UNetDecoder; assert 'torch' in sys.modules; assert not hasattr(nets, 'UNetDecodr')"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
