"""The examples in docstrings: they run, and every public class has one."""

from __future__ import annotations

import doctest
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from importlib import import_module
from inspect import getdoc, isabstract, isclass
from pkgutil import walk_packages
from types import ModuleType
from typing import Any

import torch
from torch import nn

import genframe

from ..specs.base import Spec
from .finding import Finding

__all__ = ["check_docstrings"]


def check_docstrings(package: ModuleType, given: Mapping[str, Any] | None = None) -> list[Finding]:
    """Return which examples in the docstrings of a package do not print what they show, and which public classes have none.

    Examples see ``torch``, ``nn``, the public names of genframe and of the package, those of their own module, and what is
    ``given`` by name; each starts from seed 0. The public classes are those in the package's ``__all__`` that do something: not
    specs, traits (protocols), dataclasses and abstract classes.
    """
    names = {"torch": torch, "nn": nn, **_public(genframe), **_public(package)}
    findings = [
        Finding(example.name, "example", report)
        for module in _modules(package)
        for example in doctest.DocTestFinder().find(module, globs={**names, **vars(module), **(given or {})})
        if (report := _run(example))
    ]
    silent = [name for name, each in _public(package).items() if _shows_no_use(each)]
    return findings + [Finding(f"{package.__name__}.{name}", "example", "has none in its docstring") for name in silent]


def _public(package: ModuleType) -> dict[str, Any]:
    return {name: getattr(package, name) for name in package.__all__}


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    yield package
    for found in walk_packages(package.__path__, f"{package.__name__}."):
        yield import_module(found.name)


def _run(example: doctest.DocTest) -> str:
    """Return what an example prints instead of what it shows; empty where all is well."""
    report: list[str] = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        doctest.DocTestRunner(verbose=False).run(example, out=report.append)
    return "".join(report)


def _shows_no_use(public: Any) -> bool:
    if not isclass(public) or issubclass(public, Spec) or isabstract(public) or is_dataclass(public):
        return False
    return not getattr(public, "_is_protocol", False) and ">>>" not in (getdoc(public) or "")
