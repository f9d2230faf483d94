"""Negative log-likelihood and evidence lower bound against closed forms."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from genframe import Batch, Categorical, Context, MetricResult, Model, ModelSpec, Real, Split, compose
from genframe.testing import part
from genframe_metrics import Elbo, Nll
from genframe_metrics.likelihoods import importance_weighted


def measured(spec: Any, model: Model, split: Split, seed: int = 0) -> dict[str, MetricResult]:
    """Return the metric's results by name."""
    return {result.name: result for result in part(spec).measure(model, split, train=split, seed=seed)}


def flow(data: Real) -> Model:
    """Return the exact model N(0, I) of the data themselves."""
    parts = {"encoder": "core/identity", "decoder": "core/inverse", "loss": "core/nll"}
    return compose(ModelSpec.model_validate(parts), data)


@pytest.mark.parametrize("samples", [1, 7])
def test_exact_posterior_gives_exact_likelihood(toy: Any, samples: int) -> None:
    """With the true posterior every importance weight is p(x), so the bound is the closed form for any draws."""
    split = toy.split(40)
    truth = -toy.marginal.log_prob(split.stored)
    nll = measured(Nll(samples=samples), toy.model(), split)["nll"]
    assert nll.value == pytest.approx(float(truth.mean()), abs=1e-9)
    assert nll.standard_error == pytest.approx(float(truth.std()) / math.sqrt(40), abs=1e-9)


def test_importance_weighting_converges_from_above(toy: Any) -> None:
    """With a posterior of four times the variance, more draws bring the bound down to the closed form."""
    split, model = toy.split(300), toy.model(widening=4.0)
    truth = float(-toy.marginal.log_prob(split.stored).mean())
    gap = {k: measured(Nll(samples=k), model, split)["nll"].value - truth for k in (1, 5, 50, 2000)}
    assert gap[1] > gap[5] > gap[50] > 0
    # with d = 2 and r = 4: KL(q || p) = d/2 (r - 1 - log r) for one draw; for many, the weights' variance over 2 K,
    # which is r^d / (2 r - 1)^(d/2) - 1; draws spread the figure by sqrt(variance / (300 K))
    assert gap[1] == pytest.approx(3 - math.log(4), abs=0.5)
    variance = 16 / 7 - 1
    for k in (50, 2000):
        assert gap[k] == pytest.approx(variance / (2 * k), abs=4 * math.sqrt(variance / (300 * k)))


def test_samples_are_what_was_asked(toy: Any) -> None:
    """One sample decodes one latent for each datum and 30 decode 30; the stamp says the same."""
    split = toy.split(12)
    for samples, estimator in [(1, "evidence lower bound"), (30, "importance weighting")]:
        model = toy.model(widening=2.0)
        nll = measured(Nll(samples=samples), model, split)["nll"]
        assert sum(model.decoder.rows) == 12 * samples
        assert (nll.stamp["samples"], nll.stamp["estimator"]) == (samples, estimator)
        assert nll.stamp["kind"] == "lower bound"


def test_memory_is_bounded(toy: Any) -> None:
    """No pass decodes more than ``max_rows`` latents, whether the data or the samples are many."""
    for n, samples in [(30, 1), (30, 25), (3, 100)]:
        model = toy.model(widening=2.0)
        measured(Nll(samples=samples, max_rows=7), model, toy.split(n))
        assert max(model.decoder.rows) <= 7
        assert sum(model.decoder.rows) == n * samples


class Tabled(torch.nn.Module):
    """Stands for a model whose log-weights are the next rows of a table (samples, N)."""

    def __init__(self, like: Model, table: Tensor) -> None:
        super().__init__()
        self.composition, self.table, self.at = like.composition, table, 0

    def context(self, condition: Tensor | None) -> None:
        """There is none."""

    def log_weights(self, x: Tensor, context: Context | None, *, samples: int, generator: Any) -> Tensor:
        """Return the next rows."""
        self.at += samples
        return self.table[self.at - samples : self.at]


@pytest.mark.parametrize("max_rows", [5, 10, 15, 60, 1000])
def test_chunked_equals_unchunked(toy: Any, max_rows: int) -> None:
    """The log of the mean weight does not depend on the passes, also where weights differ by thousands of nats or vanish."""
    table = torch.randn(60, 5, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 10.0, 1000.0, 0.0, 1.0])
    table[:30, 4] = -math.inf
    model = Tabled(toy.model(), table)
    found = importance_weighted(model, Batch(torch.zeros(5, 4)), 60, max_rows, torch.Generator())  # type: ignore[arg-type]
    torch.testing.assert_close(found.nats, table.double().logsumexp(0) - math.log(60), rtol=1e-12, atol=1e-12)
    assert found.samples == 60


def test_seed_decides(toy: Any) -> None:
    """The same seed gives the same figures whatever torch's global generator; another seed gives others."""
    model, split = toy.model(widening=3.0), toy.split(20)
    for spec in (Nll(samples=5, limit=9), Elbo(limit=9)):
        torch.manual_seed(1)
        first = measured(spec, model, split)
        torch.manual_seed(2)
        state = torch.get_rng_state()
        assert measured(spec, model, split) == first
        assert torch.equal(torch.get_rng_state(), state)
        assert measured(spec, model, split, seed=1) != first


def test_modes_are_kept(toy: Any) -> None:
    """Every module is in evaluation mode while it is measured and in its own former mode afterwards."""
    model = toy.model()
    model.train()
    model.prior.eval()
    seen = []
    original = model.decoder.likelihood
    model.decoder.likelihood = lambda *inputs: seen.append(model.decoder.training) or original(*inputs)
    measured(Nll(samples=2), model, toy.split(5))
    assert seen == [False]
    assert (model.training, model.decoder.training, model.prior.training) == (True, True, False)


