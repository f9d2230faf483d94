"""Couplings: their formulas beside other libraries', log-determinants, inverses, extreme values, and errors with a name."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.functional import jacobian

from genframe import Dataset, ModelSpec, Networks, NonFiniteError, Real, Split, TrainSpec, compose
from genframe.testing import part
from genframe.training.reporter import Silent
from genframe.training.trainer import Trainer
from genframe_flow import Additive, Affine, Chain, Coupling, Elementwise, RealNvp, convolutions, perceptrons
from genframe_nets import MLPDecoder

VECTOR, GRID = Real((5,)), Real((3, 4, 4))
NETWORKS: dict[Real, Networks] = {
    VECTOR: perceptrons(hidden=(8,), activation="silu", zero=False),
    GRID: convolutions(channels=8, zero=False),
}
ELEMENTWISE = [Additive(), Affine("exp", 1.0), Affine("tanh", 1.5), Affine("sigmoid", 1.0)]


def coupling(elementwise: Elementwise, *, flipped: bool, data: Real = VECTOR) -> Coupling:
    """Return a coupling in float64."""
    torch.manual_seed(0)
    return Coupling(data, elementwise, NETWORKS[data], flipped=flipped).double()


class ForPeer(nn.Module):
    """A coupling's network in another library's layout of parameters; the context that nflows gives is not read."""

    def __init__(self, network: nn.Module, *, interleaved: bool) -> None:
        super().__init__()
        self.network, self.interleaved = network, interleaved

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Return shifts before scales, or in turns with them."""
        parameters: Tensor = self.network(x)
        if not self.interleaved:
            return parameters
        return parameters.unflatten(1, (2, -1)).transpose(1, 2).flatten(1, 2)


