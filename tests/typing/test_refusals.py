"""Typed refusals, word for word: each names the file and line, the path, what is missing and what would do."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from genframe.checking import SLOTS
from genframe.experiment.document.loading import check_placed, read_experiment
from genframe.plugins.discovery import discover

SHIPPED = {"core", "data", "metrics", "nets", "vae"}

# What the shipped plugins do not have: a sampler that needs a kernel, a second component named gaussian, a broken plugin.
OTHER = """
from typing import ClassVar, Literal
from genframe import EncoderSpec, Needs, PriorSpec, SamplerSpec, hookimpl
from genframe.types import Denoiser, MarkovKernel

class Gibbs(SamplerSpec):
    "Walks by the prior's kernel."
    type: Literal["other/gibbs"] = "other/gibbs"
    needs: ClassVar[Needs] = {"prior": MarkovKernel}

class Euler(SamplerSpec):
    "Walks by the decoder's denoiser."
    type: Literal["other/euler"] = "other/euler"
    needs: ClassVar[Needs] = {"decoder": Denoiser}

class Gaussian(EncoderSpec):
    "Another component of a known name."
    type: Literal["other/gaussian"] = "other/gaussian"

class Quiet(PriorSpec):
    "Draws codes, and says nothing of their density."
    type: Literal["other/quiet"] = "other/quiet"
    def accepts(self, code, context=None):
        pass

@hookimpl
def genframe_specs():
    return [Gibbs, Euler, Gaussian, Quiet]
"""

PROGRAM = """
import json, sys
from genframe import DataError, SpecError
from genframe.experiment.document import parse
from genframe.checking import SLOTS
from genframe.experiment.document.loading import check_placed, experiment_from
found = {}
for name, text in json.load(sys.stdin).items():
    try:
        check_placed(experiment_from(parse(text, "model.yaml")))
        found[name] = "accepted"
    except (SpecError, DataError) as error:
        found[name] = str(error)
print(json.dumps({"torch": "torch" in sys.modules, "found": found}))
"""


def text(**replaced: str) -> str:
    """Return a VAE's experiment as YAML, one slot a line, with some lines replaced, added, or left out where they are ``-``."""
    lines = {
        "name": "refused",
        "data": "data/digits",
        "model": "",
        "encoder": "vae/gaussian",
        "decoder": "vae/discretised_logistic",
        "prior": "core/normal",
        "loss": "vae/elbo",
        "sampler": "core/ancestral",
        "condition": "null",
        "train": "{steps: 10}",
    }
    lines |= replaced
    return "".join(f"{'  ' * (key in SLOTS)}{key}: {value}\n" for key, value in lines.items() if value != "-")


AUTOENCODER = {"encoder": "nets/mlp", "decoder": "nets/mlp", "loss": "vae/reconstruction"}
IMPLICIT = "{type: core/model, model: {encoder: nets/mlp, decoder: nets/mlp, loss: vae/reconstruction}}"

