"""``genframe report``: one page that shows a run, says what it lacks, loads nothing and trusts nothing."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from genframe import load, train
from genframe.cli import main
from genframe.output.picture import write
from genframe_report import report
from genframe_report.curves import charts
from genframe_report.pictures import PATHS

VOID = {"meta", "img", "input"}
ELEMENTS = {
    *re.findall(
        r"\w+", "html head title style meta body a header div h1 h2 h3 p fieldset legend input label nav ol ul li main"
    ),
    *re.findall(
        r"\w+", "section footer dl dt dd table caption thead tbody tr th td figure figcaption img code pre details summary"
    ),
    *re.findall(r"\w+", "svg desc clippath rect text line g path"),
}


class Page(HTMLParser):
    """Reads a page and fails where it is not well formed."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        assert len({name for name, _ in attrs}) == len(attrs), tag
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def of(self, name: str) -> list[dict[str, str]]:
        """Return the attributes of each element of this name."""
        return [attributes for tag, attributes in self.elements if tag == name]

    def pictures(self) -> list[Image.Image]:
        """Return the pictures that the page holds."""
        prefix = "data:image/png;base64,"
        assert all(image["src"].startswith(prefix) for image in self.of("img"))
        contents = [base64.b64decode(image["src"].removeprefix(prefix), validate=True) for image in self.of("img")]
        return [Image.open(io.BytesIO(content)) for content in contents]


@pytest.fixture(scope="module")
def html(finished: Path) -> str:
    """The page of that run."""
    return report(finished).html


def test_the_page_has_everything(html: str, finished: Path) -> None:
    """Sections in order, each in the table of contents; a chart for each metric; pictures, results, environment."""
    page = Page(html)
    pictures = ["samples-through-training", "fresh-samples", "reconstructions", "interpolations"]
    names = ["summary", "metrics", "curves", *pictures, "model", "experiment", "environment"]
    assert [section["id"] for section in page.of("section")] == names
    assert [link["href"] for link in page.of("a")] == ["#report", *(f"#{name}" for name in names)]
    assert len(page.of("svg")) == len(charts(load(finished).metrics)) > 4
    assert [image["alt"] for image in page.of("img")] == [
        "Samples at step 2",
        "Samples at step 4",
        "Samples at step 6",
        "64 samples at step 6, seed 1",
        "20 examples of the test split, each above its reconstruction",
        "6 paths between held-out examples, by the posterior mean and back",
    ]
    for result in json.loads((finished / "results.json").read_text())["results"]:
        assert f"{result['value']:.5g}\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{result['standard_error']:.2g}" in page.text
    environment = json.loads((finished / "environment.json").read_text())
    assert f"torch{environment['torch']}" in page.text
    assert environment["data"]["train"]["data"] in page.text, "the digest of the data"


def test_pictures_are_those_of_the_run(run: Path) -> None:
    """Saved ones pixel by pixel as they are, fresh and reconstructed ones as the commands draw them."""
    shown = Page(report(run).html).pictures()
    for step, image in zip((2, 4, 6), shown, strict=False):
        assert pixels(image) == pixels(run / "samples" / f"step-{step:08d}.png")
    assert main(["sample", "run", "-n", "64", "--seed", "1", "--out", "fresh.png"]) == 0
    assert pixels(shown[3]) == pixels("fresh.png")
    assert main(["reconstruct", "run", "--out", "pairs.png"]) == 0
    assert pixels(shown[4]) == pixels("pairs.png")


def pixels(image: Image.Image | Path | str) -> list[Any]:
    """Return the pixels of a picture, whatever its mode."""
    if isinstance(image, Image.Image):
        return list(np.asarray(image.convert("RGB")).ravel())
    with Image.open(image) as opened:
        return pixels(opened)


def test_each_command_draws_its_picture_again(run: Path) -> None:
    """The commands of the page, run as they stand there, give its pictures."""
    html = report(run).html
    commands = re.findall(r'<code class="command">genframe ([^<]+)</code>', html)
    assert commands == [
        "sample run --like run/samples/step-00000006.png",
        "sample run -n 64 --seed 1",
        "reconstruct run",
        "interpolate run -n 6",
    ]
    shown = Page(html).pictures()[2:]
    for number, (command, image) in enumerate(zip(commands, shown, strict=True)):
        assert main([*command.split(), "--out", f"{number}.png"]) == 0
        assert pixels(f"{number}.png") == pixels(image)
    [again] = re.findall(r"by training again: <code>genframe ([^<]+)</code>", html)
    assert main([*again.split(), "--json"]) == 0
    assert pixels("again/samples/step-00000002.png") == pixels(Page(html).pictures()[0])


def test_the_page_is_a_function_of_run_and_seed(run: Path) -> None:
    """The same again, byte for byte; another seed draws other samples and nothing else."""
    first, second, other = report(run), report(load(run)), report(run, seed=5)
    assert first.html == second.html
    assert other.html != first.html
    changed = [a["alt"] for a, b in zip(Page(first.html).of("img"), Page(other.html).of("img"), strict=True) if a != b]
    assert changed == ["64 samples at step 6, seed 1"]


