"""A third-party plugin: a wheel built from a folder, installed into a fresh environment, used by name, and removed again."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

PYPROJECT = """
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "genframe-ring"
version = "0.3.0"
dependencies = ["genframe>=0.1"]

[project.entry-points."genframe.v1"]
ring = "genframe_ring"

[tool.setuptools]
packages = ["genframe_ring"]

[tool.setuptools.package-data]
genframe_ring = ["*.yaml"]
"""

SPECS = '''
"""A ring in the plane, and an autoencoder that knows of it."""

from typing import ClassVar, Literal

from pydantic import Field

from genframe import DatasetSpec, DecoderSpec, EncoderSpec, LossSpec, Needs, Real, Recipe, hookimpl, require_real, traits


class Angular:
    """Encodes angles."""


class Angle(EncoderSpec):
    """The angle of a point, as a number of turns."""

    type: Literal["ring/angle"] = "ring/angle"
    provides: ClassVar = traits(Angular)

    def latent_space(self, data):
        require_real(data, "an angle", rank=1)
        return Real((1,))

    def build(self, spaces, encoder=None):
        from .parts import AngleEncoder

        return AngleEncoder()


class Circle(DecoderSpec):
    """The point of an angle, on a circle whose radius is learned."""

    type: Literal["ring/circle"] = "ring/circle"
    needs: ClassVar[Needs] = {"encoder": Angular}

    radius: float = Field(default=1.0, gt=0, description="the first radius")

    def accepts(self, latent, data, context=None):
        require_real(latent, "a circle", rank=1)

    def build(self, spaces, encoder=None):
        from .parts import CircleDecoder

        return CircleDecoder(self.radius)


class Distance(LossSpec):
    """The squared distance of a point from its reconstruction."""

    type: Literal["ring/distance"] = "ring/distance"

    def build(self, spaces, encoder=None):
        from .parts import DistanceLoss

        return DistanceLoss()


class Ring(DatasetSpec):
    """Points on a ring of radius 2."""

    type: Literal["ring/ring"] = "ring/ring"

    n: int = Field(default=200, ge=10, description="points in each split")

    def data_space(self):
        return Real((2,))

    def load(self):
        from .parts import load

        return load(self.n)


@hookimpl
def genframe_specs():
    return [Angle, Circle, Distance, Ring]


@hookimpl
def genframe_recipes():
    return [Recipe("ring", "genframe_ring", "ring.yaml", "an autoencoder of a ring, by its angle")]
'''

PARTS = """
import math

import torch
from torch import nn

from genframe import Dataset, Decoder, Encoder, Loss, LossOutput, Real, Split


class AngleEncoder(Encoder):
    def encode(self, x, context=None):
        return torch.atan2(x[:, 1:], x[:, :1]) / (2 * math.pi)


class CircleDecoder(Decoder):
    def __init__(self, radius):
        super().__init__()
        self.radius = nn.Parameter(torch.tensor(radius))

    def decode(self, latent, context=None):
        angle = 2 * math.pi * latent
        return self.radius * torch.cat([angle.cos(), angle.sin()], 1)


class DistanceLoss(Loss):
    def forward(self, model, batch, player="model"):
        distance = (model.reconstruct(batch.x) - batch.x).square().sum(1).mean()
        return LossOutput(distance, {"distance": distance.detach()})


def load(n):
    angle = 2 * math.pi * torch.rand(3, n, generator=torch.Generator().manual_seed(0))
    points = 2 * torch.stack([angle.cos(), angle.sin()], -1)
    return Dataset(Real((2,)), {name: Split(name, points[i]) for i, name in enumerate(("train", "validation", "test"))})
"""

RECIPE = """
name: ring
data: ring/ring
model:
  encoder: ring/angle
  decoder: ring/circle
  loss: ring/distance
