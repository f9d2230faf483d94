"""genframe plugin: reports, comparisons, tables and the family tree. Names are loaded when they are first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genframe.lazy import loaded_when_used

if TYPE_CHECKING:
    from .comparison import Row, read_evaluation, side_by_side
    from .document import Report, report
    from .suite import Suite, SuiteSpec, read_suite
    from .tables import Table, make_runs, tabulate
    from .taxonomy import Placed, Taxonomy, place, place_recipes

__all__ = [
    "Placed",
    "Report",
    "Row",
    "Suite",
    "SuiteSpec",
    "Table",
    "Taxonomy",
    "make_runs",
    "place",
    "place_recipes",
    "read_evaluation",
    "read_suite",
    "report",
    "side_by_side",
    "tabulate",
]

_LOADED_WHEN_USED = {
    "comparison": ("Row", "read_evaluation", "side_by_side"),
    "document": ("Report", "report"),
    "suite": ("Suite", "SuiteSpec", "read_suite"),
    "tables": ("Table", "make_runs", "tabulate"),
    "taxonomy": ("Placed", "Taxonomy", "place", "place_recipes"),
}
_MODULE_OF = {name: module for module, names in _LOADED_WHEN_USED.items() for name in names}


__getattr__, __dir__ = loaded_when_used(__name__, _MODULE_OF)
