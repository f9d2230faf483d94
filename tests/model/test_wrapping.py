"""Modules of one's own: handed in, trained in place, stored, resumed bit for bit, and refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from genframe import (
    CheckpointError,
    Model,
    ModelSpec,
    Real,
    SpecError,
    compose,
    fit,
    installed,
    load,
    resume,
    train,
    wrap,
)

SPACE = Real((4,))
STEPS = 6


def net() -> nn.Module:
    """Return a module as a PyTorch user writes it."""
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU())


def spec(encoder: Any, decoder: Any = "nets/mlp") -> ModelSpec:
    """Return a variational autoencoder around networks."""
    return ModelSpec.model_validate(
        {
            "encoder": {"type": "vae/gaussian", "dim": 2, "network": encoder},
            "decoder": {"type": "vae/normal", "network": decoder},
            "loss": "vae/elbo",
        }
    )


def spec_of(network: Any) -> dict[str, Any]:
    """Return a model of digits."""
    return {"encoder": {"type": "vae/gaussian", "dim": 2, "network": network}, "decoder": "vae/normal", "loss": "vae/elbo"}


def experiment(network: Any, **settings: Any) -> dict[str, Any]:
    """Return an experiment on the digits whose encoder's network is ``network``."""
    return {
        "name": "own",
        "data": {"type": "data/digits", "limit": 300},
        "model": {
            "encoder": {"type": "vae/gaussian", "dim": 2, "network": network},
            "decoder": "vae/normal",
            "loss": "vae/elbo",
        },
        "train": {"steps": STEPS, "batch_size": 16, "checkpoint_every": 3, "ema": 0.9, **settings},
    }


def of_digits(hidden: int = 8) -> nn.Module:
    """Return a module over digits."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, hidden), nn.BatchNorm1d(hidden), nn.ReLU())


def data() -> Tensor:
    """Return some data."""
    return torch.randn(64, 4, generator=torch.Generator().manual_seed(0))


def test_the_users_object_is_trained_in_place() -> None:
    """The module that was handed in is part of the model, under the plain names of its place, and its weights move."""
    own = net()
    before = own[0].weight.detach().clone()  # type: ignore[index, union-attr]
    model = compose(spec(wrap(own, (8,))), SPACE)
    assert {name for name in model.state_dict() if name.startswith("encoder.network.")} == {
        f"encoder.network.{name}" for name in own.state_dict()
    }
    fit(model, data(), steps=3, batch_size=16)
    assert not torch.equal(before, own[0].weight)  # type: ignore[index]


def test_it_is_handed_in_by_its_place_too() -> None:
    """``modules=`` gives the module of a spec that was read from a file."""
    plain = spec(wrap(net(), (8,))).model_dump(mode="json")
    own = net()
    model = compose(ModelSpec.model_validate(plain), SPACE, modules={"encoder.network": own})
    assert model.encoder.network is own  # type: ignore[union-attr]


def test_a_run_resumes_bit_for_bit(tmp_path: Path) -> None:
    """A run of one's own modules, continued from a checkpoint, equals one that was not interrupted."""
    modules = {"encoder.network": of_digits}
    whole = train(experiment(wrap(of_digits, (8,))), folder=tmp_path / "whole")
    train(experiment(wrap(of_digits, (8,)), steps=3), folder=tmp_path / "parts")
    continued = resume(tmp_path / "parts", [f"train.steps={STEPS}"], modules=modules)
    assert continued.model.weights_digest() == whole.model.weights_digest()
    assert load(tmp_path / "parts", modules=modules).model.weights_digest() == whole.model.weights_digest()


def test_without_them_a_run_is_refused_with_all_that_are_missing(tmp_path: Path) -> None:
    """Every missing module is named at once, with its class and how to hand it in."""
    model = {
        "encoder": {"type": "vae/gaussian", "dim": 2, "network": wrap(of_digits(), (8,))},
        "decoder": {"type": "vae/normal", "network": wrap(lambda: nn.Sequential(nn.Linear(2, 64), nn.Unflatten(1, (1, 8, 8))))},
        "loss": "vae/elbo",
    }
    train({**experiment(None), "model": model}, folder=tmp_path / "run")
    with pytest.raises(SpecError) as caught:
        load(tmp_path / "run")
    assert [problem.path for problem in caught.value.problems] == ["model.encoder.network", "model.decoder.network"]
    assert "torch.nn.modules.container.Sequential" in str(caught.value)
    assert "modules={'encoder.network': module}" in str(caught.value)


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    """Weights of other shapes are named before any is loaded."""
    train(experiment(wrap(of_digits(), (8,))), folder=tmp_path / "run")
    other = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU())
    with pytest.raises(CheckpointError, match="encoder"):
        load(tmp_path / "run", modules={"encoder.network": other})


