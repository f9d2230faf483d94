"""What the critic sees and how it scores: packs, heads, projections, augmented images, bounded weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from genframe import Batch, Categorical, Context, Model, ModelSpec, Real, compose
from genframe.core import Normal, OneHot
from genframe_gan import Adversarial, Spectral
from genframe_gan.augmentation import brightness, cutout, translation
from genframe_nets import MLP, Conv, ConvDecoder, MLPDecoder


def gan(data: Real, labels: Categorical | None = None, **fields: Any) -> Model:
    """Return a small model in training mode."""
    loss = Adversarial(**{"critic": MLP(hidden=(8,)), **fields})
    spec = ModelSpec(decoder=MLPDecoder(hidden=(8,)), prior=Normal(shape=(2,)), loss=loss)
    return compose(spec.model_copy(update={"condition": OneHot()}) if labels else spec, data, labels).train()


def seen(model: Model, x: Tensor, context: Tensor | None = None) -> Any:
    """Return what the critic is shown of data."""
    return model.loss._seen(model.loss.real(model, Batch(x), None if context is None else Context(context)))  # type: ignore[operator]


@pytest.mark.parametrize("shape", [(2,), (1, 4, 4)])
def test_packs_are_neighbours_along_the_first_axis(shape: tuple[int, ...]) -> None:
    """Packs of 3 are 3 neighbouring data concatenated along the first axis, their contexts alike: Lin et al. 2018."""
    model, x, context = gan(Real(shape), Categorical((), 4), packing=3), torch.randn(6, *shape), torch.randn(6, 4)
    evidence = seen(model, x, context)
    torch.testing.assert_close(evidence.x, torch.stack([torch.cat(list(x[:3])), torch.cat(list(x[3:]))]), rtol=0, atol=0)
    torch.testing.assert_close(evidence.context[1], context[3:].flatten(), rtol=0, atol=0)
    assert model.loss.critic(evidence.x, evidence.context).shape == (2, 1)  # type: ignore[operator]


def test_batch_that_packs_do_not_divide_is_filled_up() -> None:
    """A batch of validation that packs do not divide is filled up with its first rows."""
    model, x = gan(Real((2,)), packing=3), torch.randn(7, 2)
    assert torch.equal(seen(model.eval(), x).x[2], torch.cat([x[6], x[0], x[1]]))
    assert bool(torch.isfinite(model.loss(model, Batch(x), "critic").total))


def test_single_feature_is_the_score() -> None:
    """A network with one output scores by it; other features get a linear head, without bias where it would change nothing."""
    assert gan(Real((2,)), critic=MLP(hidden=(8,), dim=1)).loss.critic.head is None  # type: ignore[union-attr]
    assert gan(Real((2,)), objective="relativistic").loss.critic.head.bias is None  # type: ignore[union-attr]
    assert gan(Real((2,)), objective="hinge").loss.critic.head.bias is not None  # type: ignore[union-attr]


def test_spatial_features_score_each_place() -> None:
    """A convolutional critic without 'dim' gives a score for each of the places of its last grid."""
    model = gan(Real((1, 8, 8)), critic=Conv(channels=(4, 6)))
    x = torch.randn(5, 1, 8, 8)
    critic = model.loss.critic
    scores, features = critic(x, None), critic.network.encode(x)  # type: ignore[operator, union-attr]
    expected = torch.einsum("bchw,c->bhw", features, critic.head.weight[0])  # type: ignore[union-attr]
    torch.testing.assert_close(scores, expected.flatten(1))


def test_projection_of_features_on_the_context() -> None:
    """Under a condition the score is (w + V c) · phi(x): Miyato & Koyama 2018, eq. 3."""
    model = gan(Real((2,)), Categorical((), 4), objective="hinge")
    critic, x, context = model.loss.critic, torch.randn(5, 2), torch.eye(4)[torch.tensor([0, 1, 2, 3, 1])]
    features = critic.network.encode(x)  # type: ignore[operator, union-attr]
    weight = critic.head.weight + context @ critic.projection.weight.T  # type: ignore[union-attr, operator]
    expected = (weight * features).sum(1, keepdim=True) + critic.head.bias  # type: ignore[union-attr]
    torch.testing.assert_close(critic(x, context), expected)  # type: ignore[operator]


def test_critic_that_reads_the_condition() -> None:
    """With conditioning: input the network reads the context, nothing is projected, and a single feature is the score."""
    critic = gan(Real((2,)), Categorical((), 4), critic=MLP(hidden=(8,), dim=1), conditioning="input").loss.critic
    assert critic.head is None  # type: ignore[union-attr]
    assert critic.projection is None  # type: ignore[union-attr]
    x, one, other = torch.randn(5, 2), torch.eye(4)[[0] * 5], torch.eye(4)[[1] * 5]
    assert torch.equal(critic(x, one), critic.network(x, one))  # type: ignore[operator]
    assert not torch.equal(critic(x, one), critic(x, other))  # type: ignore[operator]


def test_conditional_samples_follow_their_class() -> None:
    """Trained on two classes at -2 and 2, a conditional generator puts each class at its place."""
    torch.manual_seed(0)
    model = gan(Real((1,)), Categorical((), 2), objective="hinge", r1=0.1)
    optimizers = {
        player: torch.optim.Adam(list(model.loss.player_parameters(model, player)), lr=1e-2, betas=(0.5, 0.9))
        for player in ("critic", "generator")
    }
    for _ in range(200):
        for player, optimizer in optimizers.items():
            label = torch.randint(2, (64,))
            optimizer.zero_grad()
            batch = Batch((4.0 * label - 2)[:, None] + 0.1 * torch.randn(64, 1), label)
            model.loss(model, batch, player).total.backward()
            optimizer.step()
    label = torch.arange(200) % 2
    x = model.sample(200, label).x
    assert float(x[label == 0].mean()) == pytest.approx(-2, abs=0.7)
    assert float(x[label == 1].mean()) == pytest.approx(2, abs=0.7)


def test_weights_are_clipped_before_the_critic_is_used() -> None:
    """In training no weight of the critic is used beyond its bound: Arjovsky et al. 2017, algorithm 1."""
    model = gan(Real((2,)), objective="wasserstein", clip_weights=0.03)
    assert max(float(parameter.detach().abs().max()) for parameter in model.loss.parameters()) > 0.03
    model.loss(model, Batch(torch.randn(4, 2)), "generator")
    assert max(float(parameter.detach().abs().max()) for parameter in model.loss.parameters()) == pytest.approx(0.03)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (7, 9)])
def test_translated_image_is_a_shifted_one(height: int, width: int) -> None:
    """A single bright pixel in the middle stays one, at most an eighth of the image away, and every shift comes up."""
    x = torch.zeros(300, 2, height, width)
    x[:, :, height // 2, width // 2] = 1
    moved = translation(x)
    assert torch.equal(moved.sum((2, 3)), torch.ones(300, 2))
    places = {(int(row), int(column)) for _, channel, row, column in moved.nonzero() if channel == 0}
    assert places == {(height // 2 + row, width // 2 + column) for row in (-1, 0, 1) for column in (-1, 0, 1)}


def test_cutout_and_brightness() -> None:
    """Cutout zeroes one square of at most half the size in all channels; brightness adds one number to an image."""
    torch.manual_seed(0)
    cut = 1 - cutout(torch.ones(200, 3, 8, 8))
    assert torch.equal(cut[:, 0], cut[:, 2])
    sides = cut[:, 0].amax(1).sum(1), cut[:, 0].amax(2).sum(1)
    assert torch.equal(sides[0] * sides[1], cut[:, 0].sum((1, 2)))
    assert float(sides[0].max()) == 4
    assert float(sides[0].min()) >= 2
    added = brightness(torch.zeros(200, 3, 8, 8))
    assert torch.equal(added, added[:, :1, :1, :1].expand_as(added))
    assert -0.5 <= float(added.min()) < -0.45
    assert 0.45 < float(added.max()) < 0.5


def test_gradients_reach_the_generator_through_augmentation() -> None:
    """What is changed for the critic is changed differentiably: Zhao et al. 2020, sec. 3.3."""
    loss = Adversarial(critic=Conv(channels=(4,)), augment=("brightness", "translation", "cutout"))
    spec = ModelSpec(decoder=ConvDecoder(channels=(4,)), prior=Normal(shape=(2,)), loss=loss)
    model = compose(spec, Real((1, 8, 8), 0, 1)).train()
    model.loss(model, Batch(torch.rand(4, 1, 8, 8)), "generator").total.backward()
    assert all(parameter.grad is not None and bool(parameter.grad.any()) for parameter in model.decoder.parameters())


def test_spectral_critic_has_a_normalised_head() -> None:
    """A critic under gan/spectral is normalised to its last layer, so that its scores are 1-Lipschitz."""
    model = gan(Real((2,)), critic=Spectral(network=MLP(hidden=(8,), activation="relu")))
    assert float(model.loss.critic.head.weight.detach().norm()) == pytest.approx(1, abs=1e-4)  # type: ignore[union-attr]
