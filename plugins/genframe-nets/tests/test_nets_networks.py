from __future__ import annotations

import pytest
import torch

from genframe import Categorical, ContextSpace, Mismatch, Real
from genframe.testing import part
from genframe_nets import (
    MLP,
    SNGAN,
    Conv,
    ConvDecoder,
    Embedding,
    MLPDecoder,
    ResNet,
    ResNetDecoder,
    SNGANDecoder,
    activation,
)

CONTEXT = Real((2, 3))
READ = ContextSpace(vector=CONTEXT)
SHAPES = [(3, 8), (2, 65), (1, 1), (1, 8, 8), (1, 28, 28), (2, 28, 20), (3, 13, 7), (3, 60, 64), (1, 8, 8, 8), (2, 5, 6, 7)]
SMALL = {"channels": (8, 12), "activation": "gelu"}
PAIRS = {
    "mlp": (MLP(hidden=(16, 12)), MLPDecoder(hidden=(12, 16))),
    "mlp dim": (MLP(hidden=(16,), dim=5, norm="layer"), MLPDecoder(hidden=(16,), norm="layer")),
    "mlp batch": (MLP(hidden=(16,), norm="batch", dropout=0.5), MLPDecoder(hidden=(16,), norm="batch", dropout=0.5)),
    "mlp linear": (MLP(hidden=(), dim=5), MLPDecoder(hidden=())),
    "conv": (Conv(**SMALL), ConvDecoder(**SMALL)),
    "conv dim": (Conv(**SMALL, dim=5, norm="group"), ConvDecoder(**SMALL, norm="group")),
    "conv batch": (Conv(**SMALL, norm="batch"), ConvDecoder(**SMALL, norm="batch")),
    "conv deep": (Conv(channels=(4, 8, 8, 4)), ConvDecoder(channels=(4, 8, 8, 4))),
    "dcgan": (
        Conv(**SMALL, norm="batch", norm_first=False, kernel=5, dim=1),
        ConvDecoder(**SMALL, norm="batch"),
    ),
    "sngan": (SNGAN(**SMALL), SNGANDecoder(**SMALL)),
    "sngan dim": (SNGAN(**SMALL, dim=5, blocks=0, norm="group"), SNGANDecoder(**SMALL, norm="none")),
    "sngan spatial": (SNGAN(**SMALL, pool=False, norm="batch"), SNGANDecoder(**SMALL, norm="group")),
    "resnet": (ResNet(**SMALL), ResNetDecoder(**SMALL)),
    "resnet dim": (ResNet(**SMALL, dim=5, blocks=1), ResNetDecoder(**SMALL, blocks=1)),
}


def draw(space, n=3, seed=0):
    """Return ``n`` normal draws of the space's shape."""
    return torch.randn(n, *space.shape, generator=torch.Generator().manual_seed(seed))


def built(name, data, context=None):
    """Return the pair's encoder and decoder in evaluation mode, with the latent's space."""
    torch.manual_seed(0)
    encoder, decoder = PAIRS[name]
    latent = encoder.latent_space(data)
    decoder.accepts(latent, data)
    encode = part(encoder, data=data, context=context)
    return encode.eval(), part(decoder, data=data, latent=latent, context=context, encoder=encode).eval(), latent


def away_from_zero(module):
    """Move all parameters a little, so that what starts at zero blocks no gradient."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return module


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", PAIRS)
def test_declared_spaces_are_the_real_shapes(name, shape):
    """Latents have the declared space and decoded data exactly the data's shape, for one to three axes and odd sizes."""
    data = Real(shape)
    encoder, decoder, latent = built(name, data)
    z = encoder(draw(data))
    assert z.shape == (3, *latent.shape)
    assert decoder(z).shape == (3, *shape)


def test_large_volumes_come_out_exactly():
    """A 32³ volume is encoded to 8³ and decoded again."""
    data = Real((1, 32, 32, 32))
    encoder, decoder, latent = built("conv", data)
    assert latent == Real((12, 8, 8, 8))
    assert decoder(encoder(draw(data, 1))).shape == (1, 1, 32, 32, 32)


