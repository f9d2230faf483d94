"""Commands on latents for families without a latent, with a random walk, or without an encoder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from genframe.cli import main

Command: TypeAlias = Callable[..., Any]
SMALL = ["train.threads=1", "train.batch_size=16", "evaluate.metrics=[]"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)


NO_LATENT = {
    "rbm": ["rbm-digits", "data.limit=60", "train.steps=2"],
    "autoregressive": ["pixelcnn-digits", "data.limit=60", "train.steps=2"],
}


@pytest.mark.parametrize("name", NO_LATENT)
@pytest.mark.parametrize("command", [["edit", "--attribute", "3"], ["interpolate"], ["encode", "--to", "c.safetensors"]])
def test_families_without_a_latent_are_refused(
    genframe: Command, tmp_path_factory: pytest.TempPathFactory, name: str, command: list[str]
) -> None:
    """With exit code 9, before any dataset is read, with a hint."""
    run = Path("run")
    genframe("train", *NO_LATENT[name], *SMALL, "--run", run, "--json")
    word, *rest = command
    message = genframe(word, run, *rest, code=9)
    assert "no latent" in message or "classes cannot be averaged" in message
    assert "train one" in message


def test_a_random_walk_is_told_which_sampler_would_do(genframe: Command) -> None:
    """diffusion/ddpm cannot be inverted; the run is edited by the ODE, and its directions are of that sampler."""
    network = "model.decoder.network={type: nets/unet, channels: [8], blocks: 1}"
    words = ["diffusion-digits", "data.limit=60", "train.steps=2", network, *SMALL, "model.sampler=diffusion/ddpm"]
    genframe("train", *words, "--run", "run", "--json")
    assert "--sampler diffusion/ode" in genframe("interpolate", "run", code=9)
    ode = ("--sampler", "{type: diffusion/ode, tolerance: 1e-2}")
    genframe(
        "traverse",
        "run",
        "--component",
        "0",
        "--codes",
        "8",
        "-n",
        "2",
        "--steps",
        "2",
        *ode,
        "--save",
        "d.safetensors",
    )
    found = ("traverse", "run", "--direction", "d.safetensors", "-n", "2", "--steps", "2")
    genframe(*found, *ode)
    assert "belongs to another sampler" in genframe(*found, "--sampler", "{type: diffusion/heun, steps: 4}", code=4)


def test_a_search_says_its_cost(capsys: pytest.CaptureFixture[str], genframe: Command) -> None:
    """A GAN has no encoder: latents are searched for, and that is said on standard error."""
    critic = "model.loss.critic={type: nets/mlp, hidden: [8]}"
    words = ["gan-digits", "data.limit=60", "train.steps=2", "model.decoder={type: nets/mlp, hidden: [8]}", critic, *SMALL]
    genframe("train", *words, "--run", "run", "--json")
    capsys.readouterr()
    assert main(["interpolate", "run", "-n", "2", "--steps", "3"]) == 0
    printed = capsys.readouterr()
    assert "latents are searched for, 2,656 decodings per example" in printed.err
