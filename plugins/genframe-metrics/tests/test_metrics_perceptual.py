"""The perceptual loss: its value, what learns and what rests, runs that moved, refusals."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from genframe import Batch, Model, ModelSpec, Real, RunError, SpecError, check, compose, describe, load, resume, train
from genframe.experiment.document.loading import read_experiment
from genframe.testing import checkpoint_tensors, train_interrupted
from genframe_metrics import Perceptual
from genframe_metrics.perceptual import PerceptualLoss

DIGITS = Real((1, 8, 8), 0, 1, 17)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of digits, trained for a moment, with averaged weights."""
    folder = tmp_path_factory.mktemp("runs") / "digits-classifier"
    train(read_experiment("digits-classifier", ["train.steps=20", "train.warmup=0", "train.threads=1"]).spec, folder=folder)
    return folder


def autoencoder(loss: Any, **parts: Any) -> dict[str, Any]:
    """Return the spec of a small autoencoder."""
    network = {"type": "nets/conv", "channels": [4]}
    return {"encoder": network, "decoder": network, "prior": "core/normal", "loss": loss, **parts}


def experiment(run: Path, loss: Any = None) -> dict[str, Any]:
    """Return a tiny experiment with a perceptual loss."""
    settings = {"steps": 8, "batch_size": 16, "ema": 0.9, "log_every": 1, "checkpoint_every": 3, "threads": 1}
    loss = loss or {"type": "metrics/perceptual", "features": str(run)}
    return {"name": "percept", "data": "data/digits", "model": autoencoder(loss), "train": settings}


def made(run: Path, data: Real = DIGITS, **parts: Any) -> tuple[Model, PerceptualLoss]:
    """Return a model with a perceptual loss, and that loss."""
    model = compose(ModelSpec.model_validate(autoencoder(Perceptual(features=run), **parts)), data)
    return model, cast(PerceptualLoss, model.loss)


def images(n: int = 6, seed: int = 0) -> Tensor:
    """Return images of noise between 0 and 1."""
    return torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(seed))


def test_distance_is_that_of_unit_activations(run: Path) -> None:
    """Twice one minus the cosine of activations at each position, averaged over positions and batch, summed over stages."""
    _, loss = made(run)
    x, other = images(seed=1), images(seed=2)
    encoder = load(run).model.condition
    assert encoder is not None
    expected = torch.zeros(())
    one, two = x, other
    with torch.no_grad():
        for stage in encoder.stages:  # type: ignore[union-attr]
            one, two = stage(one, None), stage(two, None)
            expected = expected + (2 - 2 * torch.cosine_similarity(one, two, dim=1)).mean()
        assert float(loss.distance(x, other)) == pytest.approx(float(expected), rel=1e-5)
        assert float(loss.distance(x, x)) == 0


def test_gradient_reaches_the_autoencoder_alone(run: Path) -> None:
    """The classifier has no parameters, stays in evaluation mode, and its weights stay the run's through training."""
    model, loss = made(run)
    assert list(loss.parameters()) == []
    model.train()
    assert not any(module.training for module in loss.network.modules())
    loss(model, Batch(images())).total.backward()
    assert all(bool(parameter.grad.any()) for parameter in model.part_parameters() if parameter.grad is not None)
    assert all(parameter.grad is not None for parameter in model.part_parameters())
    trained = train(experiment(run)).model
    theirs = cast(torch.nn.Module, load(run).model.condition).state_dict()
    mine = cast(PerceptualLoss, trained.loss).network.encoder.state_dict()
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)


def test_training_lowers_it(run: Path) -> None:
    """Alone, it is learnt: the last steps are below the first."""
    spec = experiment(run)
    spec["train"] |= {"steps": 60, "lr": 1e-2}
    rows = train(spec).metrics
    assert sum(row["perceptual"] for row in rows[-5:]) < 0.8 * sum(row["perceptual"] for row in rows[:5])


def test_data_between_other_bounds(run: Path) -> None:
    """Data from -1 to 1 are read as the classifier reads data from 0 to 1."""
    _, plain = made(run)
    _, wide = made(run, replace(DIGITS, low=-1.0))
    x, other = images(seed=1), images(seed=2)
    assert torch.allclose(wide.distance(2 * x - 1, 2 * other - 1), plain.distance(x, other), atol=1e-6)


def test_an_encoder_that_tells_no_layers(tmp_path: Path) -> None:
    """Its features alone are compared."""
    spec = read_experiment(
        "digits-classifier", ["model.condition={type: nets/sngan, channels: [8], dim: 8}", "train.steps=1"]
    ).spec
    train(spec, folder=tmp_path / "run")
    _, loss = made(tmp_path / "run")
    assert len(loss.network(images())) == 1
    assert float(loss.distance(images(seed=1), images(seed=2))) > 0


