"""A model as a prior has a normal base where its own latents have one."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch

from genframe import ModelSpec, Real, compose, generator_for
from genframe.core.nested import NestedModel
from genframe.core.parts import StandardNormal
from genframe.types import NormalBase

NET = {"type": "nets/mlp", "hidden": [16]}
FLOW = {
    "encoder": {"type": "flow/realnvp", "couplings": 4, "network": {**NET, "zero": False}},
    "decoder": "core/inverse",
    "loss": "core/nll",
}
DIFFUSION = {
    "encoder": {"type": "diffusion/vp", "schedule": "cosine", "least_time": 0.02},
    "decoder": {"type": "diffusion/denoiser", "network": {**NET, "time": True}, "prediction": "v"},
    "loss": "diffusion/denoising",
    "sampler": {"type": "diffusion/ode", "tolerance": 1e-6},
}
PRIORS: dict[str, Any] = {
    "flow": FLOW,
    "diffusion": DIFFUSION,
    "normal": {"encoder": "core/identity", "decoder": "core/identity", "loss": "core/nll"},
    "flow over a flow": {**FLOW, "prior": {"type": "core/model", "model": FLOW}},
}


def nested(name: str) -> NestedModel:
    """Return a model of four codes as the prior of an autoencoder."""
    spec = {"encoder": {**NET, "dim": 4}, "decoder": NET, "loss": "vae/reconstruction"}
    prior = {"type": "core/model", "model": PRIORS[name]}
    model = compose(ModelSpec.model_validate({**spec, "prior": prior}), Real((6,))).eval().double()
    return cast(NestedModel, model.prior)


@pytest.mark.parametrize("name", PRIORS)
def test_the_base_leads_back(name: str) -> None:
    """Codes go to the base and come back, each by itself."""
    prior = nested(name)
    assert isinstance(prior, NormalBase)
    code = torch.randn(3, 4, generator=generator_for("cpu", 2), dtype=torch.float64)
    with torch.no_grad():
        base = prior.to_base(code)
        torch.testing.assert_close(prior.from_base(base), code, atol=2e-3, rtol=1e-3)
        torch.testing.assert_close(prior.to_base(code[1:]), base[1:], atol=1e-4, rtol=1e-4)


def test_the_base_of_a_flow_is_its_code() -> None:
    """It is what the flow's own encoder returns, and gradients pass: d base / d code is the flow's Jacobian."""
    prior = nested("flow")
    code = torch.randn(3, 4, generator=generator_for("cpu", 2), dtype=torch.float64, requires_grad=True)
    base = cast(NormalBase, prior).to_base(code)
    torch.testing.assert_close(base, prior.model.encode(code))
    (gradient,) = torch.autograd.grad(base.square().sum(), code)
    (expected,) = torch.autograd.grad(prior.model.encode(code).square().sum(), code)
    torch.testing.assert_close(gradient, expected)


def test_a_mixture_gives_no_base() -> None:
    """A model over a prior without a normal base has none either."""
    flow = {**FLOW, "prior": {"type": "vae/gmm", "components": 2}}
    spec = {"encoder": {**NET, "dim": 4}, "decoder": NET, "loss": "vae/reconstruction"}
    prior = {"type": "core/model", "model": flow}
    model = compose(ModelSpec.model_validate({**spec, "prior": prior}), Real((6,)))
    assert not isinstance(model.prior, NormalBase)


def test_the_normal_prior_is_a_base() -> None:
    """It declares the trait and has its methods."""
    assert isinstance(StandardNormal(Real((2,))), NormalBase)
