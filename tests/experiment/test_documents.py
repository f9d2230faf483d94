"""Reading and writing spec documents."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from genframe.experiment import document as documents
from genframe.experiment.document import Document, Place, dump, origin, parse, read
from genframe.experiment.document.document import MAX_VALUES
from genframe.types import Problem, SpecError, printable

SPEC = """\
# yaml-language-server: $schema=spec.schema.json
name: digits
model:
  encoder: {type: vae/gaussian, dim: 16}
  "loss": vae/elbo
train:
  lr: 1e-3
  stages:
    - parts: [encoder, decoder]
      steps: 10
    - parts:
      - prior
"""

FINITE = "is not a finite number; write a finite number, or null for none"
UNTAGGED = "is not allowed; write the value without it"
QUOTE = "cannot start any token; quote text that starts with this character"
COLON = (
    "not valid YAML: mapping values are not allowed here; "
    "quote text that holds ': ', put a space after a key's colon, or check the indentation"
)

MISTAKES = {
    "model: !!python/object:os.system x": f"t:1:8: model: the tag '!!python/object:os.system' {UNTAGGED}",
    "a: ! x": f"t:1:4: a: the tag '!' {UNTAGGED}",
    "a: !foo!bar x": "t:1:4: not valid YAML: found undefined tag handle '!foo!'; check quotes, brackets and indentation",
    "a: &x 1": "t:1:4: a: the anchor '&x' is not allowed; quote text that starts with '&'; write a repeated value out",
    "a: [1, *x]": "t:1:8: a.1: the alias '*x' is not allowed; quote text that starts with '*'; write a repeated value out",
    "a: *.png": "t:1:5: not valid YAML: expected alphabetic or numeric character, but found '.'; "
    "quote text that starts with '*' or '&'",
    "a:\n  <<: {b: 1}": "t:2:3: a: the merge key '<<' is not allowed; write the fields out",
    "train: {lr: 1}\nname: x\ntrain: {}": "t:3:1: train: is there twice, first in line 1; keep one of the two",
    "a: 1\n---\nb: 2": "t:2:1: a second document starts here; keep one document in a file",
    "%YAML 1.2\n---\na: 1": "t:1:1: a %YAML or %TAG directive is not allowed; leave it out",
    "# nothing": "t:1:1: is empty; write a value, or null for none",
    "a: [1, 2": "t:1:9: not valid YAML: expected ',' or ']', but got '<stream end>'; "
    "close the bracket, and put commas between the items",
    "a:\n\tb: 1": "t:2:1: not valid YAML: found character '\\t' that cannot start any token; indent with spaces, not with tabs",
    "a: @x": f"t:1:4: not valid YAML: found character '@' that {QUOTE}",
    "a: b: c": f"t:1:5: {COLON}",
    "a: 'x": "t:1:6: not valid YAML: found unexpected end of stream; close the quote",
    "loss: {type:vae/elbo}": "t:1:8: loss: 'type:vae/elbo' has no value; put a space after the colon",
    "a: {1: 2}": "t:1:5: a: the key '1' is not text; quote it: \"1\"",
    "[1]: 2": "t:1:1: a key is a mapping or a list; a key must be text",
    "train:\n  lr: .inf": "t:2:3: train.lr: inf is not a finite number; write a finite number, or null for none",
    "a: [1, .nan]": f"t:1:8: a.1: nan {FINITE}",
    "a: 1e999": f"t:1:1: a: inf {FINITE}",
    "a: 9223372036854775808": "t:1:1: a: the integer does not fit in 64 bits; write a smaller one, or a float such as 1e20",
    "a: b\x00": "t:1:5: the character U+0000 is not printable; remove it",
    "a: 1\nb: \ufeff": "t:2:4: the character U+FEFF is not printable; remove it",
    'a: "\\e[31m"': "t:1:1: a: the character U+001B is not printable; remove it",
    '"\\e": [.nan]': f"t:1:1: the character U+001B is not printable; remove it\nt:1:8: \\x1b.0: nan {FINITE}",
    'a: "\\ud800"': "t:1:1: a: the character U+D800 is not printable; remove it",
    'a: "\\U99999999"': "t:1:1: not valid YAML: a number is out of range; check quotes, brackets and indentation",
    f"%YAML 1.{'9' * 5000}\n--- 1": "t:1:1: not valid YAML: a number is out of range; check quotes, brackets and indentation",
    f"a: {'k' * 129}: 1": f"t:1:133: {COLON}",
    f"{'k' * 129}: 1": f"t:1:1: the key '{'k' * 20}'... is longer than 128 characters; use a shorter one",
}

JSON_MISTAKES = {
    '{"a": 1, "a": 2}': "t:1:10: a: is there twice, first in line 1; keep one of the two",
    '{"a":\n [NaN]}': f"t:2:3: a.0: nan {FINITE}",
    '{"a": -Infinity}': f"t:1:2: a: -inf {FINITE}",
    '{"a": 1e999}': f"t:1:2: a: inf {FINITE}",
    "{a: 1}": "t:1:2: not valid JSON: Expecting property name enclosed in double quotes; check quotes, commas and brackets",
    '{"a": 1} # c': "t:1:10: not valid JSON: Extra data; check quotes, commas and brackets",
    '{"a": "\\ud800"}': "t:1:2: a: the character U+D800 is not printable; remove it",
    "": "t:1:1: not valid JSON: Expecting value; check quotes, commas and brackets",
}

SCALARS = {
    "1e-3": 1e-3,
    "1E+3": 1000.0,
    ".5": 0.5,
    "-5.": -5.0,
    "+3": 3,
    "0": 0,
    "9223372036854775807": 2**63 - 1,
    "-9223372036854775808": -(2**63),
    "true": True,
    "false": False,
    "null": None,
    "~": None,
    "": None,
    "''": "",
    "'1'": "1",
    "yes": "yes",
    "no": "no",
    "on": "on",
    "off": "off",
    "True": "True",
    "NULL": "NULL",
    "010": "010",
    "0o17": "0o17",
    "0x1f": "0x1f",
    "1_000": "1_000",
    "1:30": "1:30",
    "٣": "٣",
    "2024-01-31": "2024-01-31",
    "2024-01-31 10:00:00": "2024-01-31 10:00:00",
    "inf": "inf",
    "nan": "nan",
    "../../etc/passwd": "../../etc/passwd",
    "=": "=",
    "a#b": "a#b",
    "a # b": "a",
}


def refusal(text: str, syntax: Any = "yaml") -> SpecError:
    """Return the error that reading the text gives."""
    with pytest.raises(SpecError) as caught:
        parse(text, "t", syntax)
    return caught.value


@pytest.mark.parametrize(("text", "message"), MISTAKES.items(), ids=range(len(MISTAKES)))
def test_yaml_mistakes_are_named(text: str, message: str) -> None:
    """Each mistake in YAML has its place, its path, what is wrong and what would do."""
    assert str(refusal(text)) == message


@pytest.mark.parametrize(("text", "message"), JSON_MISTAKES.items(), ids=range(len(JSON_MISTAKES)))
def test_json_mistakes_are_named(text: str, message: str) -> None:
    """Each mistake in JSON has its place too."""
    assert str(refusal(text, "json")) == message


@pytest.mark.parametrize(("text", "value"), SCALARS.items())
def test_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    """Unquoted scalars mean what the YAML 1.2 core schema says, less its other spellings; the rest is text."""
    found = parse(f"a: {text}").value
    assert found == {"a": value}
    assert isinstance(found, dict)
    assert type(found["a"]) is type(value)


def test_a_spec_is_read_with_its_places() -> None:
    """A key's place is that of the key, a list item's that of the item, lines and columns from 1."""
    document = parse(SPEC, "spec.yaml")
    assert document.value == {
        "name": "digits",
        "model": {"encoder": {"type": "vae/gaussian", "dim": 16}, "loss": "vae/elbo"},
        "train": {"lr": 1e-3, "stages": [{"parts": ["encoder", "decoder"], "steps": 10}, {"parts": ["prior"]}]},
    }
    assert document.places[()] == Place("spec.yaml", 2, 1)
    assert document.places["model", "encoder", "dim"] == Place("spec.yaml", 4, 33)
    assert document.places["model", "loss"] == Place("spec.yaml", 5, 3)
    assert document.places["train", "stages", 0] == Place("spec.yaml", 9, 7)
    assert document.places["train", "stages", 0, "parts", 1] == Place("spec.yaml", 9, 24)


def test_json_has_values_and_places() -> None:
    """JSON gives the same kinds of values and places; tabs, escapes and surrogate pairs are JSON's own."""
    document = parse('{\n\t"a": [1, 1.0, 1e-3, true, null],\n\t"b" : "\\ud83d\\ude00\\/: yes"\n}', "t", "json")
    assert document.value == {"a": [1, 1.0, 1e-3, True, None], "b": "😀/: yes"}
    assert document.places["a", 1] == Place("t", 2, 11)
    assert document.places["b",] == Place("t", 3, 2)


