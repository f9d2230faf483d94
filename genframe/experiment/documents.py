"""Spec documents: a restricted YAML, and JSON, read into plain data that remembers where each part was written.

A spec may come from a stranger, so a document is data and nothing else: no tags, no anchors or aliases, no merge
keys, one document a file, text keys without duplicates, and bounds on size, depth and number of values. Scalars
follow the YAML 1.2 core schema: ``1e-3`` is a number, only ``true`` and ``false`` are booleans (``no`` and ``on``
are text), ``010`` and ``2024-01-31`` are text. Whatever is refused is a :class:`~genframe.errors.SpecError` that
names the place.

PyYAML's pure Python parser splits the text: the same on every machine, and no C code reads a stranger's file.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from ..errors import Problem, SpecError

__all__ = ["Document", "Keys", "Place", "Plain", "check_plain", "dotted", "dump", "origin", "parse", "read", "shown"]

Plain: TypeAlias = "dict[str, Plain] | list[Plain] | str | int | float | bool | None"
Keys: TypeAlias = tuple[str | int, ...]

MAX_SIZE = 256 * 1024  # bytes of a file, characters of a text
MAX_DEPTH = 32  # collections inside each other
MAX_VALUES = 10_000
MAX_KEY = 128  # characters
WIDTH = 100  # columns of a list written on one line

_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "true": True, "false": False}
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")
_UNQUOTED = re.compile(r"(?!\.\.\.)[\w./~+](?:[\w./+*@%()=^~ -]*[\w./+*@%()=^~-])?")
_JSON = re.compile(r'(?P<line>\n)|(?P<text>"(?:[^"\\]|\\.)*")|(?P<mark>[{}\[\]])|(?P<plain>[^\s{}\[\],:"]+)')
_JSON_CONSTANTS = {"NaN": ".nan", "Infinity": ".inf", "-Infinity": "-.inf"}
_SYNTAX: dict[str, Literal["yaml", "json"]] = {".yaml": "yaml", ".yml": "yaml", ".json": "json"}

_BRACKETS = {"MappingStartEvent": "{", "MappingEndEvent": "}", "SequenceStartEvent": "[", "SequenceEndEvent": "]"}
_TOO_LARGE = (f"is larger than {MAX_SIZE // 1024} KiB", "keep data out of the spec")
_TOO_DEEP = (f"is nested deeper than {MAX_DEPTH} levels", "flatten it")
_TOO_MANY = (f"holds more than {MAX_VALUES} values", "keep data out of the spec")

_FORBIDDEN = {
    "tag": ("the tag {} is not allowed", "write the value without it"),
    "anchor": ("the anchor '&{}' is not allowed", "quote text that starts with '&'; write a repeated value out"),
    "alias": ("the alias '*{}' is not allowed", "quote text that starts with '*'; write a repeated value out"),
}
_MENDS = {  # by a part of what PyYAML says
    "'\\t'": "indent with spaces, not with tabs",
    "cannot start any token": "quote text that starts with this character",
    "mapping values are not allowed": "quote text that holds ': ', put a space after a key's colon, or check the indentation",
    "could not find expected ':'": "write 'key: value', with a space after the colon",
    "expected <block end>": "check the indentation",
    "expected ',' or": "close the bracket, and put commas between the items",
    "expected alphabetic or numeric": "quote text that starts with '*' or '&'",
    "end of stream": "close the quote",
}


@dataclass(frozen=True)
class Place:
    """Where something was written: a file or ``<text>`` or ``<override ...>``; line and column count from 1."""

    source: str
    line: int | None = None
    column: int | None = None

    def refusal(self, message: str, mend: str = "", path: Keys = ()) -> SpecError:
        """Return the error that says what is wrong with ``path`` here, and what would do."""
        return SpecError(Problem(dotted(path), message, mend, self.source, self.line, self.column))


@dataclass(frozen=True)
class Document:
    """Plain data and the places of its parts: of a key for a mapping's value, of the item itself in a list."""

    value: Plain
    source: str
    places: Mapping[Keys, Place]


def dotted(path: Keys) -> str:
    """Return the path as a user writes it, ``train.stages.0.steps``, with what a terminal might obey escaped."""
    text = ".".join(str(key) for key in path)
    return text if text.isprintable() else repr(text)[1:-1]


def shown(value: object) -> str:
    """Return ``value`` as messages show it: unprintable characters escaped, at most 80 columns."""
    text = repr(value[:100] if isinstance(value, str) else value)
    return text if len(text) <= 80 else f"{text[:76]}...{text[-1]}"


