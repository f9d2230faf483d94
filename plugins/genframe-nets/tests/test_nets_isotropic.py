from __future__ import annotations

import pytest
import torch
from torch import nn

from genframe import ContextSpace, Real
from genframe.testing import part
from genframe_nets import IsotropicDecoder, MLPDecoder

CONTEXT = ContextSpace(vector=Real((2, 3)))
SPECS = {
    "plain": IsotropicDecoder(channels=8),
    "plain deep": IsotropicDecoder(channels=8, blocks=3, norm="group", activation="silu"),
    "shallow": IsotropicDecoder(channels=8, blocks=0),
    "residual": IsotropicDecoder(channels=8, blocks=2, residual=True),
    "residual normalised": IsotropicDecoder(channels=8, blocks=2, residual=True, norm="group", activation="elu"),
}


def built(spec, latent, data, context=None, *, shaken=True):
    """Return the decoder, by default with every parameter away from zero."""
    spec.accepts(latent, data)
    torch.manual_seed(0)
    decoder = part(spec, data=data, latent=latent, context=context)
    with torch.no_grad():
        for parameter in decoder.parameters() if shaken else ():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return decoder


@pytest.mark.parametrize("axes", [(8,), (7, 5), (1, 1), (3, 4, 5)], ids=str)
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_the_grid_is_kept(spec, axes):
    """Data have the latent's axes and channels of their own, for one to three axes."""
    decoder = built(spec, Real((3, *axes)), Real((4, *axes)))
    assert decoder(torch.randn(2, 3, *axes)).shape == (2, 4, *axes)


def test_plain_is_the_network_of_glow():
    """By default it is conv3, ReLU, conv1, ReLU, conv3: the same layers by hand give the same numbers."""
    decoder = built(IsotropicDecoder(channels=16), Real((3, 8, 8)), Real((6, 8, 8)))
    by_hand = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 1), nn.ReLU(), nn.Conv2d(16, 6, 3, padding=1)
    )
    by_hand.load_state_dict({key.removeprefix("layers."): tensor for key, tensor in decoder.state_dict().items()})
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(decoder(x), by_hand(x))


@pytest.mark.parametrize("blocks", [0, 1, 4])
@pytest.mark.parametrize("residual", [False, True])
def test_blocks_are_the_hidden_depth(blocks, residual):
    """A block is one convolution of kernel 1, or two of kernel 3 where residual, between the first and the last."""
    decoder = built(IsotropicDecoder(channels=4, blocks=blocks, residual=residual), Real((3, 8)), Real((2, 8)))
    kernels = [layer.kernel_size[0] for layer in decoder.modules() if isinstance(layer, nn.Conv1d)]
    assert kernels == [3, *([3, 3] * blocks if residual else [1] * blocks), 3]


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_zero_starts_at_zero(spec):
    """With ``zero`` all outputs are exactly zero at first, the middle of bounded data; without they are not."""
    x, c = torch.randn(2, 3, 7, 5), torch.randn(2, 2, 3)
    zero = spec.model_copy(update={"zero": True})
    assert not built(zero, Real((3, 7, 5)), Real((4, 7, 5)), CONTEXT, shaken=False)(x, c).any()
    bounded = built(zero, Real((3, 7, 5)), Real((4, 7, 5), -1.0, 3.0), shaken=False)(x)
    assert torch.equal(bounded, torch.ones(2, 4, 7, 5))
    assert built(spec, Real((3, 7, 5)), Real((4, 7, 5)), shaken=False)(x).any()


@pytest.mark.parametrize("hidden", [(), (8,)])
def test_a_perceptron_can_start_at_zero(hidden):
    """The perceptron's outputs too are zero at first, and move with the first step."""
    decoder = built(MLPDecoder(hidden=hidden, zero=True), Real((3,)), Real((4,)), CONTEXT, shaken=False)
    x, c = torch.randn(2, 3), torch.randn(2, 2, 3)
    assert not decoder(x, c).any()
    decoder(x, c).sum().backward()
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.sub_(parameter.grad)
    assert bool(decoder(x, c).all())


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_a_context_changes_the_output_from_the_start(spec):
    """Two contexts give two outputs before any training, and without a context nothing is built for it."""
    space = Real((3, 7, 5))
    decoder = built(spec, space, space, CONTEXT, shaken=False)
    x = torch.randn(2, 3, 7, 5)
    assert not torch.allclose(decoder(x, torch.randn(2, 2, 3)), decoder(x, torch.randn(2, 2, 3)))
    counts = [sum(p.numel() for p in net.parameters()) for net in (built(spec, space, space), decoder)]
    assert counts[0] < counts[1]


@pytest.mark.parametrize("context", [None, CONTEXT], ids=["plain", "conditional"])
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_gradients_are_those_of_differences(spec, context):
    """Gradients, of input and parameters, equal finite differences: overwriting activations loses nothing."""
    smooth = spec.model_copy(update={"activation": "elu"})
    decoder = built(smooth, Real((2, 4, 3)), Real((1, 4, 3)), context).double()
    names, values = zip(*decoder.named_parameters(), strict=True)
    c = torch.randn(1, 2, 3, dtype=torch.float64) if context else None
    x = torch.randn(1, 2, 4, 3, dtype=torch.float64, requires_grad=True)

    class Decode(nn.Module):
        def __init__(self):
            super().__init__()
            self.decoder = decoder

        def forward(self, x):
            return self.decoder(x, c)

    def run(x, *parameters):
        named = {f"decoder.{name}": value for name, value in zip(names, parameters, strict=True)}
        return torch.func.functional_call(Decode(), named, (x,))

    inputs = (x, *(value.detach().requires_grad_() for value in values))
    assert torch.autograd.gradcheck(run, inputs, fast_mode=True)


def test_the_input_is_left_as_it_is():
    """Overwriting activations never touch the latent that was given."""
    for spec in SPECS.values():
        x = torch.randn(2, 8, 6)
        kept = x.clone()
        built(spec, Real((8, 6)), Real((8, 6)))(x)
        assert torch.equal(x, kept)


def test_a_wrong_input_names_both_shapes():
    """A latent on another grid is refused with the shape that is expected and the one found."""
    with pytest.raises(ValueError, match=r"expected \(B, 3, 8, 8\), found \(2, 3, 8, 9\)"):
        built(SPECS["plain"], Real((3, 8, 8)), Real((4, 8, 8)))(torch.zeros(2, 3, 8, 9))


def test_it_compiles_without_a_break():
    """One graph, with the same result, with a context and without."""
    for context, c in ((None, None), (CONTEXT, torch.randn(2, 2, 3))):
        decoder = built(SPECS["residual"], Real((3, 7, 5)), Real((4, 7, 5)), context)
        x = torch.randn(2, 3, 7, 5)
        compiled = torch.compile(decoder, fullgraph=True, backend="aot_eager")
        torch.testing.assert_close(compiled(x, c), decoder(x, c))