def test_the_page_is_sound(html: str) -> None:
    """Elements are balanced, ids unique, links lead somewhere, labels belong to inputs, pictures and groups have names."""
    page = Page(html)
    assert page.elements[0] == ("html", {"lang": "en"})
    assert {tag for tag, _ in page.elements} <= ELEMENTS
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [link["href"].removeprefix("#") for link in page.of("a")]
    named = [name for _, attributes in page.elements for name in attributes.get("aria-labelledby", "").split()]
    frames = re.findall(r"url\(#([^)]+)\)", " ".join(attributes.get("clip-path", "") for _, attributes in page.elements))
    assert {*links, *named, *frames, *(label["for"] for label in page.of("label"))} <= set(ids)
    assert [len(page.of(landmark)) for landmark in ("h1", "main", "nav", "header", "footer")] == [1] * 5
    assert all(image["alt"] and image["width"] and image["height"] for image in page.of("img"))
    assert all(chart["role"] == "img" and chart["aria-labelledby"] for chart in page.of("svg"))
    assert all(attributes["aria-label"] for _, attributes in page.elements if attributes.get("tabindex"))
    assert page.of("a")[0] == {"class": "skip", "href": "#report"}


def test_the_page_loads_nothing(html: str) -> None:
    """No address but those of its own pictures and places, no script, and a policy by which a browser refuses any."""
    page = Page(html)
    addresses = [
        value for _, found in page.elements for name, value in found.items() if name in {"src", "href", "srcset", "action"}
    ]
    assert all(address.startswith(("#", "data:image/png;base64,")) for address in addresses)
    assert not re.search(r"https?:|//\w|@import|javascript:|<script", re.sub(r"base64,[^\"]+", "", html))
    assert not [name for _, found in page.elements for name in found if name.startswith("on") or name == "style"]
    style = html.partition("<style>")[2].partition("</style>")[0]
    [policy] = [meta["content"] for meta in page.of("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert "url(" not in style


HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(2)></title></style>\ud800\x00&amp;"


def test_a_hostile_run_cannot_put_markup_into_the_page(run: Path) -> None:
    """Names, notes, units, stamps, metrics, origins, versions, folders: whatever a run's files say is text."""
    before = [tag for tag, _ in Page(report(run).html).elements if tag in {"script", "img", "iframe", "style"}]
    results = [{"name": HOSTILE, "value": HOSTILE, "unit": HOSTILE, "note": HOSTILE, "stamp": {HOSTILE: {HOSTILE: [HOSTILE]}}}]
    put(run, "results.json", {"results": [*results, 3, {"stamp": 3}], "refused": {HOSTILE: HOSTILE}})
    put(run, "origins.json", {"train.steps": HOSTILE, "name": 3})
    put(
        run,
        "environment.json",
        {HOSTILE: HOSTILE, "command": [HOSTILE], "plugins": {HOSTILE: HOSTILE}, "data": {HOSTILE: {HOSTILE: 1}}},
    )
    rows = [{"step": step, HOSTILE: step, "text": HOSTILE, "stage": None} for step in (1, 2, 3)]
    lines = [
        *map(json.dumps, rows),
        "[]",
        "3",
        '{"step": "x"}',
        '{"step": NaN}',
        f'{{"step": 4, "big": 1{"0" * 400}}}',
        "[" * 9999,
    ]
    (run / "metrics.jsonl").write_text("\n".join(lines))
    hostile = run.rename("<b>&quot;run'")
    html = report(hostile).html
    page = Page(html)
    assert "<script>alert(1)" in page.text
    assert [tag for tag, _ in page.elements if tag in {"script", "img", "iframe", "style"}] == before
    assert {tag for tag, _ in page.elements} <= ELEMENTS
    assert not [name for _, found in page.elements for name in found if name.startswith("on")]
    assert html.encode()


def put(run: Path, name: str, value: object) -> None:
    """Write a JSON file of the run."""
    (run / name).write_text(json.dumps(value))


@pytest.mark.parametrize("content", ["", "[]", "null", '{"results": 3, "refused": [], "plugins": 1, "data": 2}', "\x00{"])
def test_damaged_files_cost_their_section_only(content: str, run: Path) -> None:
    """Results, origins and environment that are no such thing are as if they were absent."""
    for name in ("results.json", "origins.json", "environment.json", "metrics.jsonl"):
        (run / name).write_text(content)
    page = Page(report(run).html)
    assert "Nothing was measured. genframe evaluate run does so." in page.text
    assert "Nothing was logged more than once." in page.text
    assert len(page.of("img")) == 6


def test_pictures_that_are_none_are_named(run: Path) -> None:
    """A damaged picture, and one of a size that nothing of genframe draws; the others are shown."""
    (run / "samples" / "step-00000002.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    wide = Image.new("1", (40_000, 3_000))
    write(run / "samples" / "step-00000004.png", wide, {})
    made = report(run)
    first, second = made.absent["Samples through training"]
    assert first.startswith("run/samples/step-00000002.png ")
    assert second == "run/samples/step-00000004.png is too large for a picture of samples"
    page = Page(made.html)
    assert page.of("img")[0]["alt"] == "Samples at step 6"
    assert first in page.text


def test_a_large_run_stays_below_three_megabytes(run: Path) -> None:
    """Noise of many pixels, which no format packs, many metrics, many steps: the worst that a run can bring."""
    noise = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), np.uint8)
    for step in range(8, 16):
        write(run / "samples" / f"step-{step:08d}.png", Image.fromarray(noise), {})
    names = [f"metric-{number}" for number in range(40)]
    rows = [{"step": step, **dict.fromkeys(names, step * 0.1234567 % 7)} for step in range(1000)]
    (run / "metrics.jsonl").write_text("\n".join(map(json.dumps, rows)))
    put(run, "results.json", {"results": [{"name": "x" * 5000, "value": 1.0, "stamp": {"a": "y" * 5000}}] * 50})
    made = report(run)
    assert len(made.html.encode()) < 3e6
    page = Page(made.html)
    assert len(page.of("img")) == 6 + 3
    assert "Not drawn: metric-" in page.text
    assert re.search(r"Step 15 \(shown at \d+ of 1000 pixels across\)", page.text)


def test_what_a_run_cannot_show_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GAN has nothing to reconstruct from; a run in memory has no folder, so no files and no commands."""
    monkeypatch.chdir(tmp_path)
    words = ["data.limit=80", "train.batch_size=64", "train.steps=2", "train.threads=1", "evaluate.metrics=[]"]
    assert main(["train", "gan-digits", *words, "--run", "gan", "--json"]) == 0
    made = report("gan")
    assert made.absent["Reconstructions"] == ("the model has no latent from which to reconstruct",)
    [reason] = made.absent["Interpolations"]
    assert reason.startswith("the model has no encoder, so latents need a search, 2,656 decodings per example")
    assert f"genframe interpolate gan -n {PATHS}" in made.html
    assert set(made.absent) == {"Reconstructions", "Interpolations"}
    assert "Not shown: the model has no latent from which to reconstruct." in Page(made.html).text
    memory = report(replace(load("gan"), folder=None))
    assert memory.absent["Samples through training"] == ("the run has drawn none",)
    assert "genframe sample" not in memory.html


def test_data_that_are_gone_cost_the_reconstructions_only(run: Path) -> None:
    """The reason stands where the pictures would."""
    spec = (run / "experiment.yaml").read_text()
    data = "data: {type: data/npz, path: gone.npz, labels: true}\n"
    (run / "experiment.yaml").write_text(re.sub(r"data:\n(  .*\n)+", data, spec))
    made = report(run)
    [reason] = made.absent["Reconstructions"]
    assert "gone.npz" in reason
    assert len(Page(made.html).of("img")) == 4


def test_control_characters_are_visible(run: Path) -> None:
    """S10: a text of the run that would turn a terminal's or a page's text around is shown as what it is."""
    described = json.loads((run / "environment.json").read_text())
    (run / "environment.json").write_text(json.dumps({**described, "machine": "a\x1b[31m\u202eb"}))
    html = report(run).html
    assert "a\ufffd[31m\\u202eb" in html
    assert not {"\x1b", "\u202e"} & {*html}


def test_a_run_on_text_shows_text(tmp_path: Path) -> None:
    """As it is, whatever it holds, and what the reader took."""
    (tmp_path / "text.txt").write_text("<b>&</b>" * 100)
    data = {"type": "data/text", "path": str(tmp_path / "text.txt"), "length": 8, "vocabulary": "characters"}
    prior = {"type": "autoregressive/transformer", "dim": 8, "depth": 1, "heads": 1}
    model = {"encoder": "core/identity", "decoder": "core/identity", "prior": prior, "loss": "core/nll"}
    train({"name": "text", "data": data, "model": model, "train": {"steps": 2, "batch_size": 8}}, folder=tmp_path / "run")
    run = load(tmp_path / "run")
    page = Page(report(run).html)
    assert len(page.of("pre")) == 6
    for text in run.texts(run.sample(6, seed=1)):
        assert text in page.text
    assert {tag for tag, _ in page.elements} <= ELEMENTS
    assert "b" not in {tag for tag, _ in page.elements}


def test_what_the_reader_took_is_in_the_summary(run: Path) -> None:
    """As check says it; a damaged record is left out."""
    environment = run / "environment.json"
    found = json.loads(environment.read_text())
    environment.write_text(json.dumps(found | {"read": {"took": "60 pictures", "skipped": {".heic": 5}, "empty": ["owl"]}}))
    assert "took 60 pictures; skipped 5 files: 5 .heic; found empty: owl" in Page(report(run).html).text
    for damaged in ([], {"took": ["<b>"], "skipped": {"x": "y"}, "notes": 3}, {"skipped": 1}):
        environment.write_text(json.dumps(found | {"read": damaged}))
        Page(report(run).html)
