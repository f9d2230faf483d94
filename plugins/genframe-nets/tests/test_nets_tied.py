from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from genframe import Real, Unsupported
from genframe.testing import part
from genframe_nets import MLP, Conv, MLPTied, Transposable

DATA = Real((1, 4, 4), 0.0, 1.0)
CONTEXT = Real((3,))


def pair(context=None, data=DATA, **fields):
    """Return a perceptron of 16-8-3 and its tied decoder."""
    torch.manual_seed(0)
    spec = MLP(**{"hidden": (8,), "dim": 3, "activation": "tanh", **fields})
    encoder = part(spec, data=DATA, context=context)
    return encoder, part(MLPTied(), data=data, latent=spec.latent_space(DATA), context=context, encoder=encoder)


def test_weights_are_shared_storage():
    """The weights that the decoder transposes are the encoder's own memory."""
    encoder, _ = pair()
    storages = [weight.untyped_storage().data_ptr() for weight in encoder.weights()]
    assert storages == [p.untyped_storage().data_ptr() for key, p in encoder.named_parameters() if key.endswith("weight")]
    assert isinstance(encoder, Transposable)


def test_decoder_is_the_closed_form():
    """x = sigmoid(W1ᵀ tanh(W2ᵀ z + b2) + b1)."""
    encoder, decoder = pair()
    first, second = encoder.weights()
    with torch.no_grad():
        for bias in decoder.biases:
            bias.normal_()
    z = torch.randn(5, 3)
    expected = torch.sigmoid(torch.tanh(z @ second + decoder.biases[0]) @ first + decoder.biases[1]).reshape(5, 1, 4, 4)
    torch.testing.assert_close(decoder(z), expected)


def test_only_biases_are_registered():
    """The decoder registers its biases alone, so the pair's state has each tensor once."""
    encoder, decoder = pair()
    assert list(decoder.state_dict()) == ["biases.0", "biases.1"]
    both = nn.ModuleDict({"encoder": encoder, "decoder": decoder})
    pointers = [tensor.data_ptr() for tensor in both.state_dict().values()]
    assert len(set(pointers)) == len(pointers) == 6
    assert sum(parameter.numel() for parameter in both.parameters()) == (16 * 8 + 8) + (8 * 3 + 3) + 8 + 16


def test_decoding_trains_the_encoder():
    """A step on what is decoded changes the encoder's weights, and through them what is decoded."""
    encoder, decoder = pair()
    z = torch.randn(5, 3)
    before = decoder(z)
    before.square().sum().backward()
    assert all(weight.grad.any() for key, weight in encoder.named_parameters() if key.endswith("weight"))
    assert all(bias.grad.any() for bias in decoder.parameters())
    with torch.no_grad():
        encoder.layers[0].weight.add_(1.0)
    assert not torch.allclose(decoder(z), before)


def test_copies_stay_tied_to_copies():
    """A deep copy of the pair is tied within itself and not to the original."""
    both = copy.deepcopy(nn.ModuleList(pair()))
    encoder, decoder = both
    z = torch.randn(2, 3)
    before = decoder(z)
    with torch.no_grad():
        encoder.layers[0].weight.add_(1.0)
    assert not torch.allclose(decoder(z), before)


@pytest.mark.parametrize("fields", [{}, {"dim": None}, {"hidden": ()}, {"hidden": (8, 6), "norm": "layer"}], ids=str)
@pytest.mark.parametrize("context", [None, CONTEXT], ids=["plain", "conditional"])
def test_any_perceptron_can_be_tied(fields, context):
    """With or without hidden layers, a last linear layer and a context, decoded data have the data's shape and bounds."""
    encoder, decoder = pair(context, **fields)
    c = torch.randn(5, 3) if context else None
    x = decoder(encoder(torch.rand(5, 1, 4, 4), c), c)
    assert x.shape == (5, 1, 4, 4)
    assert 0 <= x.min() <= x.max() <= 1
    if context:
        assert not torch.allclose(x, decoder(encoder(torch.rand(5, 1, 4, 4), c), c + 1))


def test_other_spaces_than_the_encoders_are_refused():
    """Data of another size than the encoder's, as a learned variance would ask for, are refused with both sizes."""
    with pytest.raises(Unsupported) as caught:
        pair(data=Real((2, 4, 4)))
    assert str(caught.value) == (
        "a tied decoder runs its encoder backwards, from 3 values to 16; it was asked for Real(2×4×4) from Real(3)"
    )


@pytest.mark.parametrize("encoder", [None, "conv"])
def test_an_encoder_without_weights_to_transpose_is_refused(encoder):
    """Neither no encoder nor a convolutional one will do."""
    other = part(Conv(dim=3), data=DATA) if encoder else None
    with pytest.raises(Unsupported, match="needs an encoder with Transposable, such as nets/mlp"):
        part(MLPTied(), data=DATA, latent=Real((3,)), encoder=other)
