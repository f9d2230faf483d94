"""The page of a run in a real browser: it loads nothing, fits a phone, turns dark, and can be read by keyboard."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from genframe.cli import main

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium; on Debian: apt-get install chromium"),
]

# A page of the same origin looks at the report in a frame as wide as a phone and writes down what it sees.
LOOK = """<!DOCTYPE html><meta charset="utf-8"><title>look</title>
<iframe src="report.html" width="360" height="740"></iframe><pre id="found"></pre>
<script>
addEventListener("load", () => {
  const view = frames[0], page = view.document, found = {};
  const paper = () => view.getComputedStyle(page.body).backgroundColor;
  const choose = (theme) => { page.getElementById("theme-" + theme).click(); return paper(); };
  found.pictures = [...page.images].map((image) => image.complete && image.naturalWidth > 0);
  found.shown = [...page.images].map((image) => image.getBoundingClientRect().width);
  found.charts = [...page.querySelectorAll("svg")].map((chart) => chart.getBoundingClientRect().width);
  found.width = page.documentElement.scrollWidth;
  found.light = choose("light");
  found.dark = choose("dark");
  found.auto = choose("auto");
  const stops = [...page.querySelectorAll("a[href], input, summary, [tabindex]")];
  found.first = stops[0].className;
  stops[0].focus();
  found.skip = stops[0].getBoundingClientRect().top;
  found.focusable = stops.every((stop) => { stop.focus(); return page.activeElement === stop || !stop.checkVisibility(); });
  const fold = page.querySelector("details");
  fold.querySelector("summary").click();
  found.unfolds = fold.open;
  const fetched = view.performance.getEntriesByType("resource").map((entry) => entry.name);
  found.fetched = fetched.filter((name) => !name.startsWith("data:"));
  found.mode = page.compatMode;
  document.getElementById("found").textContent = JSON.stringify(found);
});
</script>
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a report and the page that looks at it."""
    path = tmp_path_factory.mktemp("site")
    words = ["data.limit=80", "train.steps=8", "train.threads=1", "train.log_every=2", "train.validate_every=2"]
    measured = "evaluate.metrics=[metrics/elbo, {type: metrics/nll, samples: 2}]"
    assert main(["train", "vae-digits", *words, "train.sample_every=4", measured, "--run", str(path / "run"), "--json"]) == 0
    assert main(["report", str(path / "run"), "--out", str(path / "report.html")]) == 0
    (path / "look.html").write_text(LOOK, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """The folder as a site of this machine, and the paths that were asked for."""
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, *arguments: Any) -> None:
            asked.append(self.path)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def browse(profile: Path, address: str, *options: str) -> tuple[str, str]:
    """Return the document as the browser has it in the end, and what it said on the way."""
    quiet = "--disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync"
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium's own will not start for root
    always = ["--headless", "--disable-gpu", *quiet.split(), *sandbox, f"--user-data-dir={profile}", "--enable-logging=stderr"]
    ran = subprocess.run(
        [str(CHROMIUM), *always, "--dump-dom", *options, address],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return ran.stdout, ran.stderr


@pytest.fixture(scope="module")
def seen(site: tuple[str, list[str]], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the page that looks at the report found; the console's lines as ``console``."""
    document, said = browse(tmp_path_factory.mktemp("profile"), f"{site[0]}/look.html")
    [found] = re.findall(r'<pre id="found">([^<]+)</pre>', document)
    return {**json.loads(html.unescape(found)), "console": re.findall(r".*CONSOLE.*", said)}


def test_every_picture_and_chart_is_shown(seen: dict[str, Any]) -> None:
    """Pictures are decoded and none is wider than the phone; the style is applied, or nothing would fit."""
    assert len(seen["pictures"]) == 5
    assert all(seen["pictures"])
    assert all(100 < width <= 360 for width in [*seen["shown"], *seen["charts"]])
    assert seen["mode"] == "CSS1Compat"


def test_nothing_is_loaded_or_refused(seen: dict[str, Any], site: tuple[str, list[str]]) -> None:
    """The browser asks for the two pages alone, and the console has no word of the policy or of an error."""
    assert set(site[1]) <= {"/look.html", "/report.html", "/favicon.ico"}
    assert seen["fetched"] == []
    assert seen["console"] == []


def test_it_fits_a_phone(seen: dict[str, Any]) -> None:
    """At 360 pixels nothing makes the page scroll sideways."""
    assert seen["width"] <= 360


def test_light_and_dark(seen: dict[str, Any], folder: Path, tmp_path: Path) -> None:
    """The choice turns the page; without one it follows what the reader's system prefers."""
    assert seen["light"] == seen["auto"] == "rgb(251, 250, 248)"
    assert seen["dark"] == "rgb(21, 23, 27)"
    picture = tmp_path / "dark.png"
    browse(
        tmp_path / "p", (folder / "report.html").as_uri(), "--blink-settings=preferredColorScheme=0", f"--screenshot={picture}"
    )
    from PIL import Image

    with Image.open(picture) as image:
        assert image.convert("RGB").getpixel((2, 2)) == (21, 23, 27)


def test_it_can_be_read_by_keyboard(seen: dict[str, Any]) -> None:
    """The first stop skips to the report and comes into sight; every stop takes the focus; what is folded unfolds."""
    assert seen["first"] == "skip"
    assert seen["skip"] >= 0
    assert seen["focusable"]
    assert seen["unfolds"]
