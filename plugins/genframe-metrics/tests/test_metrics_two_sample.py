"""The classifier two-sample test against chance, Bayes' rule and scikit-learn."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from genframe.testing import part
from genframe_metrics import TwoSample
from genframe_metrics.c2st import FOLDS, by_neighbours, by_network, p_value


def rows(n: int, d: int, seed: int, shift: float, scale: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
    """Return n draws of N(0, I) before n of N(shift, scale² I), their labels and their folds."""
    x = torch.randn(2 * n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    x[n:] = x[n:] * scale + shift
    return x, (torch.arange(2 * n) >= n).long(), torch.arange(n).repeat(2) % FOLDS


@pytest.mark.parametrize("shift", [0.0, 0.8])
def test_neighbours_equal_scikit_learn(shift: float) -> None:
    """Each row's vote is that of scikit-learn's classifier with ⌊√n⌋ neighbours, a tie counted as half right."""
    neighbors = pytest.importorskip("sklearn.neighbors")
    x, labels, fold = rows(80, 4, 0, shift)
    expected = torch.empty(len(x), dtype=torch.float64)
    for number in range(FOLDS):
        known, own = fold != number, fold == number
        classifier = neighbors.KNeighborsClassifier(math.isqrt(int(known.sum())))
        share = torch.from_numpy(classifier.fit(x[known].numpy(), labels[known].numpy()).predict_proba(x[own].numpy()))
        of_own_label = share.gather(1, labels[own, None])[:, 0]
        expected[own] = (of_own_label > 0.5).double() + 0.5 * (of_own_label == 0.5).double()
    assert torch.allclose(by_neighbours(x, labels, fold), expected, atol=1e-5)


@pytest.mark.parametrize("classifier", ["network", "neighbours"])
def test_equal_distributions_cannot_be_told(classifier: str) -> None:
    """Over repetitions the accuracy is 1/2, its spread the binomial error."""
    made = torch.Generator().manual_seed(0)
    found = []
    for seed in range(30):
        x, labels, fold = rows(60, 3, seed, 0.0)
        right = by_network(x, labels, fold, made) if classifier == "network" else by_neighbours(x, labels, fold)
        found.append(float(right.mean()))
    values = torch.tensor(found)
    assert float(values.mean()) == pytest.approx(0.5, abs=3 * float(values.std()) / math.sqrt(30))
    assert float(values.std()) < 2 * math.sqrt(0.25 / 120)


@pytest.mark.parametrize(("shift", "dims"), [(1.0, 4), (2.0, 1)])
def test_shifted_normals_are_told_as_by_bayes_rule(shift: float, dims: int) -> None:
    """Between N(0, I) and N(m, I) the best accuracy is Phi(|m| / 2), and either classifier is near it."""
    x, labels, fold = rows(1000, dims, 0, shift)
    best = 0.5 * (1 + math.erf(shift * math.sqrt(dims) / 2 / math.sqrt(2)))
    error = math.sqrt(best * (1 - best) / 2000)
    for right in (by_network(x, labels, fold, torch.Generator().manual_seed(0)), by_neighbours(x, labels, fold)):
        assert best - 0.02 - 3 * error < float(right.mean()) < best + 3 * error


def test_a_network_sees_a_wrong_spread() -> None:
    """Normals of one mean and two deviations are told apart."""
    x, labels, fold = rows(400, 8, 0, 0.0, 1.6)
    assert float(by_network(x, labels, fold, torch.Generator().manual_seed(0)).mean()) > 0.7


def test_labels_that_say_nothing_of_a_row_are_not_learnt() -> None:
    """A row is judged by networks that have not seen it: labels at random stay unknown, however well they are fitted."""
    x, labels, fold = rows(100, 50, 0, 0.0)
    right = by_network(x, labels[torch.randperm(200, generator=torch.Generator().manual_seed(1))], fold, torch.Generator())
    assert float(right.mean()) < 0.65


def test_probability_by_chance() -> None:
    """Half is as likely as not; two standard errors above it have the normal tail."""
    assert p_value(0.5, 100) == 0.5
    assert p_value(0.6, 100) == pytest.approx(0.02275, abs=1e-5)


@pytest.mark.parametrize("classifier", ["network", "neighbours"])
def test_model_of_the_data_and_a_wrong_one(toy: Any, classifier: Any) -> None:
    """Samples of the true model are told as little as data are; those of a shifted model at once. The global state is kept."""
    split, known = toy.split(300), toy.split(300, seed=1)
    metric, state = part(TwoSample(n=300, classifier=classifier)), torch.get_rng_state()
    right, of_data = metric.measure(toy.model(), split, train=known)
    (wrong, _) = metric.measure(toy.model(shift=1.5), split, train=known)
    assert (right.name, of_data.name, right.unit) == ("c2st(values)", "c2st_of_data(values)", "accuracy")
    for alike in (right, of_data):
        assert abs(alike.value - 0.5) < 4 * (alike.standard_error or 0)
    assert wrong.value > 0.75
    assert right.stamp["classifier"] == classifier
    assert torch.equal(state, torch.get_rng_state())
