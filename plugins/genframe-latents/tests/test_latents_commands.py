"""Commands on latents: encode, interpolate, traverse, arithmetic, edit; what they print, write and refuse."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from genframe import load
from genframe.cli import main
from genframe.output import picture
from genframe_latents import Direction, latents_of, read_tensors

Command: TypeAlias = Callable[..., Any]
SMALL = ["train.threads=1", "train.batch_size=16", "evaluate.metrics=[]"]
NET = "{type: nets/mlp, hidden: [16]}"
VAE = ["model.encoder.dim=3", f"model.encoder.network={NET}", f"model.decoder.network={NET}", "train.steps=30", *SMALL]


def faces(folder: Path) -> Path:
    """Write an archive of 4x4 pictures of six persons, bright on top where they smile; with names and a useless array."""
    stream = np.random.RandomState(0)
    smiles = stream.randint(0, 2, 120)
    images = stream.randint(0, 60, (120, 4, 4)).astype(np.uint8)
    images[:, :2] += (120 * smiles).astype(np.uint8)[:, None, None]
    person = np.array([f"p{number % 6}" for number in range(120)])
    mood = np.array(["grim", "smiling"])[smiles]
    path = folder / "faces.npz"
    np.savez(path, x=images, person=person, mood=mood, weight=stream.rand(120))
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a VAE of the faces, a classifier of their mood and one of the person, and a conditional VAE."""
    folder = tmp_path_factory.mktemp("runs")
    data = ["data.type=data/npz", f"data.path={faces(folder)}", "data.layout=NHW", "data.group_array=person"]
    labels = [*(word.replace("data.", "data.of.", 1) for word in data), "data.of.augment=null", "data.of.labels=true"]
    classifier = ["model.condition={type: nets/mlp, hidden: [16]}", "train.steps=60", "train.lr=1e-2", *SMALL]
    trained: dict[str, list[str]] = {
        "vae": [
            "vae-digits",
            "data=data/digits",
            *data,
            *VAE,
            "model.decoder.type=vae/normal",
            "model.decoder.sigma=0.1",
            "train.steps=200",
        ],
        "mood": ["digits-classifier", *labels, "data.of.label_array=mood", *classifier],
        "person": ["digits-classifier", *labels, "data.of.label_array=person", "data.of.group_array=null", *classifier],
        "cvae": ["cvae-digits", "data.limit=80", *VAE],
    }
    for name, words in trained.items():
        assert main(["train", *words, "--run", str(folder / name), "--json"]) == 0, name
    return folder


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)


def test_codes_are_a_file_that_says_whose_they_are(runs: Path, genframe: Command) -> None:
    """Codes are the model's latents of the split, in its order, with the labels asked for beside them."""
    out = genframe("encode", runs / "vae", "--to", "a/codes.safetensors", "--labels", "mood", "--json")
    assert (out["latent"], out["split"], out["shape"]) == ("posterior mean", "test", [3])
    tensors, stamp = read_tensors("a/codes.safetensors")
    trained = load(runs / "vae")
    split = trained.experiment.data.load().split("test")
    expected = latents_of(trained.model).encode(split.batch(slice(None)).x)
    torch.testing.assert_close(tensors["codes"], expected)
    assert tensors["labels"].shape == (out["n"],)
    assert stamp["weights"] == out["weights"]
    assert stamp["protocol"]["data"].startswith("data/npz@")


@pytest.mark.parametrize("kind", ["pca", "zca"])
def test_whitened_codes_have_covariance_one(runs: Path, genframe: Command, kind: str) -> None:
    """Their mean is zero and their covariance the identity; ZCA's are the nearest such to what they were."""
    words = ("encode", runs / "vae", "--to", "codes.safetensors", "--split", "train", "--whiten", kind)
    assert "posterior mean" in genframe(*words)
    codes = read_tensors("codes.safetensors")[0]["codes"]
    torch.testing.assert_close(codes.T.cov(), torch.eye(3), atol=1e-4, rtol=0)
    assert float(codes.mean(0).abs().max()) < 1e-4


@pytest.mark.parametrize("along", ["linear", "spherical", "prior"])
def test_interpolation_is_a_picture_with_distances(runs: Path, genframe: Command, along: str) -> None:
    """One row per pair, between its two examples; distances of the paths, of pixels and of examples, with standard errors."""
    words = ("--along", along, "--steps", "5", "-n", "3", "--pairs", "8", "--classifier", runs / "mood", "--out", "i.png")
    out = genframe("interpolate", runs / "vae", *words, "--json")
    assert set(out["distance"]) == {"latents", "pixels", "pixels less latents", "data"}
    assert all(row["mean"] is not None and row["standard_error"] > 0 for row in out["distance"].values())
    difference = out["distance"]["pixels"]["mean"] - out["distance"]["latents"]["mean"]
    assert out["distance"]["pixels less latents"]["mean"] == pytest.approx(difference, abs=1e-9)
    with Image.open("i.png") as image:
        assert image.width / image.height == pytest.approx(7 / 3, rel=0.05)
    assert picture.read_info("i.png")["along"] == along


