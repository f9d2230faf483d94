"""Component classes that no plugin registers: they train, that is said, and their runs are opened again."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
import torch
from torch import Tensor

from genframe import Context, Encoder, Prior, PriorSpec, Space, Spaces, SpecError, Unsupported, load, register, train, traits
from genframe.core.parts import StandardNormal
from genframe.training.reporter import Silent
from genframe.types import Density

EXPERIMENT = {
    "name": "own",
    "data": {"type": "data/digits", "limit": 300, "labels": True},
    "model": {
        "encoder": {"type": "vae/gaussian", "dim": 2, "network": {"type": "nets/mlp", "hidden": [8]}},
        "decoder": {"type": "vae/normal", "network": {"type": "nets/mlp", "hidden": [8]}},
        "condition": "core/one_hot",
        "loss": "vae/elbo",
    },
    "train": {"steps": 3, "batch_size": 16},
}


class Wide(PriorSpec):
    """A normal prior of twice the width."""

    type: Literal["notebook/wide"] = "notebook/wide"
    provides = traits(Density)

    def accepts(self, code: Space, context: object = None) -> None:
        """Accept all codes."""

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Prior:
        """Make the prior."""
        return WidePrior(spaces.code)


class WidePrior(StandardNormal):
    """N(0, 4 I)."""

    def log_prob(self, code: Tensor, context: Context | None = None) -> Tensor:
        """Return the log-density, but for a constant."""
        return super().log_prob(code / 2)


class Ear(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def message(self, text: str) -> None:
        """Keep it."""
        self.said.append(text)


def test_a_class_of_a_notebook_trains_and_is_opened_again(tmp_path: Path) -> None:
    """Its run is refused by name until the class is given, and then is the same model."""
    ear = Ear()
    model = {**EXPERIMENT["model"], "prior": Wide()}  # type: ignore[dict-item]
    run = train({**EXPERIMENT, "model": model}, folder=tmp_path / "run", reporter=ear)
    assert [text for text in ear.said if "no plugin has notebook/wide" in text]
    with pytest.raises(SpecError, match="no plugin 'notebook' is installed"):
        load(tmp_path / "run")
    again = load(tmp_path / "run", specs=[Wide])
    assert again.model.weights_digest() == run.model.weights_digest()


def test_a_name_that_a_plugin_has_is_refused() -> None:
    """Nobody takes a plugin's name by accident."""

    class Other(PriorSpec):
        """Another normal prior."""

        type: Literal["core/normal"] = "core/normal"

    with pytest.raises(SpecError, match="there is a prior 'core/normal' already"):
        register(Other)


def test_conditions_by_number_and_by_name() -> None:
    """A class is given by its number, or by its name in the data; others are refused with what there is."""
    run = train(EXPERIMENT)
    by_tensor = run.sample(4, torch.full((4,), 7), seed=1).x
    assert torch.equal(by_tensor, run.sample(4, 7, seed=1).x)
    assert torch.equal(by_tensor, run.sample(4, "7", seed=1).x)
    with pytest.raises(Unsupported, match="there is no class 'fox'; the classes are 0, 1, 2"):
        run.sample(4, "fox")
    with pytest.raises(Unsupported, match="there is no class 10; the classes are 0, 1, 2"):
        run.sample(4, 10)
