"""The page of a report: what its sections say, its style, and the policy by which a browser loads nothing for it."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from importlib.resources import files
from itertools import pairwise
from typing import Any, Final

from markupsafe import Markup

from genframe import Run, __version__
from genframe.experiment.document.origins import DEFAULT, GIVEN, Value, differing
from genframe.experiment.run.folder import RunFolder
from genframe.training.observer import Row
from genframe.types import Report

from .curves import Chart, charts, logged_once
from .pictures import Drawn, Group
from .plot import svg
from .rendering import render

__all__ = ["page"]

MOST_CHARTS: Final = 16
MOST_NUMBERS: Final = 12  # rows of a curve's table
MOST_TEXT: Final = 400  # characters of a value
MOST_ROWS: Final = 500
OVERRIDE: Final = re.compile(r"<override .*>")

Section = dict[str, Any]  # what the template shows in one section, by name


def page(drawn: Drawn, groups: Sequence[Group]) -> Markup:
    """Return the whole document."""
    run, composition = drawn.run, drawn.run.model.composition
    style = files("genframe_report").joinpath("templates", "page.css").read_text(encoding="utf-8")
    by_key = {re.sub(r"[^a-z]+", "-", group.name.lower()).strip("-"): group for group in groups}
    kinds = f"{composition.density} density, {composition.sampling} sampling"
    return render(
        "page.html",
        version=__version__,
        style=Markup(style),  # noqa: S704 - our own file
        policy=_policy(style),
        name=run.experiment.name,
        line=f"{run.experiment.data.type}; {kinds}; step {run.step:,}",
        contents={
            **{title.lower(): title for title in ("Summary", "Metrics", "Curves")},
            **{key: group.name for key, group in by_key.items()},
            **{title.lower(): title for title in ("Model", "Experiment", "Environment")},
        },
        notes=run.notes,
        summary=_summary(run),
        metrics=_metrics(run),
        curves=_curves(run.metrics),
        groups=by_key,
        model=Markup(run.model._repr_html_()),  # noqa: S704 - escaped where it is made
        experiment=_experiment(run),
        environment=_environment(run),
        command=drawn.command("report", "--seed", drawn.seed),
    )


def _policy(style: str) -> str:
    """Return what a browser may do for the page: show its pictures and apply its one style, nothing else."""
    digest = b64encode(sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _summary(run: Run) -> Section:
    composition = run.model.composition
    return {
        "Data": f"{run.experiment.data.type}, {composition.data}",
        **({"Read": read} if (read := _read(run)) else {}),
        "Density": composition.density,
        "Sampling": composition.sampling,
        "Parameters": f"{sum(parameter.numel() for parameter in run.model.parameters()):,}",
        "Steps": f"{run.step:,}",
        "Training": _duration(run.metrics),
        "Folder": str(run.folder) if run.folder is not None else "none, the run is in memory",
        "Checkpoint": run.checkpoint[:16] or "none",
    }


def _read(run: Run) -> str:
    """Return what the reader of the data took from its files and what it skipped, as far as the run says."""
    found = _mapping(_mapping(_json(run, "environment.json")).get("read"))
    skipped = {name: count for name, count in _mapping(found.get("skipped")).items() if type(count) is int}
    empty, notes = (tuple(map(_text, _list(found.get(name))[:MOST_NUMBERS])) for name in ("empty", "notes"))
    return _text(str(Report(_text(found["took"]), skipped, empty, notes))) if "took" in found else ""


def _duration(rows: Sequence[Row]) -> str:
    """Return how long training took, without interruptions; the clock starts from zero when a run is resumed."""
    clock = [row["seconds"] for row in rows if "seconds" in row]
    if not clock:
        return "not logged"
    seconds = clock[-1] + sum(before for before, after in pairwise(clock) if after < before)
    if seconds < 100:
        return f"{seconds:.3g} seconds"
    return f"{seconds / 60:.3g} minutes" if seconds < 6000 else f"{seconds / 3600:.3g} hours"


def _metrics(run: Run) -> Section:
    found = _mapping(_json(run, "results.json"))
    results = [result for result in _list(found.get("results")) if isinstance(result, dict)][:MOST_ROWS]
    return {
        "command": f"genframe evaluate {run.folder}" if run.folder is not None else "genframe.evaluate(run)",
        "rows": [(_text(one.get("name")), _number(one), _text(one.get("unit")), _text(one.get("note"))) for one in results],
        "stamps": [*_stamps(results)],
        "refused": [*_texts(found.get("refused")).items()],
    }


def _number(result: Mapping[str, Any]) -> str:
    value, error = result.get("value"), result.get("standard_error")
    text = f"{value:.5g}" if isinstance(value, (int, float)) else _text(value)
    return f"{text}\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{error:.2g}" if isinstance(error, (int, float)) else text


def _stamps(results: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each protocol, with the names of all metrics that were measured by it."""
    by_stamp: dict[str, list[str]] = {}
    for result in results:
        stamp = json.dumps(_mapping(result.get("stamp")), sort_keys=True, default=str)
        by_stamp.setdefault(stamp, []).append(_text(result.get("name")))
    for stamp, names in by_stamp.items():
        yield ", ".join(names), {key: _text(value) for key, value in json.loads(stamp).items()}