def test_latents_are_drawn_from_a_posterior(run: Path) -> None:
    """For a variational autoencoder the distance is of decoded draws, which differ."""
    network = {"type": "nets/mlp", "hidden": [8]}
    model, loss = made(run, encoder={"type": "vae/gaussian", "dim": 2, "network": network}, decoder="nets/mlp")
    torch.manual_seed(0)
    first, second = (loss(model, Batch(images())).metrics["perceptual"] for _ in range(2))
    assert not torch.equal(first, second)


def test_half_precision_and_the_compiler(run: Path) -> None:
    """Under autocast the distance is in single precision and near the other; the compiler takes the step whole."""
    model, loss = made(run)
    batch = Batch(images())
    expected = loss(model, batch).total
    with torch.autocast("cpu", torch.bfloat16):
        half = loss(model, batch).total
    assert half.dtype == torch.float32
    assert torch.allclose(half, expected, rtol=0.05)
    compiled = torch.compile(lambda x: loss(model, Batch(x)).total, fullgraph=True, backend="aot_eager")
    assert torch.allclose(compiled(batch.x), expected, atol=1e-6)


def test_a_run_needs_the_classifier_no_more(run: Path, tmp_path: Path) -> None:
    """Interrupted, its classifier removed, it goes on bit for bit and can be drawn from."""
    whole = train(experiment(run), folder=tmp_path / "whole")
    shutil.copytree(run, tmp_path / "classifier")
    train_interrupted(experiment(tmp_path / "classifier"), tmp_path / "parts", (4,))
    shutil.rmtree(tmp_path / "classifier")
    parts = resume(tmp_path / "parts")
    expected, found = checkpoint_tensors(tmp_path / "whole"), checkpoint_tensors(tmp_path / "parts")
    assert found.keys() == expected.keys()
    assert [name for name, tensor in expected.items() if not torch.equal(tensor, found[name])] == []
    assert torch.equal(load(tmp_path / "parts").sample(4).x, whole.sample(4).x)
    assert [row["perceptual"] for row in parts.metrics] == [row["perceptual"] for row in whole.metrics]


def test_training_anew_needs_it(run: Path, tmp_path: Path) -> None:
    """A spec that knows the encoder, but whose run has gone or holds another, is refused before the first step."""
    known = Perceptual(features=run)
    gone = known.model_copy(update={"features": tmp_path / "gone"})
    with pytest.raises(RunError, match=r"gone is not a run; train a classifier, such as genframe train digits-classifier"):
        train(experiment(run, gone))
    other = known.model_copy(update={"network": known.network.model_copy(update={"activation": "relu"})})  # type: ignore[union-attr]
    with pytest.raises(RunError, match="another encoder than 'network' says; leave network and reads out"):
        train(experiment(run, other))


def test_a_model_without_values_can_be_counted(run: Path) -> None:
    """On the meta device, where a model's sizes are counted, no weights are taken."""
    with torch.device("meta"):
        model, loss = made(run)
        assert loss(model, Batch(torch.empty(2, 1, 8, 8))).total.is_meta


def test_the_experiment_says_what_is_read(run: Path, tmp_path: Path) -> None:
    """experiment.yaml holds the encoder's spec and space, and is read back the same."""
    train(experiment(run), folder=tmp_path / "run")
    loss = describe(tmp_path / "run")[0].model.loss
    assert loss == Perceptual(features=run)
    assert cast(Perceptual, loss).network == describe(run)[0].model.condition
    assert cast(Perceptual, loss).reads == DIGITS


def test_runs_that_give_no_features(run: Path, tmp_path: Path) -> None:
    """No run, one without a condition, one of other data, a model without encoder: refused at their place, with a fix."""
    train(experiment(run), folder=tmp_path / "plain")
    for features, data, message, hint in (
        (tmp_path / "none", DIGITS, "is not a run", "train a classifier, such as genframe train digits-classifier"),
        (tmp_path / "plain", DIGITS, "has no condition encoder", "name a classifier"),
        (run, Real((1, 28, 28), 0, 1, 256), "reads Real(1×8×8", "train it on data that is prepared in the same way"),
    ):
        terms = ["vae/reconstruction", Perceptual(features=features)]
        with pytest.raises(SpecError) as caught:
            check(ModelSpec.model_validate(autoencoder({"type": "core/sum", "terms": terms})), data)
        (problem,) = caught.value.problems
        assert problem.path == "model.loss.terms.1.features"
        assert message in problem.message
        assert hint in problem.hint
    generator = {"encoder": None, "prior": {"type": "core/normal", "shape": [4]}}
    with pytest.raises(SpecError, match="needs an encoder"):
        check(ModelSpec.model_validate(autoencoder(Perceptual(features=run), **generator)), DIGITS)
