"""Templates: what is not markup stays text."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from genframe_report.curves import Chart, Curve
from genframe_report.pictures import Picture
from genframe_report.plot import svg
from genframe_report.rendering import render

PRINTABLE = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"))


class Reader(HTMLParser):
    """Collects elements, attributes and the text of the title."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.title = ""
        self.feed(str(html))  # Markup would escape what the parser joins to it
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][0] == "title":
            self.title += data


def chart(metric: str) -> Chart:
    """Return a chart of two points."""
    return Chart(metric, (Curve("training", ((1.0, 1.0), (2.0, 2.0))),))


PLAIN = [tag for tag, _ in Reader(svg(chart("loss"), "c")).elements]


@given(PRINTABLE, PRINTABLE)
def test_text_stays_text(text: str, name: str) -> None:
    """Whatever is put in as content or as an attribute, a parser finds the same elements, with that text in them."""
    found = Reader(svg(chart(text), name))
    assert [tag for tag, _ in found.elements] == PLAIN
    assert found.title.strip("\n") == f"{text}: training".strip("\n")
    assert found.elements[1] == ("title", {"id": f"{name}-title"})


def test_what_no_file_can_hold_is_replaced() -> None:
    """Lone surrogates and control characters become U+FFFD, so that the page can be encoded."""
    html = svg(chart("a\ud800b\x00c"), "c")
    assert ">a\ufffdb\ufffdc: training<" in html
    assert html.encode()


def test_a_value_that_is_missing_is_an_error() -> None:
    """A template never leaves a hole without a word."""
    with pytest.raises(UndefinedError):
        render("chart.svg", name="c")


def test_a_picture_is_its_own_address() -> None:
    """RFC 2397, with the bytes in base 64."""
    assert Picture(b"\x89PNG", 1, 1, "", "").uri == "data:image/png;base64,iVBORw=="
