"""Predictions turned into clean data."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import Tensor

from genframe import Categorical, Context, ModelSpec, SpecError, check, compose
from genframe.core import OneHot
from genframe.testing import part
from genframe_diffusion import DDIM, EDM, VP, DenoiserDecoder, Denoising, DenoisingDecoder, Prediction, Rectified
from genframe_diffusion.denoiser import coefficients
from genframe_diffusion.testing import PLANE, PROCESSES
from genframe_nets import MLPDecoder

NETWORK = MLPDecoder(time=True, hidden=(8,))


def targets(clean: Tensor, noise: Tensor, alpha: Tensor, sigma: Tensor) -> dict[Prediction, Tensor]:
    """Return what is predicted, by its definition."""
    return {
        "noise": noise,
        "data": clean,
        "v": alpha * noise - sigma * clean,
        "velocity": noise - clean,
    }


@pytest.mark.parametrize("name", PROCESSES)
def test_perfect_predictions_give_the_data(name: str) -> None:
    """Of any process, each kind of prediction gives the clean data where it is right."""
    process = part(PROCESSES[name], data=PLANE)
    clean, noise = torch.randn(2, 20, 2, dtype=torch.float64)
    time = torch.linspace(0.05, 0.9, 20, dtype=torch.float64)
    alpha, sigma = process.alpha_sigma(time)  # type: ignore[operator]
    noisy = alpha[:, None] * clean + sigma[:, None] * noise
    for prediction, target in targets(clean, noise, alpha[:, None], sigma[:, None]).items():
        skip, out, _ = coefficients(prediction, alpha, sigma, 1.0)
        torch.testing.assert_close(skip[:, None] * noisy + out[:, None] * target, clean, rtol=1e-7, atol=1e-7)


def test_edm_coefficients_are_the_papers() -> None:
    """With alpha 1: c_skip, c_out and c_in of Karras et al. 2022, table 1."""
    sigma, deviation = torch.tensor([0.002, 0.5, 80.0], dtype=torch.float64), 0.5
    skip, out, scale = coefficients("edm", torch.ones_like(sigma), sigma, deviation)
    total = sigma.square() + deviation**2
    torch.testing.assert_close(skip, deviation**2 / total)
    torch.testing.assert_close(out, sigma * deviation / total.sqrt())
    torch.testing.assert_close(scale, 1 / total.sqrt())


@pytest.mark.parametrize("prediction", get_args(Prediction))
@pytest.mark.parametrize("process", [VP(), EDM(), Rectified()])
def test_input_of_the_network_has_unit_scale(prediction: Prediction, process: VP) -> None:
    """Noisy data times c_in have deviation 1 at every time."""
    built = part(process, data=PLANE)
    time = torch.linspace(built.least_time, 1, 30, dtype=torch.float64)  # type: ignore[arg-type, call-overload]
    alpha, sigma = built.alpha_sigma(time)  # type: ignore[operator]
    _, _, scale = coefficients(prediction, alpha, sigma, 0.7)
    torch.testing.assert_close(scale * (0.49 * alpha.square() + sigma.square()).sqrt(), torch.ones_like(time))


def test_left_out_context_is_the_learned_null() -> None:
    """Without a context a conditional denoiser reads its null context, which is a parameter of it."""
    decoder = DenoiserDecoder(network=NETWORK)
    spec = ModelSpec(encoder=VP(), decoder=decoder, loss=Denoising(), sampler=DDIM(), condition=OneHot())
    built = compose(spec, PLANE, Categorical((), 3)).decoder
    assert isinstance(built, DenoisingDecoder)
    assert built.null is not None
    torch.nn.init.normal_(built.null)
    noisy, time = torch.randn(4, 2), torch.rand(4)
    torch.testing.assert_close(built.denoise(noisy, time, None), built.denoise(noisy, time, Context(built.null.expand(4, 3))))


def problem_of(**parts: object) -> str:
    """Return the only problem of a model."""
    given = {"encoder": VP(), "decoder": DenoiserDecoder(network=NETWORK), "loss": Denoising(), "sampler": "diffusion/ddim"}
    with pytest.raises(SpecError) as caught:
        check(ModelSpec.model_validate(given | parts), PLANE)
    (problem,) = caught.value.problems
    return str(problem)


def test_network_without_time_is_refused() -> None:
    """The message says what would give it one."""
    message = problem_of(decoder=DenoiserDecoder(network=MLPDecoder()))
    assert "model.decoder.network" in message
    assert "nets/mlp does not; say time: true" in message


def test_denoiser_needs_a_process() -> None:
    """Without noise there is nothing to remove."""
    with pytest.raises(SpecError, match=r"model\.decoder: needs an encoder with NoiseProcess.*diffusion/edm"):
        check(
            ModelSpec.model_validate(
                {"encoder": "core/identity", "decoder": DenoiserDecoder(network=NETWORK), "loss": "diffusion/denoising"}
            ),
            PLANE,
        )


def test_single_step_through_a_denoiser_is_refused() -> None:
    """core/ancestral, the default, would decode noise at once; the message names the walks."""
    message = problem_of(sampler="core/ancestral")
    assert "model.sampler: diffusion/denoiser removes noise step by step" in message
    assert "diffusion/ddim" in message
