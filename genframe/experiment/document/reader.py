"""Reading documents from strangers: plain data and nothing else, within bounds.

There are no tags, anchors, aliases or merge keys; a file holds one document, and keys are text without duplicates.
Size, depth and number of values are bounded. Scalars follow the YAML 1.2 core schema: ``1e-3`` is a number, only
``true`` and ``false`` are booleans (``no`` and ``on`` are text), ``010`` and ``2024-01-31`` are text. Whatever is
refused is a :class:`~genframe.errors.SpecError` that names the place.

PyYAML's pure Python parser splits the text: the same on every machine, and no C code reads a stranger's file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from .document import MAX_SIZE, TOO_LARGE, Document, Keys, Place, Plain, check_plain, excess, shown, unprintable

_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "true": True, "false": False}
_SYNTAX: dict[str, Literal["yaml", "json"]] = {".yaml": "yaml", ".yml": "yaml", ".json": "json"}
_FORBIDDEN = {
    "tag": ("the tag {} is not allowed", "write the value without it"),
    "anchor": ("the anchor '&{}' is not allowed", "quote text that starts with '&'; write a repeated value out"),
    "alias": ("the alias '*{}' is not allowed", "quote text that starts with '*'; write a repeated value out"),
}
_HINTS = {  # by a part of PyYAML's message
    "'\\t'": "indent with spaces, not with tabs",
    "cannot start any token": "quote text that starts with this character",
    "mapping values are not allowed": "quote text that holds ': ', put a space after a key's colon, or check the indentation",
    "could not find expected ':'": "write 'key: value', with a space after the colon",
    "expected <block end>": "check the indentation",
    "expected ',' or": "close the bracket, and put commas between the items",
    "expected alphabetic or numeric": "quote text that starts with '*' or '&'",
    "end of stream": "close the quote",
}
_BRACKETS = {"MappingStartEvent": "{", "MappingEndEvent": "}", "SequenceStartEvent": "[", "SequenceEndEvent": "]"}
_JSON = re.compile(r'(?P<line>\n)|(?P<text>"(?:[^"\\]|\\.)*")|(?P<mark>[{}\[\]])|(?P<plain>[^\s{}\[\],:"]+)')
_JSON_CONSTANTS = {"NaN": ".nan", "Infinity": ".inf", "-Infinity": "-.inf"}


def read(path: Path) -> Document:
    """Read the file of a spec; its suffix says the syntax.

    :raises SpecError: if the file cannot be read, is not UTF-8 text, or :func:`parse` refuses it.
    """
    place, syntax = Place(str(path)), _SYNTAX.get(path.suffix.lower())
    data = _bytes(path, place)
    if syntax is None:
        raise place.refusal(f"has the suffix {path.suffix!r}", f"a spec's file ends in {', '.join(_SYNTAX)}")
    if len(data) > MAX_SIZE:
        raise place.refusal(*TOO_LARGE)
    try:
        return parse(data.decode("utf-8"), place.source, syntax)
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        raise _place(before, len(before), place.source).refusal("is not UTF-8 text", "save the file as UTF-8") from None


def _bytes(path: Path, place: Place) -> bytes:
    try:
        if path.is_dir():
            raise place.refusal("is a folder", "name a file in it")
        if not path.is_file():
            raise place.refusal("there is no such file", "check the name and the folder")
        with path.open("rb") as stream:
            return stream.read(MAX_SIZE + 1)
    except OSError as error:
        raise place.refusal(f"cannot be read: {error.strerror}") from None


def parse(text: str, source: str = "<text>", syntax: Literal["yaml", "json"] = "yaml") -> Document:
    """Read one document.

    :raises SpecError: if the text is malformed, empty, too large or holds what a spec may not hold.
    """
    text = text.removeprefix("\ufeff")
    start = Place(source, 1, 1)
    if len(text) > MAX_SIZE:
        raise start.refusal(*TOO_LARGE)
    if found := unprintable(text):
        raise _place(text, found[0], source).refusal(*found[1:])
    builder = _Builder(_json_tokens(text, source) if syntax == "json" else _yaml_tokens(text, source))
    document = Document(builder.document(start), source, builder.places)
    check_plain(document.value, document)
    return document


def _place(text: str, offset: int, source: str) -> Place:
    return Place(source, text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))


class _Token(NamedTuple):
    kind: str  # { } [ ] plain (unquoted) text (quoted), or one of _FORBIDDEN
    text: str
    place: Place


def _yaml_tokens(text: str, source: str) -> Iterator[_Token]:
    import yaml

    place, documents = Place(source, 1, 1), 0
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            place = _marked(event.start_mark, place)
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                _check_start(event, documents, place)
            elif token := _yaml_token(event):
                yield _Token(*token, place)
    except yaml.MarkedYAMLError as error:
        raise _marked(error.problem_mark, place).refusal(*_syntax_error(str(error.problem))) from None
    except (ValueError, OverflowError):  # PyYAML's int() of a version and chr() of an escape
        raise place.refusal(*_syntax_error("a number is out of range")) from None


def _marked(mark: Any, place: Place) -> Place:
    return Place(place.source, mark.line + 1, mark.column + 1) if mark else place


def _check_start(event: Any, number: int, place: Place) -> None:
    if number > 1:
        raise place.refusal("a second document starts here", "keep one document in a file")
    if event.version or event.tags:
        raise place.refusal("a %YAML or %TAG directive is not allowed", "leave it out")


def _syntax_error(problem: str) -> tuple[str, str]:
    hints = (hint for part, hint in _HINTS.items() if part in problem)
    return f"not valid YAML: {problem}", next(hints, "check quotes, brackets and indentation")


def _yaml_token(event: Any) -> tuple[str, str] | None:
    name = type(event).__name__
    if name == "AliasEvent":
        return "alias", str(event.anchor)
    if getattr(event, "tag", None) is not None:
        return "tag", repr(event.tag.replace("tag:yaml.org,2002:", "!!"))
    if getattr(event, "anchor", None) is not None:
        return "anchor", event.anchor
    if name == "ScalarEvent":
        return "plain" if event.style is None else "text", event.value
    return (_BRACKETS[name], "") if name in _BRACKETS else None


def _json_tokens(text: str, source: str) -> Iterator[_Token]:
    _check_json(text, source)
    line, start = 1, 0
    for match in _JSON.finditer(text):
        place = Place(source, line, match.start() - start + 1)
        kind, found = match.lastgroup, match[0]
        if kind == "line":
            line, start = line + 1, match.end()
        elif kind == "text":
            yield _Token("text", json.loads(found), place)
        elif kind == "mark":
            yield _Token(found, "", place)
        else:
            yield _Token("plain", _JSON_CONSTANTS.get(found, found), place)


def _check_json(text: str, source: str) -> None:
    try:
        json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except json.JSONDecodeError as error:
        place = Place(source, error.lineno, error.colno)
        raise place.refusal(f"not valid JSON: {error.msg}", "check quotes, commas and brackets") from None
    except RecursionError:
        pass  # valid down to a depth that the builder refuses, with its place


class _Builder:
    """Builds the value from tokens and records the place of each part."""

    def __init__(self, tokens: Iterator[_Token]) -> None:
        self.tokens = tokens
        self.places: dict[Keys, Place] = {}

    def document(self, start: Place) -> Plain:
        first = next(self.tokens, None)
        if first is None:
            raise start.refusal("is empty", "write a value, or null for none")
        value = self.value(first, ())
        next(self.tokens, None)  # lets the parser refuse what follows
        return value

    def value(self, token: _Token, path: Keys, place: Place | None = None) -> Plain:
        self.places[path] = place or token.place
        self.admit(token, path)
        if token.kind == "[":
            return self.items(path)
        if token.kind == "{":
            return self.mapping(path)
        return scalar(token.text) if token.kind == "plain" else token.text

    def admit(self, token: _Token, path: Keys) -> None:
        if token.kind in _FORBIDDEN:
            message, hint = _FORBIDDEN[token.kind]
            raise token.place.refusal(message.format(token.text), hint, path)
        if flaw := excess(len(path), len(self.places)):
            raise token.place.refusal(*flaw)

    def items(self, path: Keys) -> list[Plain]:
        value: list[Plain] = []
        while (token := next(self.tokens)).kind != "]":
            value.append(self.value(token, (*path, len(value))))
        return value

    def mapping(self, path: Keys) -> dict[str, Plain]:
        value: dict[str, Plain] = {}
        while (token := next(self.tokens)).kind != "}":
            key, item = self.key(token, path), next(self.tokens)
            if ":" in key and token.kind == item.kind == "plain" and not item.text:
                raise token.place.refusal(f"{shown(key)} has no value", "put a space after the colon", path)
            value[key] = self.value(item, (*path, key), token.place)
        return value

    def key(self, token: _Token, path: Keys) -> str:
        self.admit(token, path)
        if token.kind in ("{", "["):
            raise token.place.refusal("a key is a mapping or a list", "a key must be text", path)
        if token.kind == "plain" and token.text == "<<":
            raise token.place.refusal("the merge key '<<' is not allowed", "write the fields out", path)
        if token.kind == "plain" and not isinstance(scalar(token.text), str):
            raise token.place.refusal(f"the key {shown(token.text)} is not text", f"quote it: {json.dumps(token.text)}", path)
        if first := self.places.get((*path, token.text)):
            raise token.place.refusal(f"is there twice, first in line {first.line}", "keep one of the two", (*path, token.text))
        return token.text


def scalar(text: str) -> str | int | float | bool | None:
    """Return what an unquoted scalar means; a number out of range comes back out of range."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text[:21])  # 20 digits are too many for 64 bits already
    if _FLOAT.fullmatch(text):
        return float(text)
    if _NOT_FINITE.fullmatch(text):
        return float(text.replace(".", ""))
    return text
