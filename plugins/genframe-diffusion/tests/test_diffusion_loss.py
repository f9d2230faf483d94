"""The denoising loss against its definition."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
import torch
from torch import Tensor

from genframe import Batch, Categorical, ContextSpace, Mismatch, Model, ModelSpec, Spaces, compose
from genframe.core import OneHot
from genframe.testing import part
from genframe_diffusion import EDM, VP, DenoiserDecoder, Denoising, Process, Rectified, Times
from genframe_diffusion.bound import _denoising
from genframe_diffusion.pairing import optimal_pairs
from genframe_diffusion.testing import PLANE, analytic, three_modes
from genframe_nets import MLPDecoder

N = 4000


def guessing(process: Process, loss: Denoising, prediction: str = "noise") -> Model:
    """Return a model whose network predicts zeros."""
    decoder = DenoiserDecoder.model_validate(
        {"network": MLPDecoder(time=True, hidden=(4,), zero=True), "prediction": prediction}
    )
    return compose(
        ModelSpec.model_validate({"encoder": process, "decoder": decoder, "loss": loss, "sampler": "diffusion/ddim"}), PLANE
    )


def test_simple_loss_of_zeros_is_the_targets_power() -> None:
    """A network that predicts zeros costs E|noise|² = 1 a dimension, or E|noise - data|² = 2 with unit data."""
    torch.manual_seed(0)
    x = torch.randn(N, 2)
    model = guessing(VP(), Denoising())
    assert model.loss(model, Batch(x)).total.item() == pytest.approx(1, abs=0.06)
    model = guessing(Rectified(), Denoising(), "velocity")
    assert model.loss(model, Batch(x)).total.item() == pytest.approx(2, abs=0.12)


WEIGHTS: dict[str, Any] = {
    "min_snr": lambda snr: snr.clamp(max=5),
    "edm": lambda snr: snr + 1,
    "sigmoid": lambda snr: snr * torch.sigmoid(2 - snr.log()),
}


@pytest.mark.parametrize("weighting", WEIGHTS)
@pytest.mark.parametrize("prediction", ["noise", "data", "v", "velocity", "edm"])
def test_weights_are_of_clean_data(weighting: str, prediction: str) -> None:
    """Whatever is predicted, the loss is the mean of weight(snr) times the error of clean data."""
    model = guessing(VP(), Denoising.model_validate({"weighting": weighting}), prediction)
    x = torch.randn(64, 2)
    torch.manual_seed(3)
    total = model.loss(model, Batch(x)).total
    torch.manual_seed(3)
    noise = torch.randn(64, 2)
    time = Times().draw(model.encoder, 64, x.device)  # type: ignore[arg-type]
    alpha, sigma = model.encoder.alpha_sigma(time)  # type: ignore[operator, union-attr]
    clean = model.decoder.denoise(alpha[:, None] * x + sigma[:, None] * noise, time)  # type: ignore[operator]
    expected = (WEIGHTS[weighting]((alpha / sigma).square()) * (clean - x).square().mean(1)).mean()
    torch.testing.assert_close(total, expected, rtol=1e-3, atol=1e-4)


def test_likelihood_weighting_is_the_bounds_denoising_term() -> None:
    """Summed over dimensions, the loss is the cost of denoising in the variational bound, in nats."""
    process = VP(schedule="log_snr", log_snr=(6.0, -6.0))
    model = guessing(process, Denoising(weighting="likelihood", times="log_snr"), "data")
    x = three_modes().sample(20_000).float()
    total = 2 * model.loss(model, Batch(x)).total.item()
    expected = _denoising(model.decoder, x, None, 1, None).mean().detach()  # type: ignore[arg-type]
    assert total == pytest.approx(float(expected), rel=0.03)
    with pytest.raises(ValueError, match="say times: log_snr"):
        Denoising(weighting="likelihood")


def test_times_of_a_batch_are_spread_evenly() -> None:
    """With low discrepancy each of B equal intervals has one time; without it some have none."""
    process = part(VP(least_time=1e-6), data=PLANE)
    even = Times().draw(process, 100, torch.device("cpu"))  # type: ignore[arg-type]
    assert (
        sorted((even * 100).floor().int().tolist()) == list(range(100))
        or len(set((even * 100 - even[0] * 100).round().tolist())) == 100
    )
    free = Times(low_discrepancy=False).draw(process, 100, torch.device("cpu"))  # type: ignore[arg-type]
    assert len(set((free * 100).floor().int().tolist())) < 90


@pytest.mark.parametrize("process", [EDM(), VP()])
def test_log_normal_times(process: Process) -> None:
    """log(sigma / alpha) has the mean and deviation that are asked for: Karras et al. 2022, sec. 5."""
    built = part(process, data=PLANE)
    time = Times("log_normal").draw(built, 20_000, torch.device("cpu"))  # type: ignore[arg-type]
    alpha, sigma = built.alpha_sigma(time)  # type: ignore[operator]
    log_ratio = torch.log(sigma / alpha)
    assert float(log_ratio.mean()) == pytest.approx(-1.2, abs=0.02)
    assert float(log_ratio.std()) == pytest.approx(1.2, abs=0.02)


def test_logit_normal_times() -> None:
    """logit(t) has the mean and deviation that are asked for: Esser et al. 2024, eq. 19."""
    built = part(Rectified(), data=PLANE)
    times = Times("logit_normal", mean=0.3, deviation=0.8)
    logits = torch.logit(times.draw(built, 20_000, torch.device("cpu")))  # type: ignore[arg-type]
    assert float(logits.mean()) == pytest.approx(0.3, abs=0.03)
    assert float(logits.std()) == pytest.approx(0.8, abs=0.03)


def test_share_of_conditions_is_left_out_in_training_only() -> None:
    """A tenth of contexts is replaced by the null context while training, none in evaluation."""
    spec = {
        "encoder": VP(),
        "decoder": DenoiserDecoder(network=MLPDecoder(time=True, hidden=(4,))),
        "loss": Denoising(),
        "sampler": "diffusion/ddim",
        "condition": OneHot(),
    }
    model = compose(ModelSpec.model_validate(spec), PLANE, Categorical((), 3))
    seen: list[Tensor] = []
    network: Any = model.decoder.network
    network.register_forward_pre_hook(lambda module, args, named: seen.append(named["context"]), with_kwargs=True)
    batch = Batch(torch.randn(N, 2), torch.zeros(N, dtype=torch.int64))
    model.train().loss(model, batch)
    model.eval().loss(model, batch)
    left_out = [float((context == 0).all(1).float().mean()) for context in seen]
    assert left_out[0] == pytest.approx(0.1, abs=0.02)
    assert left_out[1] == 0


def test_optimal_pairs_have_the_least_distance() -> None:
    """No other order of the noise is nearer to the data, by trying all."""
    clean, noise = torch.randn(2, 5, 3)
    paired = optimal_pairs(clean, noise)
    costs = [float((clean - noise[list(order)]).square().sum()) for order in permutations(range(5))]
    assert float((clean - paired).square().sum()) == pytest.approx(min(costs))
    with pytest.raises(Mismatch, match="depends on their condition"):
        Denoising(pairing="optimal").accepts(Spaces(PLANE, PLANE, PLANE, ContextSpace(PLANE)))


def test_perfect_denoiser_has_the_posteriors_error() -> None:
    """The error of the posterior mean is least: any other prediction of the same data costs more."""
    model = analytic(VP(), three_modes())
    x = three_modes().sample(N)
    best = _denoising(model.decoder, x, None, 1, None).mean()  # type: ignore[arg-type]
    exact = model.decoder.denoise
    model.decoder.denoise = lambda noisy, time, context=None: exact(noisy, time) + 0.05  # type: ignore[operator, assignment]
    assert float(_denoising(model.decoder, x, None, 1, None).mean()) > float(best)  # type: ignore[arg-type]