@pytest.mark.parametrize("shape", [(), (7,), (2, 3, 4, 5, 6)], ids=str)
def test_mlp_takes_any_rank(shape):
    """Scalars, vectors and data of four spatial axes pass through the perceptron."""
    data = Real(shape)
    encoder, decoder, latent = built("mlp", data)
    z = encoder(draw(data))
    assert z.shape == (3, *latent.shape)
    assert decoder(z).shape == (3, *shape)
    assert decoder(encoder(torch.empty(0, *shape))).shape == (0, *shape)


@pytest.mark.parametrize(
    "spec", [ConvDecoder(**SMALL), ResNetDecoder(**SMALL), SNGANDecoder(**SMALL)], ids=lambda spec: spec.type
)
def test_decoders_read_vectors_and_features_of_any_channels(spec):
    """A decoder starts from a vector, or from features on its grid with channels of their own."""
    data = Real((1, 9, 5))
    for latent in (Real((6,)), Real((4, 3, 2))):
        spec.accepts(latent, data)
        assert part(spec, data=data, latent=latent)(draw(latent)).shape == (3, 1, 9, 5)


@pytest.mark.parametrize("context", [None, CONTEXT], ids=["plain", "conditional"])
@pytest.mark.parametrize("name", PAIRS)
def test_gradients_reach_every_parameter(name, context):
    """Each parameter of encoder and decoder has a gradient that is more than rounding."""
    data = Real((2, 9, 6))
    encoder, decoder, latent = built(name, data, READ if context else None)
    c = draw(CONTEXT, 8, seed=1) if context else None
    for module, run, space in ((encoder, encoder, latent), (decoder, decoder, data)):
        away_from_zero(module).train()
        inputs = draw(data if module is encoder else latent, 8)
        (run(inputs, c) * draw(space, 8, seed=2)).sum().backward()
        found = {key: parameter.grad for key, parameter in module.named_parameters()}
        dead = [key for key, grad in found.items() if grad is None or grad.abs().max() < 1e-3]
        assert dead == []


@pytest.mark.parametrize("name", PAIRS)
def test_context_changes_the_output_from_the_start(name):
    """Two contexts give two outputs, before any training."""
    data = Real((2, 9, 6))
    encoder, decoder, latent = built(name, data, READ)
    one, other = draw(CONTEXT, seed=1), draw(CONTEXT, seed=2)
    x, z = draw(data), draw(latent)
    assert not torch.allclose(encoder(x, one), encoder(x, other))
    assert not torch.allclose(decoder(z, one), decoder(z, other))


@pytest.mark.parametrize("name", PAIRS)
def test_without_a_context_nothing_is_built_for_it(name):
    """A network without context has fewer parameters than one with, and ignores a context that is given."""
    data = Real((2, 9, 6))
    for plain, conditional in zip(built(name, data)[:2], built(name, data, READ)[:2], strict=True):
        count = [sum(parameter.numel() for parameter in module.parameters()) for module in (plain, conditional)]
        assert count[0] < count[1]
        assert not any("film" in key for key in plain.state_dict())
    encoder, _, _ = built(name, data)
    assert torch.equal(encoder(draw(data)), encoder(draw(data), draw(CONTEXT)))


@pytest.mark.parametrize("name", ["mlp", "conv", "resnet"])
def test_a_missing_context_is_named(name):
    """A network that was built to read a context says so when there is none."""
    data = Real((2, 9, 6))
    encoder, _, _ = built(name, data, READ)
    with pytest.raises(ValueError, match="built to read a context of 6 values, found none"):
        encoder(draw(data))


def test_a_context_of_classes_is_refused():
    """Class numbers are not taken for reals."""
    with pytest.raises(Mismatch, match="a context needs real values"):
        part(MLP(), data=Real((2,)), context=Categorical((), 10))


