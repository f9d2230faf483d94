"""Constant memory: gradients are the ordinary ones, what is kept does not grow with depth, and nothing is done twice."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck

from genframe import Batch, Context, DecoderSpec, ModelSpec, Networks, Real, SpecError, Unsupported, compose
from genframe.testing import part
from genframe.training.objective import Objective
from genframe_flow import (
    ActNorm,
    Additive,
    Affine,
    Bijection,
    Chain,
    CheckerboardCoupling,
    Coupling,
    Diagonal,
    Flatten,
    Glow,
    Linear,
    Nice,
    NormalisedLinear,
    Permutation,
    RationalQuadratic,
    RealNvp,
    Squeeze,
)
from genframe_nets import IsotropicDecoder, MLPDecoder

VECTOR, GRID, CONTEXT = Real((6,)), Real((2, 4, 4)), Real((3,))
SMOOTH = MLPDecoder(hidden=(16,), activation="silu", zero=True)
PICTURE = IsotropicDecoder(channels=8, activation="silu", zero=True)


def networks(spec: DecoderSpec, context: Real | None = CONTEXT) -> Networks:
    """Return what builds the network of each layer."""
    return lambda source, target: part(spec, data=target, latent=source, context=context)


def vector_layers(**fields: Any) -> list[Bijection]:
    """Return a layer of each kind for vectors."""
    made = networks(SMOOTH.model_copy(update=fields))

    def coupling(elementwise: Any, *, flipped: bool) -> Bijection:
        return Coupling(VECTOR, elementwise, made, flipped=flipped)

    return [
        Flatten(VECTOR),
        ActNorm(6),
        coupling(Additive(), flipped=False),
        Linear(6),
        coupling(Affine("tanh", 2.0), flipped=True),
        Permutation(torch.tensor([3, 1, 5, 0, 2, 4])),
        coupling(Affine("sigmoid", 2.0), flipped=False),
        NormalisedLinear(6),
        coupling(RationalQuadratic(4, 3.0), flipped=True),
        Diagonal(VECTOR),
    ]


def grid_layers() -> list[Bijection]:
    """Return a layer of each kind for images, with a chain among them."""
    coupling = Coupling(Real((8, 2, 2)), Affine("tanh", 2.0), networks(PICTURE))
    return [
        ActNorm(2),
        CheckerboardCoupling(GRID, Affine("tanh", 2.0), networks(PICTURE)),
        CheckerboardCoupling(GRID, Additive(), networks(PICTURE), flipped=True),
        Squeeze(2),
        Chain([NormalisedLinear(8), coupling], "constant"),
        Linear(8),
    ]


def pair(layers: Callable[[], list[Bijection]]) -> tuple[Chain, Chain]:
    """Return an ordinary chain and a constant one of the same weights."""
    torch.manual_seed(0)
    ordinary = Chain(layers())
    with torch.no_grad():
        for parameter in ordinary.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return ordinary, Chain(copy.deepcopy(list(ordinary.bijections)), "constant")


def objective(flow: Bijection, x: Tensor, context: Tensor | None = None) -> Tensor:
    """Return a scalar that depends on the latent and on the log-determinant."""
    y, log_det = flow(x, None if context is None else Context(context))
    return (y.flatten(1).pow(2).sum(1) * torch.linspace(0.5, 1.5, len(x), dtype=x.dtype) - log_det).mean()


def gradients(flow: Bijection, x: Tensor, context: Tensor | None) -> list[Tensor | None]:
    """Return the gradients of x, the context and each parameter."""
    inputs = [tensor.detach().requires_grad_() for tensor in (x, context) if tensor is not None]
    flow.zero_grad()
    objective(flow, *inputs).backward()
    return [tensor.grad for tensor in (*inputs, *flow.parameters())]


@pytest.mark.parametrize(("layers", "space"), [(vector_layers, VECTOR), (grid_layers, GRID)], ids=["vectors", "images"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-11), (torch.float32, 1e-5)], ids=str)
def test_gradients_are_the_ordinary_ones(
    layers: Callable[[], list[Bijection]], space: Real, dtype: torch.dtype, tolerance: float
) -> None:
    """Of data, context and every parameter, through every kind of layer, to 1e-5 in float32."""
    x, context = torch.randn(16, *space.shape, dtype=dtype), torch.randn(16, 3, dtype=dtype)
    ordinary, constant = (gradients(chain.to(dtype), x, context) for chain in pair(layers))
    for expected, found in zip(ordinary, constant, strict=True):
        assert expected is not None
        assert found is not None
        assert float((found - expected).norm()) <= tolerance * float(expected.norm())


def test_data_need_no_gradient() -> None:
    """Data and contexts without gradient get none, and frozen parameters neither; the others get theirs."""
    ordinary, constant = pair(vector_layers)
    x, context = torch.randn(8, 6), torch.randn(8, 3)
    for chain in (ordinary, constant):
        chain.layers[1].requires_grad_(False)
        objective(chain, x, context).backward()
    assert x.grad is None
    assert context.grad is None
    assert constant.layers[1].shift.grad is None
    for one, other in zip(ordinary.parameters(), constant.parameters(), strict=True):
        assert (one.grad is None) == (other.grad is None)
        torch.testing.assert_close(other.grad, one.grad, rtol=1e-4, atol=1e-5)


def test_a_shared_layer_adds_up_its_gradients() -> None:
    """A layer that is twice in the chain has the gradient of both places."""

    def twice() -> list[Bijection]:
        shared = Coupling(VECTOR, Affine("tanh", 2.0), networks(SMOOTH, None))
        return [shared, Linear(6), shared]

    x = torch.randn(8, 6, dtype=torch.float64)
    ordinary, constant = (gradients(chain.double(), x, None) for chain in pair(twice))
    for expected, found in zip(ordinary, constant, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


def test_autograd_checks_it() -> None:
    """torch's own gradcheck, by finite differences, accepts the function and both of its results."""
    chain = pair(vector_layers)[1].double()
    x, context = (torch.randn(2, n, dtype=torch.float64, requires_grad=True) for n in (6, 3))
    assert gradcheck(lambda x, context: chain(x, Context(context)), (x, context))


