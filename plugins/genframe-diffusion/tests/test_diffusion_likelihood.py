"""Likelihood by the probability flow and by the variational bound, against closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from genframe import Mismatch, ModelSpec, Real, compose
from genframe.testing.drawing import every_value
from genframe_diffusion import VP, DenoiserDecoder
from genframe_diffusion.flow import flow_log_prob
from genframe_diffusion.integration import integrate
from genframe_diffusion.testing import CHAINS, PROCESSES, Mixture, analytic, three_modes
from genframe_nets import MLPDecoder

WIDE = Mixture(torch.tensor([[0.3, -0.2], [-0.4, 0.6]], dtype=torch.float64), 0.9)


@pytest.mark.parametrize("name", PROCESSES)
def test_flow_gives_the_density_of_a_mixture(name: str) -> None:
    """With the posterior mean as denoiser the flow's density is the mixture's, to 1e-3 nats."""
    torch.manual_seed(0)
    model, x = analytic(PROCESSES[name], WIDE, likelihood="flow"), WIDE.sample(16).double()
    log_prob = model.log_prob(x)
    assert log_prob.kind == "exact"
    assert float((log_prob.nats - WIDE.log_prob(x)).abs().max()) < 1e-3 + _left_over(name)


def _left_over(name: str) -> float:
    """Return what data tell at the last time and noise hides at the first, in nats: both ends are of the process."""
    model = analytic(PROCESSES[name], WIDE)
    ends = torch.tensor([1.0, model.encoder.least_time], dtype=torch.float64)  # type: ignore[list-item, union-attr]
    alpha, sigma = model.encoder.alpha_sigma(ends)  # type: ignore[operator, union-attr]
    ratios = (sigma / alpha).tolist()
    return 4 / ratios[0] + 4 * ratios[1] ** 2


def test_estimated_trace_is_unbiased() -> None:
    """Hutchinson's estimate agrees with the exact trace in the mean, within its standard error."""
    means = torch.cat([three_modes().means] * 9, 1)  # 18 dimensions: more than are computed exactly
    mixture = Mixture(means, 0.8)
    model, x = analytic(VP(), mixture, likelihood="flow"), mixture.sample(64).double()
    exact = flow_log_prob(model.decoder, x, model.prior, probes=18)  # type: ignore[arg-type]
    estimate = flow_log_prob(model.decoder, x, model.prior, probes=4, generator=torch.Generator().manual_seed(1))  # type: ignore[arg-type]
    gap = estimate - exact
    assert float(gap.std()) > 0
    assert abs(float(gap.mean())) < 4 * float(gap.std()) / 8


@pytest.mark.parametrize("name", [*PROCESSES, *CHAINS])
def test_bound_lies_below_and_near(name: str) -> None:
    """The mean bound is at most the mean log-density, and near it in continuous time, where the denoiser is exact."""
    torch.manual_seed(1)
    model, x = analytic((PROCESSES | CHAINS)[name], WIDE), WIDE.sample(400).double()
    log_prob = model.log_prob(x, samples=64)
    assert log_prob.kind == "lower bound"
    gap = log_prob.nats - WIDE.log_prob(x)
    error = float(gap.std()) / 20
    assert float(gap.mean()) < 4 * error
    if name in PROCESSES:
        assert float(gap.mean()) > -4 * error - 0.05


def test_bound_of_discrete_data_is_of_probability() -> None:
    """Where the denoiser knows that all nine values of a grid are alike, the bound of each is near log 1/9."""
    space = Real((2,), 0, 1, levels=3)
    values = every_value(space)
    assert values is not None
    spec = ModelSpec.model_validate(
        {
            "encoder": VP(least_time=1e-3),
            "decoder": DenoiserDecoder(network=MLPDecoder(time=True, hidden=(4,))),
            "loss": "diffusion/denoising",
            "sampler": "diffusion/ddim",
        }
    )
    model = compose(spec, space).double()
    levels = torch.tensor([-1.0, 0, 1], dtype=torch.float64)

    def denoise(noisy: torch.Tensor, time: torch.Tensor, context: object = None) -> torch.Tensor:
        alpha, sigma = (each[:, None, None] for each in model.encoder.alpha_sigma(time.double()))  # type: ignore[operator, union-attr]
        shares = torch.softmax(-0.5 * ((noisy[..., None] - alpha * levels) / sigma).square(), -1)
        return (shares * levels).sum(-1)

    model.decoder.denoise = denoise  # type: ignore[assignment]
    log_prob = model.log_prob(values.double().repeat(200, 1), samples=64)
    assert log_prob.mass
    assert log_prob.average == pytest.approx(-2 * math.log(3), abs=4 * log_prob.standard_error)
    assert log_prob.bits_per_dim == pytest.approx(math.log2(3), abs=0.05)


def test_flow_of_discrete_data_is_refused() -> None:
    """A density of values on a grid has no meaning; dequantised it has."""
    decoder = DenoiserDecoder(network=MLPDecoder(time=True), likelihood="flow")
    with pytest.raises(Mismatch, match="no meaning"):
        decoder.accepts(Real((2,)), Real((2,), 0, 1, levels=3))
    decoder.accepts(Real((2,)), Real((2,), 0, 1, levels=3, dequantised=True))


def test_each_row_is_integrated_by_itself() -> None:
    """Rows of different stiffness meet the tolerance, and are the same alone."""
    rates = torch.tensor([[-1.0], [-50.0], [0.5]], dtype=torch.float64)
    start = torch.ones(3, 1, dtype=torch.float64)
    end = integrate(lambda u, y: rates * y, start, 0.0, 1.0, tolerance=1e-8)
    torch.testing.assert_close(end, torch.exp(rates), rtol=1e-6, atol=1e-7)
    alone = integrate(lambda u, y: rates[1:2] * y, start[1:2], 0.0, 1.0, tolerance=1e-8)
    torch.testing.assert_close(alone, end[1:2], rtol=0, atol=1e-15)
    backwards = integrate(lambda u, y: rates[2:] * y, end[2:], 1.0, 0.0, tolerance=1e-8)
    torch.testing.assert_close(backwards, start[2:], rtol=1e-6, atol=0)
