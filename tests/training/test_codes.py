"""A stage that trains the prior on codes that were computed once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from genframe import Run, SpecError, resume, train
from genframe.cache import clear_cache, entries
from genframe.roles import whole

IMAGES = np.random.default_rng(0).integers(0, 256, (300, 8, 8), dtype=np.uint8)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a cache and data of its own."""
    monkeypatch.setenv("GENFRAME_CACHE", str(tmp_path / "cache"))
    np.savez(tmp_path / "x.npz", x=IMAGES)


def experiment(folder: Path, cache: str = "codes", stage: dict[str, Any] | None = None, **data: Any) -> dict[str, Any]:
    """Return a VAE whose prior is a mixture that is trained afterwards."""
    mlp = {"type": "nets/mlp", "hidden": [16]}
    return {
        "name": "codes",
        "data": {"type": "data/npz", "path": str(folder / "x.npz"), "layout": "NHW", **data},
        "model": {
            "encoder": {"type": "vae/gaussian", "dim": 4, "network": mlp},
            "decoder": {"type": "vae/normal", "network": mlp},
            "prior": {"type": "vae/gmm", "components": 5},
            "loss": "vae/elbo",
        },
        "train": {
            "batch_size": 16,
            "log_every": 1,
            "checkpoint_every": 4,
            "stages": [
                {"parts": ["encoder", "decoder"], "steps": 4},
                {"parts": ["prior"], "steps": 30, "cache": cache, **(stage or {})},
            ],
        },
    }


def losses(run: Run) -> list[float]:
    """Return the loss of each step of the second stage."""
    return [row["loss"] for row in run.metrics if row["step"] > 4 and "loss" in row]


def test_losses_are_those_of_encoding_each_batch(tmp_path: Path) -> None:
    """To rounding, which may differ with the number of examples that are encoded together."""
    encoded, cached = (train(experiment(tmp_path, cache)) for cache in ("none", "codes"))
    assert losses(cached) == pytest.approx(losses(encoded), rel=1e-5)
    (entry,) = entries("codes")
    assert entry.shape == (243, 1, 4)
    assert train(experiment(tmp_path)).metrics[-1]["loss"] == cached.metrics[-1]["loss"]
    assert len(list(entries("codes"))) == 1


def test_each_example_has_the_codes_of_itself_and_of_its_mirror_image(tmp_path: Path) -> None:
    """Half of the batches' codes are of mirror images: the distribution of losses is that of encoding again."""
    run = train(experiment(tmp_path, flip="horizontal"))
    (entry,) = entries("codes")
    codes = whole(entry.rows())
    data = run.dataset().split("train")
    x = data.batch(slice(None)).x
    with torch.no_grad():
        both = torch.stack([run.model.codes(x), run.model.codes(x.flip(-1))], 1)
    torch.testing.assert_close(codes, both)
    from genframe.training.codes import Drawn

    draws = torch.stack([Drawn()(both, torch.Generator().manual_seed(seed)) for seed in range(64)])
    mirrored = (draws == both[:, 1]).all(2)
    assert bool((mirrored | (draws == both[:, 0]).all(2)).all())
    count = mirrored.numel()
    assert abs(float(mirrored.double().mean()) - 0.5) < 4 * 0.5 / count**0.5
    plain = losses(train(experiment(tmp_path, "none", {"steps": 400}, flip="horizontal")))
    kept = losses(train(experiment(tmp_path, "codes", {"steps": 400}, flip="horizontal")))
    late = [torch.tensor(some[200:]).double() for some in (plain, kept)]
    error = float(sum(some.var() / len(some) for some in late)) ** 0.5
    assert abs(float(late[0].mean() - late[1].mean())) < 4 * error


@pytest.mark.parametrize("cleared", [False, True])
def test_it_is_resumed_bit_for_bit(tmp_path: Path, cleared: bool) -> None:
    """With the codes in the cache, and without."""
    settings = experiment(tmp_path, flip="horizontal")
    whole_run = train(settings, folder=tmp_path / "whole")
    settings["train"]["stages"][1]["steps"] = 13
    train(settings, folder=tmp_path / "cut")
    if cleared:
        clear_cache()
    resumed = resume(tmp_path / "cut", ["train.stages.1.steps=30"])
    for name, tensor in whole_run.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name


@pytest.mark.parametrize("data", [{"dequantise": True}, {"binarise": "dynamic"}, {"flip": "horizontal", "jitter": {}}])
def test_what_is_drawn_for_each_batch_cannot_be_kept(tmp_path: Path, data: dict[str, Any]) -> None:
    """The message names the field, and what would do."""
    with pytest.raises(SpecError, match=r"train\.stages\.1\.cache: .*something else is drawn.*; leave cache out"):
        train(experiment(tmp_path, **data))


@pytest.mark.parametrize("stage", [{"parts": ["prior", "decoder"]}, {"fit": True, "steps": None}])
def test_codes_are_kept_where_only_the_prior_learns(tmp_path: Path, stage: dict[str, Any]) -> None:
    """Found by check, before anything is trained."""
    with pytest.raises(SpecError, match=r"train\.stages\.1\.cache: codes can be kept where a frozen encoder gives them"):
        train(experiment(tmp_path, "codes", stage))


def test_other_weights_or_data_have_other_codes(tmp_path: Path) -> None:
    """Nothing stale is ever used."""
    train(experiment(tmp_path))
    settings = experiment(tmp_path)
    settings["train"]["seed"] = 1
    train(settings)
    train(experiment(tmp_path, range="-1..1"))
    assert len(list(entries("codes"))) == 3
