"""Parzen-window likelihood against SciPy, closed forms and the choice of the window that it states."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from genframe import Categorical, DataError, ModelSpec, Real, Split, check, compose, generator_for
from genframe.testing import part
from genframe_metrics import Parzen
from genframe_metrics.parzen import parzen_log_prob


def normal(n: int, d: int, seed: int, scale: float = 1.0) -> Tensor:
    """Return draws of N(0, scale² I): (n, d)."""
    return scale * torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_windows_are_those_of_scipy() -> None:
    """SciPy's kernel density estimate with an isotropic covariance is the same, for each deviation."""
    stats = pytest.importorskip("scipy.stats")
    x, centres, sigmas = normal(20, 3, 0), normal(40, 3, 1), (0.4, 1.7)
    found = parzen_log_prob(x, centres, sigmas)
    for row, sigma in zip(found, sigmas, strict=True):
        root = torch.linalg.cholesky(torch.cov(centres.T))  # white centres make SciPy's windows isotropic
        white, seen = (torch.linalg.solve_triangular(root, each.T, upper=False) for each in (centres, x))
        expected = stats.gaussian_kde(white.numpy(), bw_method=sigma).logpdf(seen.numpy())
        ours = parzen_log_prob(seen.T.contiguous(), white.T.contiguous(), [sigma])[0]
        assert ours.numpy() == pytest.approx(expected, abs=1e-9)
        by_hand = [math.log(sum(math.exp(-float((a - b).square().sum()) / (2 * sigma**2)) for b in centres) / 40) for a in x]
        assert row.tolist() == pytest.approx(
            [each - 3 * math.log(sigma * math.sqrt(2 * math.pi)) for each in by_hand], abs=1e-9
        )


def test_far_data_do_not_underflow() -> None:
    """A datum a thousand deviations from the only centre has the log-density of that normal."""
    found = parzen_log_prob(torch.tensor([[1000.0]]).double(), torch.zeros(1, 1).double(), [1.0])
    assert float(found) == pytest.approx(-5e5 - 0.5 * math.log(2 * math.pi))


