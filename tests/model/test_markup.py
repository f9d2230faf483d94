"""HTML that is made of text: what is not markup stays text."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from genframe.markup import Markup, join, png_uri, table, tag


class Reader(HTMLParser):
    """Collects elements, attributes and text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def read(html: str) -> Reader:
    """Return what a parser sees."""
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


PRINTABLE = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"))


@given(PRINTABLE, PRINTABLE)
def test_text_stays_text(text: str, value: str) -> None:
    """Whatever is put in as content or attribute, a parser finds one element with that text and that attribute."""
    found = read(tag("p", text, title=value))
    assert found.elements == [("p", {"title": value})]
    assert found.text == text


def test_markup_is_not_escaped_twice() -> None:
    """An element within another stays an element."""
    assert tag("p", "a < b, ", tag("b", "c & d"), None) == "<p>a &lt; b, <b>c &amp; d</b></p>"
    assert join("<", Markup("<br>")) == "&lt;<br>"


def test_an_attribute_is_text_always() -> None:
    """Markup as an attribute, such as a page within a frame, is escaped: it must not end the attribute."""
    page = tag("p", "a", title="b")
    assert read(tag("iframe", srcdoc=page)).elements == [("iframe", {"srcdoc": page})]


def test_attributes_are_named_as_in_html() -> None:
    """Underscores are hyphens, one at the end keeps Python's words free, and None is left out."""
    assert tag("input", type="radio", aria_label="x", for_=None) == '<input type="radio" aria-label="x">'
    assert tag("label", for_="a", class_="b") == '<label for="a" class="b"></label>'


def test_what_no_file_can_hold_is_replaced() -> None:
    """Lone surrogates and control characters become U+FFFD, so that the page can be encoded."""
    assert tag("p", "a\ud800b\x00c").encode() == "<p>a\ufffdb\ufffdc</p>".encode()


def test_a_table_names_its_columns_and_rows() -> None:
    """Headers have their scope, the first cell of a row is its name."""
    assert table(("a", "b"), [("x", "<1")], "c") == (
        '<table><caption>c</caption><thead><tr><th scope="col">a</th><th scope="col">b</th></tr></thead>'
        '<tbody><tr><th scope="row">x</th><td>&lt;1</td></tr></tbody></table>'
    )


def test_a_picture_is_its_own_address() -> None:
    """RFC 2397, with the bytes in base 64."""
    assert png_uri(b"\x89PNG") == "data:image/png;base64,iVBORw=="