def kept_bytes(depth: int, memory: str) -> int:
    """Return the bytes that the graph of a flow keeps for the backward pass, parameters aside."""
    flow = part(RealNvp(couplings=depth, network=SMOOTH, memory=memory), data=Real((6,)))
    parameters = {parameter.untyped_storage().data_ptr() for parameter in flow.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        _, log_det = flow.forward_and_log_det(torch.randn(64, 6))
    assert log_det.requires_grad
    return sum(kept.values())


def test_what_is_kept_does_not_grow_with_depth() -> None:
    """The graph holds the result only, 64 · 6 floats, at any depth; the ordinary one's grows with it."""
    assert kept_bytes(4, "constant") == kept_bytes(32, "constant") == 64 * 6 * 4
    assert kept_bytes(32, "ordinary") > 7 * kept_bytes(4, "ordinary")


def test_no_second_derivatives() -> None:
    """A gradient that is to be differentiated itself is refused with what to say instead."""
    chain = pair(vector_layers)[1]
    x = torch.randn(4, 6, requires_grad=True)
    with pytest.raises(Unsupported, match="memory: ordinary"):
        torch.autograd.grad(objective(chain, x, torch.randn(4, 3)), x, create_graph=True)


def test_dropout_is_refused() -> None:
    """By the spec where it can be seen there, else when the layers draw; in evaluation mode nothing is drawn."""
    with pytest.raises(SpecError, match="'dropout' to 0"):
        Nice(memory="constant", network=MLPDecoder(dropout=0.1))
    for spec in (RealNvp, Glow):
        with pytest.raises(SpecError, match="'dropout' to 0"):
            spec(memory="constant", network=MLPDecoder(dropout=0.1))
    chain = pair(lambda: vector_layers(dropout=0.5))[1]
    with pytest.raises(Unsupported, match="draws random numbers"):
        chain(torch.randn(4, 6), Context(torch.randn(4, 3)))
    objective(chain.eval(), torch.randn(4, 6), torch.randn(4, 3)).backward()


def test_running_statistics_move_once_a_step() -> None:
    """Batch normalisation in a conditioner has the running statistics and the gradients of ordinary training."""
    ordinary, constant = pair(lambda: vector_layers(norm="batch"))
    x, context = torch.randn(32, 6), torch.randn(32, 3)
    for chain in (ordinary, constant):
        for _ in range(2):
            objective(chain, x, context).backward()
    for expected, found in zip(ordinary.buffers(), constant.buffers(), strict=True):
        torch.testing.assert_close(found, expected)
    assert all(module.track_running_stats for module in constant.modules() if isinstance(module, nn.BatchNorm1d))
    for one, other in zip(ordinary.parameters(), constant.parameters(), strict=True):
        torch.testing.assert_close(other.grad, one.grad, rtol=1e-3, atol=1e-4)


def test_autocast_is_replayed() -> None:
    """Under bfloat16 the second run computes as the first did, though the backward pass is outside of autocast."""
    x, context = torch.randn(64, 6), torch.randn(64, 3)

    def layers() -> list[Bijection]:
        return [Coupling(VECTOR, Affine("tanh", 2.0), networks(SMOOTH), flipped=bool(i % 2)) for i in range(3)]

    found: list[Tensor] = []
    for chain in pair(layers):
        with torch.autocast("cpu", torch.bfloat16):
            loss = objective(chain, x, context)
        loss.backward()
        found.append(torch.cat([parameter.grad.flatten() for parameter in chain.parameters()]))
    assert float((found[1] - found[0]).norm()) < 1e-3 * float(found[0].norm())
    full = pair(layers)[1]
    objective(full, x, context).backward()
    float32 = torch.cat([parameter.grad.flatten() for parameter in full.parameters()])
    assert float((found[1] - float32).norm()) > 1e-3 * float(float32.norm())


@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # what Dynamo itself looks at after a graph break
def test_compiled_objective() -> None:
    """The trainer's compiled objective gives the gradients of the one that is not."""
    flow = {"type": "flow/realnvp", "couplings": 3, "memory": "constant", "network": SMOOTH}
    spec = ModelSpec.model_validate({"encoder": flow, "decoder": "core/inverse", "loss": "core/nll"})
    model = compose(spec, VECTOR)
    step, x = Objective(model, ["encoder"]), torch.randn(8, 6)
    found = [_gradient(call(Batch(x), "model").total, model) for call in (step, torch.compile(step, backend="eager"))]
    torch.testing.assert_close(found[0], found[1])
    assert float(found[0].norm()) > 0


def _gradient(total: Tensor, model: nn.Module) -> Tensor:
    return torch.cat([g.flatten() for g in torch.autograd.grad(total, _parameters(model))])


def _parameters(model: nn.Module) -> Sequence[Tensor]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def test_hooks_of_parameters_run() -> None:
    """A hook on a parameter sees its gradient and changes it, as in ordinary training."""
    chain = pair(vector_layers)[1]
    chain.layers[1].shift.register_hook(lambda gradient: 0 * gradient + 7)
    objective(chain, torch.randn(4, 6), torch.randn(4, 3)).backward()
    assert chain.layers[1].shift.grad.tolist() == [7.0] * 6