def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Distances a few rows at a time give the same as all at once."""
    x, centres = normal(50, 4, 0), normal(30, 4, 1)
    whole = parzen_log_prob(x, centres, [0.5, 1.0])
    monkeypatch.setattr("genframe_metrics.parzen.MOST_PAIRS", 100)
    torch.testing.assert_close(parzen_log_prob(x, centres, [0.5, 1.0]), whole, rtol=0, atol=1e-12)


def test_windows_around_draws_of_a_normal() -> None:
    """In expectation, windows around draws of N(0, I) are the density N(0, (1 + sigma²) I): their means agree."""
    sigma, x = 0.8, normal(5, 2, 0)
    means = torch.stack([parzen_log_prob(x, normal(400, 2, 10 + i), [sigma])[0].exp() for i in range(200)])
    variance = 1 + sigma**2
    expected = (-x.square().sum(1) / (2 * variance)).exp() / (2 * math.pi * variance)
    assert ((means.mean(0) - expected).abs() < 4 * means.std(0) / math.sqrt(200)).all()


def measured(toy: Any, split: Split, train: Split, shift: float = 0.0, **fields: Any) -> tuple[Any, Any]:
    """Return both figures of the toy, whose samples are draws of its p(x) shifted."""
    found, baseline = part(Parzen(**fields)).measure(toy.model(shift=shift), split, train=train, seed=1)
    return found, baseline


def test_perfect_sampler_and_a_wrong_one(toy: Any) -> None:
    """Samples of the true model are as good as training data; those of a shifted model are not; the bias is in every note."""
    split, train = toy.split(300, seed=0), toy.split(1500, seed=1)
    fields = {"n": 1000, "validation": 500, "sigmas": (0.2, 0.35, 0.6, 1.0)}
    right, baseline = measured(toy, split, train, **fields)
    wrong, same = measured(toy, split, train, shift=2.0, **fields)
    assert (right.name, baseline.name, right.unit) == ("parzen", "parzen_of_data", "nats")
    assert abs(right.value - baseline.value) < 0.1  # differences of nats among 4 dimensions
    assert wrong.value < right.value - 1
    assert same == baseline
    assert baseline.value < float(toy.marginal.log_prob(split.stored).mean())  # low even for perfect samples
    for figure in (right, baseline, wrong):
        assert figure.note.startswith("biased, and does not rank models as their log-likelihood does: Theis et al. 2016; 1000 ")


def test_deviation_is_chosen_by_held_out_training_data(toy: Any) -> None:
    """The deviation is that of the best mean log-density of held-out training data, whatever the measured data are."""
    train = toy.split(700, seed=1)
    order = torch.randperm(700, generator=generator_for("cpu", 1, 2))
    held_out, centres = train.stored[order].tensor_split([300])
    sigmas = (0.2, 0.35, 0.6, 1.0)
    best = sigmas[int(parzen_log_prob(held_out, centres, sigmas).mean(1).argmax())]
    split = Split("test", 1e-3 * normal(20, 4, 3))  # these would choose another
    _, baseline = measured(toy, split, train, n=400, validation=300, sigmas=sigmas)
    assert f"400 training data, sigma {best:g}" in baseline.note
    expected = parzen_log_prob(split.stored, centres, [best])[0]
    assert baseline.value == pytest.approx(float(expected.mean()), abs=1e-9)
    assert baseline.standard_error == pytest.approx(float(expected.std()) / math.sqrt(20), abs=1e-9)


def test_grid_that_is_too_narrow_is_noted(toy: Any) -> None:
    """Where the best deviation is the grid's first or last, the note says so; of fewer training data it says how many."""
    split = toy.split(40)
    found, baseline = measured(toy, split, split, n=100, sigmas=(3.0, 9.0))
    assert "100 samples, sigma 3 at the end of its grid" in found.note
    assert "20 training data, sigma 3 at the end of its grid" in baseline.note
    assert found.stamp["validation"] == 20


def test_bounded_data_are_scaled_to_unit_range() -> None:
    """Data from -1 to 1 have the figure of the same data from 0 to 1."""
    figures = []
    for space in (Real((3,), 0, 1), Real((3,), -1, 1)):
        parts = {"decoder": {"type": "nets/mlp", "hidden": [4]}, "prior": {"type": "core/normal", "shape": [2]}}
        model = compose(ModelSpec.model_validate({**parts, "loss": "gan/adversarial"}), space)
        x = torch.rand(60, 3, generator=torch.Generator().manual_seed(0))
        split = Split("test", x if space.low == 0 else 2 * x - 1)
        figures.append(part(Parzen(n=50)).measure(model, split, train=split))
    for one, other in zip(*figures, strict=True):
        assert one.value == pytest.approx(other.value, abs=1e-4)  # single precision of the samples


def test_nan_in_samples_stays_in(toy: Any) -> None:
    """Samples with NaN make the figure NaN and are counted in the note."""
    model, split = toy.model(), toy.split(30)
    model.decoder.shift = math.nan
    found, baseline = part(Parzen(n=20)).measure(model, split, train=split)
    assert math.isnan(found.value)
    assert "20 of 20 samples are not finite" in found.note
    assert math.isfinite(baseline.value)


def test_refusals(toy: Any) -> None:
    """Classes have no density; the deviation cannot be chosen without training data."""
    direct = {"encoder": "core/identity", "decoder": "core/identity", "prior": "core/categorical", "loss": "core/nll"}
    text = Parzen().refusal(check(ModelSpec.model_validate(direct), Categorical((), 10)))
    assert text.endswith("and classes have no density")
    with pytest.raises(DataError, match="chosen by training data, and there are 1"):
        measured(toy, toy.split(5), toy.split(1))