def test_types_of_json_numbers() -> None:
    """A JSON number with a point or an exponent is a float, another an integer."""
    value = parse("[1, 1.0, 1e2, -0]", syntax="json").value
    assert isinstance(value, list)
    assert [type(item) for item in value] == [int, float, float, int]


def test_origin_is_the_nearest_written_ancestor() -> None:
    """A path that is not in the file is reported at the nearest part above it that is."""
    document = parse(SPEC, "s")
    assert origin(document, ("train", "stages", 0, "steps")) == Place("s", 10, 7)
    assert origin(document, ("train", "batch_size")) == Place("s", 6, 1)
    assert origin(document, ("evaluate",)) == Place("s", 2, 1)
    assert origin(Document({}, "<data>", {}), ("a",)) is None


def test_a_byte_order_mark_at_the_start_is_no_matter() -> None:
    """A file saved with a byte order mark is read as without."""
    assert parse("\ufeffa: 1").value == {"a": 1}
    assert parse('\ufeff{"a": 1}', syntax="json").value == {"a": 1}


def test_special_keys_are_only_keys() -> None:
    """Keys that other frameworks act upon are plain text here."""
    text = "_target_: os.system\n__class__: x\n$ref: y\n'<<': z\ntrust_remote_code: true"
    assert list(parse(text).value) == ["_target_", "__class__", "$ref", "<<", "trust_remote_code"]  # type: ignore[arg-type]


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? ", "[{", "{? "])
def test_deep_yaml_is_refused_early(opening: str) -> None:
    """Nesting is refused at its 33rd level, long before Python's own limit, at a place."""
    problem = refusal(opening * 20_000).problems[0]
    assert problem.line == 1
    assert problem.message in {"is nested deeper than 32 levels", "a key is a mapping or a list"}


@pytest.mark.parametrize("syntax", ["yaml", "json"])
def test_32_levels_are_allowed_and_33_refused(syntax: str) -> None:
    """The bound of nesting is exact and the same for both syntaxes."""
    assert parse("[" * 32 + "1" + "]" * 32, syntax=syntax)  # type: ignore[arg-type]
    text = "[" * 33 + "1" + "]" * 33
    assert str(refusal(text, syntax)) == "t:1:34: is nested deeper than 32 levels; flatten it"


def test_deep_json_is_refused_where_it_is_too_deep() -> None:
    """JSON so deep that Python's reader gives up is still refused at a place."""
    assert str(refusal("[" * 200_000, "json")) == "t:1:34: is nested deeper than 32 levels; flatten it"


@pytest.mark.parametrize("syntax", ["yaml", "json"])
def test_a_million_brackets_are_too_large(syntax: str) -> None:
    """A text beyond the size bound is not even looked at."""
    start = time.perf_counter()
    assert str(refusal("[" * 10**6, syntax)) == "t:1:1: is larger than 256 KiB; keep data out of the spec"
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize("syntax", ["yaml", "json"])
def test_the_number_of_values_is_bounded(syntax: str) -> None:
    """10,000 values are read and one more is refused, the outermost list counted."""
    most = json.dumps([1] * (MAX_VALUES - 1))
    assert parse(most, syntax=syntax)  # type: ignore[arg-type]
    assert str(refusal(f"[1, {most[1:]}", syntax)) == "t:1:29999: holds more than 10000 values; keep data out of the spec"


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "9" * 200_000,
        "a: 1e" + "9" * 200_000,
        "# " + "x" * 200_000,
        "\n" * 200_000,
        "%A B\n" * 40_000,
        '"' + "\\" * 200_001,
        '["' + '\\"' * 100_000,
        "k: v\n" * 40_000,
        "a: |9" + "9" * 200_000,
    ],
    ids=range(9),
)
def test_hostile_texts_are_refused_in_bounded_time(text: str) -> None:
    """Texts made to be slow are refused within seconds in either syntax."""
    start = time.perf_counter()
    refusal(text)
    refusal(text, "json")
    assert time.perf_counter() - start < 5


def problems(text: str, syntax: Any = "yaml") -> Sequence[Problem]:
    """Return what is wrong with the text; where nothing is, its value can be written."""
    try:
        dump(parse(text, "t", syntax).value)
    except SpecError as error:
        return error.problems
    return ()


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.sampled_from("\"'{}[]:,-?&*!|>%@`#<=~.019eEnul \n\t\\xUN/\r\u2028\x85\ufeff\ud800"), max_size=40))
@example('"\\UFFFFFFFF"')
@example("? ")
@example("{? }")
@example("- - ? -")
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    """Random text never causes anything but a value or a refusal with line, column, message and hint."""
    for found in [*problems(text), *problems(text, "json")]:
        assert found.line
        assert found.column
        assert found.message
        assert found.hint


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_mutants_of_a_spec_are_read_or_refused(data: st.DataObject) -> None:
    """A spec with bytes changed, removed or added is read or refused, whatever it has become."""
    spec = bytearray(SPEC.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(spec)))
        spec[start : start + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    assert all(found.line for found in problems(spec.decode("utf-8", "surrogateescape")))


def test_files_are_read_by_suffix(tmp_path: Path) -> None:
    """A file's suffix says its syntax; it is the source of every place."""
    for name, text in {"a.yaml": "a: b", "b.YML": "a: b", "c.json": '{"a": "b"}'}.items():
        path = tmp_path / name
        path.write_text(text, "utf-8")
        document = read(path)
        assert document.value == {"a": "b"}
        assert document.source == str(path) == document.places["a",].source


def test_a_json_file_must_be_json(tmp_path: Path) -> None:
    """YAML under the name of JSON is refused."""
    path = tmp_path / "a.json"
    path.write_text("a: b")
    with pytest.raises(SpecError, match=r"a\.json:1:1: not valid JSON"):
        read(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("absent.yaml", None, ": there is no such file; check the name and the folder"),
        ("a\x00.yaml", None, ": there is no such file; check the name and the folder"),
        (".", None, ": is a folder; name a file in it"),
        ("a.toml", b"", ": has the suffix '.toml'; a spec's file ends in .yaml, .yml, .json"),
        ("a.yaml.pkl", b"a: 1", ": has the suffix '.pkl'; a spec's file ends in .yaml, .yml, .json"),
        ("a.yaml", b"a: 1\nb: \xc3\xa9\xff", ":2:5: is not UTF-8 text; save the file as UTF-8"),
        ("b.yaml", "a: 1".encode("utf-16"), ":1:1: is not UTF-8 text; save the file as UTF-8"),
        ("c.yaml", "é".encode() * (200 * 1024), ": is larger than 256 KiB; keep data out of the spec"),
        ("d.yaml", b"\x80\x04\x95\x10", ":1:1: is not UTF-8 text; save the file as UTF-8"),
        ("e.yaml", b"PK\x03\x04", ":1:3: the character U+0003 is not printable; remove it"),
    ],
)
def test_files_that_cannot_be_read_are_named(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    """A file that is missing, no file, too large, binary or of another kind is refused with its name."""
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SpecError) as caught:
        read(path)
    assert str(caught.value) == f"{printable(str(path))}{message}"


