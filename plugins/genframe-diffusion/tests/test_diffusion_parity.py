"""Steps of the samplers beside those of diffusers' schedulers, a test-only peer, and sums from its own tests."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from genframe import Context, Model
from genframe.testing import part
from genframe_diffusion import (
    DDIM,
    DDPM,
    EDM,
    VP,
    DPMpp2M,
    DPMppSDE,
    Euler,
    EulerAncestral,
    GridWalk,
    Heun,
    Process,
    Rectified,
    UniPC,
    WalkSampler,
    steps,
)
from genframe_diffusion.points import CLEAN, Point
from genframe_diffusion.testing import Mixture, analytic

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # the peer's use of numpy

DIMS, STEPS = 6, 12
CHAIN, VARIANCE_EXPLODING, STRAIGHT = VP(steps=1000), EDM(), Rectified()
Denoise = Callable[[Tensor, Point], Tensor]


def toy(noisy: Tensor, point: Point) -> Tensor:
    """Predict clean data by a smooth nonlinear function of noisy data and their noise, which keeps them where there is none."""
    norm = math.hypot(point.alpha, point.sigma)
    unit = noisy / norm
    return point.alpha / norm * unit + point.sigma / norm * (torch.tanh(unit) + 0.3 * torch.cos(3 * unit + point.alpha))


def model_of(process: Process, denoise: Denoise, path: Sequence[Point]) -> Model:
    """Return a model whose denoiser is ``denoise`` at the points of ``path``."""
    model = analytic(process, Mixture(torch.zeros(1, DIMS, dtype=torch.float64), 1.0))

    def at_nearest(noisy: Tensor, time: Tensor, context: Context | None = None) -> Tensor:
        now = float(time[0])
        return denoise(noisy, min(path, key=lambda point: abs(point.time - now)))

    model.decoder.denoise = at_nearest  # type: ignore[assignment]
    return model


def sampler_of(spec: GridWalk) -> WalkSampler:
    """Return the sampler."""
    sampler = part(spec)
    assert isinstance(sampler, WalkSampler)
    return sampler


def walked(spec: GridWalk, model: Model, x: Tensor, path: Sequence[Point], seed: int = 0) -> Iterator[Tensor]:
    """Yield the states of our walk."""
    sampler = sampler_of(spec)
    return sampler.walk(sampler.predictor(model), x, path, torch.Generator().manual_seed(seed))


def chain_point(betas: Tensor, step: int) -> Point:
    """Return the point of a step of a variance-preserving chain, counted from 0; -1 is clean data."""
    if step < 0:
        return CLEAN
    kept = float(torch.cumprod(1 - betas, 0)[step])
    return Point((step + 1) / len(betas), math.sqrt(kept), math.sqrt(1 - kept))


def preserving(ratio: float) -> Point:
    """Return the variance-preserving point of a noise-to-signal ratio; its time is a name."""
    alpha = 1 / math.hypot(1, ratio)
    return Point(1 - 1 / (1 + ratio), alpha, ratio * alpha) if ratio else CLEAN


def exploding(ratio: float) -> Point:
    """Return the variance-exploding point."""
    return Point(1 - 1 / (1 + ratio), 1.0, ratio) if ratio else CLEAN


def straight(place: float) -> Point:
    """Return the point of a straight path."""
    return Point(place, 1 - place, place)


def noise_of(noisy: Tensor, point: Point) -> Tensor:
    """Return the noise that the toy model predicts."""
    return (noisy - point.alpha * toy(noisy, point)) / point.sigma


def require_equal(ours: Iterator[Tensor], theirs: Iterator[Tensor], count: int) -> None:
    """Compare step by step."""
    pairs = list(zip(ours, theirs, strict=True))
    assert len(pairs) == count
    for own, other in pairs:
        torch.testing.assert_close(own, other.double(), rtol=1e-6, atol=1e-6)


def start(scale: float = 1.0) -> Tensor:
    """Return noisy data."""
    return scale * torch.randn(5, DIMS, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


def drawn_in_single(x: Tensor, generator: torch.Generator | None) -> Tensor:
    """Return noise as diffusers draws it for these methods, in float32."""
    return torch.randn(x.shape, generator=generator).to(x)


def in_double(scheduler: Any) -> Any:
    """Return the scheduler with its table of signals in float64."""
    scheduler.alphas_cumprod = torch.cumprod(1 - linear_betas(1000), 0)
    scheduler.set_timesteps(STEPS)
    return scheduler


def linear_betas(steps: int) -> Tensor:
    """Return betas from 1e-4 to 0.02."""
    return torch.linspace(1e-4, 0.02, steps, dtype=torch.float64)


CHAIN_WALKS = {
    "ddpm, small variance": ("DDPMScheduler", {"variance_type": "fixed_small"}, DDPM(), {}),
    "ddpm, large variance": ("DDPMScheduler", {"variance_type": "fixed_large"}, DDPM(variance="large"), {}),
    "ddim": ("DDIMScheduler", {}, DDIM(), {"eta": 0.0}),
    "ddim, eta 0.7": ("DDIMScheduler", {}, DDIM(eta=0.7), {"eta": 0.7}),
}


@pytest.mark.parametrize("name", CHAIN_WALKS)
def test_chain_steps_are_those_of_diffusers(name: str) -> None:
    """DDPM's and DDIM's steps on the linear chain agree, with the same noise where they draw any."""
    peers = pytest.importorskip("diffusers")
    kind, settings, spec, options = CHAIN_WALKS[name]
    scheduler = in_double(getattr(peers, kind)(clip_sample=False, **settings))
    path = [*(chain_point(linear_betas(1000), int(step)) for step in scheduler.timesteps), CLEAN]
    generator = torch.Generator().manual_seed(0)

    def theirs(x: Tensor) -> Iterator[Tensor]:
        for step, point in zip(scheduler.timesteps, path, strict=False):
            x = scheduler.step(noise_of(x, point), step, x, generator=generator, **options).prev_sample
            yield x

    require_equal(walked(spec, model_of(CHAIN, toy, path), start(), path), theirs(start()), STEPS)


RATIO_WALKS = {
    "euler": ("EulerDiscreteScheduler", {}, Euler()),
    "euler_ancestral": ("EulerAncestralDiscreteScheduler", {}, EulerAncestral()),
    "heun": ("HeunDiscreteScheduler", {}, Heun()),
    "heun, karras": ("HeunDiscreteScheduler", {"use_karras_sigmas": True}, Heun()),
}


@pytest.mark.parametrize("name", RATIO_WALKS)
def test_steps_in_the_noise_to_signal_ratio_are_those_of_diffusers(name: str) -> None:
    """Euler's, its ancestral and Heun's steps agree; diffusers walks over y / alpha."""
    peers = pytest.importorskip("diffusers")
    kind, settings, spec = RATIO_WALKS[name]
    scheduler = in_double(getattr(peers, kind)(**settings))
    ratios = [float(ratio) for ratio in scheduler.sigmas]
    calls = 2 if "heun" in name else 1
    path = [preserving(ratio) for ratio in (ratios[:1] + ratios[1::2] if calls == 2 else ratios)]
    generator = torch.Generator().manual_seed(0)

    def theirs(x: Tensor) -> Iterator[Tensor]:
        scaled = x / path[0].alpha
        noise = {"generator": generator} if calls == 1 else {}
        for place, (here, there) in enumerate(pairwise(path)):
            for call, point in enumerate((here, there)[: calls if there.sigma else 1]):
                step = scheduler.timesteps[calls * place + call]
                scheduler.scale_model_input(scaled, step)
                scaled = scheduler.step(noise_of(point.alpha * scaled, point), step, scaled, **noise).prev_sample.double()
            yield there.alpha * scaled

    require_equal(walked(spec, model_of(CHAIN, toy, path), start(), path), theirs(start()), STEPS)


LOG_SNR_WALKS = {
    "dpmpp_2m": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++"}, DPMpp2M()),
    "dpmpp_2m, karras": ("DPMSolverMultistepScheduler", {"use_karras_sigmas": True}, DPMpp2M()),
    "dpmpp_sde": ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}, DPMppSDE()),
    "dpmpp_sde, order 1": ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++", "solver_order": 1}, DDPM()),
    "unipc": ("UniPCMultistepScheduler", {"solver_order": 2}, UniPC()),
    "unipc, order 1": ("UniPCMultistepScheduler", {"solver_order": 1}, UniPC(order=1)),
    "unipc, order 3": ("UniPCMultistepScheduler", {"solver_order": 3}, UniPC(order=3)),
}


@pytest.mark.parametrize("name", LOG_SNR_WALKS)
def test_steps_in_log_snr_are_those_of_diffusers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """DPM-Solver++'s and UniPC's steps agree; diffusers lowers an order of 3 to 2 one step before the last."""
    peers = pytest.importorskip("diffusers")
    monkeypatch.setattr(steps, "drawn_like", drawn_in_single)
    kind, settings, spec = LOG_SNR_WALKS[name]
    scheduler = in_double(getattr(peers, kind)(final_sigmas_type="zero", **settings))
    path = [preserving(float(ratio)) for ratio in scheduler.sigmas]
    generator = torch.Generator().manual_seed(0)
    noise = {"generator": generator} if "sde" in name else {}

    def theirs(x: Tensor) -> Iterator[Tensor]:
        for step, point in zip(scheduler.timesteps, path, strict=False):
            x = scheduler.step(noise_of(x, point), step, x, **noise).prev_sample.double()
            yield x

    count = STEPS - 2 if "order 3" in name else STEPS
    ours = walked(spec, model_of(CHAIN, toy, path), start(), path)
    require_equal(*([*states][:count] for states in (ours, theirs(start()))), count)


@pytest.mark.parametrize(
    ("kind", "spec"), [("FlowMatchEulerDiscreteScheduler", Euler()), ("FlowMatchHeunDiscreteScheduler", Heun())]
)
def test_steps_on_straight_paths_are_those_of_diffusers(kind: str, spec: GridWalk) -> None:
    """Flow matching's Euler's and Heun's steps agree, from noise alone on."""
    peers = pytest.importorskip("diffusers")
    scheduler = getattr(peers, kind)()
    scheduler.set_timesteps(STEPS)
    calls = 2 if "Heun" in kind else 1
    places = [float(place) for place in scheduler.sigmas]
    path = [straight(place) for place in (places[:1] + places[1::2] if calls == 2 else places)]

    def velocity(x: Tensor, point: Point) -> Tensor:
        return (x - toy(x, point)) / point.sigma

    def theirs(x: Tensor) -> Iterator[Tensor]:
        for place, (here, there) in enumerate(pairwise(path)):
            for call, point in enumerate((here, there)[: calls if there.sigma else 1]):
                step = scheduler.timesteps[calls * place + call]
                x = scheduler.step(velocity(x, point), step, x).prev_sample.double()
            yield x

    require_equal(walked(spec, model_of(STRAIGHT, toy, path), start(), path), theirs(start()), STEPS)


