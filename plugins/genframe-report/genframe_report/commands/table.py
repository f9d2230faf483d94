"""``genframe table``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genframe.cli.runs import make_room
from genframe.cli.values import count

if TYPE_CHECKING:
    from ..tables import Cell, Table


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("suite", type=Path, metavar="SUITE", help="a .yaml or .json file with families, seeds and metrics")
    parser.add_argument("--folder", type=Path, help="folder of the runs; runs/NAME if left out")
    parser.add_argument("--jobs", type=count, default=1, help="how many runs are trained at a time; 1 if left out")
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="write the table to a file")
    parser.add_argument("--json", action="store_true", help="print the table as JSON")


def run(options: argparse.Namespace) -> None:
    """Train and measure the runs that do not exist yet, then print the table in Markdown."""
    from genframe.experiment.document.loading import check_placed

    from ..suite import read_suite

    suite = read_suite(options.suite)
    for experiment in suite.experiments():
        check_placed(experiment)

    from genframe.cli.output import Messages, print_json
    from genframe.output.files import write_whole

    from ..tables import make_runs, tabulate

    folder = options.folder or Path("runs") / suite.spec.name
    make_runs(suite, folder, jobs=options.jobs, reporter=Messages())
    table = tabulate(suite, folder)
    if options.json:
        print_json(plain(table))
        return
    text = "\n".join(page(table)) + "\n"
    if options.out is None:
        print(text, end="")
        return
    make_room(options.out)
    write_whole(options.out, text.encode())


def page(table: Table) -> Iterator[str]:
    """Yield the lines of the table in Markdown, and notes below it."""
    from ..tables import over_budget
    from .compare import differences, markdown

    spec, over = table.suite.spec, set(over_budget(table))
    lines = [["family", "training, s", *(column.title for column in spec.columns)]]
    for row, seconds, cells in zip(spec.rows, table.seconds, table.cells, strict=True):
        lines.append([row.family, f"{text(seconds)}{' *' * (row.family in over)}", *map(text, cells)])
    if any(table.of_data):
        lines.append(["real data instead of samples", "", *map(text, table.of_data)])
    yield from markdown(lines)
    yield ""
    seeds = ", ".join(map(str, spec.seeds))
    yield f"Means of {len(spec.seeds)} trainings with seeds {seeds}, with their standard error over seeds."
    yield f"Training is in seconds of processor time, at most {spec.budget:g} each{'; * took longer' if over else ''}."
    for column in table.columns:
        if column.found and column.differing:
            yield f"Protocols of {column.name} differ: {'; '.join(differences(column))}."


def text(cell: Cell | None) -> str:
    """Return a value with its error, and a sign before a bound."""
    from ..comparison import with_error

    if cell is None:
        return ""
    return f"{'≤ ' * cell.bound}{with_error(cell.value, cell.standard_error or None)}"


def plain(table: Table) -> dict[str, Any]:
    """Return the table as plain data."""
    spec = table.suite.spec
    names = ["cpu_seconds", *(column.figure for column in spec.columns)]

    def named(cells: tuple[Cell | None, ...]) -> dict[str, Any]:
        return {name: vars(cell) if cell is not None else None for name, cell in zip(names, cells, strict=True)}

    rows = zip(spec.rows, table.seconds, table.cells, strict=True)
    families = [{"family": row.family, "figures": named((seconds, *cells))} for row, seconds, cells in rows]
    return {"name": spec.name, "seeds": list(spec.seeds), "families": families, "of_data": named((None, *table.of_data))}
