"""Schedules against their definitions, and the units in which noise is added."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from genframe import Real, Space
from genframe.testing import part
from genframe_diffusion import EDM, VP, EndsInNoise, NoisingProcess, Process, Rectified
from genframe_diffusion.testing import CHAINS, PLANE, PROCESSES

ALL = PROCESSES | CHAINS


def built(spec: Process, data: Space = PLANE) -> NoisingProcess:
    """Return the process."""
    process = part(spec, data=data)
    assert isinstance(process, NoisingProcess)
    return process


def at(spec: Process, *times: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return alpha and sigma at times, in float64."""
    return built(spec).alpha_sigma(torch.tensor(times, dtype=torch.float64))


@pytest.mark.parametrize("name", ALL)
def test_time_is_where_log_snr_is(name: str) -> None:
    """``time_at`` is the inverse of log-SNR, which falls all the way."""
    process = built(ALL[name])
    time = torch.linspace(process.least_time, 0.99 if EndsInNoise in ALL[name].provides else 1, 200, dtype=torch.float64)
    alpha, sigma = process.alpha_sigma(time)
    log_snr = 2 * (torch.log(alpha) - torch.log(sigma))
    assert bool((log_snr.diff() < 0).all())
    torch.testing.assert_close(process.time_at(log_snr), time, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("name", [name for name, spec in ALL.items() if isinstance(spec, VP)])
def test_variance_is_preserved(name: str) -> None:
    """alpha² + sigma² is 1: Ho et al. 2020, eq. 4."""
    alpha, sigma = at(ALL[name], *np.linspace(0.01, 1, 57))
    torch.testing.assert_close(alpha.square() + sigma.square(), torch.ones_like(alpha))


def test_linear_chain_is_that_of_ddpm() -> None:
    """beta from 1e-4 to 0.02 in 1,000 steps, alpha² their running product: Ho et al. 2020, sec. 4."""
    alpha, _ = at(VP(steps=1000), *[step / 1000 for step in (1, 250, 1000)])
    squared = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
    np.testing.assert_allclose(alpha.square().numpy(), squared[[0, 249, 999]], rtol=1e-12)


def test_continuous_linear_schedule_is_its_integral() -> None:
    """alpha² = exp(-∫ beta) with beta from 0.1 to 20: Song et al. 2021b, eq. 33."""
    alpha, _ = at(VP(), 0.5, 1.0)
    np.testing.assert_allclose(
        alpha.square().numpy(), [math.exp(-0.05 - 0.25 * 19.9 / 2), math.exp(-0.1 - 19.9 / 2)], rtol=1e-12
    )


def test_cosine_schedules() -> None:
    """alpha² is cos² of the shifted angle over its first value, in continuous time and along a chain: ibid. 2021, eq. 17."""
    share = (np.array([0.25, 0.75]) + 0.008) / 1.008
    squared = np.cos(share * math.pi / 2) ** 2 / math.cos(0.008 / 1.008 * math.pi / 2) ** 2
    np.testing.assert_allclose(at(VP(schedule="cosine", steps=100), 0.25, 0.75)[0].square().numpy(), squared, rtol=1e-10)
    np.testing.assert_allclose(at(VP(schedule="cosine"), 0.25, 0.75)[0].square().numpy(), squared, rtol=1e-3)
    assert float(at(VP(schedule="cosine"), 1.0)[0]) == pytest.approx(1e-4, rel=1e-3)  # where the paper's is 0


@pytest.mark.parametrize("spec", [PROCESSES["terminal"], CHAINS["terminal chain"]])
def test_terminal_noise_is_pure(spec: Process) -> None:
    """Rescaled, the last alpha is 0 and the first as it was: Lin et al. 2024, alg. 1."""
    first = built(spec).least_time
    plain = spec.model_copy(update={"zero_terminal_snr": False})
    (start, end), (before, _) = at(spec, first, 1.0)[0], at(plain, first, 1.0)[0]
    assert float(end) == 0
    assert float(start) == pytest.approx(float(before), rel=1e-12)


def test_ends_of_edm_and_of_straight_paths() -> None:
    """sigma of EDM grows geometrically between its ends; straight paths mix data and noise by time."""
    alpha, sigma = at(EDM(sigma_min=0.01, sigma_max=100.0), 0.0, 0.5, 1.0)
    np.testing.assert_allclose(sigma.numpy(), [0.01, 1, 100], rtol=1e-12)
    assert alpha.tolist() == [1, 1, 1]
    assert [each.tolist() for each in at(Rectified(), 0.25)] == [[0.75], [0.25]]


def test_chains_are_trained_at_their_steps() -> None:
    """A share of uniform numbers falls on each of the chain's steps alike."""
    times = built(VP(steps=4)).training_time(torch.tensor([0.0, 0.24, 0.26, 0.5, 0.999]))
    assert times.tolist() == [0.25, 0.25, 0.5, 0.75, 1.0]


@pytest.mark.parametrize("data", [Real((3, 4, 4), 0, 1, levels=256), Real((3, 4, 4)), Real((5,)), Real((2, 6))])
def test_standard_units(data: Real) -> None:
    """Bounded data come to [-1, 1], others to mean 0 and deviation 1 of each channel; both go back, by the log-determinant."""
    process = built(VP(), data).double()
    x = torch.rand(64, *data.shape, dtype=torch.float64)
    x = x if data.bounded else 3 * x.cumsum(1) + 7
    process.initialise(x)
    y = process.standardise(x)
    torch.testing.assert_close(process.restore(y), x)
    if data.bounded:
        assert process.standardise(torch.tensor([0.0, 0.5, 1.0])).tolist() == [-1, 0, 1]
    else:
        axes = [axis for axis in range(x.dim()) if axis != 1]
        torch.testing.assert_close(y.mean(axes), torch.zeros(data.shape[0], dtype=torch.float64), atol=1e-12, rtol=0)
        torch.testing.assert_close(y.std(axes, correction=0), torch.ones(data.shape[0], dtype=torch.float64))
    jacobian = torch.autograd.functional.jacobian(process.standardise, x[0]).reshape(data.dims, data.dims)
    torch.testing.assert_close(process.log_det(x), torch.linalg.slogdet(jacobian)[1])


def test_measured_units_are_kept() -> None:
    """What was measured is part of the state; bounds need no state."""
    process = built(VP())
    process.initialise(torch.randn(100, 2) * 5 + 3)
    fresh = built(VP())
    fresh.load_state_dict(process.state_dict())
    x = torch.randn(4, 2)
    assert torch.equal(fresh.standardise(x), process.standardise(x))
    assert not built(VP(), Real((2,), 0, 1)).state_dict()


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"log_snr": (-1.0, 1.0)}, "log_snr falls"), ({"steps": 1}, "at least 2 steps")],
)
def test_impossible_schedules(fields: dict[str, object], message: str) -> None:
    """A schedule that cannot be is refused."""
    with pytest.raises(ValueError, match=message):
        VP.model_validate(fields)
    with pytest.raises(ValueError, match="sigma_min must be less"):
        EDM(sigma_min=2.0, sigma_max=1.0)
