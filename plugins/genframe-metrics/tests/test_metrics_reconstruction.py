"""Reconstruction errors, principal components, and what every metric's result has in common."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
import torch

from genframe import Categorical, Composition, DataError, MetricSpec, Real, Split, data_digest
from genframe.testing import part
from genframe_metrics import Elbo, Mmd, Nll, Pca, Reconstruction, genframe_specs
from genframe_metrics.reconstruction import principal_components

METRICS = [Elbo(), Mmd(), Nll(samples=2), Pca(), Reconstruction()]


def test_squared_error_sums_over_dimensions(toy: Any) -> None:
    """A shift of s in each of 4 dimensions costs 4 s^2 a datum more where reconstruction is otherwise unbiased."""
    split = toy.split(200)
    total, root = part(Reconstruction()).measure(toy.model(), split, train=split)
    rest = split.stored - toy.model().reconstruct(split.stored)
    errors = rest.square().sum(1)
    assert total.value == pytest.approx(float(errors.mean()), rel=1e-12)
    assert total.standard_error == pytest.approx(float(errors.std()) / math.sqrt(200), rel=1e-12)
    assert root.value == pytest.approx(float(rest.square().mean().sqrt()), rel=1e-12)


def test_root_error_is_to_first_order(toy: Any) -> None:
    """The error of the root mean square is its spread over repetitions."""
    metric = part(Reconstruction())
    runs = [metric.measure(toy.model(), toy.split(50, seed), train=toy.split(5))[1] for seed in range(200)]
    spread = float(torch.tensor([run.value for run in runs]).std())
    assert sum(run.standard_error or 0.0 for run in runs) / 200 == pytest.approx(spread, rel=0.15)


def test_principal_components_are_the_best_plane(toy: Any) -> None:
    """The error on the training data is the sum of the smallest eigenvalues, and no other basis does better."""
    split = toy.split(600)
    fitted = principal_components(split, 2, 0)
    centred = split.stored - split.stored.mean(0)
    values = torch.linalg.eigvalsh(centred.T @ centred / 600)
    assert float(fitted.squared_errors(split.stored).mean()) == pytest.approx(float(values[:2].sum()), rel=1e-10)
    reconstructed = part(Reconstruction()).measure(toy.model(), split, train=split)[0].value
    assert float(values[:2].sum()) < reconstructed


def test_pca_is_fitted_to_train_and_measured_on_test(toy: Any) -> None:
    """The figure is the test data's distance from the training data's plane, with as many components as latents."""
    train, test = toy.split(300, seed=1), toy.split(100, seed=2)
    total, root = part(Pca()).measure(toy.model(), test, train=replace(train, name="train"))
    expected = principal_components(train, 2, 0).squared_errors(test.stored)
    assert total.value == pytest.approx(float(expected.mean()), rel=1e-12)
    assert root.value == pytest.approx(math.sqrt(float(expected.mean()) / 4), rel=1e-12)
    assert (total.stamp["components"], total.stamp["fitted_to"]) == (2, {"split": "train", "data": 300})
    assert total.value > float(principal_components(test, 2, 0).squared_errors(test.stored).mean())


def test_refusals_say_why(toy: Any) -> None:
    """Errors of classes, of models without an encoder, and of too many components have no meaning."""
    good: Composition = toy.model().composition
    assert Reconstruction().refusal(good) == Pca().refusal(good) == Mmd().refusal(good) == ""
    assert "no encoder" in Reconstruction().refusal(replace(good, spec=good.spec.model_copy(update={"encoder": None})))
    classes = replace(good, data=Categorical((4,), 3))
    assert "classes" in Reconstruction().refusal(classes)
    assert "classes" in Pca().refusal(classes)
    assert "without error" in Pca(components=4).refusal(good)
    assert "give 'components'" in Pca().refusal(replace(good, latent=Categorical((2,), 3)))
    assert "covariance" in Pca().refusal(replace(good, data=Real((3, 100, 100))))


@pytest.mark.parametrize("spec", METRICS, ids=lambda spec: spec.type)
def test_stamps_tell_the_protocol(toy: Any, spec: MetricSpec) -> None:
    """Every result says metric, versions, split, digest of the data, their protocol and number, and the seed."""
    split = toy.split(20)
    results = part(spec).measure(toy.model(), split, train=split, seed=3)
    assert len({result.name for result in results}) == len(results)
    for result in results:
        assert result.stamp["metric"] == spec.type
        assert set(result.stamp["versions"]) == {"genframe", "genframe-metrics"}
        assert result.stamp["digest"] == data_digest(split.stored)
        assert (result.stamp["split"], result.stamp["protocol"]) == ("test", {"made": "by probabilistic PCA"})
        assert (result.stamp["data"], result.stamp["of"], result.stamp["seed"]) == (20, 20, 3)


@pytest.mark.parametrize("spec", METRICS, ids=lambda spec: spec.type)
def test_results_compare_only_under_one_protocol(toy: Any, spec: MetricSpec) -> None:
    """The same figure of two models compares; of other data, another seed or another split it does not."""
    split, metric = toy.split(20), part(spec)
    mine = metric.measure(toy.model(), split, train=split)[0]
    assert not mine.differs_from(metric.measure(toy.model(shift=1.0), split, train=split)[0])
    assert mine.differs_from(metric.measure(toy.model(), split, train=split, seed=1)[0])
    assert mine.differs_from(metric.measure(toy.model(), toy.split(20, seed=1), train=split)[0])
    assert mine.differs_from(metric.measure(toy.model(), replace(split, name="valid"), train=split)[0])
    assert mine.differs_from(metric.measure(toy.model(), replace(split, protocol={}), train=split)[0])


@pytest.mark.parametrize("spec", METRICS, ids=lambda spec: spec.type)
def test_an_empty_split_is_refused(toy: Any, spec: MetricSpec) -> None:
    """No data give no figure but an error that names the split."""
    with pytest.raises(DataError, match="'empty'"):
        part(spec).measure(toy.model(), Split("empty", torch.zeros(0, 4).double()), train=toy.split(9))


def test_preparation_is_seeded(toy: Any) -> None:
    """Data that are prepared with noise are the same data for one seed, whatever the memory limit."""

    def noisy(stored: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
        return stored + torch.rand(stored.shape, generator=generator, dtype=stored.dtype)

    split = replace(toy.split(520), prepare=noisy)  # more than two blocks
    model = toy.model()  # with the true posterior, so that no other noise is left
    values = [part(Nll(samples=1, max_rows=rows)).measure(model, split, train=split)[0].value for rows in (1000, 13)]
    assert values[0] == pytest.approx(values[1], abs=1e-9)
    assert abs(values[0] - part(Nll(samples=1)).measure(model, split, train=split, seed=1)[0].value) > 1e-6


def test_limit_draws_from_all(toy: Any) -> None:
    """A limit takes data from all over the split, not its first ones, so that sorted data do no harm."""
    split = toy.split(400)
    split.stored[200:] += 100
    result = part(Reconstruction(limit=100)).measure(toy.model(), split, train=split)[0]
    whole = part(Reconstruction()).measure(toy.model(), split, train=split)[0]
    assert result.value == pytest.approx(whole.value, rel=0.4)
    assert (result.stamp["data"], result.stamp["of"]) == (100, 400)
    assert result.standard_error is not None


def test_one_datum_has_no_error(toy: Any) -> None:
    """The mean over a single datum has no standard error."""
    for result in part(Nll(samples=3)).measure(toy.model(), toy.split(1), train=toy.split(1)):
        assert result.standard_error is None


def test_plugin_is_light() -> None:
    """The plugin registers its metrics without importing torch."""
    names = [spec.type_name() for spec in genframe_specs()]
    assert len(names) == len(set(names)) == 18
    assert {name.partition("/")[0] for name in names} == {"metrics"}
    code = "import sys, genframe_metrics; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
