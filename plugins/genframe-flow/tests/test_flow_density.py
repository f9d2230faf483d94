"""Every flow of the plugin is a density: over two dimensions it integrates to one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from genframe import EncoderSpec, Mismatch, Real
from genframe.core import Normal
from genframe.plugins import installed
from genframe.testing import part
from genframe.types import Bijective
from genframe_flow import FlowSequence, Glow, Iaf, Logit, Maf, Nice, RealNvp, Spline
from genframe_nets import MLPDecoder

SMALL = MLPDecoder(hidden=(16,), zero=True)
SPACES = (Real((2,)), Real((2,), 0.0, 1.0))
POINTS, DRAWS = 501, 2**16
SMALL_SPECS: dict[str, list[EncoderSpec]] = {
    "flow/nice": [Nice(network=SMALL)],
    "flow/realnvp": [RealNvp(network=SMALL, couplings=3, scale=scale) for scale in ("tanh", "sigmoid")],
    "flow/spline": [
        Spline(network=SMALL, couplings=3, layer="coupling", order="linear"),
        Spline(network=SMALL, couplings=3, layer="coupling", order="halves"),
        Spline(network=SMALL, couplings=2, layer="autoregressive"),
    ],
    "flow/maf": [Maf(hidden=(16,), layers=3), Maf(hidden=(16,), layers=2, order="linear", scale="sigmoid")],
    "flow/iaf": [Iaf(hidden=(16,), layers=3)],
    "flow/glow": [Glow(network=SMALL, steps=2)],
    "flow/logit": [Logit(alpha=1e-6)],  # a larger one leaves a part of the latents' density beyond the data's bounds
    "flow/sequence": [
        FlowSequence(flows=(RealNvp(network=SMALL, couplings=2), Spline(network=SMALL, couplings=2, order="halves")))
    ],
}


def cases() -> Iterator[Any]:
    """Yield each flow with each space of two dimensions that it takes."""
    for component in installed().registry("encoder"):
        name = component.type_name()
        if not name.startswith("flow/"):
            continue
        specs: Any = SMALL_SPECS.get(name) or [component.model_validate({"type": name})]
        for number, spec in enumerate(specs):
            for space in SPACES:
                if Bijective in spec.provides and takes(spec, space):
                    yield pytest.param(spec, space, id=f"{name}-{number}-{'bounded' if space.bounded else 'unbounded'}")


def takes(spec: EncoderSpec, space: Real) -> bool:
    """Return whether the flow takes data of the space as they are."""
    try:
        return isinstance(spec.latent_space(space), Real)
    except Mismatch:
        return False


def test_flows_of_vectors_are_among_the_cases() -> None:
    """The enumeration finds at least those that take unbounded vectors of two values."""
    found = {case.values[0].type for case in cases() if not case.values[1].bounded}
    assert {"flow/nice", "flow/realnvp", "flow/spline", "flow/maf", "flow/iaf", "flow/sequence"} <= found


@pytest.mark.parametrize(("spec", "space"), list(cases()))
def test_integrates_to_one(spec: EncoderSpec, space: Real) -> None:
    """With random weights, exp(log_prob) integrates to 1 ± 1e-3 over the range of the flow's samples, by midpoints."""
    torch.manual_seed(3)
    flow = part(spec, data=space).double().eval()
    assert isinstance(flow, Bijective)
    with torch.no_grad():
        for parameter in flow.parameters():
            fan_in = parameter.shape[1] if parameter.dim() > 1 else 1
            parameter.add_(0.3 / fan_in**0.5 * torch.randn_like(parameter))
        prior: Any = part(Normal(), code=spec.code_space(space)).double()
        drawn = flow.inverse(prior.sample(DRAWS).double())  # what lies beyond all of these is less than 1e-4 of the whole
        low, high = drawn.amin(0), drawn.amax(0)
        step = (high - low) / POINTS
        numbers = torch.arange(POINTS, dtype=torch.float64) + 0.5
        total = torch.zeros((), dtype=torch.float64)
        for points in torch.cartesian_prod(numbers, numbers).split(2**15):
            code, log_det = flow.forward_and_log_det(low + step * points)
            total += (prior.log_prob(code) + log_det).exp().sum() * step.prod()
    assert total.item() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(("spec", "space"), [case for case in cases() if not case.values[1].bounded])
def test_extreme_data_have_finite_densities(spec: EncoderSpec, space: Real) -> None:
    """Values of ±1e6 have a finite log-density and finite gradients in float32."""
    torch.manual_seed(3)
    flow = part(spec, data=space).eval()
    assert isinstance(flow, Bijective)
    prior: Any = part(Normal(), code=spec.code_space(space))
    x = torch.tensor([[1e6, -1e6], [-1e6, 0.0]], requires_grad=True)
    code, log_det = flow.forward_and_log_det(x)
    log_prob = prior.log_prob(code) + log_det
    gradients = torch.autograd.grad(log_prob.sum(), (x, *flow.parameters()), allow_unused=True)
    assert bool(log_prob.isfinite().all())
    assert all(gradient is None or bool(gradient.isfinite().all()) for gradient in gradients)
