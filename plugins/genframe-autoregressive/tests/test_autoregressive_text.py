"""Text: a run of the recipe in small is read without the text that it learned from."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from genframe import load
from genframe.experiment.run.evaluation import evaluate
from genframe.experiment.run.training import train
from genframe_data import read_vocabulary


@pytest.mark.parametrize("kind", ["bytes", "characters", "bpe"])
def test_samples_are_decoded_without_the_text(tmp_path: Path, kind: str) -> None:
    """The vocabulary is in the run's folder; bits are given for each token and for each character."""
    if kind == "bpe" and not find_spec("tokenizers"):
        pytest.skip("the package tokenizers is not installed")
    text = tmp_path / "input.txt"
    text.write_text("Wäre es so einfach, to be or not to be? " * 30, encoding="utf-8")
    experiment = {
        "name": "text",
        "data": {"type": "data/text", "path": str(text), "vocabulary": kind, "length": 6, "size": 300, "test": 0.3},
        "model": {
            "encoder": "core/identity",
            "decoder": "core/identity",
            "prior": {"type": "autoregressive/transformer", "dim": 8, "depth": 1, "heads": 2},
            "loss": "core/nll",
        },
        "train": {"steps": 2, "batch_size": 4, "threads": 1},
        "evaluate": {"metrics": ["metrics/nll"]},
    }
    figures = {result.name: result.value for result in evaluate(train(experiment, folder=tmp_path / "run")).results}
    tokens_a_character = figures["bits_per_character"] / figures["bits_per_dim"]
    assert tokens_a_character == pytest.approx(1) if kind == "characters" else tokens_a_character != pytest.approx(1, rel=1e-3)
    assert (tokens_a_character < 1) == (kind == "bpe") or kind == "characters"
    text.unlink()
    vocabulary, samples = read_vocabulary(tmp_path / "run"), load(tmp_path / "run").sample(3).x
    assert all(isinstance(vocabulary.decode(row), str) for row in samples.tolist())
    assert vocabulary.decode(vocabulary.encode("to be")) == "to be"
