from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention, unfold

from genframe import Mismatch, Real, SpecError
from genframe.testing import part
from genframe_nets import DiT
from genframe_nets.attention import FEW, CrossAttention, SelfAttention, attend
from genframe_nets.dit import from_patches, grid_positions, into_patches

TOKENS = Real((4, 6))


def built(spec, shape, context=None, *, shaken=True):
    """Return the network, by default with every parameter away from its start."""
    torch.manual_seed(0)
    net = part(spec, data=Real(shape), latent=Real(shape), context=context)
    with torch.no_grad():
        for parameter in net.parameters() if shaken else ():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return net


def test_self_attention_is_torchs():
    """With the same weights it gives what torch's own multi-head attention gives."""
    ours, theirs = SelfAttention(12, 3), nn.MultiheadAttention(12, 3, batch_first=True)
    theirs.load_state_dict(
        {
            "in_proj_weight": ours.query_key_value.weight,
            "in_proj_bias": torch.zeros(36),
            "out_proj.weight": ours.out.weight,
            "out_proj.bias": ours.out.bias,
        }
    )
    x = torch.randn(2, 7, 12)
    torch.testing.assert_close(ours(x), theirs(x, x, x, need_weights=False)[0])


def test_few_tokens_are_attended_to_in_single_precision():
    """Under autocast, where it is faster on a CPU; more of them in bfloat16, and doubles stay doubles."""
    few, more = torch.randn(1, 1, 5, 8), torch.randn(1, 1, FEW + 1, 8)
    with torch.autocast("cpu", torch.bfloat16):
        found, of_more = attend(few.bfloat16(), few, few.bfloat16(), causal=True), attend(more, more, more)
    assert (found.dtype, of_more.dtype) == (torch.float32, torch.bfloat16)
    rounded = few.bfloat16().float()
    torch.testing.assert_close(found, scaled_dot_product_attention(rounded, few, rounded, is_causal=True))
    assert attend(few.double(), few.double(), few.double()).dtype == torch.float64


def test_cross_attention_is_torchs():
    """With the same weights it gives what torch's own gives of normalised queries to other tokens, and zero at first."""
    ours = CrossAttention(12, 3, 5)
    theirs = nn.MultiheadAttention(12, 3, batch_first=True, kdim=5, vdim=5)
    x, tokens = torch.randn(2, 7, 12), torch.randn(2, 4, 5)
    assert not ours(x, tokens).any()
    nn.init.normal_(ours.out.weight)
    key, value = ours.key_value.weight.chunk(2)
    theirs.load_state_dict(
        {
            "q_proj_weight": ours.query.weight,
            "k_proj_weight": key,
            "v_proj_weight": value,
            "in_proj_bias": torch.zeros(36),
            "out_proj.weight": ours.out.weight,
            "out_proj.bias": ours.out.bias,
        }
    )
    torch.testing.assert_close(ours(x, tokens), theirs(ours.norm(x), tokens, tokens, need_weights=False)[0])


@pytest.mark.parametrize("patch", [1, 2, 3])
def test_patches_are_torchs(patch):
    """Of images they are what ``unfold`` gives, row by row."""
    x = torch.randn(2, 3, 6, 12)
    assert torch.equal(into_patches(x, patch), unfold(x, patch, stride=patch).transpose(1, 2))