def same(ours: Coupling, peer: Any, x: Tensor) -> None:
    """Require equal results, log-determinants and inverses."""
    y, log_det = ours(x)
    peers_y, peers_log_det = peer(x)
    torch.testing.assert_close(y, peers_y, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(log_det, peers_log_det, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(ours.inverse(y), peer.inverse(y)[0], rtol=1e-12, atol=1e-12)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("data", [VECTOR, GRID], ids=str)
@pytest.mark.parametrize("flipped", [False, True])
def test_parity_with_normflows(data: Real, flipped: bool) -> None:
    """scale: exp is normflows' affine coupling, whose shifts and scales take turns; ``channel_inv`` is flipped."""
    peers = pytest.importorskip("normflows")
    data = Real((4, *data.shape[1:]))  # of an odd size, channel_inv asks the larger half as channel does
    networks = NETWORKS[VECTOR if len(data.shape) == 1 else GRID]
    torch.manual_seed(0)
    ours = Coupling(data, Affine("exp", 1.0), networks, flipped=flipped).double()
    mode = "channel_inv" if flipped else "channel"
    peer = peers.flows.AffineCouplingBlock(ForPeer(ours.network, interleaved=True), split_mode=mode)
    same(ours, peer, torch.randn(7, *data.shape, dtype=torch.float64))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("data", [VECTOR, GRID], ids=str)
@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("kind", ["Affine", "Additive"])
def test_parity_with_nflows(data: Real, flipped: bool, kind: str) -> None:
    """scale: sigmoid is nflows' affine coupling, sigmoid(u + 2) + 0.001 with the shift first; NICE's is its additive one."""
    pytest.importorskip("nflows")
    peers = importlib.import_module("nflows.transforms.coupling")
    ours = coupling(Affine("sigmoid", 1.0) if kind == "Affine" else Additive(), flipped=flipped, data=data)
    first, last = (0, 1) if not flipped else (1, 0)
    mask = [first] * ours.sizes[0] + [last] * ours.sizes[1]
    made: list[tuple[int, int]] = []

    def network(inputs: int, outputs: int) -> nn.Module:
        made.append((inputs, outputs))
        return ForPeer(ours.network, interleaved=False)

    peer = getattr(peers, f"{kind}CouplingTransform")(mask, network)
    assert made == [(sum(not entry for entry in mask), ours.elementwise.count * sum(mask))]
    same(ours, peer, torch.randn(7, *data.shape, dtype=torch.float64))


@pytest.mark.parametrize("data", [VECTOR, GRID], ids=str)
@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("elementwise", ELEMENTWISE, ids=lambda one: f"{type(one).__name__}-{getattr(one, 'scale', '')}")
def test_log_determinant_and_inverse(elementwise: Elementwise, flipped: bool, data: Real) -> None:
    """The log-determinant is autograd's to 1e-9, the inverse leads back, and one part passes as it is."""
    layer = coupling(elementwise, flipped=flipped, data=data)
    x = torch.randn(2, *data.shape, dtype=torch.float64)
    y, log_det = (result.detach() for result in layer(x))
    for row in range(2):
        matrix = jacobian(lambda value: layer(value)[0].flatten(), x[row : row + 1]).reshape(data.dims, data.dims)
        assert abs(float(torch.linalg.slogdet(matrix).logabsdet - log_det[row])) <= 1e-9
    assert float((layer.inverse(y).detach() - x).abs().max()) < 1e-12
    first, last = (y - x).abs().reshape(2, data.shape[0], -1).sum((0, 2)).split(layer.sizes)
    passing, changed = (last, first) if flipped else (first, last)
    assert not passing.any()
    assert bool((changed > 0).all())


@pytest.mark.parametrize("elementwise", ELEMENTWISE, ids=lambda one: f"{type(one).__name__}-{getattr(one, 'scale', '')}")
def test_rebuild_is_forward(elementwise: Elementwise) -> None:
    """From y it finds x, and gives the y, the log-determinant and the graph of forward."""
    layer = coupling(elementwise, flipped=True)
    x = torch.randn(3, 5, dtype=torch.float64)
    y, log_det = layer(x)
    step = layer.rebuild(y.detach())
    torch.testing.assert_close(layer.joined(step.leaves), x)
    torch.testing.assert_close(step.y, y)
    torch.testing.assert_close(step.log_det, log_det)
    weights = list(layer.parameters())
    expected = torch.autograd.grad(y.pow(3).sum() + log_det.sum(), weights)
    found = torch.autograd.grad(step.y.pow(3).sum() + step.log_det.sum(), weights)
    for one, other in zip(expected, found, strict=True):
        torch.testing.assert_close(one, other)


def moons(n: int) -> Tensor:
    """Return noisy half circles in the first two of four dimensions."""
    angle = torch.rand(n, generator=torch.Generator().manual_seed(1)) * 3.14159
    upper = (torch.arange(n) % 2).float()
    points = torch.stack((angle.cos() + 1 - upper, (1 - 2 * upper) * angle.sin() + 0.5 * upper), 1)
    return torch.cat((points, points.square()), 1) + 0.1 * torch.randn(n, 4, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("scale", ["exp", "tanh", "sigmoid"])
@pytest.mark.parametrize("memory", ["ordinary", "constant"])
def test_training_lowers_the_loss_and_keeps_the_inverse(scale: str, memory: str) -> None:
    """After 60 steps the likelihood has risen, and the float32 inverse is off by less than 1e-5."""
    torch.manual_seed(0)
    network = MLPDecoder(hidden=(32,), zero=True)
    flow = part(RealNvp(couplings=4, scale=scale, memory=memory, network=network), data=Real((4,)))
    optimizer = torch.optim.Adam(flow.parameters(), lr=1e-2)
    x, losses = moons(256), []
    for _ in range(60):
        latent, log_det = flow.forward_and_log_det(x)
        loss = (0.5 * latent.square().sum(1) - log_det).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] - 0.5
    with torch.no_grad():
        assert float((flow.inverse(flow.encode(x)) - x).abs().max()) < 1e-5
        draws = torch.randn(256, 4)
        assert float((flow.encode(flow.inverse(draws)) - draws).abs().max()) < 1e-4


@pytest.mark.parametrize("size", [1e4, 1e6, 1e30])
@pytest.mark.parametrize("scale", ["tanh", "sigmoid"])
def test_extreme_values_stay_finite(scale: str, size: float) -> None:
    """Bounded scales and a network that is linear at its ends keep latents, log-determinants and inverses finite."""
    torch.manual_seed(0)
    network = MLPDecoder(hidden=(16,), activation="relu")
    flow = part(RealNvp(couplings=4, scale=scale, network=network), data=Real((4,)))
    with torch.no_grad():
        latent, log_det = flow.forward_and_log_det(size * torch.randn(32, 4))
        assert bool(latent.isfinite().all())
        assert bool(log_det.isfinite().all())
        assert bool(flow.inverse(latent).isfinite().all())
        assert float(log_det.abs().max()) <= 4 * 2 * (3.0 if scale == "tanh" else 7.0)


class Nothing:
    """Keeps nothing of what training observes."""

    def log(self, row: dict[str, float]) -> None:
        """Keep nothing."""

    def checkpoint(self, trainer: Trainer) -> None:
        """Keep nothing."""

    def picture(self, trainer: Trainer) -> None:
        """Draw nothing."""


@pytest.mark.parametrize("memory", ["ordinary", "constant"])
def test_a_step_that_blows_names_the_layer(memory: str) -> None:
    """exp of what a network makes of huge data overflows: the error says in which layer of the flow."""
    network = {"type": "nets/mlp", "hidden": [8], "activation": "relu"}
    flow = {"type": "flow/realnvp", "couplings": 4, "scale": "exp", "network": network, "memory": memory}
    spec = ModelSpec.model_validate({"encoder": flow, "decoder": "core/inverse", "loss": "core/nll"})
    data = Dataset(Real((4,)), {"train": Split("train", 1e4 * torch.randn(64, 4))})
    settings = TrainSpec(steps=2, batch_size=64, device="cpu")
    trainer = Trainer(compose(spec, Real((4,))), data, settings=settings, observer=Nothing(), reporter=Silent())
    with pytest.raises(NonFiniteError, match=r"it begins in 'encoder\.flow\.layers\.1'"):
        trainer.run()


def test_layers_share_no_module() -> None:
    """The function of single values is no module: else an error in any layer would name the first that holds it."""
    shared = Affine("tanh", 1.0)
    chain = Chain([Coupling(VECTOR, shared, NETWORKS[VECTOR], flipped=flipped) for flipped in (False, True)])
    assert not [name for name, _ in chain.named_modules() if "elementwise" in name]
