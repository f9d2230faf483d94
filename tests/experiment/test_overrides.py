"""Overrides: ``key.path=value`` words on top of a document."""

from __future__ import annotations

import copy

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from genframe.experiment.document import Document, Place, dump, origin, parse
from genframe.experiment.document.overrides import apply
from genframe.types import SpecError

SPEC = """\
name: digits
model:
  encoder: vae/gaussian
  loss: {type: vae/elbo, beta: 2}
train:
  lr: 1e-2
  stages:
    - {parts: [encoder], steps: 5}
    - {parts: [prior], steps: 6}
  extra: []
evaluate:
note: two words
"""
DOCUMENT = parse(SPEC, "spec.yaml")

CHANGES = {
    "train.lr=1e-3": ("train.lr", 1e-3),
    "train.lr=null": ("train.lr", None),
    "name='1'": ("name", "1"),
    "name=a=b": ("name", "a=b"),
    "name=a, b": ("name", "a, b"),
    "name=2024-01-31": ("name", "2024-01-31"),
    "model.prior=vae/vamp": ("model.prior", "vae/vamp"),
    "model.loss={type: gan/adversarial}": ("model.loss", {"type": "gan/adversarial"}),
    "model.loss=vae/iwae": ("model.loss", "vae/iwae"),
    "model.loss.beta=4": ("model.loss", {"type": "vae/elbo", "beta": 4}),
    "model.encoder.dim=8": ("model.encoder", {"type": "vae/gaussian", "dim": 8}),
    "model.encoder.type=vae/other": ("model.encoder", {"type": "vae/other"}),
    "model.encoder.network.hidden=[512, 512]": ("model.encoder", {"type": "vae/gaussian", "network": {"hidden": [512, 512]}}),
    "train.stages.1.steps=10": ("train.stages", [{"parts": ["encoder"], "steps": 5}, {"parts": ["prior"], "steps": 10}]),
    "train.stages.0=x": ("train.stages", ["x", {"parts": ["prior"], "steps": 6}]),
    "train.stages.0.parts.0=prior": ("train.stages.0.parts", ["prior"]),
    "evaluate.seed=3": ("evaluate", {"seed": 3}),
    "new.deep.path=true": ("new", {"deep": {"path": True}}),
}

FINITE = "is not a finite number; write a finite number, or null for none"

MISTAKES = {
    "train.lr": "<override 'train.lr'>: is not of the form key.path=value; write for example train.lr=1e-3",
    "=1": "<override '=1'>: is not of the form key.path=value; write for example train.lr=1e-3",
    "a..b=1": "<override 'a..b=1'>: is not of the form key.path=value; write for example train.lr=1e-3",
    "train.lr=": "<override 'train.lr='>: train.lr: has no value; write null for none, or '\"\"' for empty text",
    "train.lr=#x": "<override 'train.lr=#x'>:1:1: train.lr: is empty; write a value, or null for none",
    "train.stages.2.steps=1": "<override 'train.stages.2.steps=1'>: train.stages: has no item '2', only 2 counted from 0; "
    "set the whole list to change their number",
    "train.stages.-1=1": "<override 'train.stages.-1=1'>: train.stages: has no item '-1', only 2 counted from 0; "
    "set the whole list to change their number",
    "train.stages.steps=1": "<override 'train.stages.steps=1'>: train.stages: has no item 'steps', only 2 counted from 0; "
    "set the whole list to change their number",
    "train.extra.0=1": "<override 'train.extra.0=1'>: train.extra: has no item '0', only 0 counted from 0; "
    "set the whole list to change their number",
    "new.0.steps=1": "<override 'new.0.steps=1'>: new: is no list, so it has no item 0; name a field",
    "train.lr.x=1": "<override 'train.lr.x=1'>: train.lr: is 0.01, which has no fields; set train.lr itself",
    "note.x=1": "<override 'note.x=1'>: note: is 'two words', which has no fields; set note itself",
    "a=[1": "<override 'a=[1'>:1:5: a: not valid YAML: expected ',' or ']', but got '<stream end>'; "
    "close the bracket, and put commas between the items",
    "a.b={x: .nan}": f"<override 'a.b={{x: .nan}}'>:1:6: a.b.x: nan {FINITE}",
    "a=[!!python/name:os.system x]": "<override 'a=[!!python/name:os.system x]'>:1:4: a.0: "
    "the tag '!!python/name:os.system' is not allowed; write the value without it",
    "a=*x": "<override 'a=*x'>:1:3: a: the alias '*x' is not allowed; "
    "quote text that starts with '*'; write a repeated value out",
    "a={b:1}": "<override 'a={b:1}'>:1:4: a: 'b:1' has no value; put a space after the colon",
    "\x1b[31m=.inf": f"<override '\\x1b[31m=.inf'>:1:7: \\x1b[31m: inf {FINITE}",
    "\udcff=1": "<override '\\udcff=1'>: the character U+DCFF is not printable; remove it",
}


def changed(assignment: str) -> Document:
    """Return the document with one override made."""
    return apply(DOCUMENT, [assignment])


