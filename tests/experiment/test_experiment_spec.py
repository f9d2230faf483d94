"""The spec of an experiment: stages and players checked against the model, before torch is needed."""

from __future__ import annotations

from typing import Any

import pytest

from genframe import SpecError
from genframe.experiment.document.loading import experiment_from
from genframe.experiment.document.spec import check_experiment

MLP = {"type": "nets/mlp", "hidden": [4]}
GAUSSIAN = {"type": "vae/gaussian", "dim": 2, "network": MLP}
CODER = {"encoder": {**MLP, "dim": 2}, "decoder": MLP, "loss": "vae/reconstruction"}
VAE = {"encoder": GAUSSIAN, "decoder": {"type": "vae/normal", "network": MLP}, "loss": "vae/elbo"}
NESTED = {**CODER, "prior": {"type": "core/model", "model": VAE}}
STEPS = {"parts": ["encoder", "decoder"], "steps": 5}


def experiment(model: dict[str, Any], **train: Any) -> Any:
    """Return a validated experiment on points in the plane."""
    return experiment_from({"name": "test", "data": "data/toy", "model": model, "train": train}).spec


@pytest.mark.parametrize(
    ("model", "stages"),
    [
        (CODER, []),
        (CODER, [STEPS]),
        ({**CODER, "prior": "vae/gmm"}, [STEPS, {"parts": ["prior"], "fit": True}]),
        ({**CODER, "prior": "vae/gmm"}, [STEPS, {"parts": ["prior"], "steps": 3}]),
        (NESTED, [STEPS, {"parts": ["prior"], "steps": 3}]),
        (VAE, [{"parts": ["encoder"], "steps": 1}, {"parts": ["decoder"], "steps": 1}]),
    ],
)
def test_stages_that_make_sense(model: dict[str, Any], stages: list[Any]) -> None:
    """Parts that are there, with steps or a fit, pass the check."""
    assert check_experiment(experiment(model, stages=stages)).spec.loss.type == model["loss"]


@pytest.mark.parametrize(
    ("model", "stage", "said"),
    [
        (CODER, {"parts": ["encoder"]}, "train.stages.1: a stage needs 'steps', or fit: true for a prior"),
        (CODER, {"parts": ["condition"], "steps": 1}, "train.stages.1.parts: the model has no condition; leave it out"),
        (CODER, {"parts": ["prior"], "fit": True}, "train.stages.1.fit: 'core/normal' is not Fittable; give 'steps' instead"),
        (CODER, {"parts": ["encoder", "prior"], "fit": True}, "train.stages.1.fit: only a prior is fitted at once"),
        (
            {**CODER, "prior": "vae/gmm"},
            {"parts": ["prior"], "fit": True, "steps": 3},
            "train.stages.1.steps: a prior that is fitted at once takes no steps; leave it out",
        ),
    ],
)
def test_stages_that_make_none(model: dict[str, Any], stage: dict[str, Any], said: str) -> None:
    """A stage without steps, of an absent part, or that fits what cannot be fitted is refused by its path."""
    with pytest.raises(SpecError) as caught:
        check_experiment(experiment(model, stages=[STEPS, stage]))
    assert str(caught.value).startswith(said)


def test_every_problem_is_said_at_once() -> None:
    """Problems of several stages and of players come together."""
    spec = experiment(
        CODER, stages=[{"parts": ["condition"], "steps": 1}, {"parts": ["encoder"]}], players={"critic": {"lr": 1}}
    )
    with pytest.raises(SpecError) as caught:
        check_experiment(spec)
    assert [problem.path for problem in caught.value.problems] == [
        "train.stages.0.parts",
        "train.stages.1",
        "train.players.critic",
    ]


def test_a_player_that_the_loss_has_not() -> None:
    """Settings of an unknown player are refused, with the players that there are."""
    with pytest.raises(SpecError) as caught:
        check_experiment(experiment(CODER, players={"critic": {"lr": 0.1}, "model": {"lr": 0.2}}))
    assert str(caught.value) == "train.players.critic: the loss has no player 'critic'; its players are model"


@pytest.mark.parametrize("field", ["steps", "lr", "batch_size", "seed", "ema", "keep", "betas"])
def test_settings_out_of_range_are_refused(field: str) -> None:
    """Nothing that would fail in the middle of training gets past the spec."""
    with pytest.raises(SpecError, match=rf"train\.{field}"):
        experiment(CODER, **{field: [0.9] if field == "betas" else -1})


def test_the_digest_is_of_every_value() -> None:
    """Any change of a setting changes the digest; writing a default out does not."""
    plain = experiment(CODER)
    assert experiment(CODER, lr=1e-3).digest() == plain.digest()
    assert experiment(CODER, lr=2e-3).digest() != plain.digest()
