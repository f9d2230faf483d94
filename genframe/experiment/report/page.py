"""The page of a report: its sections in their order, its style, and the policy by which a browser loads nothing for it."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from itertools import pairwise
from typing import Any, Final

from ... import __version__
from ...markup import Markup, join, png_uri, table, tag
from ..folder import Row, RunFolder
from ..origins import DEFAULT, GIVEN, Value, differing
from ..run import Run
from .curves import Chart, charts, single_figures, svg
from .pictures import Drawn, Group, Picture

__all__ = ["page"]

MOST_CHARTS: Final = 16
MOST_NUMBERS: Final = 12  # rows of a curve's table
MOST_TEXT: Final = 400  # characters of a value
MOST_ROWS: Final = 500
THEMES: Final = {"auto": "Auto", "light": "Light", "dark": "Dark"}
OVERRIDE: Final = re.compile(r"<override .*>")


@dataclass(frozen=True)
class Section:
    """A part of the page, with its heading and what its address ends in."""

    key: str
    title: str
    content: Markup


def page(drawn: Drawn, groups: Sequence[Group]) -> Markup:
    """Return the whole document."""
    run = drawn.run
    sections = [*_sections(run, groups)]
    style = files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(style)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="generator", content=f"genframe {__version__}"),
        tag("title", f"{run.experiment.name}: report"),
        tag("style", Markup(style)),
    )
    body = tag(
        "body",
        tag("a", "Skip to the report", class_="skip", href="#report"),
        _header(run),
        tag("div", _contents(sections), tag("main", *map(_section, sections), id="report"), class_="columns"),
        _footer(drawn),
    )
    return join(Markup("<!DOCTYPE html>\n"), tag("html", head, "\n", body, lang="en"), "\n")


def _policy(style: str) -> str:
    """Return what a browser may do for the page: show its pictures and apply its one style, nothing else."""
    digest = b64encode(sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _sections(run: Run, groups: Sequence[Group]) -> Iterator[Section]:
    yield Section("summary", "Summary", _summary(run))
    yield Section("figures", "Figures", _figures(run))
    yield Section("curves", "Curves", _curves(run.metrics))
    for group in groups:
        yield Section(_key(group.name), group.name, _group(group))
    yield Section("model", "Model", tag("div", Markup(run.model._repr_html_()), **_scrolls("The model's parts")))
    yield Section("experiment", "Experiment", _experiment(run))
    yield Section("environment", "Environment", _environment(run))


def _key(name: str) -> str:
    return re.sub(r"[^a-z]+", "-", name.lower()).strip("-")


def _header(run: Run) -> Markup:
    composition = run.model.composition
    kinds = f"{composition.density} density, {composition.sampling} sampling"
    choices = (
        join(
            tag("input", type="radio", name="theme", id=f"theme-{key}", **({"checked": ""} if key == "auto" else {})),
            tag("label", name, for_=f"theme-{key}"),
        )
        for key, name in THEMES.items()
    )
    return tag(
        "header",
        tag("div", tag("h1", run.experiment.name), tag("p", f"{run.experiment.data.type}; {kinds}; step {run.step:,}")),
        tag("fieldset", tag("legend", "Theme"), *choices, class_="theme"),
    )


def _contents(sections: Iterable[Section]) -> Markup:
    links = (tag("li", tag("a", section.title, href=f"#{section.key}")) for section in sections)
    return tag("nav", tag("ol", *links), aria_label="Contents")


def _section(section: Section) -> Markup:
    heading = tag("h2", section.title, id=f"{section.key}-heading")
    return tag("section", heading, section.content, id=section.key, aria_labelledby=f"{section.key}-heading")


def _footer(drawn: Drawn) -> Markup:
    command = drawn.command("report", "--seed", drawn.seed)
    made = join("Made by ", tag("code", command), ". ") if command else None
    return tag("footer", tag("p", made, f"genframe {__version__}. This page holds all that it shows and loads nothing."))


def _summary(run: Run) -> Markup:
    composition = run.model.composition
    facts = {
        "Data": f"{run.experiment.data.type}, {composition.data}",
        "Density": composition.density,
        "Sampling": composition.sampling,
        "Parameters": f"{sum(parameter.numel() for parameter in run.model.parameters()):,}",
        "Steps": f"{run.step:,}",
        "Training": _duration(run.metrics),
        "Folder": str(run.folder) if run.folder is not None else "none, the run lives in memory",
        "Checkpoint": run.checkpoint[:16] or "none",
    }
    notes = tag("ul", *(tag("li", note) for note in run.notes)) if run.notes else None
    return join(notes, _facts(facts))


def _facts(facts: Mapping[str, object]) -> Markup:
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in facts.items()), class_="facts")


def _duration(rows: Sequence[Row]) -> str:
    """Return how long training took, its interruptions left out; the clock begins anew where a run is resumed."""
    clock = [row["seconds"] for row in rows if "seconds" in row]
    if not clock:
        return "not logged"
    seconds = clock[-1] + sum(before for before, after in pairwise(clock) if after < before)
    return (
        f"{seconds:.3g} seconds"
        if seconds < 100
        else f"{seconds / 60:.3g} minutes"
        if seconds < 6000
        else f"{seconds / 3600:.3g} hours"
    )


def _figures(run: Run) -> Markup:
    found = RunFolder(run.folder).read_json("results.json") if run.folder is not None else None
    results = [result for result in _list(_mapping(found).get("results")) if isinstance(result, dict)][:MOST_ROWS]
    refused = [(name, _text(reason)) for name, reason in _mapping(_mapping(found).get("refused")).items()][:MOST_ROWS]
    measure = f"genframe evaluate {run.folder}" if run.folder is not None else "genframe.evaluate(run)"
    if not results and not refused:
        return tag("p", "Nothing was measured. ", tag("code", measure), " does so.")
    rows = (
        (_text(result.get("name")), _number(result), _text(result.get("unit")), _text(result.get("note"))) for result in results
    )
    main = tag("div", table(("figure", "value", "unit", "note"), rows), **_scrolls("Figures")) if results else None
    stamps = _stamps(results)
    missing = _folded("Not measured", table(("metric", "reason"), refused)) if refused else None
    return join(main, stamps, missing)


def _number(result: Mapping[str, Any]) -> str:
    value, error = result.get("value"), result.get("standard_error")
    text = f"{value:.5g}" if isinstance(value, (int, float)) else _text(value)
    return f"{text}\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{error:.2g}" if isinstance(error, (int, float)) else text


def _stamps(results: Iterable[Mapping[str, Any]]) -> Markup | None:
    """Return by which protocol each figure was measured; those of one protocol together."""
    by_stamp: dict[str, list[str]] = {}
    for result in results:
        stamp = json.dumps(_mapping(result.get("stamp")), sort_keys=True, default=str)
        by_stamp.setdefault(stamp, []).append(_text(result.get("name")))
    entries = [
        join(tag("h3", ", ".join(names)), _facts({key: _text(value) for key, value in json.loads(stamp).items()}))
        for stamp, names in by_stamp.items()
    ]
    return _folded("Protocols", *entries) if entries else None


def _curves(rows: Sequence[Row]) -> Markup:
    found = charts(rows)
    if not found:
        return tag("p", "Nothing was logged more than once.")
    figures = (_chart(chart, f"curve-{number}") for number, chart in enumerate(found[:MOST_CHARTS], 1))
    more = [chart.figure for chart in found[MOST_CHARTS:]]
    once = single_figures(rows)
    return join(
        tag("div", *figures, class_="charts"),
        tag("p", f"Not drawn: {', '.join(more)}.") if more else None,
        _folded("Logged once", _facts({name: f"{value:.5g}" for name, value in once.items()})) if once else None,
    )


def _chart(chart: Chart, name: str) -> Markup:
    steps = sorted({step for curve in chart.curves for step, _ in curve.points})
    shown = steps if len(steps) <= MOST_NUMBERS else steps[:: -(-len(steps) // MOST_NUMBERS)] + steps[-1:]
    values = [dict(curve.points) for curve in chart.curves]
    rows = (
        (f"{step:,.0f}", *(f"{held[step]:.5g}" if step in held else "" for held in values)) for step in dict.fromkeys(shown)
    )
    numbers = table(("step", *(curve.name for curve in chart.curves)), rows)
    caption = tag("figcaption", chart.remark(), _folded(f"{chart.figure} in numbers", numbers))
    return tag("figure", svg(chart, name), caption)


def _group(group: Group) -> Markup:
    about = tag("p", group.about) if group.pictures else None
    absent = (tag("p", f"Not shown: {reason}.", class_="absent") for reason in group.absent)
    pictures = tag("div", *map(_picture, group.pictures), class_="pictures" if len(group.pictures) > 1 else "picture")
    again = (
        tag("p", "The others, whose weights are not kept, by training again: ", tag("code", group.again))
        if group.again
        else None
    )
    return join(about, pictures if group.pictures else None, again, *absent)


def _picture(picture: Picture) -> Markup:
    image = tag("img", src=png_uri(picture.png), alt=picture.alt, width=picture.width, height=picture.height)
    command = tag("code", picture.command, class_="command") if picture.command else None
    return tag("figure", image, tag("figcaption", picture.caption, command))


def _experiment(run: Run) -> Markup:
    origins = RunFolder(run.folder).origins() if run.folder is not None else None
    found = [*differing(run.experiment, origins)][: 20 * MOST_ROWS]
    chosen = [value for value in found if value.origin != DEFAULT]
    unknown = "Where its values were written, this run does not say; those that are not the default:"
    about = tag("p", f"{unknown if origins is None else 'What was written, and where. All else is a default.'}")
    defaults = [value for value in found if value.origin == DEFAULT]
    return join(
        about,
        tag("div", table(("field", "value", "from"), map(_written, chosen)), **_scrolls("The experiment's fields")),
        _folded(f"{len(defaults)} defaults", table(("field", "value"), (_written(value)[:2] for value in defaults))),
    )


def _written(value: Value) -> tuple[Markup, Markup, str]:
    shown = value.value if isinstance(value.value, str) else json.dumps(value.value, ensure_ascii=False)
    origin = "override" if OVERRIDE.fullmatch(value.origin) else value.origin
    return tag("code", value.path), tag("code", _text(shown)), "not the default" if origin == GIVEN else _text(origin)


def _environment(run: Run) -> Markup:
    found = _mapping(RunFolder(run.folder).read_json("environment.json") if run.folder is not None else None)
    if not found:
        return tag("p", "The run does not say in which environment it was trained.")
    plugins, data = _mapping(found.pop("plugins", None)), _mapping(found.pop("data", None))
    command = _list(found.pop("command", None))
    found |= {"command": " ".join(map(str, command))} if command else {}
    return join(
        _facts({name: _text(value) for name, value in [*found.items()][:MOST_ROWS]}),
        _folded("Plugins", _facts({name: _text(version) for name, version in plugins.items()})) if plugins else None,
        *(_folded(f"Data: {name}", _facts(_texts(protocol))) for name, protocol in [*data.items()][:10]),
    )


def _texts(value: object) -> dict[str, str]:
    return {name: _text(entry) for name, entry in [*_mapping(value).items()][:MOST_ROWS]}


def _folded(summary: str, *content: Markup) -> Markup:
    return tag("details", tag("summary", summary), tag("div", *content, **_scrolls(summary)))


def _scrolls(label: str) -> dict[str, object]:
    """Return what makes a wide part scroll by itself, by the keyboard too."""
    return {"class_": "scrolls", "tabindex": 0, "role": "group", "aria_label": label}


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
