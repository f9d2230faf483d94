"""The examples in the docstrings run, every public class has one, and importing the plugin does not import torch."""

from __future__ import annotations

import inspect
import subprocess
import sys

import genframe_flow
from genframe.testing import check_docstrings, require_conformance


def test_docstrings_are_true() -> None:
    """Each example prints what it shows, and each public class shows its use."""
    require_conformance(check_docstrings(genframe_flow))


def test_every_flow_has_an_example() -> None:
    """Each flow that the package gives by name, such as ``nsf``, shows its use; a stack shows nothing by itself."""
    functions = {name: each for name in genframe_flow.__all__ if inspect.isfunction(each := getattr(genframe_flow, name))}
    without = {name for name, each in functions.items() if ">>>" not in (inspect.getdoc(each) or "")}
    assert without == {"glow_stack", "realnvp_stack", "vector_stack"}


def test_importing_the_plugin_imports_no_torch() -> None:
    """The parts are loaded when they are first used, and not before; an unknown name is an attribute error."""
    program = (
        "import sys, genframe_flow; assert not {'torch', 'numpy'} & set(sys.modules);"
        "from genframe_flow import Spline, nsf; assert 'torch' in sys.modules;"
        "assert 'nsf' in dir(genframe_flow) and not hasattr(genframe_flow, 'nfs')"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