@pytest.mark.parametrize("name", PAIRS)
def test_bounded_data_stay_in_their_bounds(name):
    """Decoded data lie within the bounds of the data's space, and leave them where it has none."""
    latent = PAIRS[name][0].latent_space(Real((2, 9, 6)))
    z = 50 * draw(latent, 32)
    torch.manual_seed(0)
    bounded = part(PAIRS[name][1], data=Real((2, 9, 6), -0.2, 0.6), latent=latent).eval()(z)
    free = part(PAIRS[name][1], data=Real((2, 9, 6)), latent=latent).eval()(100 * z)
    assert -0.2 <= bounded.min() < 0
    assert 0.4 < bounded.max() <= 0.6
    assert free.min() < -0.2
    assert free.max() > 0.6


@pytest.mark.parametrize("name", PAIRS)
def test_an_example_does_not_depend_on_its_batch(name):
    """In evaluation mode, one example's result is the same alone and among others."""
    data = Real((2, 9, 6))
    encoder, decoder, latent = built(name, data, READ)
    x, z, c = draw(data, 5), draw(latent, 5), draw(CONTEXT, 5, seed=1)
    torch.testing.assert_close(encoder(x, c)[3:4], encoder(x[3:4], c[3:4]))
    torch.testing.assert_close(decoder(z, c)[3:4], decoder(z[3:4], c[3:4]))


@pytest.mark.parametrize("name", ["mlp", "conv", "resnet"])
def test_a_wrong_input_names_both_shapes(name):
    """An input of another shape is refused with the shape that is expected and the one found."""
    encoder, decoder, _ = built(name, Real((2, 9, 6)))
    with pytest.raises(ValueError, match=r"expected \(B, 2, 9, 6\), found \(4, 2, 6, 9\)"):
        encoder(torch.zeros(4, 2, 6, 9))
    with pytest.raises(ValueError, match=r"expected \(B, 12.*\), found \(4, 11\)"):
        decoder(torch.zeros(4, 11))


def test_residual_blocks_start_as_the_identity():
    """Before training, a residual network of many blocks computes what one with a single block does."""
    outputs = []
    for blocks in (1, 3):
        torch.manual_seed(0)
        encoder = part(ResNet(channels=(8,), blocks=blocks), data=Real((1, 8, 8)))
        outputs.append(encoder(draw(Real((1, 8, 8)))))
    assert torch.equal(*outputs)


def test_dropout_drops_in_training_only():
    """With dropout, two passes differ in training and agree in evaluation."""
    encoder = part(MLP(hidden=(32,), dropout=0.5), data=Real((4,)))
    x = draw(Real((4,)))
    assert not torch.equal(encoder(x), encoder(x))
    encoder.eval()
    assert torch.equal(encoder(x), encoder(x))


def test_a_linear_perceptron_is_linear():
    """Without hidden layers the perceptron is an affine map: E(x + y) - E(x) - E(y) + E(0) = 0."""
    encoder = part(MLP(hidden=(), dim=3), data=Real((2, 2)))
    x, y = draw(Real((2, 2))), draw(Real((2, 2)), seed=1)
    zero = encoder(x + y) - encoder(x) - encoder(y) + encoder(torch.zeros_like(x))
    torch.testing.assert_close(zero, torch.zeros(3, 3))


def test_embedding_looks_classes_up():
    """Equal classes get equal vectors, others different ones, with one more axis in the end."""
    encoder = part(Embedding(dim=4), data=Categorical((), 10))
    vectors = encoder(torch.tensor([3, 7, 3]))
    assert vectors.shape == (3, 4)
    assert torch.equal(vectors[0], vectors[2])
    assert not torch.equal(vectors[0], vectors[1])
    assert part(Embedding(dim=4), data=Categorical((5,), 10))(torch.zeros(2, 5, dtype=torch.int64)).shape == (2, 5, 4)


@pytest.mark.parametrize(
    ("name", "at_one"),
    [
        ("relu", 1.0),
        ("silu", 0.731058579),
        ("gelu", 0.841344746),
        ("tanh", 0.761594156),
        ("elu", 1.0),
        ("leaky_relu", 1.0),
        ("leaky_relu_0.2", 1.0),
        ("softplus", 1.313261688),
    ],
)
def test_activations_by_name(name, at_one):
    """Each name gives its function: f(1) from the closed forms."""
    assert float(activation(name)(torch.ones((), dtype=torch.float64))) == pytest.approx(at_one, abs=1e-9)