def origin(document: Document, path: Keys) -> Place | None:
    """Return the place of ``path`` or, where that was never written, of its nearest ancestor that was."""
    ancestors = (path[:length] for length in range(len(path), -1, -1))
    return next((document.places[keys] for keys in ancestors if keys in document.places), None)


def read(path: Path) -> Document:
    """Read the file of a spec; its suffix says the syntax.

    :raises SpecError: if the file cannot be read, is no UTF-8 text, or :func:`parse` refuses it.
    """
    source = str(path)
    syntax = _SYNTAX.get(path.suffix.lower())
    data = _bytes(path)
    if syntax is None:
        raise Place(source).refusal(f"has the suffix {path.suffix!r}", f"a spec's file ends in {', '.join(_SYNTAX)}")
    if len(data) > MAX_SIZE:
        raise Place(source).refusal(*_TOO_LARGE)
    try:
        return parse(data.decode("utf-8"), source, syntax)
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        place = _place(before, len(before), source)
        raise place.refusal("is not UTF-8 text", "save the file as UTF-8") from None


def _bytes(path: Path) -> bytes:
    place = Place(str(path))
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
        raise start.refusal(*_TOO_LARGE)
    if found := _UNPRINTABLE.search(text):
        raise _place(text, found.start(), source).refusal(*_unprintable(found[0]))
    builder = _Builder(_json_tokens(text, source) if syntax == "json" else _yaml_tokens(text, source))
    document = Document(builder.document(start), source, builder.places)
    check_plain(document.value, document)
    return document


def _place(text: str, offset: int, source: str) -> Place:
    return Place(source, text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))


class _Token(NamedTuple):
    kind: str  # { } [ ] plain text, or one of _FORBIDDEN
    text: str
    place: Place


def _yaml_tokens(text: str, source: str) -> Iterator[_Token]:
    import yaml

    place = Place(source, 1, 1)
    documents = 0
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
    mends = (mend for part, mend in _MENDS.items() if part in problem)
    return f"not valid YAML: {problem}", next(mends, "check quotes, brackets and indentation")


def _yaml_token(event: Any) -> tuple[str, str] | None:
    import yaml

    if isinstance(event, yaml.AliasEvent):
        return "alias", str(event.anchor)
    if getattr(event, "tag", None) is not None:
        return "tag", repr(event.tag.replace("tag:yaml.org,2002:", "!!"))
    if getattr(event, "anchor", None) is not None:
        return "anchor", event.anchor
    if isinstance(event, yaml.ScalarEvent):
        return "plain" if event.style is None else "text", event.value
    kind = _BRACKETS.get(type(event).__name__)
    return (kind, "") if kind else None


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
    """Builds the value from tokens, noting the place of each part."""

    def __init__(self, tokens: Iterator[_Token]) -> None:
        self.tokens = tokens
        self.places: dict[Keys, Place] = {}

    def document(self, start: Place) -> Plain:
        first = next(self.tokens, None)
        if first is None:
            raise start.refusal("is empty", "write a value, or null for none")
        self.places[()] = first.place
        value = self.value(first, ())
        for _ in self.tokens:  # lets the parser refuse what follows
            pass
        return value

    def value(self, token: _Token, path: Keys) -> Plain:
        self.admit(token, path)
        if token.kind == "[":
            return self.items(path)
        if token.kind == "{":
            return self.mapping(path)
        return _scalar(token.text) if token.kind == "plain" else token.text

    def admit(self, token: _Token, path: Keys) -> None:
        if token.kind in _FORBIDDEN:
            message, mend = _FORBIDDEN[token.kind]
            raise token.place.refusal(message.format(token.text), mend, path)
        if len(path) > MAX_DEPTH:
            raise token.place.refusal(*_TOO_DEEP)
        if len(self.places) > MAX_VALUES:
            raise token.place.refusal(*_TOO_MANY)

    def items(self, path: Keys) -> list[Plain]:
        value: list[Plain] = []
        for token in self.tokens:
            if token.kind == "]":
                break
            inner = (*path, len(value))
            self.places[inner] = token.place
            value.append(self.value(token, inner))
        return value

    def mapping(self, path: Keys) -> dict[str, Plain]:
        value: dict[str, Plain] = {}
        for token in self.tokens:
            if token.kind == "}":
                break
            key = self.key(token, path)
            inner = (*path, key)
            self.places[inner] = token.place
            item = next(self.tokens)
            if ":" in key and token.kind == item.kind == "plain" and not item.text:
                raise token.place.refusal(f"{shown(key)} has no value", "put a space after the colon", path)
            value[key] = self.value(item, inner)
        return value

    def key(self, token: _Token, path: Keys) -> str:
        self.admit(token, path)
        if token.kind in ("{", "["):
            raise token.place.refusal("a key is a mapping or a list", "a key must be text", path)
        if token.kind == "plain" and token.text == "<<":
            raise token.place.refusal("the merge key '<<' is not allowed", "write the fields out", path)
        if token.kind == "plain" and not isinstance(_scalar(token.text), str):
            mend = f"quote it: {json.dumps(token.text)}"
            raise token.place.refusal(f"the key {shown(token.text)} is not text", mend, path)
        if first := self.places.get((*path, token.text)):
            message = f"is there twice, first in line {first.line}"
            raise token.place.refusal(message, "keep one of the two", (*path, token.text))
        return token.text