def at(value: object, path: str) -> object:
    """Return what stands at the path."""
    for key in path.split("."):
        value = value[int(key)] if isinstance(value, list) else value[key]  # type: ignore[index]
    return value


@pytest.mark.parametrize(("assignment", "change"), CHANGES.items(), ids=CHANGES.keys())
def test_an_override_changes_its_path_alone(assignment: str, change: tuple[str, object]) -> None:
    """The value at the path is the new one, and all else is as it was."""
    path, value = change
    found = changed(assignment).value
    assert at(found, path) == value
    top = path.split(".", 1)[0]
    assert isinstance(found, dict)
    assert isinstance(DOCUMENT.value, dict)
    assert {k: v for k, v in found.items() if k != top} == {k: v for k, v in DOCUMENT.value.items() if k != top}


@pytest.mark.parametrize(("assignment", "message"), MISTAKES.items(), ids=range(len(MISTAKES)))
def test_mistakes_name_the_override(assignment: str, message: str) -> None:
    """A mistake shows the override, the path, what is wrong and what would do."""
    with pytest.raises(SpecError) as caught:
        changed(assignment)
    assert str(caught.value) == message


def test_the_later_override_wins() -> None:
    """Overrides are made in their order."""
    found = apply(DOCUMENT, ["model.encoder.dim=8", "model.encoder=vae/other", "model.encoder.rank=2"])
    assert at(found.value, "model.encoder") == {"type": "vae/other", "rank": 2}
    assert at(apply(DOCUMENT, ["train.lr=1", "train.lr=2"]).value, "train.lr") == 2


def test_the_document_stays_as_it_was() -> None:
    """Neither the value nor the places of the given document change."""
    before = copy.deepcopy(DOCUMENT)
    for assignment in CHANGES:
        apply(DOCUMENT, [assignment])
    assert before == DOCUMENT


def test_no_overrides_change_nothing() -> None:
    """Without assignments the document comes back equal."""
    assert apply(DOCUMENT, []) == DOCUMENT


def test_places_say_who_wrote_what() -> None:
    """A changed path comes from the override, what it created too, and the rest from the file."""
    found = apply(DOCUMENT, ["model.encoder.dim=8", "new.path=1", "evaluate.seed=1"])
    dim, new = Place("<override 'model.encoder.dim=8'>"), Place("<override 'new.path=1'>")
    assert origin(found, ("model", "encoder", "dim")) == dim
    assert origin(found, ("model", "encoder", "type")) == Place("spec.yaml", 3, 3)
    assert origin(found, ("model", "encoder")) == Place("spec.yaml", 3, 3)
    assert origin(found, ("new",)) == origin(found, ("new", "path")) == new
    assert origin(found, ("evaluate",)) == Place("spec.yaml", 11, 1)
    assert origin(found, ("train", "lr")) == DOCUMENT.places["train", "lr"]


def test_places_below_a_replaced_value_are_forgotten() -> None:
    """What stood below a replaced value no longer points into the file."""
    found = changed("model.loss={type: vae/iwae, beta: 1}")
    place = Place("<override 'model.loss={type: vae/iwae, beta: 1}'>")
    assert origin(found, ("model", "loss", "beta")) == place
    assert ("model", "loss", "beta") not in found.places


def test_a_document_that_is_null_can_be_filled() -> None:
    """An empty document becomes a mapping."""
    assert apply(parse("null"), ["a.b=1"]).value == {"a": {"b": 1}}


def test_depth_and_keys_have_the_bounds_of_a_file() -> None:
    """Path and value together may be as deep as a file, and keys as long."""
    assert changed(".".join("a" * 16) + "=" + "[" * 16 + "]" * 16)
    for assignment in (".".join("a" * 100_000) + "=1", ".".join("a" * 17) + "=" + "[" * 17 + "]" * 17):
        with pytest.raises(SpecError, match="nested deeper than 32 levels"):
            changed(assignment)
    with pytest.raises(SpecError, match="longer than 128 characters"):
        changed("k" * 129 + "=1")


WORDS = st.sampled_from(
    ["train", "lr", "stages", "0", "1", "99", "model", "encoder", "type", "note", "new", "", "-1", "\x1b", "٣"]
)
TEXTS = st.text(st.sampled_from("[]{}:,'\"ab1.-e!&*#|> \n\t"), max_size=10)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.builds(lambda keys, text: f"{'.'.join(keys)}={text}", st.lists(WORDS, min_size=1, max_size=5), TEXTS), max_size=3
    )
)
@example(["train.stages." + "9" * 5000 + "=1"])
def test_any_override_is_made_or_refused(assignments: list[str]) -> None:
    """Random overrides give a document that can be written and read back, or a refusal that shows them."""
    try:
        found = apply(DOCUMENT, assignments)
    except SpecError as error:
        problems = error.problems
    else:
        problems = ()
        assert repr(parse(dump(found.value)).value) == repr(found.value)
    for problem in problems:
        assert problem.source.startswith("<override ")
        assert problem.hint
        assert str(problem).isprintable()
