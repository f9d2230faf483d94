"""The kit finds an example that does not print what it shows, and a public class without an example."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from genframe.testing import check_docstrings

FACE = '''
"""A package."""

from .parts import *
from .parts import __all__
'''

PARTS = '''
"""Its parts."""

from dataclasses import dataclass
from typing import Protocol

import torch
from genframe import PriorSpec

__all__ = ["Doubles", "Result", "SomeSpec", "SomeTrait"]


class Doubles(torch.nn.Module):
    """Doubles.

    >>> Doubles()(torch.ones(2))  # torch and the class itself are there
    tensor([2., 2.])
    >>> torch.randn(1) == first  # drawn from seed 0, and compared with what was given
    tensor([True])
    >>> Real((2,))
    Real(shape=(2,), low=None, high=None, levels=None, dequantised=False)
    """

    def forward(self, x):
        return 2 * x


@dataclass
class Result:
    """A value needs no example."""


class SomeSpec(PriorSpec):
    """Neither does a spec."""


class SomeTrait(Protocol):
    """Nor a trait."""
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the folder of a package that can be imported."""
    monkeypatch.syspath_prepend(tmp_path)
    package = tmp_path / "documented"
    package.mkdir()
    (package / "__init__.py").write_text(FACE)
    yield package
    for name in [name for name in sys.modules if name.partition(".")[0] == "documented"]:
        del sys.modules[name]


def findings(folder: Path, parts: str) -> list[str]:
    """Return what the kit says of a package with these parts."""
    (folder / "parts.py").write_text(parts)
    importlib.invalidate_caches()
    given = {"first": torch.randn(1, generator=torch.Generator().manual_seed(0))}
    return [str(finding) for finding in check_docstrings(importlib.import_module("documented"), given)]


def test_true_examples_are_no_finding(folder: Path) -> None:
    """Examples see torch, genframe, their own module and what is given; the caller's random numbers go on as they were."""
    torch.manual_seed(3)
    assert findings(folder, PARTS) == []
    drawn = torch.randn(1)
    torch.manual_seed(3)
    assert torch.equal(drawn, torch.randn(1))


def test_a_wrong_example_is_found(folder: Path) -> None:
    """What was expected and what was printed are both said."""
    (finding,) = findings(folder, PARTS.replace("return 2 * x", "return 3 * x"))
    assert finding.startswith("documented.parts.Doubles: example: ")
    assert "tensor([2., 2.])" in finding
    assert "tensor([3., 3.])" in finding


def test_an_example_that_raises_is_found(folder: Path) -> None:
    """An error in an example is said."""
    (finding,) = findings(folder, PARTS.replace("return 2 * x", "return x.nothing"))
    assert "AttributeError" in finding


def test_a_public_class_without_an_example_is_found(folder: Path) -> None:
    """Its name is said."""
    silent = PARTS + '\n\nclass Silent:\n    """Says nothing."""\n'
    assert findings(folder, silent.replace('["Doubles"', '["Silent", "Doubles"')) == [
        "documented.Silent: example: has none in its docstring"
    ]


def test_a_class_that_is_not_public_needs_no_example(folder: Path) -> None:
    """What a package does not list in its ``__all__`` is its own affair."""
    assert findings(folder, PARTS + '\n\nclass Silent:\n    """Says nothing."""\n') == []