@pytest.mark.parametrize("axes", [(6,), (6, 4), (2, 6, 4)], ids=str)
@pytest.mark.parametrize("patch", [1, 2])
def test_patches_go_back(axes, patch):
    """Taking apart and putting together is the identity, for one to three axes."""
    x = torch.randn(2, 3, *axes)
    assert torch.equal(from_patches(into_patches(x, patch), tuple(size // patch for size in axes), patch), x)


@pytest.mark.parametrize("grid", [(40,), (9, 5), (3, 4, 5)], ids=str)
def test_positions_tell_all_places_apart(grid):
    """No two tokens have the same position, of any size from the smallest allowed."""
    for dims in (8, 20):
        positions = grid_positions(grid, dims)
        assert positions.shape == (math.prod(grid), dims)
        assert (torch.cdist(positions, positions) + torch.eye(len(positions))).min() > 0.1


def test_positions_are_sinusoids_of_row_and_column():
    """Half of the entries are sines and cosines of the row, half of the column, at 1 and at 1 / 100."""
    row, column = 3, 5
    expected = [f(place * w) for place in (row, column) for f in (math.sin, math.cos) for w in (1, 0.01)]
    assert grid_positions((4, 7), 8)[row * 7 + column].tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("context", [None, TOKENS], ids=["plain", "tokens"])
def test_blocks_start_as_the_identity(context):
    """Before training a block leaves its tokens as they are: adaLN-zero, Peebles & Xie 2023, section 3.2."""
    net = built(DiT(dim=16, depth=3), (2, 8), context, shaken=False)
    x = torch.randn(3, 4, 16)
    for block in net.blocks:
        assert torch.equal(block(x, torch.randn(3, 16), torch.randn(3, 4, 6), None), x)


@pytest.mark.parametrize("context", [None, TOKENS], ids=["plain", "tokens"])
def test_blocks_do_not_know_the_order(context):
    """Permuted tokens give permuted results: places come from the positions alone, and by them they matter."""
    net = built(DiT(dim=16, depth=1, patch=1), (2, 5), context)
    order, embedding, tokens = [3, 0, 4, 1, 2], torch.randn(3, 16), torch.randn(3, 4, 6)
    x = torch.randn(3, 5, 16)
    permuted = net.blocks[0](x[:, order], embedding, tokens, None)
    torch.testing.assert_close(permuted, net.blocks[0](x, embedding, tokens, None)[:, order])
    data = torch.randn(3, 2, 5)
    assert (net(data[..., order], sequence=tokens) - net(data, sequence=tokens)[..., order]).abs().max() > 1e-3
    net.positions.zero_()
    torch.testing.assert_close(net(data[..., order], sequence=tokens), net(data, sequence=tokens)[..., order])


@pytest.mark.parametrize(
    ("depth", "dim", "heads", "millions"), [(12, 384, 6, 33), (12, 768, 12, 130), (24, 1024, 16, 458), (28, 1152, 16, 675)]
)
def test_parameters_are_those_of_the_paper(depth, dim, heads, millions):
    """DiT-S, B, L and XL with patches of 2 have the counts of Peebles & Xie 2023, table 1, within 1 %.

    For latents 4×32×32, outputs of twice the channels and a table of 1001 classes.
    """
    spec = DiT(patch=2, dim=dim, depth=depth, heads=heads)
    with torch.device("meta"):
        net = part(spec, data=Real((8, 32, 32)), latent=Real((4, 32, 32)), context=Real((dim,)))
    count = sum(parameter.numel() for parameter in net.parameters()) + 1001 * dim
    assert count / 1e6 == pytest.approx(millions, rel=0.01)


@pytest.mark.parametrize(
    ("shape", "patch", "hint"),
    [
        ((1, 28, 20), 8, "a 'patch' of 1, 2, 4 would fit"),
        ((1, 7, 7), 2, "a 'patch' of 1, 7 would fit"),
        ((1, 7, 4), 2, "only a 'patch' of 1 would fit"),
    ],
)
def test_patches_that_do_not_fit_are_refused(shape, patch, hint):
    """Patches must divide each axis; the hint names all that do."""
    space, spec = Real(shape), DiT(patch=patch)
    for action in (spec.accepts, lambda latent, data: part(spec, data=data, latent=latent)):
        with pytest.raises(Mismatch) as caught:
            action(space, space)
        assert str(caught.value.problem) == f"nets/dit cannot cut {space} into patches of {patch} along each axis; {hint}"


def test_heads_share_the_size():
    """Heads that do not divide ``dim`` are no spec."""
    with pytest.raises(SpecError, match="a 'dim' of 30 cannot be shared by 4 heads"):
        DiT(dim=30)