@pytest.mark.parametrize(("kind", "spec"), [("EDMEulerScheduler", Euler()), ("EDMDPMSolverMultistepScheduler", DPMpp2M())])
def test_steps_of_edm_are_those_of_diffusers(kind: str, spec: GridWalk) -> None:
    """EDM's Euler and DPM-Solver++ steps agree, through its preconditioning."""
    peers = pytest.importorskip("diffusers")
    scheduler = getattr(peers, kind)()
    scheduler.set_timesteps(STEPS)
    path = [exploding(float(ratio)) for ratio in scheduler.sigmas]

    def theirs(x: Tensor) -> Iterator[Tensor]:
        for step, point in zip(scheduler.timesteps, path, strict=False):
            variance = point.sigma**2 + 0.25
            network = (toy(x, point) - 0.25 / variance * x) * math.sqrt(variance) / (0.5 * point.sigma)
            scheduler.scale_model_input(x, step)
            x = scheduler.step(network, step, x).prev_sample.double()
            yield x

    x = start(path[0].sigma)
    require_equal(walked(spec, model_of(VARIANCE_EXPLODING, toy, path), x, path), theirs(x), STEPS)


def dummy_sample() -> Tensor:
    """Return the noisy images of diffusers' own tests: (4, 3, 8, 8)."""
    count = 4 * 3 * 8 * 8
    return (torch.arange(count).reshape(3, 8, 8, 4) / count).permute(3, 0, 1, 2)