def test_an_animation_goes_there_and_back(runs: Path, genframe: Command) -> None:
    """Of five frames a GIF shows five and the inner three backwards; its comment says how it was made."""
    words = ("traverse", runs / "vae", "--component", "0", "--range", "-2..2", "--steps", "5", "-n", "4", "--out", "t.gif")
    assert "component 0" in genframe(*words)
    with Image.open("t.gif") as image:
        assert image.n_frames == 8  # type: ignore[attr-defined]
        assert json.loads(image.info["comment"])["direction"]["attribute"] == "component 0"


def test_a_dimension_moves_by_its_deviations(runs: Path, genframe: Command) -> None:
    """The direction of a dimension is zero but there, where it is the deviation of training codes."""
    words = (
        "traverse",
        runs / "vae",
        "--dimension",
        "1",
        "--range",
        "0..2",
        "--steps",
        "3",
        "--save",
        "d.safetensors",
        "--json",
    )
    out = genframe(*words)
    assert [row["strength"] for row in out["rows"]] == [0, 1, 2]
    vector = read_tensors("d.safetensors")[0]["direction"]
    trained = load(runs / "vae")
    codes = latents_of(trained.model).encode(trained.experiment.data.load().split("train").batch(slice(None)).x)
    torch.testing.assert_close(vector, torch.tensor([0.0, 1.0, 0.0]) * codes.std(0))


def test_arithmetic_adds_data_and_classes(runs: Path, genframe: Command) -> None:
    """a - a + b is b, whatever a; classes are mean latents."""
    same = genframe("arithmetic", runs / "vae", "2 - 2 + 5", "--json")
    alone = genframe("arithmetic", runs / "vae", "5", "--json")
    assert same["length"] == pytest.approx(alone["length"], rel=1e-5)
    out = genframe("arithmetic", runs / "vae", "4 - grim + mood=smiling")
    assert "4 - grim + mood=smiling" in out
    genframe("arithmetic", runs / "cvae", "4 - 3 + label=7", "--json")


def test_the_edit_changes_the_classifier_s_verdict(runs: Path, genframe: Command) -> None:
    """Four steps: held-out persons begin and cease to smile, nearer to themselves than to others; the direction is a file."""
    words = ("edit", runs / "vae", "--attribute", "smiling", "--strength", "-2..2", "--steps", "3")
    more = ("--classifier", runs / "mood", "--keep", "person", "--save", "smile.safetensors")
    out = genframe(*words, *more, "--json")
    low, middle, high = out["rows"]
    assert low["flipped"]["value"] > 0.8 < high["flipped"]["value"]
    assert middle["flipped"]["value"] < 0.2
    assert middle["distance"]["value"] < low["distance"]["value"]
    assert low["flipped"]["n"] + high["flipped"]["n"] == middle["flipped"]["n"] == out["n"]
    assert set(out["direction"]["counts"]) == {"positives", "negatives"}
    assert out["direction"]["attribute"] == "mood=smiling"
    again = genframe(*words, "--direction", "smile.safetensors", "--classifier", runs / "mood", "--json")
    assert [row["flipped"] for row in again["rows"]] == [row["flipped"] for row in out["rows"]]
    assert "verdict changed" in genframe(*words, *more)


def test_moved_latents_may_keep_their_lengths(runs: Path, genframe: Command) -> None:
    """Spherically moved ones lie in the direction of those moved straight, as long as they were; the command says which."""
    direction = Direction(torch.randn(2, 3), {})
    latents, strengths = torch.randn(5, 2, 3), torch.tensor([-2.0, 0.0, 3.0])
    straight, turned = (direction.moved(latents, strengths, along) for along in ("linear", "spherical"))
    torch.testing.assert_close(turned.flatten(2).norm(dim=2), latents.flatten(1).norm(dim=1)[:, None].expand(5, 3))
    torch.testing.assert_close(nn.functional.cosine_similarity(turned.flatten(2), straight.flatten(2), dim=2), torch.ones(5, 3))
    torch.testing.assert_close(turned[:, 1], latents)
    words = ("edit", runs / "vae", "--attribute", "smiling", "--strength", "0..2", "--steps", "2", "--json")
    plain, kept = genframe(*words), genframe(*words, "--along", "spherical")
    assert (plain["along"], kept["along"]) == ("linear", "spherical")
    assert plain["rows"][0] == kept["rows"][0]
    assert plain["rows"][1]["distance"] != kept["rows"][1]["distance"]
    assert genframe("traverse", runs / "vae", "--dimension", "0", "--along", "spherical", "--json")["along"] == "spherical"


