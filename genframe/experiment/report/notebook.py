"""How a run shows itself in a notebook: its curves and its last samples, on light paper and on dark."""

from __future__ import annotations

from typing import Final
from zlib import crc32

from ...markup import png_uri, tag
from ..run import Run
from .curves import charts, svg
from .pictures import last_picture

__all__ = ["run_html"]

MOST_CHARTS: Final = 4


def run_html(run: Run) -> str:
    """Return what a notebook shows of a run; the ids in it are of the run, for a notebook may show several."""
    name = f"run-{crc32(f'{run!r} {run.folder}'.encode()):08x}"
    shown = (svg(chart, f"{name}-{number}") for number, chart in enumerate(charts(run.metrics)[:MOST_CHARTS]))
    samples = tag("img", src=png_uri(last_picture(run)), alt=f"Samples at step {run.step:,}", style="max-width:100%")
    return tag("div", tag("p", repr(run)), tag("div", *shown), samples)
