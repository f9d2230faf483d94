"""The conformance kit: what every component promises, as tests that a plugin gets in three lines.

    from genframe.testing import PluginConformance


    class TestMine(PluginConformance):
        plugin = "mine"

Without pytest, :func:`check_component` and :func:`check_plugin` return what they find. :func:`check_docstrings` runs
the examples of a package, :func:`part` builds one component between given spaces. Imported by tests only.
"""

from __future__ import annotations

from .checks import CHECKS, Check
from .docstrings import check_docstrings
from .drawing import draw
from .example import Example
from .finding import ConformanceError, Finding
from .part import part
from .resuming import checkpoint_tensors, train_interrupted
from .suite import PluginConformance, check_component, check_plugin, require_conformance

__all__ = [
    "CHECKS",
    "Check",
    "ConformanceError",
    "Example",
    "Finding",
    "PluginConformance",
    "check_component",
    "check_docstrings",
    "check_plugin",
    "checkpoint_tensors",
    "draw",
    "part",
    "require_conformance",
    "train_interrupted",
]