def test_the_residual_keeps_what_latents_leave_out(runs: Path, genframe: Command) -> None:
    """Moved by nothing, examples stay themselves; their reconstructions do not."""
    words = ("edit", runs / "vae", "--attribute", "smiling", "--strength", "0..1", "--steps", "2", "--json")
    plain, residual = genframe(*words), genframe(*words, "--residual")
    assert residual["rows"][0]["distance"]["value"] < 1e-6 < plain["rows"][0]["distance"]["value"]


def test_an_edit_against_one_class(runs: Path, genframe: Command) -> None:
    """The negatives are those of the class named alone."""
    out = genframe("edit", runs / "cvae", "--attribute", "8", "--against", "3", "--labelled", "70", "--json")
    assert out["direction"]["attribute"] == "label=8 against 3"
    assert 0 < sum(out["direction"]["counts"].values()) < 40


def mistakes(runs: Path) -> list[tuple[list[str | Path], int, str]]:
    """Return words, the exit code, and a part of the message."""
    edit: list[str | Path] = ["edit", runs / "vae", "--attribute"]
    return [
        ([*edit, "frowning"], 4, "attribute 'frowning': there is none; there are: person=p0|"),
        ([*edit, "smilin"], 4, "did you mean 'smiling'?"),
        ([*edit, "mood=p1"], 4, "attribute 'mood=p1': there is none"),
        ([*edit, "smiling", "--against", "p1"], 4, "needs another class of mood against it, found 'p1'; there are: grim"),
        ([*edit, "smiling", "--classifier", runs / "person"], 4, "classifies person"),
        ([*edit, "smiling", "--classifier", runs / "vae"], 9, "this is not a classifier"),
        ([*edit, "smiling", "--classifier", runs / "none"], 5, "is not a run"),
        ([*edit, "smiling", "--keep", "weight"], 4, "the dataset has no labels 'weight'; it has person, mood"),
        ([*edit, "smiling", "--strength", "2..1"], 2, "expected a range from low to high"),
        ([*edit, "smiling", "--sampler", "diffusion/oda"], 2, "model.sampler: "),
        ([*edit, "smiling", "--direction", "none.safetensors"], 4, "none.safetensors is not a file"),
        (["edit", runs / "cvae", "--attribute", "8", "--classifier", runs / "mood"], 9, "the classifier reads"),
        (["traverse", runs / "vae", "--dimension", "3"], 2, "there is no dimension 3: the latent Real(3) has 0 to 2"),
        (["traverse", runs / "vae", "--component", "3"], 2, "there is no component 3"),
        (["traverse", runs / "vae"], 2, "one of the arguments --dimension --component --direction is required"),
        (["arithmetic", runs / "vae", "1 2"], 2, "expected a sum such as '1 - 2 + 3', found '1 2'"),
        (["arithmetic", runs / "vae", "1 - 999"], 2, "there is no example 999"),
        (["arithmetic", runs / "vae", "1 - frowning"], 4, "attribute 'frowning'"),
        (["encode", runs / "vae", "--to", "codes.npz"], 2, "expected a file that ends in .safetensors"),
    ]


@pytest.mark.parametrize("number", range(19))
def test_mistakes_are_one_line(runs: Path, genframe: Command, number: int) -> None:
    """Each says what was found and what would do."""
    words, code, message = mistakes(runs)[number]
    assert message in genframe(*words, code=code)


def test_every_mistake_is_tried(runs: Path) -> None:
    """The test above counts them."""
    assert len(mistakes(runs)) == 19


def test_a_direction_of_another_model_is_refused(runs: Path, genframe: Command) -> None:
    """By the digest of the weights; so are files that hold something else."""
    genframe("traverse", runs / "cvae", "--component", "0", "--save", "other.safetensors")
    words = ("traverse", runs / "vae", "--direction", "other.safetensors")
    assert "other.safetensors belongs to another model: weights is" in genframe(*words, code=4)
    genframe("encode", runs / "vae", "--to", "other.safetensors")
    assert "holds no direction" in genframe(*words, code=4)
    Path("other.safetensors").write_bytes(b"\x00" * 100)
    assert "not a readable safetensors file" in genframe(*words, code=4)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_damaged_direction_is_refused(tmp_path: Path, bad: float) -> None:
    """Values that are not finite, and shapes other than the stamp's, are no direction."""
    from genframe import DataError

    stamp = {"weights": "w", "latent": "encoder", "sampler": None, "shape": [2]}
    for vector in (torch.tensor([bad, 0.0]), torch.zeros(3)):
        Direction(vector, stamp).save(tmp_path / "d.safetensors")
        with pytest.raises(DataError, match="is damaged"):
            Direction.load(tmp_path / "d.safetensors", stamp)
