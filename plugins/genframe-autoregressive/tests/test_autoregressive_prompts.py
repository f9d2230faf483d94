"""Text that goes on from a prompt, and samples of text as text."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from genframe import DataError, Run, Unsupported, load, train

LENGTH = 12


def experiment(path: Path, **data: Any) -> dict[str, Any]:
    """Return a small transformer over windows of a text."""
    return {
        "name": "prompts",
        "data": {"type": "data/text", "path": str(path), "length": LENGTH, "stride": 1, **data},
        "model": {
            "encoder": "core/identity",
            "decoder": "core/identity",
            "prior": {"type": "autoregressive/transformer", "dim": 32, "depth": 1, "heads": 2},
            "loss": "core/nll",
            "sampler": {"type": "autoregressive/sequential", "temperature": 0},
        },
        "train": {"steps": 120, "batch_size": 16, "lr": 1e-2, "threads": 1},
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has learned which letter follows which: a, b, c, d and again."""
    path = tmp_path_factory.mktemp("prompts")
    (path / "text.txt").write_text("abcd" * 200)
    train(experiment(path / "text.txt", vocabulary="characters"), folder=path / "run")
    (path / "text.txt").unlink()  # the run keeps the vocabulary
    return path / "run"


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    """The same, loaded."""
    return load(folder)


@pytest.mark.parametrize("prompt", ["c", "da", "bcdabc", "abcdabcdabc"])
def test_text_goes_on_from_the_prompt(run: Run, prompt: str) -> None:
    """Every sample begins with it, and the most probable letters are those of the text."""
    letters = "abcd" * 5
    start = letters.index(prompt)
    assert run.texts(run.sample(3, prompt=prompt)) == [letters[start : start + LENGTH]] * 3


def test_a_prompt_of_nothing_changes_nothing(run: Run) -> None:
    """Samples are those without one, and the i-th is the same however many there are."""
    assert torch.equal(run.sample(5, seed=3, prompt="").x, run.sample(5, seed=3).x)
    assert torch.equal(run.sample(70, seed=3, prompt="cd").x[:5], run.sample(5, seed=3, prompt="cd").x)


def test_each_sample_has_what_is_known_of_its_own(run: Run) -> None:
    """``complete`` takes any codes and any mask."""
    known = torch.tensor([[0] * LENGTH, [3] * LENGTH])
    mask = torch.zeros(2, LENGTH).bool()
    mask[0, :2], mask[1, -1] = True, True
    drawn = run.model.complete(known, mask).x
    assert drawn[0, :2].tolist() == [0, 0]
    assert drawn[1, -1] == 3


def test_text_that_no_token_stands_for_is_named(run: Run) -> None:
    """And a prompt that leaves nothing to draw."""
    with pytest.raises(DataError, match=r"expected the 4 characters of the vocabulary, found 'x'"):
        run.sample(2, prompt="abx")
    with pytest.raises(DataError, match=r"fewer than the 12 tokens of a sample, found 12; give its end alone"):
        run.sample(2, prompt="abcd" * 3)


@pytest.mark.parametrize("vocabulary", ["bytes", "bpe"])
def test_prompts_of_other_vocabularies(tmp_path: Path, vocabulary: str) -> None:
    """Bytes and merged pairs come back as the text that was given."""
    (tmp_path / "text.txt").write_text("so wäre es, so war es; " * 80, encoding="utf-8")
    settings = experiment(tmp_path / "text.txt", vocabulary=vocabulary)
    settings["train"]["steps"] = 1
    run = train(settings, folder=tmp_path / "run")
    for text in run.texts(run.sample(3, prompt="wäre")):
        assert text.startswith("wäre")


def test_models_of_other_data_and_other_samplers_have_no_prompt(tmp_path: Path) -> None:
    """The message says why."""
    mlp = {"type": "nets/mlp", "hidden": [4]}
    images = train(
        {
            "name": "x",
            "data": "data/digits",
            "model": {"encoder": {**mlp, "dim": 2}, "decoder": mlp, "loss": "vae/reconstruction"},
            "train": {"steps": 1},
        }
    )
    with pytest.raises(Unsupported, match="a prompt begins text, and this model draws Real"):
        images.sample(2, prompt="a")
    with pytest.raises(Unsupported, match=r"is not text; name a \.png or \.npz file"):
        images.texts(images.sample(2))
    (tmp_path / "text.txt").write_text("abcd" * 100)
    settings = experiment(tmp_path / "text.txt", vocabulary="characters")
    settings["train"]["steps"], settings["model"]["sampler"] = 1, "core/ancestral"
    plain = train(settings, folder=tmp_path / "run")
    with pytest.raises(Unsupported, match=r"AncestralSampler cannot go on from what is known; .* autoregressive/sequential"):
        plain.sample(2, prompt="a")


def test_the_command_writes_text(folder: Path, tmp_path: Path, genframe: Callable[..., Any]) -> None:
    """Into the run's folder and onto the terminal, into one file, or into a file each with a list."""
    assert (folder / "samples" / "step-00000120.txt").read_text().startswith("--- 0 ---\n")
    told = genframe("sample", folder, "-n", "1", "--prompt", "bc")
    path, text = told.split("\n", 1)
    assert path == str(folder / "samples" / "step-00000120-seed-0-bc-n-1.txt")
    assert text == "bcdabcdabcda\n"
    assert Path(path).read_text() == text
    assert genframe("sample", folder, "-n", "2", "--prompt", "d", "--out", tmp_path / "two.txt") == f"{tmp_path / 'two.txt'}\n"
    assert (tmp_path / "two.txt").read_text() == "--- 0 ---\ndabcdabcdabc\n\n--- 1 ---\ndabcdabcdabc\n"
    genframe("sample", folder, "-n", "2", "--prompt", "d", "--out", f"{tmp_path}/each/")
    assert (tmp_path / "each" / "1.txt").read_text() == "dabcdabcdabc"
    listed = json.loads((tmp_path / "each" / "samples.json").read_text())
    assert listed["prompt"] == "d"
    assert [one["file"] for one in listed["samples"]] == ["0.txt", "1.txt"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--prompt", "x"], 4, "found 'x'; leave it out"),
        (["--prompt", "a", "--compile"], 2, "leave out --compile"),
        (["--prompt", "a", "--states", "3", "--out", "x.png"], 2, "leave out --prompt or --states"),
        (["--states", "3", "--out", "x.txt"], 2, "are not written as text; name a .npz file"),
    ],
)
def test_what_cannot_be_is_one_line(folder: Path, genframe: Callable[..., Any], words: list[str], code: int, said: str) -> None:
    """Each names what would do."""
    assert said in genframe("sample", folder, *words, code=code)


@pytest.mark.parametrize("damage", ["cut", "gone", "pipe"])
def test_a_damaged_vocabulary_keeps_no_weights_from_being_used(
    folder: Path, tmp_path: Path, genframe: Callable[..., Any], damage: str
) -> None:
    """Samples are a picture and an archive then; text is refused in one line."""
    copy = shutil.copytree(folder, tmp_path / "run")
    (copy / "vocabulary.json").unlink()
    if damage == "cut":
        (copy / "vocabulary.json").write_text('{"kind": "chara')
    elif damage == "pipe":
        os.mkfifo(copy / "vocabulary.json")
    assert genframe("sample", copy, "-n", "2").endswith(".png\n")
    genframe("sample", copy, "-n", "2", "--out", tmp_path / "x.npz")
    with pytest.raises(DataError):
        load(copy).texts(load(copy).sample(1))
