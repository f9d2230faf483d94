"""What does not fit is refused, with what would do."""

from __future__ import annotations

import re

import pytest
import torch

from genframe import (
    Categorical,
    Context,
    ContextSpace,
    DataError,
    Mismatch,
    ModelSpec,
    PriorSpec,
    Real,
    Space,
    SpecError,
    compose,
)
from genframe.core import IdentityDecoder, IdentityEncoder, NegativeLogLikelihood
from genframe.testing import part
from genframe_autoregressive import Made, PixelCNN, PixelRNN, SequentialSampling, TextEncoder, Transformer

IMAGE, BITS = Real((1, 4, 4), 0, 1, levels=17), Real((1, 4, 4), 0, 1, levels=2)


@pytest.mark.parametrize("spec", [Made(), PixelCNN(), PixelRNN(), Transformer()])
@pytest.mark.parametrize(
    ("space", "hint"),
    [
        (Real((1, 4, 4), 0, 1), "give data with levels, or encode them by a codebook"),
        (Real((1, 4, 4), 0, 1, levels=17, dequantised=True), "leave dequantise: true out of the data"),
    ],
)
def test_values_off_any_grid_are_refused(spec: PriorSpec, space: Space, hint: str) -> None:
    """Continuous data have no probabilities; the message says what to do."""
    with pytest.raises(Mismatch, match=rf"{spec.type} is of discrete values, found {re.escape(str(space))}") as caught:
        spec.accepts(space)
    assert caught.value.problem.hint == hint


@pytest.mark.parametrize("spec", [PixelCNN(), PixelRNN()])
@pytest.mark.parametrize("shape", [(), (4,), (2, 2, 2, 2)])
def test_pixels_lie_in_a_plane(spec: PriorSpec, shape: tuple[int, ...]) -> None:
    """Sequences and volumes are referred to the other priors."""
    with pytest.raises(Mismatch, match=r"needs \(H, W\) or \(C, H, W\)") as caught:
        spec.accepts(Categorical(shape, 3))
    assert "autoregressive/transformer" in caught.value.problem.hint


def test_classes_have_no_logistic() -> None:
    """A mixture of logistics over classes is refused at its field."""
    with pytest.raises(Mismatch, match="a mixture of logistics is of values on a grid") as caught:
        PixelCNN(mixture=5).accepts(Categorical((4, 4), 9))
    assert caught.value.problem.path == "mixture"
    assert caught.value.problem.hint == "leave 'mixture' out"


def test_a_context_of_three_axes_is_refused() -> None:
    """A transformer reads a vector or a sequence of vectors."""
    with pytest.raises(Mismatch, match="reads a vector, a sequence of vectors, or both as context, found") as caught:
        Transformer().accepts(IMAGE, ContextSpace(Real((2, 3, 4))))
    assert "autoregressive/text_encoder" in caught.value.problem.hint


@pytest.mark.parametrize(
    ("component", "fields", "message"),
    [
        (Transformer, {"dim": 100, "heads": 8}, "say dim: 112"),
        (TextEncoder, {"dim": 12, "heads": 4}, "say dim: 16"),
        (PixelCNN, {"kernel": 4}, "its width is odd, found 4; say 5"),
        (PixelRNN, {"first_kernel": 6}, "its width is odd, found 6; say 7"),
        (SequentialSampling, {"temperature": -1}, "greater than or equal to 0"),
        (SequentialSampling, {"top_p": 0}, "greater than 0"),
    ],
)
def test_fields_that_cannot_be_are_refused(component: type, fields: dict[str, float], message: str) -> None:
    """By the spec itself, before any data are known."""
    with pytest.raises(SpecError, match=message):
        component(**fields)


@pytest.mark.parametrize(
    ("space", "wrong"),
    [
        (BITS, torch.full((2, 1, 4, 4), 0.5)),
        (BITS, torch.full((2, 1, 4, 4), 2.0)),
        (IMAGE, torch.full((2, 1, 4, 4), -1 / 16)),
        (IMAGE, torch.full((2, 1, 4, 4), torch.nan)),
        (Categorical((4, 4), 9), torch.full((2, 4, 4), 9)),
        (Categorical((4, 4), 9), torch.full((2, 4, 4), -1)),
        (Categorical((4, 4), 9), torch.full((2, 4, 4), 3.0)),
    ],
)
@pytest.mark.parametrize("spec", [Made(hidden=(8,)), PixelCNN(channels=4, layers=1), Transformer(dim=8, depth=1, heads=2)])
def test_values_outside_the_alphabet_are_refused(spec: PriorSpec, space: Space, wrong: torch.Tensor) -> None:
    """Grey values for a model of bits, levels beyond the last, classes of another codebook: one error that names both."""
    parts = {"encoder": IdentityEncoder(), "decoder": IdentityDecoder(), "loss": NegativeLogLikelihood()}
    model = compose(ModelSpec(prior=spec, **parts), space)
    with pytest.raises(DataError, match=rf"expected values of {re.escape(str(space))}, found .*; prepare them as the model's"):
        model.log_prob(wrong)


def test_a_caption_longer_than_the_context_is_refused() -> None:
    """Of a text the encoder reads as many places as it was built for, and says so."""
    encoder = part(TextEncoder(dim=8, depth=1, heads=2), data=Categorical((12,), 256))
    with pytest.raises(DataError, match="expected texts of 12 places, found 15; cut or fill them up to that length"):
        encoder.encode(torch.zeros(2, 15, dtype=torch.long))


def test_a_transformer_says_which_context_it_was_built_for() -> None:
    """A context that is longer, or none at all, is refused before anything is computed."""
    prior = part(Transformer(dim=8, depth=1, heads=2), code=Categorical((3,), 4), context=Real((5, 2)))
    with pytest.raises(ValueError, match=r"built for a context of shape \(2, 5, 2\), found \(2, 6, 2\)"):
        prior.sample(2, Context(sequence=torch.zeros(2, 6, 2)))
    with pytest.raises(ValueError, match="found none"):
        prior.sample(2)
    both = part(Transformer(dim=8, depth=1, heads=2), code=Categorical((3,), 4), context=ContextSpace(Real((4,)), Real((5, 2))))
    with pytest.raises(ValueError, match=r"built for a context of shape \(2, 4\), found none"):
        both.sample(2, Context(sequence=torch.zeros(2, 5, 2)))
