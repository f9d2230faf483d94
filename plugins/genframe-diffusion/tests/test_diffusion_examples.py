"""The examples in the docstrings run, and every public class has one."""

from __future__ import annotations

import genframe_diffusion
from genframe.testing import check_docstrings, require_conformance


def test_docstrings_are_true() -> None:
    """Each example prints what it shows, and each public class shows its use."""
    require_conformance(check_docstrings(genframe_diffusion))
