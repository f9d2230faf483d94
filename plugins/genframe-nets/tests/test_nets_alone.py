"""The networks without their specs: the examples of their docstrings, and how the package gives them."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

import genframe_nets
from genframe.testing import check_docstrings, require_conformance

MODULES = ["conv", "dit", "embedding", "isotropic", "masked", "mlp", "resnet", "sngan", "tied", "unet"]


def test_docstrings_are_true():
    """Each example prints what it shows, and each public class shows its use."""
    require_conformance(check_docstrings(genframe_nets))


@pytest.mark.parametrize("module", MODULES)
def test_every_network_is_exported(module):
    """Each public name of the implementation can be imported from the package."""
    assert set(import_module(f"genframe_nets.{module}").__all__) <= set(genframe_nets.__all__)


def test_networks_are_loaded_when_they_are_used():
    """Importing the package imports no torch; asking for a network does; a misspelled name is an AttributeError."""
    code = (
        "import sys, genframe_nets as nets; assert 'torch' not in sys.modules;"
        "nets.UNetDecoder; assert 'torch' in sys.modules; assert not hasattr(nets, 'UNetDecodr')"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
