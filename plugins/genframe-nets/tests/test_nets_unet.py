from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d, group_norm, silu

from genframe import ContextSpace, Mismatch, Real, SpecError
from genframe.testing import part
from genframe_nets import UNet, UNetDecoder

TOKENS = ContextSpace(sequence=Real((4, 6)))


def built(spec, shape, context=None, *, shaken=True):
    """Return the network, by default with every parameter away from its start."""
    torch.manual_seed(0)
    net = part(spec, data=Real(shape), latent=Real(shape), context=context)
    with torch.no_grad():
        for parameter in net.parameters() if shaken else ():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return net


@pytest.mark.parametrize("axes", [(7, 7), (1, 1), (5, 13), (65,), (1,), (3, 4, 5)], ids=str)
def test_odd_sizes_come_back(axes):
    """Axes that are halved unevenly, down to 1 and further, come out as they went in."""
    net = built(UNet(channels=(4, 8, 4, 8), blocks=1, attention=(3,)), (2, *axes))
    assert net(torch.randn(2, 2, *axes)).shape == (2, 2, *axes)


def test_levels_have_halved_grids():
    """Blocks of 28×28 work on 28, 14, 7 and, in a fourth level, 4 positions a side, rounded up."""
    net, seen = built(UNet(channels=(4, 8, 8, 4), blocks=1), (1, 28, 28)), []
    for layer in (*net.down, *net.middle, *net.up):
        layer.register_forward_hook(lambda layer, inputs, out: seen.append(out.shape[2]))
    net(torch.randn(1, 1, 28, 28))
    assert seen == [28, 14, 14, 7, 7, 4, 4, 4, 4, *(4, 4, 7), *(7, 7, 14), *(14, 14, 28), *(28, 28)]


@pytest.mark.parametrize("size", range(1, 18))
def test_going_up_repeats_neighbours(size):
    """From half the size, rounded up, each position is there twice, cut at the end to exactly the size."""
    net = built(UNet(channels=(4, 4), blocks=1), (1, size))
    (up,) = (layer for layer in net.up if hasattr(layer, "size"))
    nn.init.dirac_(up.conv.weight)
    nn.init.zeros_(up.conv.bias)
    x = torch.randn(2, 4, -(-size // 2))
    torch.testing.assert_close(up(x), x.repeat_interleave(2, 2)[..., :size])


@pytest.mark.parametrize("context", [None, TOKENS], ids=["plain", "tokens"])
def test_blocks_start_as_the_identity(context):
    """Before training, a block with attention leaves features as they are, whatever the time and the tokens."""
    net = built(UNet(channels=(8,), attention=(0,), dropout=0.5), (2, 5, 5), context, shaken=False)
    x, tokens = torch.randn(3, 8, 5, 5), torch.randn(3, 4, 6)
    for block in net.middle:
        torch.testing.assert_close(block(x, torch.randn(3, 32), tokens, None), x, rtol=0, atol=1e-6)


def test_a_block_is_adaptive_group_normalisation():
    """x + conv(f((1 + a) GN(conv(f(GN(x)))) + b)), a and b linear in the embedding. Dhariwal & Nichol 2021, section 3."""
    block = built(UNet(channels=(8,)), (2, 5, 5)).middle[0]
    x, embedding = torch.randn(3, 8, 5, 5), torch.randn(3, 32)
    weight = block.state_dict()
    scale, shift = nn.functional.linear(embedding, weight["film.linear.weight"], weight["film.linear.bias"]).split(8, 1)
    h = silu(group_norm(x, 2, weight["first.0.weight"], weight["first.0.bias"]))
    h = conv2d(h, weight["first.2.weight"], weight["first.2.bias"], padding=1)
    h = group_norm(h, 2, weight["norm.weight"], weight["norm.bias"])
    h = silu((1 + scale[..., None, None]) * h + shift[..., None, None])
    expected = x + conv2d(h, weight["last.1.weight"], weight["last.1.bias"], padding=1)
    torch.testing.assert_close(block(x, embedding, None, None), expected)


def test_parameters_are_those_of_the_paper():
    """With channels 128 · (1, 2, 2, 2) and attention at 16×16 it has the 35.7 million of Ho et al. 2020, appendix B.

    Two differences are known and taken away: here the embedding gives a scale beside the shift, there the middle has attention.
    """
    spec, cifar = UNet(channels=(128, 256, 256, 256), blocks=2, attention=(1,)), Real((3, 32, 32))
    with torch.device("meta"):
        net = part(spec, data=cifar, latent=cifar)
    count = sum(parameter.numel() for parameter in net.parameters())
    scales = sum(parameter.numel() for name, parameter in net.named_parameters() if "film" in name) // 2
    middle = 4 * 256**2
    assert count - scales + middle == pytest.approx(35.7e6, abs=0.05e6)


@pytest.mark.parametrize(("attention", "layers"), [((), 0), ((0,), 5), ((1,), 6), ((0, 1), 11)])
def test_attention_is_at_the_levels_that_are_named(attention, layers):
    """A level has it behind each block, two down and three up, the smallest behind the first of the middle as well."""
    net = built(UNet(channels=(8, 8), attention=attention), (1, 8), TOKENS if attention else None)
    names = [name for name, _ in net.named_modules() if name.endswith(".attention.attention")]
    crosses = [name for name, _ in net.named_modules() if name.endswith(".attention.cross")]
    assert len(names) == len(crosses) == layers


def test_dropout_drops_in_training_only():
    """With dropout, two passes differ in training and agree in evaluation."""
    net, x = built(UNet(channels=(8,), dropout=0.5), (1, 8)), torch.randn(2, 1, 8)
    assert not torch.equal(net(x), net(x))
    net.eval()
    assert torch.equal(net(x), net(x))


def test_attention_that_does_not_fit_is_refused():
    """A level that is not there, and heads that do not divide its channels, are no spec."""
    with pytest.raises(SpecError, match="there is no level 3 for 'attention': 'channels' has 0 to 2"):
        UNet(attention=(1, 3))
    with pytest.raises(SpecError, match="the 30 channels of level 1 cannot be shared by 4 heads"):
        UNet(channels=(32, 30), attention=(1,))
    UNet(channels=(32, 30), attention=(0,))


def test_tokens_without_attention_are_refused():
    """Tokens are read by attention: where no level has it, the check and ``build`` say which would do."""
    space = Real((1, 8, 8))
    for action in (UNet().accepts, lambda latent, data, context: part(UNet(), data=data, latent=latent, context=context)):
        with pytest.raises(Mismatch) as caught:
            action(space, space, TOKENS)
        assert str(caught.value.problem) == (
            "nets/unet reads tokens by attention and has none, the context is a sequence of 4 vectors of 6; "
            "give levels in 'attention', such as [2]"
        )
    with pytest.raises(ValueError, match="reads a sequence by attention and has none: give levels in 'attention'"):
        UNetDecoder(space, space, TOKENS)
    UNet(attention=(2,)).accepts(space, space, TOKENS)
