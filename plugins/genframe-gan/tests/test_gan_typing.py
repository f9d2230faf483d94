"""What is refused before anything is built, with the path and what would do."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from genframe import Categorical, EncoderSpec, ModelSpec, Real, Space, SpecError, check
from genframe.core import Normal, OneHot
from genframe.experiment.document.loading import experiment_from
from genframe.experiment.document.spec import check_experiment
from genframe_gan import Adversarial, Bidirectional
from genframe_nets import MLP, Conv, MLPDecoder


class Counts(EncoderSpec):
    """An encoder that gives classes."""

    type: Literal["test/counts"] = "test/counts"

    def latent_space(self, data: Space) -> Space:
        """Return classes."""
        return Categorical((3,), 4)


def experiment(**loss: Any) -> dict[str, Any]:
    """Return an experiment on points in the plane."""
    model = {
        "decoder": {"type": "nets/mlp", "hidden": [8]},
        "prior": {"type": "core/normal", "shape": [2]},
        "loss": {"type": "gan/adversarial", **loss},
    }
    return {"name": "plane", "data": "data/toy", "model": model}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"objective": "wasserstein", "clip_weights": 0.1, "gradient_penalty": 1.0}, "leave clip_weights out"),
        ({"objective": "hinge", "clip_weights": 0.1}, "clip_weights is for objective: wasserstein, found hinge"),
        ({"penalty_every": 4}, "penalty_every needs a penalty; give r1, r2 or gradient_penalty"),
        ({"anneal_steps": 4}, "anneal_steps has nothing to anneal"),
        ({"penalty_end": 0.1, "r1": 1.0}, "penalty_end needs anneal_steps"),
        ({"objective": "wasserstien"}, "wasserstein"),
    ],
)
def test_fields_that_do_not_go_together(fields: dict[str, Any], message: str) -> None:
    """Clipping beside a gradient penalty, laziness or annealing of nothing: refused at the loss with the hint."""
    with pytest.raises(SpecError) as caught:
        experiment_from(experiment(**fields))
    assert all(problem.path.startswith("model.loss") for problem in caught.value.problems)
    assert message in str(caught.value)


def problem_of(loss: Any, data: Space) -> str:
    """Return the only problem of a small model with ``loss``."""
    with pytest.raises(SpecError) as caught:
        check(ModelSpec(encoder=MLP(dim=3), decoder=MLPDecoder(), prior=Normal(), loss=loss), data)
    (problem,) = caught.value.problems
    return str(problem)


def test_critic_of_another_space() -> None:
    """A critic that gives classes, or cannot take the data, is refused where it is, with what would do."""
    text = problem_of(Adversarial(critic=Counts()), Real((2,)))
    assert text.startswith("model.loss.critic: a score is of real features with 1 to 4 axes; test/counts of Real(2) gives")
    assert text.endswith("choose a network such as nets/mlp or nets/conv with dim: 1")
    assert problem_of(Adversarial(critic=Conv()), Real((2,))).startswith("model.loss.critic: ")


def test_only_images_are_augmented() -> None:
    """Augmentation of anything but images is refused at its field."""
    text = problem_of(Adversarial(augment=("cutout",)), Real((2,)))
    assert text == "model.loss.augment: only images (channels, height, width) are augmented, found Real(2); leave 'augment' out"


def conditional(condition: Any, **loss: Any) -> ModelSpec:
    """Return a model under a condition."""
    return ModelSpec(condition=condition, decoder=MLPDecoder(), prior=Normal(shape=(2,)), loss=Adversarial(**loss))


def test_projection_needs_features() -> None:
    """A critic that gives a single number cannot be projected on a condition: refused by the check, with what would do."""
    with pytest.raises(SpecError) as caught:
        check(conditional(OneHot(), critic=MLP(dim=1)), Real((2,)), Categorical((), 4))
    (problem,) = caught.value.problems
    assert problem.path == "model.loss.critic"
    assert problem.message == "under a condition features are projected on the context; nets/mlp gives a single one"
    assert problem.hint == "leave 'dim' out, or say conditioning: input"
    assert check(conditional(OneHot(), critic=MLP(dim=1), conditioning="input"), Real((2,)), Categorical((), 4))
    assert check(conditional(OneHot(), critic=MLP()), Real((2,)), Categorical((), 4))


@pytest.mark.parametrize("loss", [Adversarial(critic=Counts(), conditioning="input"), Bidirectional(critic=Counts())])
def test_critic_that_reads_no_context(loss: Any) -> None:
    """A critic that is to read a condition or a latent must be able to."""
    features = Counts.latent_space
    try:
        Counts.latent_space = lambda self, data: Real((3,))  # type: ignore[method-assign]
        assert "test/counts does not read" in problem_of(loss, Real((2,)))
    finally:
        Counts.latent_space = features  # type: ignore[method-assign]


def test_players_of_an_experiment() -> None:
    """The players are the critic, as often as n_critic says, and the generator; each can have an optimizer of its own."""
    spec = experiment_from({**experiment(n_critic=3), "train": {"players": {"critic": {"lr": 1e-3}}}}).spec
    assert check_experiment(spec).players == ("critic", "critic", "critic", "generator")


def test_generator_that_joins_other_losses() -> None:
    """In core/sum, with player: model, the generator's term is added to the others' and the critic keeps its steps."""
    loss = {"type": "core/sum", "terms": ["vae/reconstruction", {"type": "gan/adversarial", "player": "model", "n_critic": 2}]}
    model = {"encoder": {"type": "nets/mlp", "dim": 2}, "decoder": "nets/mlp", "loss": loss}
    spec = experiment_from({"name": "sum", "data": "data/toy", "model": model}).spec
    assert check_experiment(spec).players == ("model", "critic", "critic")


def test_batch_that_packs_do_not_divide_is_refused() -> None:
    """The batch size must be a multiple of the packs; the message says so before anything is built."""
    with pytest.raises(SpecError) as caught:
        check_experiment(experiment_from({**experiment(packing=3), "train": {"batch_size": 128}}).spec)
    (problem,) = caught.value.problems
    assert problem.path == "model.loss.packing"
    assert problem.message == "packs of 3 do not divide a batch of 128"
    assert problem.hint == "choose a train.batch_size that they divide"