def test_names_that_the_system_refuses_are_refusals(tmp_path: Path) -> None:
    """What the operating system says about a file is said in one line."""
    with pytest.raises(SpecError, match="cannot be read: File name too long"):
        read(tmp_path / f"{'x' * 5000}.yaml")


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    """A named pipe under the name of a spec is refused instead of waited for."""
    path = tmp_path / "pipe.yaml"
    os.mkfifo(path)
    with pytest.raises(SpecError, match="no such file"):
        read(path)


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff\ufffe\uffff"), max_size=12)
TRICKY = (
    *("", "1", "1e-3", "-1.", ".5", "+1", "true", "null", "~", "yes", "010", ".inf", "-.INF", ".nan", "2024-01-31"),
    *(
        "<<",
        "- a",
        "a: b",
        "a #b",
        "#",
        "...",
        "---",
        "--- a",
        "%a",
        "@",
        "a:",
        ":a",
        "a\nb",
        "\t",
        " a",
        "a ",
        "\r\n",
        "\u2028",
    ),
    *(
        "\xa0",
        "'",
        '"',
        "\\",
        "[a]",
        "{a}",
        "a, b",
        "*a",
        "&a",
        "!a",
        "|",
        ">",
        "?",
        "? a",
        "-",
        "=",
        "../a",
        "a/b",
        "a  b",
        "é",
    ),
)
STRINGS = TEXT | st.sampled_from(TRICKY)
LEAVES = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | STRINGS
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(STRINGS, inner, max_size=5), max_leaves=15
)


