"""Masked autoregressive layers, one way and the other."""

from __future__ import annotations

import math
from typing import Literal

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.functional import jacobian

from genframe import Context, Real
from genframe.testing import part
from genframe_flow import Iaf, Maf
from genframe_flow.autoregressive import Autoregressive, Inverted
from genframe_flow.elementwise import Affine, Elementwise
from genframe_flow.spline import RationalQuadratic

ELEMENTWISE = (Affine("tanh", 3.0), Affine("sigmoid", 3.0), RationalQuadratic(4, 3.0))


def layer(elementwise: Elementwise, dims: int = 5, *, flipped: bool = False, context: int = 0) -> Autoregressive:
    """Return a layer with random weights in float64."""
    torch.manual_seed(0)
    return Autoregressive(dims, elementwise, (16, 16), "tanh", context, flipped=flipped, zero=False).double()


@pytest.mark.parametrize("elementwise", ELEMENTWISE, ids=["tanh", "sigmoid", "spline"])
@pytest.mark.parametrize("flipped", [False, True])
def test_jacobian_is_triangular(elementwise: Elementwise, flipped: bool) -> None:
    """dy_i/dx_j is zero for each j after i in the layer's order, and the log-determinant is the diagonal's."""
    module = layer(elementwise, flipped=flipped)
    x = torch.randn(5, dtype=torch.float64)
    matrix = jacobian(lambda value: module(value[None])[0][0], x)
    matrix = matrix.flip(0, 1) if flipped else matrix
    assert float(matrix.triu(1).abs().max()) == 0.0
    assert bool((matrix != 0)[torch.ones(5, 5).tril(-1).bool()].all())
    torch.testing.assert_close(module(x[None])[1][0], matrix.diagonal().log().sum(), atol=1e-12, rtol=0)


@pytest.mark.parametrize("elementwise", ELEMENTWISE, ids=["tanh", "sigmoid", "spline"])
@pytest.mark.parametrize("flipped", [False, True])
def test_inverse(elementwise: Elementwise, flipped: bool) -> None:
    """The inverse leads back after a pass for each value, with a context too."""
    module = layer(elementwise, flipped=flipped, context=3)
    x, context = torch.randn(20, 5, dtype=torch.float64), Context(torch.randn(20, 3, dtype=torch.float64))
    y = module(x, context)[0]
    torch.testing.assert_close(module.inverse(y, context), x, atol=1e-10, rtol=0)
    assert not torch.allclose(
        module(x, context.map(lambda tensor: tensor.flip(0)))[0][:, -1 if flipped else 0], y[:, -1 if flipped else 0]
    )


def test_inverse_runs_the_network_once_a_value() -> None:
    """Five values take five passes."""
    module, calls = layer(ELEMENTWISE[0]), []
    module.network.register_forward_hook(lambda *_: calls.append(1))
    module.inverse(torch.randn(3, 5, dtype=torch.float64))
    assert len(calls) == 5


def test_known_affine_layer() -> None:
    """With biases only, y = exp(s) x + t for every value, and the log-determinant is the sum of s."""
    module = layer(Affine("exp", 3.0), 3)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
        bias = module.network.last.bias
        bias.copy_(torch.tensor([1.0, 2.0, 3.0, 0.1, 0.2, 0.3]))  # shifts, then scales
    x = torch.tensor([[1.0, -1.0, 2.0]], dtype=torch.float64)
    y, log_det = module(x)
    expected = [math.exp(0.1) + 1, -math.exp(0.2) + 2, 2 * math.exp(0.3) + 3]
    torch.testing.assert_close(y, torch.tensor([expected], dtype=torch.float64), atol=1e-6, rtol=0)
    assert log_det.item() == pytest.approx(0.6, abs=1e-6)


def test_inverted_is_the_base_the_other_way_round() -> None:
    """forward is the base's inverse, with minus its log-determinant, and inverse is the base."""
    base = layer(ELEMENTWISE[2])
    module = Inverted(base)
    z = torch.randn(6, 5, dtype=torch.float64)
    x, log_det = base(z)
    back, log_det_back = module(x)
    torch.testing.assert_close(back, z, atol=1e-10, rtol=0)
    torch.testing.assert_close(log_det_back, -log_det, atol=1e-10, rtol=0)
    torch.testing.assert_close(module.inverse(z), x)


