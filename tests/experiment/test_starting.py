"""Runs that begin with trained parts of another run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from genframe import ExperimentSpec, Model, Run, SpecError, resume, train
from genframe.core import Sum
from genframe.experiment.document.spec import check_experiment
from genframe.types import Role
from genframe_vae import Elbo
from genframe_vae.losses import ElboLoss

VAE = {
    "encoder": {"type": "vae/gaussian", "dim": 2, "network": {"type": "nets/mlp", "hidden": [8]}},
    "decoder": {"type": "vae/normal", "network": {"type": "nets/mlp", "hidden": [8]}},
    "loss": "vae/elbo",
}


def experiment(train: dict[str, Any] | None = None, **model: Any) -> ExperimentSpec:
    """Return a small experiment in the plane."""
    settings = {"steps": 3, "batch_size": 16, "threads": 1, "device": "cpu", "ema": 0.5, **(train or {})}
    return ExperimentSpec.model_validate(
        {"name": "plane", "data": {"type": "data/toy", "n": 300}, "model": VAE | model, "train": settings}
    )


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    """A trained run and its folder."""
    folder = tmp_path_factory.mktemp("source") / "run"
    return folder, train(experiment(), folder=folder)


def test_parts_are_as_they_were(source: tuple[Path, Run]) -> None:
    """The parts named begin with the other run's averaged weights, and stay so while they are frozen; the rest does not."""
    folder, first = source
    stage = {"parts": ["prior"], "steps": 2}
    flow = {"type": "core/model", "model": {"encoder": "flow/realnvp", "decoder": "core/inverse", "loss": "core/nll"}}
    start = {"run": folder, "parts": ["encoder", "decoder"]}
    second = train(experiment({"start": start, "stages": [stage], "seed": 7}, prior=flow))
    for part in ("encoder", "decoder"):
        theirs = first.model.parts()[part].state_dict()
        assert all(torch.equal(tensor, theirs[name]) for name, tensor in second.model.parts()[part].state_dict().items())
    fresh = train(experiment({"seed": 7, "stages": [stage]}, prior=flow))
    assert not torch.equal(fresh.model.encode(torch.ones(1, 2)), second.model.encode(torch.ones(1, 2)))


def problem_of(spec: ExperimentSpec) -> str:
    """Return the only problem of training."""
    with pytest.raises(SpecError) as caught:
        train(spec)
    (problem,) = caught.value.problems
    return str(problem)


def test_other_shapes_are_refused(source: tuple[Path, Run]) -> None:
    """A part whose weights differ in name or shape is named, with the first difference."""
    start = {"start": {"run": source[0], "parts": ["encoder"]}}
    wider = {**VAE["encoder"], "network": {"type": "nets/mlp", "hidden": [9]}}  # type: ignore[dict-item]
    message = problem_of(experiment(start, encoder=wider))
    assert message.startswith("model.encoder: encoder of")
    assert "head.weight is (4, 8), here (4, 9)" in message
    assert "the specs that they have in" in message


def test_missing_runs_and_parts_are_refused(source: tuple[Path, Run], tmp_path: Path) -> None:
    """A folder without a run, and a part that either model lacks, each give one message."""
    message = problem_of(experiment({"start": {"run": tmp_path / "none", "parts": ["encoder"]}}))
    assert message.startswith("train.start.run: ")
    assert "name the folder of a trained run" in message
    with pytest.raises(SpecError, match=r"train\.start\.parts: the model has no condition"):
        check_experiment(experiment({"start": {"run": source[0], "parts": ["condition"]}}))


def test_losses_begin_when_built_and_before_the_first_step(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every loss, within a sum too, sees the model as it is built and as training begins; a resumed run is only built."""
    began: list[str] = []

    def begin(self: ElboLoss, model: Model) -> None:
        if model.device.type != "meta":  # on which a model is only counted
            began.append(type(model).__name__)

    monkeypatch.setattr(ElboLoss, "begin", begin, raising=False)
    train(experiment(loss={"type": "core/sum", "terms": ["vae/elbo", "vae/elbo"]}), folder=tmp_path / "run")
    assert began == ["Model"] * 4
    resume(tmp_path / "run", ["train.steps=5"])
    assert began == ["Model"] * 6


class Pupil(Elbo):
    """A loss that learns from a trained decoder."""

    type: Literal["test/pupil"] = "test/pupil"  # type: ignore[assignment]

    def trained_parts(self) -> tuple[Role, ...]:
        """Return the decoder."""
        return ("decoder",)


def test_a_loss_that_needs_a_trained_part_is_refused_without(source: tuple[Path, Run]) -> None:
    """The message says where it would come from; within a sum too."""
    for loss in (Pupil(), Sum(terms=(Elbo(), Pupil()))):
        with pytest.raises(SpecError, match=r"train\.start: .* learns from a trained decoder; name a run that trained it"):
            check_experiment(experiment(loss=loss))
        check_experiment(experiment({"start": {"run": source[0], "parts": ["decoder"]}}, loss=loss))