def dummy_denoise(steps: int, prediction: str = "noise", bound: float = math.inf) -> Denoise:
    """Return what their dummy network x · t / (t + 1), t a step from 0, says of clean data."""

    def denoise(noisy: Tensor, point: Point) -> Tensor:
        step = round(point.time * steps, 3) - 1
        output = noisy * step / (step + 1)
        clean = (
            point.alpha * noisy - point.sigma * output if prediction == "v" else (noisy - point.sigma * output) / point.alpha
        )
        return clean.clamp(-bound, bound)

    return denoise


def dummy_sum(spec: GridWalk, path: Sequence[Point], denoise: Denoise, x: Tensor, seed: int | None = None) -> float:
    """Return the sum of absolute values that a walk ends with."""
    model = model_of(CHAIN, denoise, path).float()
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    sampler = sampler_of(spec)
    *_, last = sampler.walk(sampler.predictor(model), x, path, generator)
    return float(last.abs().sum())


@pytest.mark.parametrize(("prediction", "golden"), [("noise", 172.0067), ("v", 52.5302)])
def test_ddim_sums(prediction: str, golden: float) -> None:
    """Ten steps of DDIM end with the sums in diffusers' test_scheduler_ddim.py."""
    path = [chain_point(linear_betas(1000), step) for step in range(900, -1, -100)]
    found = dummy_sum(DDIM(), [*path, CLEAN], dummy_denoise(1000, prediction, bound=1.0), dummy_sample())
    assert found == pytest.approx(golden, abs=1e-3)