def test_exact_density(toy: Any) -> None:
    """An exact model's likelihood is its closed form, in one pass over the data however many samples are asked."""
    x = torch.randn(600, 3, generator=torch.Generator().manual_seed(0))
    nll = measured(Nll(max_rows=100), flow(Real((3,))), Split("test", x))
    truth = 0.5 * (x.double().square().sum(1) + 3 * math.log(2 * math.pi))
    assert nll["nll"].value == pytest.approx(float(truth.mean()), rel=1e-6)
    assert (nll["nll"].stamp["kind"], nll["nll"].stamp["samples"]) == ("exact", 1)
    assert list(nll) == ["nll"]  # bits of continuous data would depend on their unit


def test_bits_per_dimension_count_the_bins() -> None:
    """For dequantised data, bits/dim take in the volume of a bin: -log2(p(x) w^D) / D."""
    data = Real((3,), 0, 2, levels=256, dequantised=True)
    found = measured(Nll(), flow(data), Split("test", torch.rand(50, 3, generator=torch.Generator().manual_seed(0)) * 2))
    expected = (found["nll"].value - 3 * math.log(2 / 256)) / (3 * math.log(2))
    assert found["bits_per_dim"].value == pytest.approx(expected, rel=1e-12)
    assert found["bits_per_dim"].standard_error == pytest.approx(found["nll"].standard_error / (3 * math.log(2)))
    assert found["bits_per_dim"].stamp == found["nll"].stamp


def test_bits_of_text_are_for_each_character() -> None:
    """All bits over all characters, also where windows differ in them, with the error of a ratio; of the subset measured."""
    parts = {"encoder": "core/identity", "decoder": "core/identity", "prior": "core/categorical", "loss": "core/nll"}
    model = compose(ModelSpec.model_validate(parts), Categorical((4,), 3), seed=1)
    x = torch.randint(3, (200, 4), generator=torch.Generator().manual_seed(0))
    characters = torch.randint(3, 9, (200,), generator=torch.Generator().manual_seed(1))
    found = measured(Nll(), model, Split("test", x, characters=characters))
    bits = -model.log_prob(x).nats.detach().double() / math.log(2)
    ratio = float(bits.sum() / characters.sum())
    assert found["bits_per_character"].value == pytest.approx(ratio, rel=1e-6)
    assert found["bits_per_character"].unit == "bits/character"
    draws = torch.randint(200, (2000, 200), generator=torch.Generator().manual_seed(2))
    bootstrap = bits[draws].sum(1) / characters[draws].sum(1)
    assert found["bits_per_character"].standard_error == pytest.approx(float(bootstrap.std()), rel=0.1)
    one = Split("test", x, characters=torch.full((200,), 4))
    assert measured(Nll(limit=50), model, one)["bits_per_character"].value == pytest.approx(
        measured(Nll(limit=50), model, one)["bits_per_dim"].value, rel=1e-6
    )


def test_nan_stays_in(toy: Any) -> None:
    """One NaN among the data, or in one of many weights, makes the figures NaN; the note says for how many data."""
    split, model = toy.split(30), toy.model(widening=2.0)
    split.stored[7, 0] = math.nan
    for result in [*measured(Nll(samples=5), model, split).values(), *measured(Elbo(), model, split).values()]:
        assert math.isnan(result.value)
        assert "1 of 30 values are not finite" in result.note
    table = torch.zeros(6, 2)
    table[4, 1] = math.nan
    weighted = importance_weighted(Tabled(model, table), Batch(torch.zeros(2, 4)), 6, 4, torch.Generator())  # type: ignore[arg-type]
    assert weighted.nats.isnan().tolist() == [False, True]


def test_elbo_terms_have_their_closed_forms(toy: Any) -> None:
    """Rate is the Kullback-Leibler divergence of two Gaussians, distortion E_q[-log p(x|z)], and they add up to -elbo."""
    split, model = toy.split(200), toy.model(widening=2.0)
    found = measured(Elbo(samples=400), model, split)
    posterior = model.encoder.posterior(split.stored)
    kl = 0.5 * (posterior.covariance.trace() + posterior.mean.square().sum(1) - 2 - posterior.covariance.logdet())
    weight, sigma = model.decoder.weight, 0.6
    squares = (split.stored - model.decode(posterior.mean)).square().sum(1)
    squares = squares + (weight @ posterior.covariance @ weight.T).trace()
    distortion = squares / (2 * sigma**2) + 2 * math.log(2 * math.pi * sigma**2)
    assert found["rate"].value == pytest.approx(float(kl.mean()), abs=0.03)
    assert found["distortion"].value == pytest.approx(float(distortion.mean()), abs=0.03)
    assert found["elbo"].value == pytest.approx(-found["rate"].value - found["distortion"].value, abs=1e-9)


def test_refusals_say_why(toy: Any) -> None:
    """A likelihood of an implicit model, and rate and distortion of an exact one, are refused with the reason."""
    exact, bound = flow(Real((3,))).composition, toy.model().composition
    assert Nll().refusal(exact) == Nll().refusal(bound) == Elbo().refusal(bound) == ""
    assert "exact" in Elbo().refusal(exact)
    none = compose(
        ModelSpec(encoder=None, decoder=bound.spec.decoder, prior={"type": "core/normal", "shape": [2]}, loss=bound.spec.loss),
        toy.data,
    ).composition
    assert "implicit" in Nll().refusal(none)
    assert "implicit" in Elbo().refusal(none)