def _scalar(text: str) -> str | int | float | bool | None:
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


def check_plain(value: object, document: Document | None = None) -> None:
    """Refuse what a document cannot hold: other types, NaN, infinity, integers beyond 64 bits, control characters.

    ``document`` knows the places that the errors name.
    """
    problems: list[Problem] = []
    for path, message, mend in islice(_flaws(value), 20):
        place = document and origin(document, path)
        problems.extend((place or Place("")).refusal(message, mend, path).problems)
    if problems:
        raise SpecError(problems)


def _flaws(value: object) -> Iterator[tuple[Keys, str, str]]:
    for number, (path, node) in enumerate(_walk(value, ()), 1):
        if number > MAX_VALUES:
            yield (), *_TOO_MANY
            return
        if len(path) > MAX_DEPTH:
            yield (), *_TOO_DEEP
            return
        if flaw := _flaw(node):
            yield path, *flaw


def _walk(value: object, path: Keys) -> Iterator[tuple[Keys, object]]:
    yield path, value
    if type(value) is dict:
        for key, item in value.items():
            yield from _walk(item, (*path, key))
    elif type(value) is list:
        for index, item in enumerate(value):
            yield from _walk(item, (*path, index))


def _flaw(node: object) -> tuple[str, str] | None:
    if type(node) is float and not math.isfinite(node):
        return f"{node} is not a finite number", "write a finite number, or null for none"
    if type(node) is int and not -(2**63) <= node < 2**63:
        return "the integer does not fit in 64 bits", "write a smaller one, or a float such as 1e20"
    if type(node) is str and (found := _UNPRINTABLE.search(node)):
        return _unprintable(found[0])
    if type(node) is dict:
        return next(filter(None, map(_key_flaw, node)), None)
    if node is None or type(node) in (bool, int, float, str, list):
        return None
    return f"{shown(node)} is no plain data", "use mappings, lists, text, numbers, booleans and null"


def _key_flaw(key: object) -> tuple[str, str] | None:
    if type(key) is not str:
        return f"the key {shown(key)} is not text", "a key must be text"
    if len(key) > MAX_KEY:
        return f"the key {shown(key[:20])}... is longer than {MAX_KEY} characters", "use a shorter one"
    return _flaw(key)


def _unprintable(character: str) -> tuple[str, str]:
    return f"the character U+{ord(character):04X} is not printable", "remove it"


def dump(value: object, *, header: str = "") -> str:
    """Return YAML that :func:`parse` reads back as an equal value of the same types, in the same order.

    ``header`` becomes comment lines above.

    :raises SpecError: if ``value`` is not plain data; the problems name the paths.
    """
    check_plain(value)
    check_plain(header)
    lines = [f"# {line}".rstrip() for line in header.splitlines()]
    return "\n".join([*lines, *_block(value)]) + "\n"


def _block(value: object) -> list[str]:
    inline = _inline(value)
    if inline is not None:
        return [inline]
    if isinstance(value, dict):
        return [line for key, item in value.items() for line in _entry(f"{_text(key)}:", item)]
    assert isinstance(value, list)
    return [line for item in value for line in _item(_block(item))]


def _entry(head: str, value: object) -> list[str]:
    inline = _inline(value)
    return [head, *(f"  {line}" for line in _block(value))] if inline is None else [f"{head} {inline}"]


def _item(lines: list[str]) -> list[str]:
    return [f"- {lines[0]}", *(f"  {line}" for line in lines[1:])]


def _inline(value: object) -> str | None:
    """Return the value on one line, or None where it takes several."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return None if value else "{}"
    if not isinstance(value, list):
        return json.dumps(value)
    if any(isinstance(item, (dict, list)) for item in value):
        return None
    text = f"[{', '.join(str(_inline(item)) for item in value)}]"
    return text if len(text) <= WIDTH else None


def _text(text: str) -> str:
    if _UNQUOTED.fullmatch(text) and isinstance(_scalar(text), str):
        return text
    return json.dumps(text, ensure_ascii=False).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
