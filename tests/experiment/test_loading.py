"""From a document to an experiment: every problem by its path, file, line and column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from genframe import SpecError
from genframe.experiment.document.loading import check_placed, experiment_from, read_experiment

TEXT = """\
name: place
data: {type: data/toy, n: 50}
model:
  encoder:
    type: vae/gaussian
    dim: 2
    network:
      type: nets/mlp
      hidden: [4]
  decoder: {type: vae/normal, network: nets/mlp}
  loss: vae/elbo
train:
  stages:
    - {parts: [encoder], steps: 3}
    - parts: [decoder]
      steps: 4
"""


def written(folder: Path, *changes: tuple[str, str]) -> str:
    """Write the experiment with some text replaced and return its path."""
    text = TEXT
    for old, new in changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    path = folder / "spec.yaml"
    path.write_text(text)
    return str(path)


def found(folder: Path, *changes: tuple[str, str], words: tuple[str, ...] = ()) -> list[tuple[str, int | None, int | None]]:
    """Return the paths, lines and columns of the problems."""
    with pytest.raises(SpecError) as caught:
        check_placed(read_experiment(written(folder, *changes), words))
    return [(problem.path, problem.line, problem.column) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("hidden: [4]", "hidden: [4, x]", ("model.encoder.network.hidden.1", 9, 19)),
        ("hidden: [4]", "hiden: [4]", ("model.encoder.network.hiden", 9, 7)),
        ("    dim: 2", "    dim: -2", ("model.encoder.dim", 6, 5)),
        ("type: nets/mlp\n", "type: nets/mlpp\n", ("model.encoder.network", 7, 5)),
        ("steps: 4", "steps: 0", ("train.stages.1.steps", 16, 7)),
        ("parts: [decoder]", "parts: [decoder, nose]", ("train.stages.1.parts.1", 15, 24)),
        ("      steps: 4\n", "", ("train.stages.1", 15, 7)),
        ("data: {type: data/toy, n: 50}", "data: {type: data/toy, n: 1}", ("data.n", 2, 24)),
    ],
)
def test_a_problem_has_its_line_and_column(tmp_path: Path, old: str, new: str, expected: tuple[str, int, int]) -> None:
    """A wrong value, an unknown field and an unknown component are found at their key or list item, however deep."""
    assert found(tmp_path, (old, new)) == [expected]


def test_problems_of_validation_come_together(tmp_path: Path) -> None:
    """Three mistakes in three parts are three problems, in the order of the file."""
    changes = (("n: 50", "n: 1"), ("    dim: 2", "    dim: 0"), ("steps: 4", "steps: many"))
    assert [path for path, _, _ in found(tmp_path, *changes)] == ["data.n", "model.encoder.dim", "train.stages.1.steps"]


@pytest.mark.parametrize(
    ("word", "path"),
    [
        ("model.encoder.network.hidden=[4, x]", "model.encoder.network.hidden.1"),
        ("train.stages.1.steps=0", "train.stages.1.steps"),
        ("model.prior=vae/nothing", "model.prior"),
        ("model.loss.betta=2", "model.loss.betta"),
    ],
)
def test_a_problem_in_an_override_names_the_override(tmp_path: Path, word: str, path: str) -> None:
    """What a word on the command line made wrong is said of that word, not of the file."""
    with pytest.raises(SpecError) as caught:
        read_experiment(written(tmp_path), (word,))
    (problem,) = caught.value.problems
    assert problem.path == path
    assert problem.source == f"<override {word!r}>"


def test_a_problem_of_types_is_placed_too(tmp_path: Path) -> None:
    """What only the typed check finds, in file and override, has its place."""
    source = written(tmp_path, ("  decoder: {type: vae/normal, network: nets/mlp}", "  decoder: nets/mlp"))
    with pytest.raises(SpecError) as caught:
        check_placed(read_experiment(source))
    (problem,) = caught.value.problems
    assert (problem.path, problem.source, problem.line) == ("model.loss", source, 11)
    with pytest.raises(SpecError) as caught:
        check_placed(read_experiment(written(tmp_path), ("model.decoder=nets/mlp", "model.loss=vae/iwae")))
    assert [problem.source for problem in caught.value.problems] == ["<override 'model.loss=vae/iwae'>"]


def test_what_is_missing_is_said_at_its_owner(tmp_path: Path) -> None:
    """A field that must be given is missing at the mapping that lacks it, with what it is."""
    with pytest.raises(SpecError) as caught:
        read_experiment(written(tmp_path, ("  loss: vae/elbo\n", "")))
    (problem,) = caught.value.problems
    assert (problem.path, problem.line) == ("model.loss", 3)
    assert str(problem).endswith("model.loss: is missing; it is what training minimises")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"train": {"steps": 2.5}}, "train.steps: should be a whole number, found 2.5"),
        ({"train": {"lr": "fast"}}, "train.lr: should be a number, found 'fast'"),
        ({"train": {"stages": 3}}, "train.stages: should be a list, found 3"),
        ({"train": [1]}, "train: should be a mapping, found [1]"),
        ({"train": {"stages": [{"parts": [], "steps": 1}]}}, "train.stages.0.parts: should have at least one item, found []"),
        ({"train": {"betas": [0.1, 0.2, 0.3]}}, "train.betas: should have at most 2 items, found [0.1, 0.2, 0.3]"),
        ({"train": {"stepps": 3}}, "train.stepps: unknown field 'stepps'; did you mean 'steps'?"),
        ({"name": "Big Name"}, "name: should match pattern"),
    ],
)
def test_messages_are_about_values_not_about_python(value: dict[str, Any], said: str) -> None:
    """Pydantic's words are put into a user's, with what was found."""
    plain = {"name": "x", "data": "data/toy", "model": {"decoder": "nets/mlp", "loss": "vae/elbo"}}
    with pytest.raises(SpecError) as caught:
        experiment_from({**plain, **value})
    assert str(caught.value).removeprefix("<data>: ").startswith(said)


def test_a_refused_item_is_one_problem() -> None:
    """The only item of a list that must not be empty is wrong: that is said, and not that the list is too short."""
    plain = {"name": "x", "data": "data/toy", "model": {"decoder": "nets/mlp", "loss": {"type": "core/sum", "terms": ["nope"]}}}
    with pytest.raises(SpecError) as caught:
        experiment_from(plain)
    assert [problem.path for problem in caught.value.problems] == ["model.loss.terms.0"]


def test_a_list_that_is_too_short_is_said_although_it_has_items() -> None:
    """Nothing was refused in it."""
    prior = {"type": "energy/dbm", "hidden": [32]}
    model = {"encoder": "core/identity", "decoder": "core/identity", "prior": prior, "loss": "energy/contrastive_divergence"}
    with pytest.raises(SpecError, match=r"model\.prior\.hidden: should have at least 2 items, found \[32\]"):
        experiment_from({"name": "x", "data": "data/digits", "model": model})


def test_of_very_many_problems_the_first_are_told() -> None:
    """The message stays readable; the error holds all."""
    stages = [{"parts": ["nothing"], "steps": 1} for _ in range(50)]
    with pytest.raises(SpecError) as caught:
        experiment_from({"name": "x", "data": "data/toy", "model": {}, "train": {"stages": stages}})
    assert len(caught.value.problems) > 50
    assert str(caught.value).count("\n") == 20
    assert str(caught.value).endswith(f"\nand {len(caught.value.problems) - 20} problems more")


def test_a_run_is_not_an_experiment(tmp_path: Path) -> None:
    """A folder, and a run's folder above all, is refused with what would do."""
    with pytest.raises(SpecError, match="is a folder, not an experiment; name a file in it"):
        read_experiment(str(tmp_path))
    (tmp_path / "experiment.yaml").write_text(TEXT)
    with pytest.raises(SpecError, match="is a run, not an experiment; go on with it by: genframe resume"):
        read_experiment(str(tmp_path))
    with pytest.raises(SpecError, match=r"there is no recipe or file 'vae-digit'; did you mean 'vae-digits'\?"):
        read_experiment("vae-digit")
