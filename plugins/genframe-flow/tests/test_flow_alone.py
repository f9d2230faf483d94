"""Flows without a spec: the same layers and weights as the specs build, densities, draws, contexts and first states."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from genframe import Context, Encoder, EncoderSpec, Mismatch, Real
from genframe.testing import part
from genframe.types import Density
from genframe_flow import (
    Affine,
    Coupling,
    Flow,
    Glow,
    Iaf,
    Maf,
    Nice,
    RealNvp,
    Spline,
    glow,
    iaf,
    maf,
    nice,
    nsf,
    realnvp,
)

SAME: dict[str, tuple[Any, EncoderSpec, Real]] = {
    "nice": (nice, Nice(), Real((4,))),
    "nsf": (nsf, Spline(), Real((4,))),
    "maf": (maf, Maf(), Real((4,))),
    "iaf": (iaf, Iaf(), Real((4,))),
    "realnvp": (realnvp, RealNvp(), Real((4,))),
    "realnvp of images": (realnvp, RealNvp(scales=2), Real((2, 4, 4))),
    "glow": (glow, Glow(), Real((4,))),
    "glow of images": (glow, Glow(), Real((2, 4, 4))),
}


def same_state(one: nn.Module, other: nn.Module) -> None:
    """Require the same keys with the same values."""
    mine, theirs = one.state_dict(), other.state_dict()
    assert list(mine) == list(theirs)
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)


@pytest.mark.parametrize("context", [0, 3])
@pytest.mark.parametrize(("made", "spec", "data"), SAME.values(), ids=SAME)
def test_it_is_what_the_spec_builds(made: Any, spec: EncoderSpec, data: Real, context: int) -> None:
    """Under one seed the encoder has the keys and the weights of the spec's, with its defaults, with and without a context."""
    torch.manual_seed(0)
    flow: Flow = made(data.shape, context)
    torch.manual_seed(0)
    encoder = part(spec, data=data, context=Real((context,)) if context else None)
    assert len(flow.encoder.state_dict()) > 4
    same_state(flow.encoder, encoder)


def test_autoregressive_splines_are_what_the_spec_builds() -> None:
    """Also in the other kind of layer."""
    torch.manual_seed(0)
    flow = nsf(4, layer="autoregressive", layers=2)
    torch.manual_seed(0)
    same_state(flow.encoder, part(Spline(layer="autoregressive", couplings=2), data=Real((4,))))


def shaken(flow: Flow) -> Flow:
    """Return the flow with noise on its weights, so that no layer is the identity."""
    with torch.no_grad():
        for parameter in flow.parameters():
            fan_in = parameter.shape[1] if parameter.dim() > 1 else 1
            parameter.add_(0.3 / fan_in**0.5 * torch.randn_like(parameter))
    return flow.eval()


@pytest.mark.parametrize("made", [nice, nsf, maf, iaf, realnvp, glow])
def test_density_is_that_of_a_change_of_variables(made: Any) -> None:
    """log p(x) = log N(f(x)) + log |det df/dx|, with the determinant from autograd; inverse and draws lead back."""
    torch.manual_seed(0)
    flow = shaken(made(3)).double()
    x = torch.randn(1, 3, dtype=torch.float64)
    matrix = torch.autograd.functional.jacobian(lambda value: flow.forward_and_log_det(value)[0][0], x).squeeze(1)
    latent = flow.forward_and_log_det(x)[0]
    expected = torch.distributions.Normal(0, 1).log_prob(latent).sum(1) + torch.linalg.slogdet(matrix).logabsdet
    torch.testing.assert_close(flow.log_prob(x), expected.double(), rtol=0, atol=1e-9)
    torch.testing.assert_close(flow(x), flow.log_prob(x))
    torch.testing.assert_close(flow.inverse(latent), x, rtol=0, atol=1e-9)


