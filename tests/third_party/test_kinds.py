"""A third-party plugin that adds a kind of density and a kind of sampling, with the parts that have them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HOOKS = '''
"""Gaussian decoders whose density is bounded from above by the mode of their likelihood."""

from typing import Literal, Protocol

from genframe import DecoderSpec, PriorSpec, components, hookimpl, traits
from genframe.specs import DensityKind, SamplingKind
from genframe.types import Density


class Roofed(Protocol):
    """Bounds the log-density of data from above."""

    def data_log_prob(self, x, prior, context=None, *, samples=1, generator=None):
        """A bound for each example, and its name."""


class Roof(DecoderSpec):
    """Data around the latent, with a standard deviation."""

    type: Literal["roof/normal"] = "roof/normal"
    provides = traits(Roofed)
    sigma: float = 0.5

    def accepts(self, latent, data, context=None):
        pass

    def build(self, spaces, encoder=None):
        from roof_parts import RoofDecoder

        return RoofDecoder(self.sigma)


class Twice(PriorSpec):
    """N(0, I), drawn in two passes."""

    type: Literal["roof/twice"] = "roof/twice"
    provides = traits(Density)
    sampling = "two passes"

    def own_space(self):
        from genframe import Real

        return Real((2,))

    def accepts(self, code, context=None):
        pass

    def build(self, spaces, encoder=None):
        from genframe.core import StandardNormal

        return StandardNormal(spaces.code)


@hookimpl
def genframe_specs():
    return [Roof, Twice]


@hookimpl
def genframe_kinds():
    return [
        DensityKind("upper bound", 25, ({"decoder": Roofed, "prior": Density},), "≤"),
        SamplingKind("two passes", 15),
    ]
'''

PARTS = """
import math

import torch

from genframe import Decoder


class RoofDecoder(Decoder):
    def __init__(self, sigma):
        super().__init__()
        self.sigma = sigma

    def decode(self, latent, context=None):
        return latent

    def data_log_prob(self, x, prior, context=None, *, samples=1, generator=None):
        mode = -0.5 * math.log(2 * math.pi * self.sigma**2) * x[0].numel()
        return torch.full((len(x),), mode), "mode of the likelihood"
"""

EXPERIMENT = """
name: roofed
data: data/toy
model: {decoder: roof/normal, prior: roof/twice, loss: gan/adversarial}
"""

PROGRAM = """
import torch
from genframe import ModelSpec, Real, compose, installed

parts = {"decoder": "roof/normal", "prior": "roof/twice", "loss": "gan/adversarial"}
model = compose(ModelSpec.model_validate(parts), Real((2,)))
x = torch.randn(5, 2)
found = model.log_prob(x)
true = torch.distributions.Normal(0, 1.25**0.5).log_prob(x).sum(1)
print(model.composition.density, model.composition.sampling, found.kind, (found.nats >= true).all().item(), sep="; ")
print(found)
"""


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the plugin and its metadata, as an installer would."""
    folder = tmp_path_factory.mktemp("roof")
    (folder / "genframe_roof.py").write_text(HOOKS)
    (folder / "roof_parts.py").write_text(PARTS)
    info = folder / "genframe_roof-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: genframe-roof\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[genframe.v1]\nroof = genframe_roof\n")
    (folder / "roofed.yaml").write_text(EXPERIMENT)
    return folder


def python(folder: Path, *words: str) -> str:
    """Run Python with the plugin installed."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    ran = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_the_check_shows_kinds_that_a_plugin_brings(plugin: Path) -> None:
    """By the traits of its decoder the density is an upper bound, and the prior is drawn in two passes."""
    words = ("-m", "genframe.cli", "check", "roofed.yaml")
    found = json.loads(python(plugin, *words, "--json"))
    assert (found["density"], found["sampling"]) == ("upper bound", "two passes")
    assert "density: upper bound; sampling: two passes; players: critic, generator" in python(plugin, *words)


def test_the_kind_follows_from_the_trait(plugin: Path) -> None:
    """With another decoder, the same prior makes an implicit density."""
    words = ("-m", "genframe.cli", "check", "roofed.yaml", "model.decoder=nets/mlp", "--json")
    assert json.loads(python(plugin, *words))["density"] == "implicit"


def test_the_likelihood_has_the_kind(plugin: Path) -> None:
    """``log_prob`` asks the decoder, and the value says on which side of log p(x) it lies."""
    first, second = python(plugin, "-c", PROGRAM).splitlines()
    assert first == "upper bound; two passes; upper bound; True"
    assert second == "log p(x) ≤ -0.4516 ± 0 nats (mode of the likelihood, samples: 1)"