@settings(max_examples=200, deadline=None)
@given(VALUES)
@example({"a": [[], {}, [[1]], [{"a": {"b": [{}]}}]], "b": -0.0, "c": 5e-324, "d": 1e16, "e": 1e-05})
@example(["x" * 60, "y" * 60])
@example({"😀" * 128: "\t\n\r\\\"'"})
def test_what_is_written_reads_back(value: Any) -> None:
    """Dump, then parse, gives an equal value with the same types, order, signs of zero and bits of floats."""
    found = parse(dump(value, header="a comment\nof two lines")).value
    assert repr(found) == repr(value)


@settings(max_examples=100, deadline=None)
@given(VALUES)
def test_json_reads_like_json(value: Any) -> None:
    """What Python writes as JSON is read as the same value."""
    assert repr(parse(json.dumps(value), syntax="json").value) == repr(value)


@pytest.mark.parametrize(
    "text", ["1e-3", "true", "null", "", "~", "1", "<<", ".inf", "a: b", "a #b", " a", "...", "- a", "[", "é\n"]
)
def test_text_that_reads_as_something_else_is_quoted(text: str) -> None:
    """Text is quoted where it would read back as something else."""
    assert dump(text) == json.dumps(text, ensure_ascii=False) + "\n"


@pytest.mark.parametrize(
    "text", ["vae/gaussian", "two words", "../data", "no", "2024-01-31", "010", "a-b_c.d", "été", "x=1", "~/data"]
)
def test_other_text_is_not_quoted(text: str) -> None:
    """Text that reads back as itself stands unquoted."""
    assert dump(text) == f"{text}\n"


