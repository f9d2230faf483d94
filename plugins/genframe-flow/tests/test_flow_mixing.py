"""Layers that scale and mix the entries of the first axis."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from torch import Tensor

from genframe_flow import ActNorm, Bijection, Linear, NormalisedLinear, Whitener

SHAPES = [(5,), (4, 6), (3, 4, 2), (2, 3, 2, 2)]
LINEAR: list[type[Linear]] = [Linear, NormalisedLinear]


def shaken(layer: Bijection) -> Bijection:
    """Return the layer with noise on its weights."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return layer


def matrix_of(layer: Linear, size: int) -> Tensor:
    """Return the layer's matrix, from what it makes of unit vectors."""
    shift: Tensor = layer(torch.zeros(1, size, dtype=layer.factors.dtype))[0]
    images: Tensor = layer(torch.eye(size, dtype=layer.factors.dtype))[0]
    return (images - shift).T


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", LINEAR)
def test_log_determinant(kind: type[Linear], shape: tuple[int, ...]) -> None:
    """The log-determinant is slogdet of the matrix, once for each position."""
    layer = shaken(kind(shape[0]).double())
    x = torch.randn(3, *shape, dtype=torch.float64)
    positions = x[0, 0].numel()
    expected = positions * torch.linalg.slogdet(matrix_of(layer, shape[0])).logabsdet  # type: ignore[arg-type]
    assert torch.allclose(layer(x)[1], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", LINEAR)
def test_every_position_is_mixed_alike(kind: type[Linear], shape: tuple[int, ...]) -> None:
    """With more axes it is a 1×1 convolution: each position's entries are multiplied by the same matrix."""
    layer = shaken(kind(shape[0]))
    x = torch.randn(2, *shape)
    positions = x.flatten(2).transpose(1, 2).flatten(0, 1) if x.dim() > 2 else x
    y = layer(x)[0]
    found = y.flatten(2).transpose(1, 2).flatten(0, 1) if x.dim() > 2 else y
    assert torch.allclose(found, layer(positions)[0], atol=1e-5)


@pytest.mark.parametrize("graph", [True, False])
@pytest.mark.parametrize("kind", LINEAR)
def test_inverse(kind: type[Linear], graph: bool) -> None:
    """In float32 the inverse leads back to 1e-5, with gradients and without."""
    layer = shaken(kind(12))
    x = torch.randn(4, 12, 4, 4)
    with torch.set_grad_enabled(graph):
        assert (layer.inverse(layer(x)[0]) - x).abs().max() < 1e-5


def test_starts_as_rotation() -> None:
    """At first the matrix is orthogonal and its log-determinant is zero. Kingma & Dhariwal 2018, sec. 3.2."""
    layer = Linear(8).double()
    matrix = matrix_of(layer, 8)
    assert torch.allclose(matrix @ matrix.T, torch.eye(8, dtype=torch.float64), atol=1e-5)
    assert layer(torch.zeros(1, 8, dtype=torch.float64))[1].abs() < 1e-5


def test_one_product_is_actnorm_and_then_linear() -> None:
    """The product of both is what one makes of the other's result, with the same log-determinant and gradients."""
    both = shaken(NormalisedLinear(6).double())
    assert isinstance(both, NormalisedLinear)
    linear = Linear(6).double()
    linear.load_state_dict({name: tensor for name, tensor in both.state_dict().items() if not name.startswith("norm.")})
    x = torch.randn(3, 6, 4, 4, dtype=torch.float64)
    normalised, first = both.norm(x)
    apart, second = linear(normalised)
    together, log_det = both(x)
    assert torch.allclose(together, apart, atol=1e-12)
    assert torch.allclose(log_det, first + second, atol=1e-12)
    (one,) = torch.autograd.grad(together.square().sum(), both.norm.log_scale)
    (other,) = torch.autograd.grad(apart.square().sum(), both.norm.log_scale)
    assert torch.allclose(one, other)


def load(layer: Linear) -> None:
    """Load other weights."""
    layer.load_state_dict({name: tensor + 0.1 for name, tensor in layer.state_dict().items()})


def assign(layer: Linear) -> None:
    """Put other tensors in the places of the weights."""
    layer.load_state_dict({name: tensor + 0.1 for name, tensor in layer.state_dict().items()}, assign=True)


def step(layer: Linear, **options: bool) -> None:
    """Make a step of an optimizer."""
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.1, **options)  # type: ignore[arg-type]
    with torch.enable_grad():
        for parameter in layer.parameters():
            parameter.grad = torch.ones_like(parameter)
    optimizer.step()


