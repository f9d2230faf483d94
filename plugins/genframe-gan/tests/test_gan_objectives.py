"""Each objective's gradient at a hand-computed point, and which player's gradient goes where."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from genframe import Batch, Model, ModelSpec, Real, compose
from genframe.core import Normal
from genframe_gan import Adversarial, Bidirectional
from genframe_gan.objectives import OBJECTIVES
from genframe_nets import MLP, MLPDecoder

R, F = 0.5, -0.25


def sigmoid(x: float) -> float:
    """Return the logistic function."""
    return 1 / (1 + math.exp(-x))


# d critic / d real, d critic / d fake, d generator / d fake at the scores R and F
SLOPES: dict[str, tuple[float, float, float]] = {
    "minimax": (-sigmoid(-R), sigmoid(F), -sigmoid(F)),
    "non_saturating": (-sigmoid(-R), sigmoid(F), -sigmoid(-F)),
    "least_squares": (R - 1, F, F - 1),
    "hinge": (-1.0, 1.0, -1.0),
    "wasserstein": (-1.0, 1.0, -1.0),
    "relativistic": (-sigmoid(F - R), sigmoid(F - R), -sigmoid(R - F)),
}


def slopes(loss: Tensor, *scores: Tensor) -> list[float]:
    """Return the derivative of ``loss`` by each score."""
    return [float(slope) for slope in torch.autograd.grad(loss, scores)]


@pytest.mark.parametrize("name", SLOPES)
def test_gradient_at_a_point(name: Any) -> None:
    """The derivatives of both losses by the scores of a real example and a fake are those computed by hand."""
    objective = OBJECTIVES[name]
    real, fake = (torch.tensor([[value]], dtype=torch.float64, requires_grad=True) for value in (R, F))
    assert slopes(objective.critic(real, fake), real, fake) == pytest.approx(SLOPES[name][:2])
    against = real.detach() if objective.paired else None
    assert slopes(objective.generator(fake, against), fake) == pytest.approx(SLOPES[name][2:])


def test_hinge_is_flat_beyond_its_margin() -> None:
    """A critic that is sure by more than 1 has no hinge loss and no gradient."""
    real, fake = (torch.tensor([[value]], requires_grad=True) for value in (1.5, -1.5))
    assert slopes(OBJECTIVES["hinge"].critic(real, fake), real, fake) == [0, 0]


def test_pairs_are_played_as_a_zero_sum_game() -> None:
    """Where a generator moves both scores, its minimax loss is minus the critic's: Donahue et al. 2017, eq. 2."""
    objective, scores = OBJECTIVES["minimax"], (torch.randn(7, 1), torch.randn(7, 1))
    assert float(objective.generator(scores[1], scores[0])) == pytest.approx(-float(objective.critic(*scores)), rel=1e-6)


@pytest.mark.parametrize(("name", "expected"), [("non_saturating", 0.5), ("least_squares", 0.5), ("relativistic", 1.0)])
def test_accuracy(name: Any, expected: float) -> None:
    """Scores above the middle say real; a relativistic critic is right where the real score is the higher one."""
    real, fake = torch.tensor([[1.4], [1.2]]), torch.tensor([[0.9], [0.7]])
    assert float(OBJECTIVES[name].accuracy(real, fake)) == expected


def gan(**fields: Any) -> Model:
    """Return a small model with the loss under test, in training mode."""
    loss = Adversarial(critic=MLP(hidden=(8,)), **fields)
    return compose(ModelSpec(decoder=MLPDecoder(hidden=(8,)), prior=Normal(shape=(2,)), loss=loss), Real((2,))).train()


@pytest.mark.parametrize("objective", SLOPES)
def test_players_touch_only_their_own_parameters(objective: str) -> None:
    """A player's backward pass leaves no gradient in the other's parameters, and all ask for one again afterwards."""
    model = gan(objective=objective, r1=0.1)
    critic, generator = list(model.loss.parameters()), list(model.decoder.parameters())
    for player, mine, theirs in (("critic", critic, generator), ("generator", generator, critic)):
        model.zero_grad()
        model.loss(model, Batch(torch.randn(6, 2)), player).total.backward()
        assert all(parameter.grad is not None for parameter in mine)
        assert all(parameter.grad is None for parameter in theirs)
        assert all(parameter.requires_grad for parameter in model.parameters())
        assert set(model.loss.player_parameters(model, player)) == set(mine)


@pytest.mark.parametrize("objective", SLOPES)
def test_fakes_move_towards_the_data(objective: str) -> None:
    """Trained in turns, any objective moves the mean of the samples from 0 to that of data around 2."""
    torch.manual_seed(0)
    model = gan(objective=objective, r1=0.2)
    optimizers = {
        player: torch.optim.Adam(list(model.loss.player_parameters(model, player)), lr=5e-3, betas=(0.5, 0.9))
        for player in ("critic", "generator")
    }
    for _ in range(200):
        for player, optimizer in optimizers.items():
            optimizer.zero_grad()
            model.loss(model, Batch(2 + 0.5 * torch.randn(64, 2)), player).total.backward()
            optimizer.step()
    assert bool((model.sample(500).x.mean(0) > 1).all())


def test_both_halves_of_a_bidirectional_generator_learn() -> None:
    """The generator's step reaches encoder and decoder, and no parameter of the critic."""
    loss = Bidirectional(critic=MLP(hidden=(8,)))
    parts = {"encoder": MLP(hidden=(8,), dim=3), "decoder": MLPDecoder(hidden=(8,))}
    model = compose(ModelSpec(**parts, loss=loss), Real((2,))).train()
    model.loss(model, Batch(torch.randn(6, 2)), "generator").total.backward()
    assert all(parameter.grad is not None and bool(parameter.grad.any()) for parameter in model.part_parameters())
    assert all(parameter.grad is None for parameter in model.loss.parameters())