CASES = {
    "elbo over a plain encoder": text(encoder="nets/mlp"),
    "elbo over a plain decoder": text(decoder="nets/mlp"),
    "elbo over a prior without density": text(prior="other/quiet"),
    "elbo over a nested model without density": text(prior=IMPLICIT),
    "decoder for the wrong space": text(**AUTOENCODER | {"decoder": "core/identity"}),
    "convolutional decoder of the wrong grid": text(
        **AUTOENCODER | {"encoder": "{type: nets/conv, channels: [8]}", "decoder": "nets/conv"}
    ),
    "likelihood's network for the wrong space": text(data="data/toy", decoder="{type: vae/normal, network: nets/conv}"),
    "inverse of an encoder that has none": text(decoder="core/inverse", loss="core/nll"),
    "tied weights with a convolutional encoder": text(**AUTOENCODER | {"encoder": "nets/conv", "decoder": "nets/tied"}),
    "tied weights within a likelihood": text(decoder="{type: vae/discretised_logistic, network: nets/tied}"),
    "sampler that needs a kernel": text(sampler="other/gibbs"),
    "sampler that needs a denoiser": text(sampler="other/euler"),
    "temperature of a prior that has none": text(prior="vae/gmm", sampler="{temperature: 0.7}"),
    "temperatures of levels that are not there": text(sampler="{temperature: [0.7, 0.9]}"),
    "temperature that is none": text(sampler="{temperature: 0}"),
    "vamp prior over a plain encoder": text(**AUTOENCODER | {"prior": "vae/vamp"}),
    "no encoder and a prior without shape": text(encoder="null", decoder="nets/mlp"),
    "reconstruction without an encoder": text(
        encoder="null", prior="{type: core/normal, shape: [4]}", decoder="nets/mlp", loss="vae/reconstruction"
    ),
    "bernoulli of grey data": text(decoder="vae/bernoulli"),
    "normal density of discrete data": text(encoder="core/identity", decoder="core/inverse", loss="core/nll"),
    "discretised logistic of dequantised data": text(data="{type: data/digits, dequantise: true}"),
    "mixture over spatial codes": text(encoder="{type: vae/gaussian, network: nets/conv}", prior="vae/gmm"),
    "shape beside an encoder": text(prior="{type: core/normal, shape: [3]}"),
    "condition without labels": text(condition="core/one_hot"),
    "condition that nobody reads": text(
        data="{type: data/digits, labels: true, dequantise: true}",
        condition="core/one_hot",
        encoder="core/identity",
        decoder="core/inverse",
        loss="core/nll",
    ),
    "part that cannot read the condition": text(
        data="{type: data/digits, labels: true}", condition="core/one_hot\n  conditional: [encoder, prior]"
    ),
    "condition encoder of the wrong kind of data": text(data="{type: data/digits, labels: true}", condition="nets/conv"),
    "network for classes": text(encoder="{type: vae/gaussian, network: core/one_hot}"),
    "wrong type of field": text(encoder="{type: vae/gaussian, dim: many}"),
    "field out of bounds": text(train="{lr: -1}"),
    "word that is none of the choices": text(train="{optimizer: adamm}"),
    "unknown field": text(encoder="{type: vae/gaussian, dims: 8}"),
    "unknown section": text(trian="{steps: 3}"),
    "misspelled component": text(encoder="vae/gausian"),
    "name of another kind": text(prior="vae/gaussian"),
    "namespace that is not installed": text(loss="audio/spectrogram"),
    "misspelled namespace": text(loss="vea/elbo"),
    "ambiguous name": text(encoder="gaussian"),
    "broken plugin": text(encoder="broken/thing"),
    "missing field": text(data="data/idx"),
    "missing part": text(decoder="-"),
    "component without a type": text(loss="{beta: 2}"),
    "component that is a number": text(loss="3"),
    "nested component": text(encoder="{type: vae/gaussian, network: {type: nets/mlp, hidden: [64, x]}}"),
    "term of a sum": text(loss="{type: core/sum, terms: [vae/elbo, core/nll]}"),
    "misspelled term of a sum": text(loss="{type: core/sum, terms: [vae/elbo, vae/iwea]}"),
    "weights of a sum": text(loss="{type: core/sum, terms: [vae/elbo], weights: [1, 2]}"),
    "nested model": text(prior="{type: core/model, model: {encoder: core/identity, decoder: core/inverse, loss: vae/elbo}}"),
    "nested model's prior": text(
        prior="{type: core/model, model: {encoder: core/identity, decoder: core/inverse, loss: core/nll, "
        "prior: {type: core/normal, shape: [3]}}}"
    ),
    "stage without steps": text(train="{stages: [{parts: [encoder, decoder]}]}"),
    "stage of an absent part": text(train="{stages: [{parts: [condition], steps: 5}]}"),
    "stage of an unknown part": text(train="{stages: [{parts: [critic], steps: 5}]}"),
    "condition that learns under frozen parts": text(
        data="{type: data/digits, labels: true}",
        prior="{type: core/model, model: {encoder: core/identity, decoder: core/identity, loss: core/nll}}",
        condition="core/one_hot",
        train="{stages: [{parts: [condition, prior], steps: 5}]}",
    ),
    "fit of a prior that is not fittable": text(train="{stages: [{parts: [prior], fit: true}]}"),
    "fit of a decoder": text(prior="vae/gmm", train="{stages: [{parts: [decoder], fit: true}]}"),
    "training a prior without objective": text(
        **AUTOENCODER | {"prior": "other/quiet", "train": "{stages: [{parts: [prior], steps: 5}]}"}
    ),
    "player that does not exist": text(train="{players: {critic: {lr: 1e-4}}}"),
    "name that is no folder's": text(name="../up"),
    "data that is not there": text(data="{type: data/npz, path: /nowhere/x.npz}"),
    "two mistakes at once": text(encoder="nets/mlp", decoder="vae/bernoulli"),
}


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Check every case in one fresh process, with the plugins named above and two of a test's own."""
    site = tmp_path_factory.mktemp("site")
    for name, source in {"other": OTHER, "broken": "import nothing_of_that_name\n"}.items():
        (site / f"genframe_{name}_of_a_test.py").write_text(source)
        info = site / f"genframe_{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: genframe-{name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[genframe.v1]\n{name} = genframe_{name}_of_a_test\n")
    foreign = {plugin.name for plugin in discover()} - SHIPPED
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "GENFRAME_DISABLE": ",".join(foreign),
    }
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps(CASES),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return dict(json.loads(ran.stdout))


def golden() -> dict[str, str]:
    """Return the messages in refusals.txt by the names of their cases, which stand above them behind a #."""
    sections = re.split(r"^# (.+)\n", Path(__file__).with_name("refusals.txt").read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {name: message.strip() for name, message in zip(sections[1::2], sections[2::2], strict=True)}


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_is_refused_word_for_word(outcome: dict[str, Any], name: str) -> None:
    """The message is the one that was judged to be good, with the place, the path, what was found and what would do."""
    assert outcome["found"][name] == golden()[name]


def test_every_mistake_is_refused_before_torch_is_imported(outcome: dict[str, Any]) -> None:
    """Nothing is built, and torch is not even imported, to say what is wrong."""
    assert outcome["torch"] is False


def test_every_golden_message_has_its_case() -> None:
    """The file of messages holds those of the cases above and no other."""
    assert list(golden()) == list(CASES)


def test_what_is_not_wrong_is_accepted(tmp_path: Path) -> None:
    """The experiment that the cases spoil is in order without them."""
    path = tmp_path / "model.yaml"
    path.write_text(text())
    assert check_placed(read_experiment(str(path))).density == "lower bound"