def _curves(rows: Sequence[Row]) -> Section:
    found = charts(rows)
    return {
        "charts": [_chart(chart, f"curve-{number}") for number, chart in enumerate(found[:MOST_CHARTS], 1)],
        "more": [chart.metric for chart in found[MOST_CHARTS:]],
        "once": {name: f"{value:.5g}" for name, value in logged_once(rows).items()},
    }


def _chart(chart: Chart, name: str) -> Section:
    steps = sorted({step for curve in chart.curves for step, _ in curve.points})
    shown = steps if len(steps) <= MOST_NUMBERS else steps[:: -(-len(steps) // MOST_NUMBERS)] + steps[-1:]
    values = [dict(curve.points) for curve in chart.curves]
    return {
        "metric": chart.metric,
        "svg": svg(chart, name),
        "remark": chart.remark(),
        "headers": ("step", *(curve.name for curve in chart.curves)),
        "rows": [
            (f"{step:,.0f}", *(f"{held[step]:.5g}" if step in held else "" for held in values)) for step in dict.fromkeys(shown)
        ],
    }


def _experiment(run: Run) -> Section:
    origins = RunFolder(run.folder).origins() if run.folder is not None else None
    found = [*differing(run.experiment, origins)][: 20 * MOST_ROWS]
    about = "Values that were written, and where. All others are defaults."
    if origins is None:
        about = "The run does not say where its values were written. These are not the default:"
    return {
        "about": about,
        "written": [_written(value) for value in found if value.origin != DEFAULT],
        "defaults": [_written(value)[:2] for value in found if value.origin == DEFAULT],
    }


def _written(value: Value) -> tuple[str, str, str]:
    shown = value.value if isinstance(value.value, str) else json.dumps(value.value, ensure_ascii=False)
    origin = "override" if OVERRIDE.fullmatch(value.origin) else value.origin
    return value.path, _text(shown), "not the default" if origin == GIVEN else _text(origin)


def _environment(run: Run) -> Section:
    found = _mapping(_json(run, "environment.json"))
    plugins, data = _texts(found.pop("plugins", None)), _mapping(found.pop("data", None))
    command = _list(found.pop("command", None))
    found.pop("read", None)  # told in the summary
    found |= {"command": " ".join(map(str, command))} if command else {}
    folded = [("Plugins", plugins)] if plugins else []
    folded += [(f"Data: {name}", _texts(protocol)) for name, protocol in [*data.items()][:10]]
    return {"facts": _texts(found), "folded": folded}


def _json(run: Run, name: str) -> object:
    return RunFolder(run.folder).read_json(name) if run.folder is not None else None


def _texts(value: object) -> dict[str, str]:
    return {name: _text(entry) for name, entry in [*_mapping(value).items()][:MOST_ROWS]}


def _text(value: object) -> str:
    """Return a value of a file as text of bounded length."""
    if isinstance(value, dict):
        text = ", ".join(f"{key}: {_text(entry)}" for key, entry in value.items())
    else:
        text = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]}…"


def _mapping(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
