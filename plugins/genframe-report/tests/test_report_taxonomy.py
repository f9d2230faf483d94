"""The family tree follows from the check, and from nothing that is said of a component."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from genframe import SpecError, check, installed
from genframe.cli import main
from genframe.experiment.document.loading import read_experiment
from genframe.experiment.run.training import train
from genframe.plugins import Installed, Recipe
from genframe.specs import DensityKind
from genframe_report.taxonomy import density_branch, place, place_recipes


def test_every_recipe_has_its_place() -> None:
    """Each installed recipe stands in the tree once, but for those that need a run, which are left out with what would do."""
    found = place_recipes()
    assert sorted([*(entry.name for entry in found.placed), *found.left_out]) == sorted(installed().recipes)
    assert set(found.left_out) == {"vqgan-digits"}
    assert "runs/digits-classifier is not a run; train a classifier" in found.left_out["vqgan-digits"]


def test_a_place_is_what_check_says() -> None:
    """Density and sampling are those of the composition, where its data can be asked for their space."""
    typed = [entry for entry in place_recipes().placed if not entry.unread]
    assert typed
    for entry in typed:
        spec = read_experiment(entry.name).spec
        composition = check(spec.model, spec.data.data_space(), spec.data.condition_space())
        assert (entry.density, entry.sampling, entry.data) == (
            composition.density,
            composition.sampling,
            str(composition.data),
        )
        assert entry.branch[-1] == composition.sampling
        assert entry.branch[0] == ("implicit density" if composition.density == "implicit" else "explicit density")


# Goodfellow 2016, sec. 2 and fig. 9: which families have which kind of density; sequential for fully visible belief networks.
GOODFELLOW = {
    "pixelcnn-digits": ("explicit density", "tractable", "exact", "sequential"),
    "realnvp-digits": ("explicit density", "tractable", "exact", "direct"),
    "vae-digits": ("explicit density", "approximate", "lower bound", "direct"),
    "rbm-digits": ("explicit density", "approximate", "unnormalised", "Markov chain"),
    "gsn-digits": ("implicit density", "Markov chain"),
    "gan-digits": ("implicit density", "direct"),
}


@pytest.mark.parametrize("name", GOODFELLOW)
def test_families_stand_where_the_tutorial_has_them(name: str) -> None:
    """Fully visible networks, changes of variables, variational autoencoders, Boltzmann machines, GSN and GAN."""
    [entry] = place([name]).placed
    assert entry.branch == GOODFELLOW[name]


def test_changing_a_part_moves_a_model(tmp_path: Path) -> None:
    """The same autoencoder with a plain encoder is implicit; with a mixture that is fitted it is still sampled directly."""
    path = tmp_path / "mine.yaml"
    model = "{encoder: %s, decoder: vae/discretised_logistic, loss: %s}"
    for encoder, loss, density in (
        ("vae/gaussian", "vae/elbo", "lower bound"),
        ("{type: nets/mlp, dim: 4}", "vae/reconstruction", "implicit"),
    ):
        path.write_text(f"name: mine\ndata: data/digits\nmodel: {model % (encoder, loss)}\n")
        [entry] = place([str(path)]).placed
        assert (entry.density, entry.sampling) == (density, "direct")


def test_data_that_are_not_here_are_not_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipe's kinds follow from its parts; that nobody has seen its space is said, with the reason."""
    monkeypatch.chdir(tmp_path)
    [entry] = place(["vae-mnist"]).placed
    assert (entry.density, entry.sampling, entry.data) == ("lower bound", "direct", None)
    assert "expected a folder" in entry.unread


def test_a_run_is_placed_without_its_data(tmp_path: Path) -> None:
    """A run has its spaces with it."""
    words = ["train.steps=1", "train.batch_size=64", "data.limit=80", "train.threads=1"]
    train(read_experiment("ae-gmm-digits", ["train.stages=[]", *words]).spec, folder=tmp_path / "run")
    [entry] = place([str(tmp_path / "run")]).placed
    assert (entry.name, entry.density, entry.unread) == (str(tmp_path / "run"), "implicit", "")
    assert entry.data == "Real(1×8×8, 0 to 1, 17 levels)"


def test_a_recipe_that_does_not_type_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin's broken recipe is named with its reason and spoils nothing; asked for by name it is an error."""

    class Broken(Recipe):
        def text(self) -> str:
            return "name: x\ndata: data/digits\nmodel: {encoder: nets/mlp, decoder: nets/mlp, loss: vae/elbo}\n"

    with_broken = Installed(installed().plugins)
    with_broken.recipes = {"broken": Broken("broken", "x", "x", "x"), "vae-digits": installed().recipes["vae-digits"]}
    monkeypatch.setattr("genframe_report.taxonomy.installed", lambda: with_broken)
    monkeypatch.setattr("genframe.experiment.document.loading.installed", lambda: with_broken)
    found = place_recipes()
    assert [entry.name for entry in found.placed] == ["vae-digits"]
    assert "needs an encoder with Posterior" in found.left_out["broken"]
    with pytest.raises(SpecError, match="Posterior"):
        place(["broken"])


def test_without_recipes_a_source_is_asked_for(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The tree of nothing is a hint."""
    monkeypatch.setattr("genframe_report.taxonomy.installed", lambda: Installed(()))
    assert main(["taxonomy"]) == 0
    assert capsys.readouterr().out == "no installed plugin has a recipe; name a file or a run\n"


def test_every_kind_of_density_has_a_branch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The branch of a kind, one that a plugin brings too, follows from the sign between log p(x) and what is computed."""
    brought = (
        DensityKind("upper bound", 25, (), "≤"),
        DensityKind("unknown", 35, ()),
        DensityKind("rounded", 15, (), "="),
    )
    with_more = Installed(
        [*installed().plugins, replace(installed().plugins[0], name="more", kinds=brought, specs=(), recipes=())]
    )
    monkeypatch.setattr("genframe_report.taxonomy.installed", lambda: with_more)
    assert {name: density_branch(name)[:-1] for name in with_more.densities} == {
        "exact": ("explicit density", "tractable"),
        "rounded": ("explicit density", "tractable"),
        "lower bound": ("explicit density", "approximate"),
        "upper bound": ("explicit density", "approximate"),
        "unnormalised": ("explicit density", "approximate"),
        "implicit": (),
        "unknown": ("implicit density",),
    }


def test_the_tree_as_data(capsys: pytest.CaptureFixture[str]) -> None:
    """``--json`` has each composition with its branch and parts."""
    assert main(["taxonomy", "vae-digits", "gan-digits", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["left_out"] == {}
    first, second = printed["placed"]
    assert (first["name"], first["branch"]) == ("vae-digits", ["explicit density", "approximate", "lower bound", "direct"])
    assert second["parts"]["encoder"] is None
    assert second["parts"]["loss"] == "gan/adversarial"


def test_the_tree_needs_no_torch() -> None:
    """All recipes of all plugins are placed on the typing layer alone."""
    program = (
        "import sys; from genframe.cli import main; main(['taxonomy']); assert 'torch' not in sys.modules, 'torch was imported'"
    )
    outcome = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (outcome.returncode, outcome.stderr) == (0, "")
