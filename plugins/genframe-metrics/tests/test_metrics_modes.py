"""The count of modes against hand-made samples, closed forms and draws of the true distribution."""

from __future__ import annotations

import math

import pytest
import torch

from genframe import ModelSpec, Real, Split, check, compose
from genframe.core import IdentityDecoder, IdentityEncoder, NegativeLogLikelihood, Normal
from genframe.testing import part
from genframe_metrics import Modes
from genframe_metrics.modes import coverage, expected_coverage

PLANE = torch.tensor([[0.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
POINTS = ModelSpec(encoder=IdentityEncoder(), decoder=IdentityDecoder(), prior=Normal(), loss=NegativeLogLikelihood())


def test_hand_made_samples() -> None:
    """Three samples of the first mode, one of them far off, and one far from the second: 1 mode, 2 of 4 near, shares 3 to 1."""
    x = torch.tensor([[0.0, 0.1], [0.0, -0.1], [0.0, 5.0], [1.3, 0.0]], dtype=torch.float64)
    found = coverage(x, PLANE, 0.2)
    assert (found.modes, found.high_quality) == (1, 0.5)
    assert found.reverse_kl == pytest.approx(0.75 * math.log(1.5) + 0.25 * math.log(0.5))


def test_collapsed_sampler_diverges_by_the_log_of_the_modes() -> None:
    """All samples at one of K modes have a reverse divergence of log K, and equal shares one of 0."""
    modes = torch.tensor(Modes().places)
    assert coverage(modes[:1].repeat(100, 1), modes, 0.1).reverse_kl == pytest.approx(math.log(25))
    even = coverage(modes.repeat(4, 1), modes, 0.1)
    assert (even.modes, even.high_quality) == (25, 1)
    assert even.reverse_kl == pytest.approx(0, abs=1e-12)


def test_perfect_sampler_of_the_papers_protocol() -> None:
    """A perfect sampler has 98.89 % of high quality and, to leading order, a reverse divergence of (K - 1) / 2n."""
    perfect = expected_coverage(25, 2500, 3.0)
    assert perfect.high_quality == pytest.approx(0.98889, abs=1e-5)
    assert perfect.reverse_kl == pytest.approx(24 / 5000, rel=0.02)
    assert perfect.modes == pytest.approx(25, abs=1e-9)


@pytest.mark.parametrize("toy", ["grid25", "ring8"])
def test_draws_of_the_toy_score_as_the_perfect_sampler(toy: str) -> None:
    """Data of data/toy score what is expected of a perfect sampler: the modes and the spread are those of the data."""
    from genframe_data import Toy

    spec = Modes(toy=toy)  # type: ignore[arg-type]
    x = Toy(name=toy, n=40_000).load().split("train").stored.double()  # type: ignore[arg-type]
    modes = torch.tensor(spec.places, dtype=torch.float64)
    found, perfect = coverage(x, modes, 3 * spec.sigma), expected_coverage(len(modes), len(x), 3.0)
    assert found.modes == len(modes)
    assert found.high_quality == pytest.approx(perfect.high_quality, abs=4 * math.sqrt(0.011 / len(x)))
    assert found.reverse_kl == pytest.approx(perfect.reverse_kl, abs=5 * perfect.reverse_kl)


def test_expected_divergence_equals_the_mean_over_repetitions() -> None:
    """The expectation by the binomial distribution is the mean over many draws of a uniform choice of modes."""
    modes, n, repetitions = 5, 12, 4000
    generator = torch.Generator().manual_seed(0)
    places = torch.arange(modes, dtype=torch.float64)[:, None] * torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    draws = torch.randint(modes, (repetitions, n), generator=generator)
    values = torch.tensor([coverage(places[row], places, 0.1).reverse_kl for row in draws])
    error = float(values.std()) / math.sqrt(repetitions)
    assert expected_coverage(modes, n, 3.0).reverse_kl == pytest.approx(float(values.mean()), abs=4 * error)


def test_metric_of_a_model_is_that_of_its_samples() -> None:
    """The metric reports the coverage of the samples that the model draws under the seed, with the protocol."""
    model = compose(POINTS, Real((2,)))
    split = Split("test", torch.zeros(10, 2))
    spec = Modes(toy="ring8", n=300, within=20.0)
    results = {result.name: result for result in part(spec).measure(model, split, train=split, seed=4)}
    found = coverage(model.sample(300, seed=4).x.double(), torch.tensor(spec.places, dtype=torch.float64), 0.2)
    assert found.modes > 0
    assert (results["modes"].value, results["modes"].unit) == (found.modes, "of 8")
    assert results["high_quality"].value == found.high_quality
    assert results["reverse_kl"].value == found.reverse_kl
    assert results["reverse_kl"].stamp["samples"] == 300
    assert set(results) == {
        name + end for name in ("modes", "high_quality", "reverse_kl") for end in ("", "_of_perfect_sampler")
    }


def test_other_spaces_are_refused() -> None:
    """Models of anything but points in the plane are refused, with what their data are."""
    assert Modes().refusal(check(POINTS, Real((2,)))) == ""
    assert "Real(3)" in Modes().refusal(check(POINTS, Real((3,))))
