"""Preprocessing as bijections: values, log-determinants, first states, and bits per dimension."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from genframe import Encoder, EncoderSpec, ModelSpec, Real, Space, SpecError, check, compose
from genframe.core import IdentityEncoder
from genframe.testing import part
from genframe_flow import FlowEncoder, FlowSequence, Logit, Scaling, Whitening

UNIT = Real((3,), 0, 1)
NOISY = Real((2, 2), 0, 1, 4, dequantised=True)


def flow(spec: EncoderSpec, data: Space) -> FlowEncoder:
    """Build a preprocessing."""
    encoder = part(spec, data=data)
    assert isinstance(encoder, FlowEncoder)
    return encoder


def nll_model(encoder: EncoderSpec, data: Space = NOISY) -> Any:
    """Compose a standard normal behind an encoder."""
    spec = {"encoder": encoder, "decoder": "core/inverse", "loss": "core/nll"}
    return compose(ModelSpec.model_validate(spec), data)


def correlated(n: int = 500) -> Tensor:
    """Return data whose covariance is far from diagonal."""
    torch.manual_seed(0)
    return torch.randn(n, 3) @ torch.tensor([[1.0, 2.0, 0.0], [0.0, 0.5, -1.0], [0.0, 0.0, 0.01]]) + torch.tensor(
        [3.0, 0.0, -8.0]
    )


def test_the_logit_is_that_of_the_paper() -> None:
    """Dinh et al. 2017, sec. 4.1 with both ends kept away: alpha + (1 - 2 alpha) u, between any bounds."""
    encoder = flow(Logit(alpha=0.05), Real((3,), -1, 3))
    x = torch.tensor([[-1.0, 1.0, 2.0]])
    s = 0.05 + 0.9 * np.array([0.0, 0.5, 0.75])
    latent, log_det = encoder.forward_and_log_det(x)
    np.testing.assert_allclose(latent[0].numpy(), np.log(s / (1 - s)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(log_det.item(), np.log(0.9 / 4 / (s * (1 - s))).sum(), rtol=1e-5)


@pytest.mark.parametrize("alpha", [1e-6, 0.05])
def test_the_logit_is_inverted_to_the_bounds_themselves(alpha: float) -> None:
    """In float32 data come back within 1e-6, the bounds and their neighbours too, and every latent is within the bounds."""
    encoder = flow(Logit(alpha=alpha), UNIT)
    x = torch.tensor([[0.0, 1.0, 0.5], [1e-7, 1 - 1e-7, 1e-3], [2**-16, 1 - 2**-16, 0.999]])
    latent, log_det = encoder.forward_and_log_det(x)
    assert (encoder.inverse(latent) - x).abs().max() < 1e-6
    assert torch.isfinite(log_det).all()
    extreme = encoder.inverse(torch.tensor([[-1e4, 1e4, 80.0]]))
    assert extreme.tolist() == [[0.0, 1.0, 1.0]]


def test_bounds_are_brought_to_others() -> None:
    """From [0, 1] to [-1, 1] is 2 x - 1; the bounds and the bins go with it."""
    spec = Scaling(to=(-1.0, 1.0))
    latent, log_det = flow(spec, UNIT).forward_and_log_det(torch.tensor([[0.0, 0.25, 1.0]]))
    assert latent.tolist() == [[-1.0, -0.5, 1.0]]
    assert log_det.item() == pytest.approx(3 * math.log(2))
    assert spec.latent_space(NOISY) == Real((2, 2), -1, 1, 4, dequantised=True)
    assert Scaling(scale=3.0, shift=1.0).latent_space(NOISY) == Real((2, 2), 1, 4, 4, dequantised=True)
    assert Scaling().latent_space(NOISY) == Real((2, 2))


def test_standardisation_gives_mean_0_and_deviation_1() -> None:
    """Each dimension of the training data; one that never changes is shifted and not blown up."""
    x = torch.cat([correlated(), torch.full((500, 1), 4.0)], 1)
    encoder = flow(Scaling(), Real((4,)))
    assert torch.equal(encoder.encode(x), x)
    encoder.initialise(x)
    latent, log_det = encoder.forward_and_log_det(x)
    torch.testing.assert_close(latent.mean(0), torch.zeros(4), rtol=0, atol=1e-5)
    torch.testing.assert_close(latent.std(0, correction=0), torch.tensor([1.0, 1.0, 1.0, 0.0]), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(log_det[0], -x[:, :3].std(0, correction=0).log().sum(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rotation", ["zca", "pca"])
def test_whitened_data_have_the_covariance_of_the_identity(rotation: Any) -> None:
    """The log-determinant is minus half that of the covariance; before the fit whitening is the identity."""
    x = correlated()
    encoder = flow(Whitening(rotation=rotation, eps=1e-12), Real((3,)))
    assert torch.equal(encoder.encode(x), x)
    encoder.initialise(x)
    latent, log_det = encoder.forward_and_log_det(x)
    np.testing.assert_allclose(np.cov(latent.numpy().T, bias=True), np.eye(3), atol=1e-3)
    truth = -0.5 * np.linalg.slogdet(np.cov(x.double().numpy().T, bias=True)).logabsdet
    assert log_det[0].item() == pytest.approx(truth, abs=1e-3)


def test_zca_is_the_inverse_root_of_the_covariance() -> None:
    """W = (C + eps I)^(-1/2), which is symmetric: Krizhevsky 2009, app. A; images keep their shape."""
    x = correlated(504).reshape(-1, 1, 2, 3)
    encoder = flow(Whitening(eps=0.1), Real((1, 2, 3)))
    encoder.initialise(x)
    rows = x.flatten(1).double().numpy()
    values, vectors = np.linalg.eigh(np.cov(rows.T, bias=True) + 0.1 * np.eye(6))
    expected = (rows - rows.mean(0)) @ (vectors / np.sqrt(values)) @ vectors.T
    np.testing.assert_allclose(encoder.encode(x).flatten(1).numpy(), expected, atol=1e-5)


def test_pca_gives_components_from_the_least_to_the_greatest_variance() -> None:
    """Without the scale, the variances of the components are the eigenvalues in rising order."""
    x = correlated()
    encoder = flow(Whitening(rotation="pca"), Real((3,)))
    encoder.initialise(x)
    unscaled = encoder.encode(x) / encoder.flow.get_buffer("log_scale").exp()
    values = np.linalg.eigvalsh(np.cov(x.double().numpy().T, bias=True))
    np.testing.assert_allclose(unscaled.var(0, correction=0).numpy(), values, rtol=1e-2)


@pytest.mark.parametrize("rotation", ["zca", "pca"])
def test_whitening_is_inverted_in_float32_whatever_the_covariance(rotation: Any) -> None:
    """With fewer data than dimensions the covariance is singular; data still come back within 1e-5."""
    torch.manual_seed(0)
    x = torch.rand(40, 64) @ torch.rand(64, 64) / 32
    encoder = flow(Whitening(rotation=rotation), Real((64,)))
    encoder.initialise(x)
    fresh = torch.rand(10, 64)
    for data in (x, fresh):
        latent, log_det = encoder.forward_and_log_det(data)
        assert torch.isfinite(log_det).all()
        assert (encoder.inverse(latent) - data).abs().max() < 1e-5


def test_bits_per_dimension_are_of_the_data_whatever_the_preprocessing() -> None:
    """A preprocessing and its undoing change nothing, and the value is that of the normal over the data."""
    torch.manual_seed(0)
    x = torch.rand(50, 2, 2)
    there_and_back = FlowSequence(flows=(Scaling(scale=4.0, shift=1.0), Scaling(scale=0.25, shift=-0.25)))
    plain = nll_model(IdentityEncoder()).log_prob(x).bits_per_dim
    assert nll_model(there_and_back).log_prob(x).bits_per_dim == pytest.approx(plain, abs=1e-6)
    log_normal = (-0.5 * x.double().square() - 0.5 * math.log(2 * math.pi)).sum((1, 2)).mean().item()
    assert plain == pytest.approx(-(log_normal + 4 * math.log(1 / 4)) / (4 * math.log(2)), abs=1e-6)


def test_bits_per_dimension_count_the_log_determinant() -> None:
    """A standard normal of a x + b is a normal of deviation 1 / a, by closed form; fitted ones too."""
    torch.manual_seed(0)
    x = torch.rand(50, 2, 2)
    rows = x.flatten(1).double().numpy()
    fitted, white = nll_model(Scaling()), nll_model(Whitening(eps=1e-9))
    for model in (fitted, white):
        model.initialise(x)
    given = nll_model(Scaling(to=(-1.0, 1.0)))
    half = 0.5 * math.log(2 * math.pi)
    logs = [
        (-0.5 * (2 * rows - 1) ** 2 - half + math.log(2)).sum(1).mean(),
        -4 * (0.5 + half) - np.log(rows.std(0)).sum(),
        -4 * (0.5 + half) - 0.5 * np.linalg.slogdet(np.cov(rows.T, bias=True)).logabsdet,
    ]
    for model, log_density in zip((given, fitted, white), logs, strict=True):
        expected = -(log_density + 4 * math.log(1 / 4)) / (4 * math.log(2))
        assert model.log_prob(x).bits_per_dim == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("encoder", "data", "message"),
    [
        (
            {"type": "flow/whitening", "dims": 2},
            Real((3,)),
            "model.encoder.dims: whitening is one to one only in all dimensions, 2 are not the 3 of Real(3); "
            "leave 'dims' out; for fewer dimensions use an autoencoder",
        ),
        (
            {"type": "flow/logit"},
            Real((3,)),
            "model.encoder: flow/logit needs data within bounds, found Real(3); "
            "put it first, where the data have their bounds, or use flow/scaling",
        ),
        (
            {"type": "flow/logit"},
            Real((3,), 0, 1, 256),
            "model.encoder: flow/logit needs continuous values, found Real(3, 0 to 1, 256 levels); "
            "set dequantise: true in the data",
        ),
        (
            {"type": "flow/scaling", "to": [-1, 1]},
            Real((3,)),
            "model.encoder.to: flow/scaling needs data within bounds, found Real(3); "
            "leave 'to' out to standardise by training data, or give scale and shift",
        ),
    ],
)
def test_data_that_do_not_fit_are_refused(encoder: dict[str, Any], data: Space, message: str) -> None:
    """With the path and the hint, before anything is built."""
    spec = {"encoder": encoder, "decoder": "core/inverse", "loss": "core/nll"}
    with pytest.raises(SpecError) as error:
        check(ModelSpec.model_validate(spec), data)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"to": (0.0, 1.0), "scale": 2.0}, "'to' says scale and shift; leave these out"),
        ({"to": (1.0, 0.0)}, "the first bound of 'to' must be less than the second, found 1 and 0"),
    ],
)
def test_contradictions_are_refused(fields: dict[str, Any], message: str) -> None:
    """A scaling is said in one way."""
    with pytest.raises(ValueError, match=message):
        Scaling(**fields)


def test_whitening_of_all_dimensions_may_say_so() -> None:
    """``dims`` equal to the data's is no mistake."""
    assert Whitening(dims=3).latent_space(Real((3,))) == Real((3,))
    assert isinstance(part(Whitening(dims=3), data=Real((3,))), Encoder)