def test_a_module_has_one_living_owner() -> None:
    """A second model with the same module is refused as long as the first one lives."""
    own = net()
    model: Model | None = compose(spec(wrap(own, (8,))), SPACE)
    with pytest.raises(SpecError, match="part of another model already"):
        compose(spec(wrap(own, (8,))), SPACE)
    assert model is not None
    del model
    compose(spec(wrap(own, (8,))), SPACE)


def test_a_function_is_called_under_the_models_seed() -> None:
    """The same seed makes the same weights, another seed others; an instance keeps its own."""
    wrapped = spec(wrap(net, (8,)))
    first, same, other = (compose(wrapped, SPACE, seed=seed).weights_digest() for seed in (0, 0, 1))
    assert first == same != other
    own = net()
    weight = own[0].weight.detach().clone()  # type: ignore[index, union-attr]
    compose(spec(wrap(own, (8,))), SPACE, seed=1)
    assert torch.equal(own[0].weight, weight)  # type: ignore[index]


def test_what_was_frozen_stays_so() -> None:
    """Parameters without gradient do not move, and a module in evaluation mode keeps its statistics; the rest learns."""
    own = net()
    own[0].requires_grad_(False)  # type: ignore[index, operator]
    own[1].eval()  # type: ignore[index]
    before = {name: tensor.clone() for name, tensor in own.state_dict().items()}
    model = compose(spec(wrap(own, (8,))), SPACE)
    fit(model, data(), steps=3, batch_size=16)
    moved = {name for name, tensor in own.state_dict().items() if not torch.equal(tensor, before[name])}
    assert moved == {"1.weight", "1.bias"}
    assert [parameter.requires_grad for parameter in own.parameters()] == [False, False, True, True]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: wrap(net(), (9,)), r"gives \(8,\) for Real\(4\), expected Real\(9\)"),
        (lambda: wrap(nn.Linear(3, 8), (8,)), r"does not take Real\(4\)"),
        (lambda: wrap(net()), "the output of this module is not known; say it"),
    ],
)
def test_a_network_that_does_not_fit_is_named(make: Callable[[], Any], message: str) -> None:
    """What it gives, or why it does not take its input, by its place."""
    with pytest.raises(SpecError, match=message) as caught:
        compose(spec(make()), SPACE)
    assert caught.value.problems[0].path == "model.encoder.network"


def test_lazy_layers_are_filled() -> None:
    """The trial with two rows gives them their sizes, before weights are counted or trained."""
    model = compose(spec(wrap(nn.Sequential(nn.LazyLinear(8), nn.ReLU()), (8,))), SPACE)
    assert model.encoder.network[0].weight.shape == (8, 4)  # type: ignore[union-attr, index]


def test_a_place_that_is_none_is_refused() -> None:
    """A module for a place where the spec has none is not dropped in silence."""
    with pytest.raises(SpecError, match=r"model\.decoder\.network: takes no module"):
        compose(spec(wrap(net(), (8,))), SPACE, modules={"decoder.network": net()})


def test_a_call_of_ones_own_reads_what_it_names() -> None:
    """``call`` turns any interface into a network's; a time reaches it by its name."""

    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, pair: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
            return {"sample": self.layer(torch.cat((pair[0], pair[1][:, None]), 1))}

    wrapped = wrap(Odd(), call=lambda module, x, time: module((x, time))["sample"])
    parts = {
        "encoder": "diffusion/vp",
        "decoder": {"type": "diffusion/denoiser", "network": wrapped},
        "loss": "diffusion/denoising",
        "sampler": {"type": "diffusion/ddim", "steps": 3},
    }
    model = compose(ModelSpec.model_validate(parts), Real((2,)))
    fit(model, torch.randn(32, 2), steps=2, batch_size=16)
    assert model.sample(3).x.shape == (3, 2)


def test_it_is_no_component_to_choose() -> None:
    """A place for a module is in no list of components."""
    kinds = ("encoder", "decoder", "prior", "loss", "sampler")
    assert [kind for kind in kinds if "core/module" in installed().registry(kind).names()] == []  # type: ignore[arg-type]
