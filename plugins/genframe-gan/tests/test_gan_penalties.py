"""Gradient penalties in closed form on a quadratic critic: weights, laziness, annealing, modes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from genframe import Batch, Model, ModelSpec, Real, compose
from genframe_gan.counting import Counter

X = torch.tensor([[0.3, -1.2, 0.8], [1.5, 0.4, -0.6]])


def game(mirror: ModelSpec, **fields: Any) -> Model:
    """Return the model whose fakes are the data, with fields of its loss changed, in training mode."""
    loss = type(mirror.loss).model_validate({**dict(mirror.loss), **fields})
    return compose(mirror.model_copy(update={"loss": loss}), Real((3,))).train()


def gradient(model: Model) -> Tensor:
    """Return the critic's gradient a x + b at the data: (2, 3)."""
    network = model.loss.critic.network  # type: ignore[union-attr]
    return (network.a * X + network.b).detach()  # type: ignore[union-attr, operator]


def step(model: Model) -> float:
    """Return the penalty of one critic step."""
    return float(model.loss(model, Batch(X), "critic").metrics["penalty"])


def test_zero_centred_penalties_in_closed_form(mirror: ModelSpec) -> None:
    """R1 and R2 are half the mean squared gradient, each by its weight: Mescheder et al. 2018, eq. 9 and 10."""
    for weights in ({"r1": 3.0}, {"r2": 5.0}, {"r1": 3.0, "r2": 5.0}):
        model = game(mirror, **weights)
        expected = sum(weights.values()) / 2 * gradient(model).square().sum(1).mean()
        assert step(model) == pytest.approx(float(expected), rel=1e-6)


def test_gradient_of_r1_in_closed_form(mirror: ModelSpec) -> None:
    """The derivative of R1 by b is the mean gradient and by a the mean of x times it: the penalty can be learned from."""
    model = game(mirror, r1=2.0)
    model.loss(model, Batch(X), "critic").total.backward()  # of equal scores, a paired objective adds nothing
    network, slope = model.loss.critic.network, gradient(model)  # type: ignore[union-attr]
    torch.testing.assert_close(network.b.grad, 2 * slope.mean(0))  # type: ignore[union-attr]
    torch.testing.assert_close(network.a.grad, 2 * (X * slope).mean(0))  # type: ignore[union-attr]


def test_gradient_penalty_in_closed_form(mirror: ModelSpec) -> None:
    """Between data and fakes that are equal, the penalty is the mean of (|gradient| - 1)²: Gulrajani et al. 2017, eq. 3."""
    model = game(mirror, objective="wasserstein", gradient_penalty=10.0)
    expected = 10 * (gradient(model).norm(dim=1) - 1).square().mean()
    assert step(model) == pytest.approx(float(expected), rel=1e-6)


def test_gradient_penalty_is_taken_between_data_and_fakes(mirror: ModelSpec) -> None:
    """The gradient is that at places on the line from an example to its fake, anywhere on it."""
    loss = game(mirror, gradient_penalty=1.0).loss
    places = loss._between(*(type(loss.real(None, Batch(x), None))(x) for x in (torch.zeros(4000, 1), torch.ones(4000, 1)))).x  # type: ignore[operator]
    assert 0 <= float(places.min()) < 0.01 < 0.99 < float(places.max()) <= 1
    assert float(places.mean()) == pytest.approx(0.5, abs=0.02)


def test_lazy_penalty_has_the_same_mean(mirror: ModelSpec) -> None:
    """Every k-th step pays k times: over k steps as much as if each paid, Karras et al. 2020, sec. 2.4."""
    every, lazy = step(game(mirror, r1=1.0)), game(mirror, r1=1.0, penalty_every=3)
    assert [step(lazy) for _ in range(7)] == pytest.approx([3 * every, 0, 0, 3 * every, 0, 0, 3 * every])


def test_lazy_penalty_is_whole_in_validation(mirror: ModelSpec) -> None:
    """Evaluated without gradients, the penalty is computed every time at its own weight and counts no step."""
    expected, lazy = step(game(mirror, r1=1.0)), game(mirror, r1=1.0, penalty_every=3).eval()
    with torch.no_grad():
        assert [step(lazy) for _ in range(3)] == pytest.approx([expected] * 3)
    lazy.train()
    assert step(lazy) == pytest.approx(3 * expected)


def test_penalty_falls_geometrically(mirror: ModelSpec) -> None:
    """After t of n steps the weight is penalty_end^(t / n), and after all of them penalty_end."""
    model, whole = game(mirror, r1=1.0, anneal_steps=4, penalty_end=0.01), step(game(mirror, r1=1.0))
    shares = [step(model) / whole for _ in range(6)]
    assert shares == pytest.approx([0.01 ** min(1, t / 4) for t in (1, 2, 3, 4, 5, 6)], rel=1e-5)


def test_noise_falls_linearly_and_reaches_both_sides(mirror: ModelSpec) -> None:
    """Half-way the noise on data and fakes has half its standard deviation, at the end there is none."""
    model = game(mirror, r1=1.0, noise=2.0, anneal_steps=4)
    seen = []
    for _ in range(5):
        seen.append(float(model.loss._seen(type(model.loss.real(model, Batch(X), None))(torch.zeros(50_000, 3))).x.std()))  # type: ignore[operator]
        step(model)
    assert seen == pytest.approx([2.0, 1.5, 1.0, 0.5, 0.0], rel=0.01)


def test_data_are_left_as_they_are(mirror: ModelSpec) -> None:
    """A penalty does not make the batch itself ask for gradients."""
    model, x = game(mirror, r1=1.0, r2=1.0, gradient_penalty=1.0), X.clone()
    model.loss(model, Batch(x), "critic")
    assert not x.requires_grad


def test_counter_knows_what_a_checkpoint_says() -> None:
    """The count goes on from a loaded state, and from a buffer that was put back by hand."""
    counter, other = Counter(persistent=True), Counter(persistent=True)
    assert [counter.next() for _ in range(3)] == [0, 1, 2]
    other.load_state_dict(counter.state_dict())
    assert other.next() == 3
    other.batches.copy_(torch.tensor(1))  # type: ignore[operator]
    assert [other.next(), other.next()] == [1, 2]