train: {steps: 60, lr: 0.05, batch_size: 50}
"""


def run(*words: str | Path, folder: Path, fails: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a command in ``folder``; it succeeds unless it is meant to fail."""
    ran = subprocess.run([str(word) for word in words], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert (ran.returncode != 0) == fails, ran.stdout + ran.stderr
    return ran


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the plugin and build its wheel, without a network."""
    folder = tmp_path_factory.mktemp("source")
    package = folder / "genframe_ring"
    package.mkdir()
    (folder / "pyproject.toml").write_text(PYPROJECT)
    (package / "__init__.py").write_text(SPECS)
    (package / "parts.py").write_text(PARTS)
    (package / "ring.yaml").write_text(RECIPE)
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "dist", folder=folder)
    return next((folder / "dist").glob("*.whl"))


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a fresh environment that sees genframe and what it needs, but has packages of its own."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder / "venv", symlinks=True)
    python = folder / "venv" / "bin" / "python"
    own = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=folder).stdout.strip())
    shared = sysconfig.get_path("purelib")
    # addsitedir, not a bare path, so that packages installed in editable mode are seen too
    (own / "shared.pth").write_text(f"import site; site.addsitedir({shared!r})\n")
    return python


def pip(environment: Path, *words: str | Path) -> None:
    """Run pip in the fresh environment, without a network."""
    run(environment, "-m", "pip", "--disable-pip-version-check", *words, folder=environment.parent)


def test_a_plugin_lives_from_wheel_to_removal(wheel: Path, environment: Path, tmp_path: Path) -> None:
    """Installed, it is listed, shown, composed, trained and sampled by name; removed, its absence is named."""
    assert wheel.name == "genframe_ring-0.3.0-py3-none-any.whl"

    def genframe(*words: str, fails: bool = False) -> subprocess.CompletedProcess[str]:
        return run(environment, "-m", "genframe.cli", *words, folder=tmp_path, fails=fails)

    before = genframe("show", "ring/circle", fails=True)
    assert before.returncode == 2
    assert "no plugin 'ring' is installed; try: pip install genframe-ring" in before.stderr

    pip(environment, "install", "--no-index", "--no-deps", wheel)

    listed = {entry["name"]: entry for entry in json.loads(genframe("list", "--json").stdout)}
    assert listed["ring/circle"]["kind"] == "decoder"
    assert {"ring/angle", "ring/distance", "ring/ring", "vae/elbo"} <= set(listed)
    plugin = next(entry for entry in json.loads(genframe("plugins", "--json").stdout) if entry["name"] == "ring")
    assert (plugin["status"], plugin["version"], plugin["recipes"]) == ("ok", "0.3.0", ["ring"])

    checked = json.loads(genframe("check", "ring", "--json").stdout)
    assert checked["spaces"] == {"data": "Real(2)", "latent": "Real(1)", "code": "Real(1)"}
    refused = genframe("check", "ring", "model.encoder={type: nets/mlp, dim: 1}", fails=True).stderr
    assert "model.decoder: needs an encoder with Angular; 'nets/mlp' has none; these have: ring/angle" in refused

    outcome = json.loads(genframe("train", "ring", "--run", "run", "--json").stdout)
    assert (outcome["run"], outcome["step"]) == ("run", 60)
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["distance"] < 1.0  # it was 1 at radius 1, and falls as the radius nears 2

    assert genframe("sample", "run", "--out", "ring.png", "-n", "30").stdout == "ring.png\n"
    assert (tmp_path / "ring.png").read_bytes().startswith(b"\x89PNG")

    pip(environment, "uninstall", "--yes", "genframe-ring")
    for words in (["sample", "run"], ["train", "run/experiment.yaml"]):
        gone = genframe(*words, fails=True)
        assert gone.returncode == 2
        assert "model.encoder: there is no encoder 'ring/angle'; no plugin 'ring' is installed" in gone.stderr
        assert "try: pip install genframe-ring" in gone.stderr
        assert "Traceback" not in gone.stderr
    assert "there is no recipe or file 'ring'" in genframe("check", "ring", fails=True).stderr