@pytest.mark.parametrize("made", [nsf, maf, iaf, realnvp, glow])
def test_a_context_is_a_tensor_or_a_context_or_a_number(made: Any) -> None:
    """All three say the same, and another context gives another density and other draws."""
    torch.manual_seed(0)
    flow = shaken(made(2, context=1))
    x, tensor = torch.randn(5, 2), torch.full((5, 1), 0.5)
    expected = flow.log_prob(x, Context(tensor))
    torch.testing.assert_close(flow.log_prob(x, tensor), expected)
    torch.testing.assert_close(flow.log_prob(x, 0.5), expected)
    assert not torch.allclose(flow.log_prob(x, 2.0), expected, atol=1e-3)
    drawn = [flow.sample(5, given, torch.Generator().manual_seed(0)) for given in (tensor, 0.5, 2.0)]
    torch.testing.assert_close(drawn[0], drawn[1])
    assert not torch.allclose(drawn[0], drawn[2], atol=1e-3)


def test_a_flow_learns_alone() -> None:
    """A spline flow and nothing else of genframe: 100 steps bring a shifted ring near the density of a good fit."""
    torch.manual_seed(0)
    angle = torch.rand(512) * 6.2832
    x = torch.stack((angle.cos(), angle.sin()), 1) + 0.1 * torch.randn(512, 2) + torch.tensor([0.5, 0.0])
    flow = nsf(2, layers=3, hidden=(32,))
    before, optimizer = flow.log_prob(x).mean().item(), torch.optim.Adam(flow.parameters(), lr=1e-2)
    for _ in range(100):
        optimizer.zero_grad()
        loss = -flow(x).mean()
        loss.backward()
        optimizer.step()
    assert before < -2.2
    assert -loss.item() > -1.3  # entropy of the ring's angle and of its width: log(2π) + 0.5 log(2πe 0.01) = 0.95 nats


def test_glow_of_images_in_a_line() -> None:
    """Actnorm takes its first state through the flow: the log-density of data scaled by 50 becomes finite and good."""
    torch.manual_seed(0)
    flow, x = glow((3, 8, 8), scales=2, steps=1), 50 * torch.randn(32, 3, 8, 8)
    before = flow.log_prob(x).mean()
    flow.initialise(x)
    assert flow.log_prob(x).mean() > before / 10
    assert flow.sample(2).shape == (2, 3, 8, 8)


def test_a_flow_is_a_prior_with_a_density() -> None:
    """So it can stand where a model has a prior."""
    assert isinstance(nice(2), Density)


def test_a_coupling_takes_any_module() -> None:
    """The factory hands in the user's own network, whose ``forward`` takes one tensor; what cannot be divided is refused."""
    spaces: list[tuple[tuple[int, ...], tuple[int, ...]]] = []

    def network(source: Any, target: Any) -> nn.Module:
        spaces.append((source.shape, target.shape))
        return nn.Sequential(nn.Linear(source.dims, 8), nn.Tanh(), nn.Linear(8, target.dims))

    coupling = Coupling(5, Affine(), network)
    x = torch.randn(4, 5)
    assert spaces == [((3,), (4,))]
    torch.testing.assert_close(coupling.inverse(coupling(x)[0]), x)
    with pytest.raises(ValueError, match=r"divides the entries of the first axis in two, found Real\(1\)"):
        Coupling(1, Affine(), network)


def test_what_does_not_fit_is_refused() -> None:
    """Images that cannot be halved so often, in the words of the check."""
    with pytest.raises(Mismatch, match="Glow with 3 scales halves each axis 3×"):
        glow((3, 12, 8), scales=3)
    with pytest.raises(Mismatch, match="RealNVP with 3 scales halves each axis 2×"):
        realnvp((3, 6, 6), scales=3)


def test_the_flow_has_no_parameters_beside_the_encoder() -> None:
    """The base is N(0, I), so the state is that of the encoder."""
    flow = nsf(2)
    assert isinstance(flow.encoder, Encoder)
    assert all(name.startswith("encoder.flow.layers.") for name in flow.state_dict())
