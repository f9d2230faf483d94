"""Latents as features: the linear probe against scikit-learn's, and code lengths against what they must be."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from genframe import Model, ModelSpec, Real, Split, check, compose, generator_for
from genframe.testing import part
from genframe_data import Digits
from genframe_latents import CodeLength, LinearProbe
from genframe_latents.metrics import logistic_regression

DIGITS = Real((1, 8, 8), 0.0, 1.0, 17)
IDENTICAL = {"encoder": "core/identity", "decoder": "core/identity", "loss": "core/nll", "prior": "core/normal"}
AUTOENCODER = {"encoder": "nets/mlp", "decoder": "nets/mlp", "loss": "vae/reconstruction"}


def test_the_probe_is_scikit_learn_s() -> None:
    """Weights are those of sklearn's LogisticRegression with C = 1 / (l2 N), on the digits themselves."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    batch = Digits(labels=True).load().split("train").batch(slice(0, 400))
    x, labels = batch.x.flatten(1).double(), batch.condition
    assert labels is not None
    weights, biases = logistic_regression(x, labels, 10, 1e-2)
    theirs = linear_model.LogisticRegression(C=1 / (1e-2 * 400), solver="newton-cg", tol=1e-10, max_iter=500).fit(
        x.numpy(), labels.numpy()
    )
    torch.testing.assert_close(weights.T, torch.from_numpy(theirs.coef_), atol=1e-4, rtol=1e-3)
    shift = biases - torch.from_numpy(theirs.intercept_)  # a constant in all of them changes nothing
    torch.testing.assert_close(shift - shift.mean(), torch.zeros(10).double(), atol=1e-4, rtol=0)


def test_a_probe_of_an_untrained_encoder() -> None:
    """Random features of digits tell the classes far better than chance; the stamp says what was fitted to what."""
    model = compose(ModelSpec.model_validate(AUTOENCODER), DIGITS)
    data = Digits().load()
    (result,) = part(LinearProbe(of=Digits(labels=True))).measure(model, data.split("test"), train=data.split("train"))
    assert 0.85 < result.value < 1
    assert (result.stamp["latent"], result.stamp["fitted_to"], result.stamp["data"]) == ("encoder", 1294, 359)


@pytest.mark.parametrize(
    ("metric", "model", "reason"),
    [
        (LinearProbe(of=Digits(labels=True)), IDENTICAL, "this model has no latent"),
        (LinearProbe(of=Digits()), AUTOENCODER, "set labels: true"),
        (LinearProbe(of=Digits(labels=True, dequantise=True)), AUTOENCODER, "prepare both in the same way"),
        (CodeLength(), IDENTICAL, "this model has no latent"),
    ],
)
def test_what_has_no_meaning_is_refused(metric: Any, model: dict[str, Any], reason: str) -> None:
    """Models without latents, data without labels and data prepared otherwise."""
    space = Real((1, 8, 8), 0.0, 1.0, 17, dequantised=model is IDENTICAL)
    if model is IDENTICAL and isinstance(metric, LinearProbe):
        metric = LinearProbe(of=Digits(labels=True, dequantise=True))
    assert reason in metric.refusal(check(ModelSpec.model_validate(model), space))


def projection() -> Model:
    """Return a linear autoencoder of four values that projects onto a plane."""
    linear = {"type": "nets/mlp", "hidden": []}
    spec = {"encoder": {**linear, "dim": 2}, "decoder": linear, "loss": "vae/reconstruction"}
    model = compose(ModelSpec.model_validate(spec), Real((4,)))
    encode, decode = ([*part.parameters()] for part in (model.encoder, model.decoder) if part is not None)
    with torch.no_grad():
        encode[0].copy_(torch.tensor([[1.0, -0.5, 0.2, 0.7], [0.3, 0.8, -1.1, 0.4]]))
        decode[0].copy_(torch.linalg.pinv(encode[0]))
        encode[1].zero_()
        decode[1].zero_()
    return model


def normal(n: int, seed: int) -> Split:
    """Return ``n`` draws of N(0, I) in four dimensions."""
    return Split("test", torch.randn(n, 4, generator=generator_for("cpu", seed)))


def test_codes_of_normal_data_take_the_bits_that_theory_says() -> None:
    """At fine steps a component of deviation s takes log2(s sqrt(2 pi e) / step) bits: Cover & Thomas 2006, theorem 8.3.1."""
    model, train, test = projection(), normal(40_000, seed=1), normal(4_000, seed=2)
    bits, _ = part(CodeLength(step=0.1)).measure(model, test, train=train)
    codes = model.encode(train.stored).detach().double()
    deviations = torch.linalg.svdvals(codes - codes.mean(0)) / math.sqrt(len(codes) - 1)
    step = 0.1 * float(deviations.square().mean().sqrt())
    expected = sum(math.log2(float(s) * math.sqrt(2 * math.pi * math.e) / step) for s in deviations)
    assert bits.value == pytest.approx(expected, abs=0.05)


def test_finer_steps_take_more_bits_and_err_less() -> None:
    """The rate rises, and the error falls to that of the reconstructions."""
    model, train, test = projection(), normal(2_000, seed=1), normal(500, seed=2)
    results = [part(CodeLength(step=step)).measure(model, test, train=train) for step in (2.0, 0.5, 0.01)]
    bits, errors = zip(*((bits.value, error.value) for bits, error in results), strict=True)
    assert list(bits) == sorted(bits)
    assert list(errors) == sorted(errors, reverse=True)
    reconstructed = (model.reconstruct(test.stored).detach() - test.stored).square().mean(1).sqrt().mean()
    assert errors[-1] == pytest.approx(float(reconstructed), rel=1e-3)