def test_the_layout_of_a_written_document() -> None:
    """Mappings stand in block style in their own order, short lists of scalars on one line, others item by item."""
    value = {
        "name": "digits",
        "model": {"encoder": {"type": "vae/gaussian", "hidden": [512, 512]}, "loss": {}},
        "train": {"lr": 1e-05, "beta": 1.0, "stages": [{"parts": ["a", "b"], "steps": 10}, [[1, 2], [3]]], "clip": None},
        "words": ["x" * 50, "y" * 50, True],
    }
    assert dump(value, header="yaml-language-server: $schema=x.json\n\nby hand") == (
        "# yaml-language-server: $schema=x.json\n#\n# by hand\n"
        "name: digits\n"
        "model:\n  encoder:\n    type: vae/gaussian\n    hidden: [512, 512]\n  loss: {}\n"
        "train:\n  lr: 1e-05\n  beta: 1.0\n  stages:\n"
        "    - parts: [a, b]\n      steps: 10\n    - - [1, 2]\n      - [3]\n  clip: null\n"
        f"words:\n  - {'x' * 50}\n  - {'y' * 50}\n  - true\n"
    )


class Text(str):
    """A text that is more than text."""

    __slots__ = ()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [1, math.nan]}, "a.1: nan is not a finite number; write a finite number, or null for none"),
        ({"a": math.inf}, "a: inf is not a finite number; write a finite number, or null for none"),
        ({"a": (1, 2)}, "a: (1, 2) is no plain data; use mappings, lists, text, numbers, booleans and null"),
        (Text("x"), "'x' is no plain data; use mappings, lists, text, numbers, booleans and null"),
        ({"a": b"x"}, "a: b'x' is no plain data; use mappings, lists, text, numbers, booleans and null"),
        ({"a": {1: 2}}, "a: the key 1 is not text; a key must be text"),
        ({"a": 2**63}, "a: the integer does not fit in 64 bits; write a smaller one, or a float such as 1e20"),
        ({"a": "\x07"}, "a: the character U+0007 is not printable; remove it"),
        ({"a": math.nan, "b": math.nan}, "a: nan is not a finite number; write a finite number, or null for none\n"
         "b: nan is not a finite number; write a finite number, or null for none"),
        ([1] * 10_000, "holds more than 10000 values; keep data out of the spec"),
    ],
)  # fmt: skip
def test_what_no_document_holds_is_not_written(value: object, message: str) -> None:
    """Values that would not read back are refused with their paths, all at once."""
    with pytest.raises(SpecError) as caught:
        dump(value)
    assert str(caught.value) == message


def test_a_value_that_holds_itself_is_not_written() -> None:
    """A cycle is refused as too deep."""
    value: list[object] = []
    value.append(value)
    with pytest.raises(SpecError, match="nested deeper than 32 levels"):
        dump(value)


def test_a_header_cannot_leave_its_comment() -> None:
    """Whatever the header holds, the document below stays the same."""
    assert parse(dump({"a": 1}, header="x\r\nb: 2\rc: 3\u2028d: 4\u2029e: 5")).value == {"a": 1}
    with pytest.raises(SpecError, match=r"U\+0085"):
        dump(1, header="x\x85b: 2")


def test_importing_the_module_imports_neither_torch_nor_yaml() -> None:
    """The module costs nothing until a document is read."""
    code = "import sys, genframe.experiment.document.overrides; print({'torch', 'yaml'} & {*sys.modules})"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"


def test_the_public_names_are_sorted_and_exist() -> None:
    """``__all__`` lists what is public, in order."""
    assert documents.__all__ == sorted(documents.__all__)
    assert all(hasattr(documents, name) for name in documents.__all__)