@pytest.mark.parametrize("elementwise", ELEMENTWISE, ids=["tanh", "sigmoid", "spline"])
def test_gradients_of_the_inverted_layer(elementwise: Elementwise) -> None:
    """Values and log-determinants of the inverted layer have the gradients of finite differences, by data and weights."""
    module = Inverted(layer(elementwise, 3))
    x = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    names, weights = zip(*module.named_parameters(), strict=True)

    def forward(x: Tensor, *weights: Tensor) -> tuple[Tensor, Tensor]:
        outputs: tuple[Tensor, Tensor] = torch.func.functional_call(module, dict(zip(names, weights, strict=True)), (x,))
        return outputs

    last = [name.endswith("last.bias") for name in names].index(True)
    chosen = tuple(weight.detach().requires_grad_(index == last) for index, weight in enumerate(weights))
    assert torch.autograd.gradcheck(forward, (x, *chosen))


@pytest.mark.parametrize("spec", [Maf, Iaf])
@pytest.mark.parametrize("order", ["reversed", "shuffled", "linear"])
def test_float32_inversion(spec: type[Maf | Iaf], order: Literal["reversed", "shuffled", "linear"]) -> None:
    """In float32, for 16 values, both directions after each other are within 1e-5."""
    torch.manual_seed(0)
    flow = part(spec(order=order, hidden=(32,), layers=4), data=Real((16,)))
    perturb(flow, 0.1)
    x = torch.randn(64, 16)
    with torch.no_grad():
        z = flow.encode(x)
        back = flow.inverse(z)  # type: ignore[operator]
    assert float((z - x).abs().max()) > 0.1
    assert float((back - x).abs().max()) < 1e-5


def perturb(module: nn.Module, scale: float) -> None:
    """Add noise to every parameter, less to those that are summed over many inputs."""
    with torch.no_grad():
        for parameter in module.parameters():
            fan_in = parameter.shape[1] if parameter.dim() > 1 else 1
            parameter.add_(scale / fan_in**0.5 * torch.randn_like(parameter))


@pytest.mark.parametrize("spec", [Maf, Iaf])
def test_starts_as_the_identity(spec: type[Maf | Iaf]) -> None:
    """The last layers are zero: x stays, and so does volume; data of any shape become vectors."""
    flow = part(spec(hidden=(8,)), data=Real((2, 3)))
    x = torch.randn(4, 2, 3)
    z, log_det = flow.forward_and_log_det(x)  # type: ignore[operator]
    torch.testing.assert_close(z, x.flatten(1))
    assert torch.equal(log_det, torch.zeros(4))


def test_constant_memory_has_the_same_gradients() -> None:
    """Gradients of recomputed layers are the ordinary ones, for both directions."""
    x = torch.randn(5, 3)
    for spec in (Maf, Iaf):
        found = []
        for memory in ("ordinary", "constant"):
            torch.manual_seed(0)
            flow = part(spec(hidden=(8,), layers=2, memory=memory), data=Real((3,)))
            perturb(flow, 0.3)
            z, log_det = flow.forward_and_log_det(x)  # type: ignore[operator]
            found.append(torch.autograd.grad((z.square().sum(1) - log_det).sum(), list(flow.parameters())))
        torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("spec", [Maf, Iaf])
def test_extreme_data_give_finite_densities(spec: type[Maf | Iaf]) -> None:
    """±1e6 has a finite latent, log-determinant and gradient."""
    torch.manual_seed(0)
    flow = part(spec(hidden=(8,), layers=2), data=Real((2,)))
    perturb(flow, 0.1)
    x = torch.tensor([[1e6, -1e6], [-1e6, 1e6]], requires_grad=True)
    z, log_det = flow.forward_and_log_det(x)  # type: ignore[operator]
    gradients = torch.autograd.grad((z.square().sum(1) - log_det).sum(), (x, *flow.parameters()))
    assert all(bool(tensor.isfinite().all()) for tensor in (z, log_det, *gradients))