@pytest.mark.parametrize(("prediction", "golden"), [("noise", 258.9606), ("v", 202.0296)])
def test_ddpm_sums(prediction: str, golden: float) -> None:
    """A thousand steps of DDPM, noise drawn under seed 0, end with the sums in diffusers' test_scheduler_ddpm.py."""
    path = [chain_point(linear_betas(1000), step) for step in range(999, -2, -1)]
    found = dummy_sum(DDPM(), path, dummy_denoise(1000, prediction, bound=1.0), dummy_sample(), seed=0)
    assert found == pytest.approx(golden, abs=1e-2)


@pytest.mark.parametrize(("spec", "golden"), [(Euler(), 10.0807), (Heun(), 0.1233)])
def test_euler_and_heun_sums(spec: GridWalk, golden: float) -> None:
    """Ten steps over a chain of 1,100 end with the sums in diffusers' test_scheduler_euler.py and test_scheduler_heun.py.

    Those tests take each step from what the network reads, alpha times what the step before gave.
    """
    kept = torch.cumprod(1 - linear_betas(1100), 0)
    ratios = ((1 - kept) / kept).sqrt()
    places = torch.linspace(1099, 0, 10, dtype=torch.float64)
    low = places.floor().long().clamp(max=1098)
    interpolated = torch.lerp(ratios[low], ratios[low + 1], places - low)
    place_of = {preserving(float(ratio)): float(place) for ratio, place in zip(interpolated, places, strict=True)}
    path = [*place_of, CLEAN]
    scaled = dummy_sample().double() * path[0].ratio
    for here, there in pairwise(path):

        def denoise(noisy: Tensor, point: Point, here: Point = here) -> Tensor:
            read = noisy / point.alpha if point is here else noisy
            return noisy / point.alpha - point.ratio * read * place_of[point] / (place_of[point] + 1)

        read = here.alpha * scaled
        (reached,) = walked(spec, model_of(CHAIN, denoise, [here, there]), here.alpha * read, [here, there])
        scaled = reached / there.alpha
    assert float(scaled.abs().sum()) == pytest.approx(golden, abs=1e-3)