def change_data(layer: Linear) -> None:
    """Change weights behind autograd's back."""
    layer.factors.data.mul_(1.1)


@pytest.mark.parametrize(
    "change",
    [load, assign, step, lambda layer: step(layer, fused=True), lambda layer: step(layer, foreach=True), change_data],
    ids=["load_state_dict", "assign", "step", "fused step", "foreach step", "data"],
)
@pytest.mark.parametrize("kind", LINEAR)
@torch.no_grad()
def test_kept_inverse_is_dropped(kind: type[Linear], change: Callable[[Linear], None]) -> None:
    """After any change of the weights, also one that raises no version counter, matrix and inverse are the new ones."""
    layer = kind(5)
    x = torch.randn(4, 5)
    before = layer(x)[0]
    layer.inverse(before)
    change(layer)
    with torch.enable_grad():
        y, back = layer(x)[0].detach(), layer.inverse(x).detach()
    assert (y - before).abs().max() > 1e-3
    assert torch.allclose(layer(x)[0], y, atol=1e-5)
    assert torch.allclose(layer.inverse(x), back, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_kept_inverse_follows_dtype_and_copies() -> None:
    """A layer in another precision, or a copy whose weights change, does not use what was kept before."""
    layer = NormalisedLinear(5)
    x = torch.randn(4, 5)
    y = layer(x)[0]
    copied = deepcopy(layer)
    copied.factors.mul_(2)
    assert not torch.allclose(copied.inverse(y), x, atol=1e-2)
    assert torch.allclose(layer.inverse(y), x, atol=1e-5)
    assert torch.allclose(layer.double().inverse(y.double()), x.double(), atol=1e-5)


@torch.no_grad()
def test_inverse_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as the weights stand still, the matrix is inverted once."""
    layer = NormalisedLinear(5)
    x = torch.randn(4, 5)
    first = layer.inverse(x)
    monkeypatch.setattr(torch.linalg, "solve_triangular", None)
    assert torch.equal(layer.inverse(x), first)


@pytest.mark.parametrize("kind", [ActNorm, NormalisedLinear])
def test_actnorm_normalises(kind: type[Bijection]) -> None:
    """At first each entry has mean 0 and deviation 1 over data and positions. Kingma & Dhariwal 2018, sec. 3.1."""
    layer = kind(3)
    x = 5 + 3 * torch.randn(64, 3, 4, 4) * torch.tensor([1.0, 0.1, 10.0])[:, None, None]
    y = layer.initialise(x)
    assert torch.equal(y, layer(x)[0])
    if isinstance(layer, NormalisedLinear):
        y = layer.norm(x)[0]
    deviation, mean = torch.std_mean(y, (0, 2, 3), correction=0)
    assert torch.allclose(mean, torch.zeros(3), atol=1e-5)
    assert torch.allclose(deviation, torch.ones(3), atol=1e-5)
    assert set(layer.state_dict()) >= {name for name, _ in layer.named_parameters()}


def test_actnorm_of_what_does_not_vary() -> None:
    """An entry that is the same in all data is shifted only, so that another value there does not explode."""
    layer = ActNorm(2)
    layer.initialise(torch.tensor([[1.0, 7.0], [3.0, 7.0]]))
    assert torch.allclose(layer(torch.tensor([[2.0, 8.0]]))[0], torch.tensor([[0.0, 1.0]]))


@pytest.mark.parametrize("shape", [(6,), (4, 2, 2)], ids=str)
@pytest.mark.parametrize("gradients", [True, False])
def test_autocast_does_not_round_values(shape: tuple[int, ...], gradients: bool) -> None:
    """Under bfloat16 a density is still of the values themselves: matrices and whitening compute as they do without."""
    torch.manual_seed(0)
    x = torch.randn(50, *shape)
    layers = [NormalisedLinear(shape[0]), Linear(shape[0]), Whitener(shape)]
    for layer in layers:
        with torch.no_grad():
            layer.initialise(x)
        with torch.set_grad_enabled(gradients):
            expected = layer(x)[0]
            with torch.autocast("cpu", torch.bfloat16):
                found = layer(x)[0]
                back = layer.inverse(found)
        assert torch.equal(found, expected)
        assert float((back - x).detach().abs().max()) < 1e-5
