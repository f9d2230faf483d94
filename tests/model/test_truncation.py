"""Sampling with every dimension of the code within a threshold."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from genframe import Model, ModelSpec, Real, SpecError, check, compose, generator_for
from genframe.experiment.document.loading import experiment_from
from genframe.types import Truncatable

FLOW = {"encoder": "core/identity", "decoder": "core/inverse", "loss": "core/nll"}


def spec(threshold: float, **slots: Any) -> ModelSpec:
    """Return a flow whose samples are its codes, drawn within a threshold."""
    return ModelSpec.model_validate({**FLOW, "sampler": {"type": "core/ancestral", "truncation": threshold}, **slots})


def model(threshold: float) -> Model:
    """Compose it."""
    return compose(spec(threshold), Real((2, 3)))


@pytest.mark.parametrize("threshold", [0.04, 0.5, 2.0, 8.0])
def test_moments_are_those_of_the_truncated_normal(threshold: float) -> None:
    """Mean, variance and kurtosis of the draws are those of scipy's truncated normal, within five standard errors."""
    stats = pytest.importorskip("scipy.stats")
    expected = stats.truncnorm(-threshold, threshold)
    x = model(threshold).sample(50_000, seed=1).x.double().flatten()
    for power in (1, 2, 4):
        error = (expected.moment(2 * power) - expected.moment(power) ** 2) ** 0.5 / len(x) ** 0.5
        assert float((x**power).mean()) == pytest.approx(expected.moment(power), abs=5 * error)
    assert stats.kstest(x[:20_000].numpy(), expected.cdf).pvalue > 1e-3


def test_draws_stay_within_the_threshold() -> None:
    """No draw lies beyond it, also where almost all of the normal's mass lies within."""
    for threshold in (1e-3, 1.0, 6.0, 50.0):
        x = model(threshold).sample(1000).x
        assert bool(torch.isfinite(x).all())
        assert float(x.abs().max()) <= threshold


def test_draws_come_from_the_generator() -> None:
    """The same generator gives the same draws."""
    prior: Any = model(1.0).prior
    assert isinstance(prior, Truncatable)
    first, second = (prior.sample_within(1.0, 4, generator=generator_for("cpu", 7)) for _ in range(2))
    assert torch.equal(first, second)


def test_other_priors_are_refused() -> None:
    """A prior that cannot be truncated is refused, with those that can."""
    with pytest.raises(SpecError) as caught:
        check(spec(1.0, prior={"type": "core/model", "model": FLOW}), Real((2,)))
    (problem,) = caught.value.problems
    assert problem.path == "model.sampler"
    assert problem.message.startswith("needs a prior with Truncatable; 'core/model' has none")
    assert "core/normal" in str(problem)


def test_temperature_and_truncation_do_not_go_together() -> None:
    """Both narrow the codes: the message says to leave one out."""
    sampler = {"type": "core/ancestral", "truncation": 1.0, "temperature": 0.5}
    with pytest.raises(SpecError, match=r"model\.sampler: .*leave one of them out"):
        experiment_from({"name": "both", "data": "data/toy", "model": {**FLOW, "sampler": sampler}})
