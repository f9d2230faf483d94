"""Spectral normalisation against the singular values themselves."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from genframe import Encoder, EncoderSpec, Real
from genframe.testing import part
from genframe_gan import Spectral
from genframe_nets import MLP, Conv, ResNet

IMAGE = Real((1, 8, 8))


def weights(encoder: Encoder) -> list[Tensor]:
    """Return the weights of linear and convolutional layers, as matrices."""
    layers = [module for module in encoder.modules() if isinstance(module, (nn.Linear, nn.Conv2d))]
    return [layer.weight.detach().flatten(1) for layer in layers]


@pytest.mark.parametrize("network", [MLP(hidden=(32, 16), dim=3), Conv(channels=(4, 8), dim=5), ResNet(channels=(4, 8))])
def test_largest_singular_value_is_one(network: EncoderSpec) -> None:
    """After some power iterations the weights' largest singular value is 1: Miyato et al. 2018, eq. 8."""
    torch.manual_seed(0)
    encoder = part(Spectral(network=network), data=IMAGE).train()
    for _ in range(200):
        encoder.encode(torch.randn(2, 1, 8, 8))
    for weight in weights(encoder):
        assert float(torch.linalg.matrix_norm(weight, 2)) == pytest.approx(1, abs=1e-3)


def test_network_with_spectral_weights_is_lipschitz() -> None:
    """Layers of norm 1 with 1-Lipschitz activations move no two outputs farther apart than their inputs."""
    torch.manual_seed(0)
    encoder = part(Spectral(network=MLP(hidden=(32, 32), dim=1, activation="relu")), data=Real((6,))).train()
    for _ in range(200):
        encoder.encode(torch.randn(2, 6))
    x, y = torch.randn(1000, 6), torch.randn(1000, 6)
    ratio = (encoder.encode(x) - encoder.encode(y)).detach().norm(dim=1) / (x - y).norm(dim=1)
    assert float(ratio.max()) <= 1.005


def test_power_iteration_goes_on_in_training_only() -> None:
    """In evaluation mode nothing of the state changes; in training mode the vectors of the iteration do."""
    torch.manual_seed(0)
    encoder = part(Spectral(network=MLP(hidden=(32,), dim=3)), data=Real((6,)))

    def vectors_after(mode: bool | None = None) -> list[Tensor]:
        if mode is not None:
            encoder.train(mode).encode(torch.randn(2, 6))
        return [tensor.clone() for name, tensor in encoder.state_dict().items() if name.endswith(("_u", "_v"))]

    before, evaluated, trained = vectors_after(), vectors_after(False), vectors_after(True)
    assert len(before) == 4
    assert all(map(torch.equal, before, evaluated))
    assert not all(map(torch.equal, evaluated, trained))


def test_layer_that_starts_at_zero_gets_new_values() -> None:
    """A residual block's last convolution, zero at first, has no direction to keep; outputs are finite all the same."""
    encoder = part(Spectral(network=ResNet(channels=(4,), blocks=1)), data=IMAGE)
    assert bool(torch.isfinite(encoder.encode(torch.randn(2, 1, 8, 8))).all())
    assert all(bool(weight.any()) for weight in weights(encoder))
