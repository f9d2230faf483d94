"""The rational-quadratic spline and the flows made of it."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import Tensor

from genframe import Mismatch, Real, SpecError
from genframe.testing import part
from genframe_flow import Spline
from genframe_flow.choices import Order
from genframe_flow.spline import LEAST_DERIVATIVE, UNIT_DERIVATIVE, RationalQuadratic
from genframe_nets import MLPDecoder

BINS, BOUND = 6, 3.0
SPLINE = RationalQuadratic(BINS, BOUND)
SMALL = MLPDecoder(hidden=(16,))


def drawn(n: int = 200, *shape: int, scale: float = 1.0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Return values of which some lie outside, at and near the bounds, and parameters."""
    generator = torch.Generator().manual_seed(0)
    x = 2 * torch.randn(n, *shape, generator=generator, dtype=dtype)
    parameters = scale * torch.randn(n, SPLINE.count, *shape, generator=generator, dtype=dtype)
    x.flatten()[:6] = torch.tensor([BOUND, -BOUND, 40.0, -40.0, BOUND - 1e-9, 0.0], dtype=dtype)
    return x, parameters


def last(parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return widths, heights and derivatives with the bins last, as the peers have them."""
    widths, heights, raw = parameters.movedim(1, -1).split((BINS, BINS, BINS - 1), -1)
    return widths, heights, raw


def test_parity_with_nflows() -> None:
    """Forward, inverse and log-derivatives are those of nflows, whose raw derivatives lack the offset, in and out of bounds."""
    peer = pytest.importorskip("nflows.transforms.splines.rational_quadratic")
    x, parameters = drawn(300, 5)
    widths, heights, raw = last(parameters)
    options = {"tails": "linear", "tail_bound": BOUND}
    spline = peer.unconstrained_rational_quadratic_spline
    expected, log_derivative = spline(x, widths, heights, raw + UNIT_DERIVATIVE, **options)
    back, _ = spline(x, widths, heights, raw + UNIT_DERIVATIVE, inverse=True, **options)
    found = SPLINE(x, parameters)
    torch.testing.assert_close(found, (expected, log_derivative), atol=1e-6, rtol=0)
    torch.testing.assert_close(SPLINE.inverse(x, parameters), back, atol=1e-6, rtol=0)


def test_formula_by_hand() -> None:
    """With two bins, y and dy/dx at the middle of the first bin are eq. 4 and 5 of the paper, worked out by hand."""
    width, height, inner = 0.3, 0.6, 2.0
    free = 1 - 2e-3

    def logit(share: float) -> float:
        part = (share - 1e-3) / free
        return float(torch.tensor(part / (1 - part), dtype=torch.float64).log())

    raw = float(torch.tensor(inner - LEAST_DERIVATIVE, dtype=torch.float64).expm1().log()) - UNIT_DERIVATIVE
    parameters = torch.tensor([[logit(width), 0.0, logit(height), 0.0, raw]], dtype=torch.float64)[..., None]
    x = torch.tensor([[-1.0 + width]], dtype=torch.float64)  # the middle of a bin of 2 · width from -1
    y, log_derivative = RationalQuadratic(2, 1.0)(x, parameters)
    slope = height / width
    divisor = slope + (inner + 1 - 2 * slope) / 4
    expected = -1 + 2 * height * (slope / 4 + 1 / 4) / divisor
    derivative = slope**2 * (inner / 4 + slope / 2 + 1 / 4) / divisor**2
    assert y.item() == pytest.approx(expected, abs=1e-12)
    assert log_derivative.exp().item() == pytest.approx(derivative, abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_zero_parameters_give_the_identity(dtype: torch.dtype) -> None:
    """All parameters zero: y = x and log dy/dx = 0, to 1e-6."""
    x, parameters = drawn(300, 4, scale=0.0, dtype=dtype)
    y, log_derivative = SPLINE(x, parameters)
    torch.testing.assert_close(y, x, atol=1e-6, rtol=0)
    torch.testing.assert_close(log_derivative, torch.zeros_like(x), atol=1e-6, rtol=0)
    torch.testing.assert_close(SPLINE.inverse(x, parameters), x, atol=1e-6, rtol=0)


@pytest.mark.parametrize("shape", [(), (7,), (2, 3, 3)])
def test_inverse_and_derivative(shape: tuple[int, ...]) -> None:
    """For values of any shape the inverse leads back, and the log-derivative is autograd's, also outside of the bounds."""
    x, parameters = drawn(100, *shape)
    x.requires_grad_()
    y, log_derivative = SPLINE(x, parameters)
    (derivative,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(log_derivative, derivative.log(), atol=1e-9, rtol=0)
    torch.testing.assert_close(SPLINE.inverse(y, parameters), x, atol=1e-9, rtol=0)


def test_gradients() -> None:
    """First and second derivatives by values and parameters are those of finite differences, both ways."""
    parameters = drawn(3, 2)[1]
    x = torch.tensor([[0.1, -1.3], [2.2, 4.0], [-2.9, 0.7]], dtype=torch.float64, requires_grad=True)
    parameters = parameters.requires_grad_()
    assert torch.autograd.gradcheck(SPLINE, (x, parameters))
    assert torch.autograd.gradcheck(SPLINE.inverse, (x, parameters))
    assert torch.autograd.gradgradcheck(SPLINE, (x, parameters), atol=1e-4)


def test_monotone_and_continuous_over_knots() -> None:
    """y grows with x, and between neighbours of a fine grid it jumps no more than the largest derivative allows."""
    x = torch.linspace(-4, 4, 20001, dtype=torch.float64)
    parameters = drawn(6, 1, scale=2.0)[1][:1].expand(len(x), -1, -1)
    y, log_derivative = SPLINE(x[:, None], parameters)
    steps = y[:, 0].diff()
    assert bool((steps > 0).all())
    assert float(steps.max()) <= float(log_derivative.max().exp()) * 8 / 20000 * (1 + 1e-2)


@pytest.mark.parametrize("scale", [1.0, 50.0])
def test_extreme_values_and_parameters_stay_finite(scale: float) -> None:
    """Values of ±1e6 and logits of some hundreds give finite results and gradients in float32, both ways."""
    x, parameters = drawn(400, 3, scale=scale, dtype=torch.float32)
    x[-2:] = torch.tensor([[1e6], [-1e6]])
    x.requires_grad_()
    parameters.requires_grad_()
    y, log_derivative = SPLINE(x, parameters)
    outputs = (y, log_derivative, SPLINE.inverse(x, parameters))
    gradients = torch.autograd.grad(sum(output.sum() for output in outputs), (x, parameters))  # type: ignore[arg-type]
    assert all(bool(tensor.isfinite().all()) for tensor in (*outputs, *gradients))
    assert torch.equal(y[-2:], x[-2:])


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch's compiler about itself
def test_compiles_as_one_graph() -> None:
    """torch.compile takes both directions whole, and gives the same results and gradients."""
    x, parameters = drawn(16, 4)
    parameters.requires_grad_()
    for function in (lambda x, p: torch.stack(SPLINE(x, p)), SPLINE.inverse):
        expected = function(x, parameters)
        found = torch.compile(function, fullgraph=True, backend="aot_eager")(x, parameters)
        torch.testing.assert_close(found, expected)
        gradients = [torch.autograd.grad(result.square().sum(), parameters)[0] for result in (found, expected)]
        torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("layer", ["coupling", "autoregressive"])
@pytest.mark.parametrize("order", ["halves", "even_odd", "shuffled", "linear"])
def test_flow_starts_as_its_mixing(layer: Literal["coupling", "autoregressive"], order: Order) -> None:
    """With the default network a flow keeps volume at first; without matrices it only moves values."""
    spec = Spline(layer=layer, order=order, couplings=3)
    flow = part(spec, data=Real((5,)))
    x = torch.randn(10, 5)
    z, log_det = flow.forward_and_log_det(x)  # type: ignore[operator]
    torch.testing.assert_close(log_det, torch.zeros(10), atol=1e-5, rtol=0)
    if order != "linear":
        torch.testing.assert_close(z.sort(1).values, x.sort(1).values, atol=1e-5, rtol=0)


@pytest.mark.parametrize("layer", ["coupling", "autoregressive"])
def test_float32_inversion(layer: Literal["coupling", "autoregressive"]) -> None:
    """In float32 the inverse of eight layers with random networks is within 1e-5."""
    torch.manual_seed(0)
    flow = part(
        Spline(layer=layer, network=SMALL, couplings=8 if layer == "coupling" else 4, order="shuffled"), data=Real((16,))
    )
    x = torch.randn(64, 16)
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.mul_(0.3)
        back = flow.inverse(flow.encode(x))  # type: ignore[operator]
    assert float((back - x).abs().max()) < 1e-5


def test_count_is_the_paper_s() -> None:
    """K bins have 3K - 1 parameters; an autoregressive network gives as many for each value."""
    assert Spline(bins=8).count() == 23
    flow = part(Spline(layer="autoregressive", bins=5, network=SMALL, couplings=1), data=Real((3,)))
    assert any(parameter.shape == (3 * 14, 16) for parameter in flow.parameters())


def test_one_value_can_be_autoregressive_but_not_coupled() -> None:
    """A single value has no other half: the refusal says so; an autoregressive layer takes it."""
    with pytest.raises(Mismatch, match="splits"):
        Spline().latent_space(Real((1,)))
    spec = Spline(layer="autoregressive", network=SMALL, couplings=2)
    assert spec.latent_space(Real((1,))) == Real((1,))
    x = torch.randn(5, 1)
    flow = part(spec, data=Real((1,)))
    torch.testing.assert_close(flow.inverse(flow.encode(x)), x, atol=1e-5, rtol=0)  # type: ignore[operator]


@pytest.mark.parametrize("network", [MLPDecoder(norm="batch"), MLPDecoder(dropout=0.1), MLPDecoder(hidden=())])
def test_network_that_cannot_be_masked_is_refused(network: MLPDecoder) -> None:
    """Normalisation, dropout and a missing hidden layer are refused at the network, only where it is masked."""
    Spline(network=network).latent_space(Real((4,)))
    with pytest.raises(Mismatch, match="masked network"):
        Spline(layer="autoregressive", network=network).latent_space(Real((4,)))


def test_other_network_is_refused() -> None:
    """A network that is no perceptron cannot be masked: the hint names nets/mlp."""
    with pytest.raises(Mismatch, match="masks nets/mlp, found nets/conv"):
        Spline.model_validate({"layer": "autoregressive", "network": "nets/conv"}).latent_space(Real((4,)))


def test_one_bin_is_refused() -> None:
    """One bin between fixed ends of derivative one is the identity: it is refused."""
    with pytest.raises(SpecError):
        Spline(bins=1)
