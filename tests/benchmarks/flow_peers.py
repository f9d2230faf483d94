"""The same flows by normflows, nflows and zuko, put together as their documentation does."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Peer", "peers"]


@dataclass(frozen=True)
class Peer:
    """A flow of a peer: its module, its loss and its way to sample."""

    module: nn.Module
    loss: Callable[[Tensor], Tensor]
    sample: Callable[[int], Any]


def peers(flow: str, hidden: int) -> dict[str, Peer]:
    """Return what the installed peers have of ``flow``, realnvp, spline or glow, by the width of its hidden layers."""
    makers: dict[tuple[str, str], Callable[[int], Peer]] = {
        ("realnvp", "normflows"): normflows_realnvp,
        ("realnvp", "nflows"): nflows_realnvp,
        ("realnvp", "zuko"): zuko_realnvp,
        ("spline", "normflows"): normflows_spline,
        ("spline", "nflows"): nflows_spline,
        ("spline", "zuko"): zuko_spline,
        ("glow", "normflows"): normflows_glow,
    }
    return {peer: make(hidden) for (name, peer), make in makers.items() if name == flow and importlib.util.find_spec(peer)}


def normflows_realnvp(hidden: int) -> Peer:
    """Eight affine couplings of 64 values."""
    import normflows as nf

    flows: list[Any] = []
    for _ in range(8):
        flows += [
            nf.flows.AffineCouplingBlock(nf.nets.MLP([32, hidden, hidden, 64], init_zeros=True)),
            nf.flows.Permute(64, "swap"),
        ]
    model = nf.NormalizingFlow(nf.distributions.base.DiagGaussian(64, trainable=False), flows)
    return Peer(model, model.forward_kld, model.sample)


def normflows_spline(hidden: int) -> Peer:
    """Four rational-quadratic couplings of 64 values; its own residual conditioner."""
    import normflows as nf

    flows: list[Any] = []
    for number in range(4):
        layer = nf.flows.CoupledRationalQuadraticSpline(
            64, 1, hidden, num_bins=8, tail_bound=3.0, reverse_mask=bool(number % 2)
        )
        flows.append(layer)
    model = nf.NormalizingFlow(nf.distributions.base.DiagGaussian(64, trainable=False), flows)
    return Peer(model, model.forward_kld, model.sample)


def normflows_glow(hidden: int) -> Peer:
    """Three levels of eight steps, on 3×32×32."""
    import normflows as nf

    bases, merges, flows = [], [], []
    for level in range(3):
        channels = 3 * 2 ** (3 - level + 1)
        blocks = [nf.flows.GlowBlock(channels, hidden, split_mode="channel", scale=True) for _ in range(8)]
        flows.append([*blocks, nf.flows.Squeeze()])
        size = 32 // 2 ** (3 - level)
        if level:
            merges.append(nf.flows.Merge())
            shape = (3 * 2 ** (3 - level), size, size)
        else:
            shape = (3 * 2 ** (3 + 1), size, size)
        bases.append(nf.distributions.DiagGaussian(shape, trainable=False))
    model = nf.MultiscaleFlow(bases, flows, merges, class_cond=False)
    return Peer(model, model.forward_kld, model.sample)


def nflows_flow(transforms: list[Any]) -> Peer:
    """Return a flow of nflows."""
    from nflows.distributions.normal import StandardNormal
    from nflows.flows.base import Flow
    from nflows.transforms.base import CompositeTransform

    flow = Flow(CompositeTransform(transforms), StandardNormal([64]))
    return Peer(flow, lambda x: -flow.log_prob(x).mean(), flow.sample)


def nflows_net(hidden: int) -> Callable[[int, int], nn.Module]:
    """Return what makes a perceptron, as nflows asks for it: its own does not take the context that its couplings pass."""

    class Perceptron(nn.Sequential):
        def forward(self, x: Tensor, context: object = None) -> Tensor:
            return super().forward(x)

    def net(inputs: int, outputs: int) -> nn.Module:
        layers = [nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, outputs)]
        return Perceptron(*layers)

    return net


def nflows_mask(number: int) -> Tensor:
    """Return which half is changed."""
    mask = torch.ones(64)
    mask[32 * (number % 2) : 32 * (number % 2) + 32] = -1
    return mask


def nflows_realnvp(hidden: int) -> Peer:
    """Eight affine couplings of 64 values."""
    from nflows.transforms.coupling import AffineCouplingTransform

    return nflows_flow([AffineCouplingTransform(nflows_mask(n), nflows_net(hidden)) for n in range(8)])


def nflows_spline(hidden: int) -> Peer:
    """Four rational-quadratic couplings of 64 values."""
    from nflows.transforms.coupling import PiecewiseRationalQuadraticCouplingTransform as Transform

    layers = [Transform(nflows_mask(n), nflows_net(hidden), num_bins=8, tails="linear", tail_bound=3.0) for n in range(4)]
    return nflows_flow(layers)


def zuko_realnvp(hidden: int) -> Peer:
    """Eight affine couplings of 64 values."""
    import zuko

    flow = zuko.flows.RealNVP(64, transforms=8, hidden_features=(hidden, hidden))
    return Peer(flow, lambda x: -flow().log_prob(x).mean(), lambda n: flow().sample((n,)))


def zuko_spline(hidden: int) -> Peer:
    """Four rational-quadratic couplings of 64 values."""
    import zuko

    flow = zuko.flows.NSF(64, bins=8, transforms=4, passes=2, hidden_features=(hidden, hidden))
    return Peer(flow, lambda x: -flow().log_prob(x).mean(), lambda n: flow().sample((n,)))
