"""The commands that show runs and recipes. Each one's module is imported when it runs."""

from __future__ import annotations

from typing import Final

from genframe import Command

__all__ = ["COMMANDS"]

COMMANDS: Final = (
    Command("report", "write a run as one page that shows all of it", "genframe_report.commands.report"),
    Command("compare", "show metrics of runs side by side, if their protocols agree", "genframe_report.commands.compare"),
    Command("table", "train families with several seeds and tabulate their metrics", "genframe_report.commands.table"),
    Command("taxonomy", "draw the family tree: compositions by density and sampling", "genframe_report.commands.taxonomy"),
)
