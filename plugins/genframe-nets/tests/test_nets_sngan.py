from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from genframe import Real
from genframe.testing import part
from genframe_nets import SNGAN, Conv, ConvDecoder, SNGANDecoder, activation

PICTURE = Real((3, 32, 32), -1.0, 1.0)


def test_the_critic_is_the_papers():
    """With the paper's fields for 32×32, the layers of Miyato et al. 2018, table 4, in their order give the same numbers."""
    torch.manual_seed(0)
    critic = part(SNGAN(channels=(12, 12), dim=1), data=PICTURE)
    state = critic.state_dict()

    def conv(x, name):
        weight = state[f"{name}.weight"]
        return F.conv2d(x, weight, state.get(f"{name}.bias"), padding=weight.shape[-1] // 2)

    x = torch.randn(2, 3, 32, 32)
    found = critic(x)
    h = F.avg_pool2d(conv(conv(x, "blocks.0.conv").relu(), "blocks.0.last"), 2)
    h = h + conv(F.avg_pool2d(x, 2), "blocks.0.shortcut.1")
    h = F.avg_pool2d(h, 2) + F.avg_pool2d(conv(conv(h.relu(), "blocks.1.conv").relu(), "blocks.1.last"), 2)
    for block in (2, 3):
        h = h + conv(conv(h.relu(), f"blocks.{block}.conv").relu(), f"blocks.{block}.last")
    torch.testing.assert_close(found, F.linear(h.relu().sum((2, 3)), state["exit.linear.weight"], state["exit.linear.bias"]))
    assert len(state) == 4 * 4 + 1 + 2


def test_the_generator_is_the_papers():
    """4×4 features, three blocks of batch normalisation, ReLU and nearest neighbours up to 32×32, and a convolution."""
    torch.manual_seed(0)
    generator = part(SNGANDecoder(channels=(12, 12, 12)), data=PICTURE, latent=Real((8,)))
    state = generator.state_dict()
    z = torch.randn(4, 8)
    found = generator(z)

    def conv(x, name):
        return F.conv2d(x, state[f"{name}.weight"], state.get(f"{name}.bias"), padding=1)

    def normal(x):
        return F.batch_norm(x, None, None, training=True).relu()

    h = F.linear(z, state["entrance.map.weight"]).reshape(4, 12, 4, 4)
    for block in range(3):
        grown = F.interpolate(normal(h), scale_factor=2, mode="nearest")
        inner = conv(normal(conv(grown, f"blocks.{block}.conv")), f"blocks.{block}.last")
        h = F.interpolate(h, scale_factor=2, mode="nearest") + inner
    torch.testing.assert_close(found, -1 + 2 * torch.sigmoid(conv(normal(h), "out")), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("size", range(1, 40))
def test_odd_sizes_repeat_neighbours_as_even_ones(size):
    """Growing to an odd size is growing to the even one above it, with the last row left out."""
    half = torch.arange(-(-size // 2), dtype=torch.float32)[None, None]
    assert torch.equal(nn.Upsample((size,))(half), half.repeat_interleave(2, 2)[..., :size])


@pytest.mark.parametrize("spec", [SNGAN(channels=(8, 8), dim=1), SNGAN(channels=(8, 8), dim=1, norm="group")], ids=str)
def test_a_critic_can_be_spectrally_normalised(spec):
    """No weight starts at zero, by which its largest singular value would be a divisor of zero."""
    critic = part(spec, data=PICTURE)
    for layer in critic.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            spectral_norm(layer)
    score = critic(torch.randn(2, 3, 32, 32))
    score.sum().backward()
    assert bool(torch.isfinite(score).all())
    assert all(bool(parameter.grad.isfinite().all()) for parameter in critic.parameters())


@torch.no_grad()
@pytest.mark.parametrize("side", [28, 32])
def test_scores_and_pictures_start_at_a_unit_scale(side):
    """At first a critic's scores of smooth data, and a generator's values before the sigmoid, are neither tiny nor huge."""
    torch.manual_seed(0)
    data, x = Real((1, side, side)), nn.Upsample((side, side))(torch.randn(64, 1, 4, 4))
    for critic in (SNGAN(channels=(32, 32), dim=1), Conv(channels=(32, 64), kernel=5, activation="leaky_relu_0.2", dim=1)):
        assert 0.1 < float(part(critic, data=data)(x).square().mean().sqrt()) < 3
    for generator in (SNGANDecoder(channels=(32, 32)), ConvDecoder(channels=(32, 64), norm="batch", activation="relu")):
        pictures = part(generator, data=data, latent=Real((64,)))(torch.randn(64, 64))
        assert 0.3 < float(pictures.std()) < 3


def test_the_first_stage_can_go_without_normalisation():
    """Without ``norm_first`` every stage is normalised but the one next to the data. Radford et al. 2016, section 3."""
    fields = {"channels": (4, 8, 8), "norm": "batch"}
    for spec, count in ((Conv(**fields), 3), (Conv(**fields, norm_first=False), 2)):
        encoder = part(spec, data=Real((1, 28, 28)))
        assert sum(isinstance(layer, nn.BatchNorm2d) for layer in encoder.modules()) == count
        assert (encoder.stages[0].resize.bias is None) == spec.norm_first


def test_leaky_rectifier_of_adversarial_networks():
    """Its slope below zero is 0.2. Radford et al. 2016, section 4."""
    assert torch.equal(activation("leaky_relu_0.2")(torch.tensor([-1.0, 2.0])), torch.tensor([-0.2, 2.0]))


@pytest.mark.parametrize("context", [None, Real((3,))], ids=["plain", "conditional"])
def test_it_compiles_without_a_break(context):
    """Critic and generator are one graph each, with the same result."""
    data, c = Real((1, 9, 7)), torch.randn(2, 3) if context else None
    critic = part(SNGAN(channels=(4, 4), norm="group"), data=data, context=context)
    generator = part(SNGANDecoder(channels=(4, 4)), data=data, latent=Real((5,)), context=context).eval()
    for run, x in ((critic, torch.randn(2, 1, 9, 7)), (generator, torch.randn(2, 5))):
        compiled = torch.compile(run, fullgraph=True, backend="aot_eager")
        torch.testing.assert_close(compiled(x, c), run(x, c))
