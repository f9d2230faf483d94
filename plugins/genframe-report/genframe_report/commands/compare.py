"""``genframe compare``."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from genframe import SpecError, Unsupported

if TYPE_CHECKING:
    from genframe import MetricResult

    from ..comparison import Row

ABSENT: Final = "-"
GAP: Final = "  "


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folders of runs that were measured")
    parser.add_argument("--mark", action="store_true", help="also show metrics of different protocols, with a mark and a note")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="print a table in Markdown")
    form.add_argument("--json", action="store_true", help="print metrics with their stamps as JSON")


def run(options: argparse.Namespace) -> None:
    """Print one row per metric and one column per run; below, which metrics do not compare, and why."""
    from genframe.cli.output import print_json

    from ..comparison import read_evaluation, side_by_side

    if len(options.runs) < 2:
        raise SpecError("one run cannot be compared; name two or more")
    rows = side_by_side([read_evaluation(folder) for folder in options.runs])
    names = column_names(options.runs)
    unlike = [row for row in rows if row.differing]
    shown = rows if options.mark else [row for row in rows if not row.differing]
    if not any(len(row.found) > 1 for row in shown):
        reasons = "; ".join(f"{row.name} by {', '.join(row.differing)}" for row in unlike)
        what = f"their protocols differ: {reasons}; --mark shows them nevertheless" if reasons else "they have none in common"
        raise Unsupported(f"no metric of these runs compares: {what}")
    if options.json:
        print_json({"runs": [str(folder) for folder in options.runs], "figures": [plain(row) for row in rows]})
    else:
        marks = {id(row): f" [{number}]" for number, row in enumerate(unlike, 1)} if options.mark else {}
        table = [("", *names)]
        table += [(f"{label(row)}{marks.get(id(row), '')}", *(text(cell) for cell in row.cells)) for row in shown]
        print("\n".join(markdown(table) if options.markdown else columns(table, shutil.get_terminal_size((100, 24)).columns)))
        if unlike:
            print(
                "\nof different protocols:" if options.mark else "\nnot compared, because protocols differ (--mark shows them):"
            )
        for number, row in enumerate(unlike, 1):
            print(f"{f'[{number}] ' if options.mark else ''}{row.name}: {'; '.join(differences(row))}")


def column_names(folders: Sequence[Path]) -> list[str]:
    """Return the names of the folders, or whole paths if two names are equal."""
    names = [folder.resolve().name for folder in folders]
    return names if len(set(names)) == len(names) else [str(folder) for folder in folders]


def label(row: Row) -> str:
    """Return the metric's name and unit."""
    return f"{row.name}, {row.unit}" if row.unit else row.name


def text(cell: MetricResult | None) -> str:
    """Return a value with its standard error."""
    from ..comparison import with_error

    return with_error(cell.value, cell.standard_error) if cell is not None else ABSENT


def differences(row: Row) -> Iterator[str]:
    """Yield each field in which the runs' stamps differ, with its values."""
    for field in row.differing:
        values = [value for value, cell in zip(row.values_of(field), row.cells, strict=True) if cell is not None]
        yield f"{field} is {', '.join(dict.fromkeys('absent' if value is None else str(value) for value in values))}"


def plain(row: Row) -> dict[str, Any]:
    """Return a row as plain data."""
    cells = [vars(cell) if cell is not None else None for cell in row.cells]
    return {"name": row.name, "unit": row.unit, "differing": list(row.differing), "results": cells}


def columns(table: Sequence[Sequence[str]], width: int) -> list[str]:
    """Return lines of aligned columns; columns beyond ``width`` follow below, beside the first column again."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines: list[str] = []
    start = 1
    while start < len(widths):
        end, used = start + 1, widths[0] + len(GAP) + widths[start]
        while end < len(widths) and used + len(GAP) + widths[end] <= width:
            used += len(GAP) + widths[end]
            end += 1
        lines += [""] if lines else []
        for row in table:
            cells = [row[0].ljust(widths[0]), *(row[place].rjust(widths[place]) for place in range(start, end))]
            lines.append(GAP.join(cells).rstrip())
        start = end
    return lines


def markdown(table: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table in Markdown, its first row as the header."""
    header, *rows = [[cell.replace("|", "\\|") for cell in row] for row in table]
    ruler = ["---", *("---:" for _ in header[1:])]
    return [f"| {' | '.join(row)} |" for row in [header, ruler, *rows]]
