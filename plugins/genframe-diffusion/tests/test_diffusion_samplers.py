"""Samplers against closed forms: order of convergence, moments, inversion, inpainting, guidance, memory."""

from __future__ import annotations

import gc
import math
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from genframe import Categorical, Context, Model, ModelSpec, Real, SamplerSpec, Unsupported, compose
from genframe.core import OneHot
from genframe.plugins import installed
from genframe.testing import part
from genframe_diffusion import (
    DDIM,
    DDPM,
    EDM,
    ODE,
    VP,
    DenoiserDecoder,
    Denoising,
    DPMpp2M,
    DPMppSDE,
    Euler,
    EulerAncestral,
    GridPath,
    GridWalk,
    Heun,
    PredictorCorrector,
    Process,
    Rectified,
    UniPC,
    Walk,
    WalkSampler,
)
from genframe_diffusion.flow import Way
from genframe_diffusion.integration import integrate
from genframe_diffusion.points import CLEAN, Point, points
from genframe_diffusion.predictor import Predictor
from genframe_diffusion.testing import Mixture, analytic, three_modes
from genframe_nets import MLPDecoder

PROCESSES: dict[str, Process] = {"vp": VP(), "edm": EDM(), "rectified": Rectified()}
GRIDS: dict[str, Any] = {"vp": "uniform", "edm": "karras", "rectified": "uniform"}
# Every sampler of the plugin: the orders of its deterministic ways, and its random ways.
ORDERS: dict[str, list[tuple[Walk, int]]] = {
    "diffusion/ddim": [(DDIM(), 1)],
    "diffusion/euler": [(Euler(), 1)],
    "diffusion/heun": [(Heun(), 2)],
    "diffusion/dpmpp_2m": [(DPMpp2M(), 2)],
    "diffusion/unipc": [(UniPC(order=1), 2), (UniPC(order=2), 3), (UniPC(order=3), 4)],
    "diffusion/euler_ancestral": [(EulerAncestral(eta=0.0), 1)],
    "diffusion/ode": [],  # as exact as its tolerance
}
RANDOM: dict[str, list[GridWalk]] = {
    "diffusion/ddpm": [DDPM(), DDPM(variance="large")],
    "diffusion/ddim": [DDIM(eta=0.5)],
    "diffusion/euler_ancestral": [EulerAncestral()],
    "diffusion/euler": [Euler(churn=20.0)],
    "diffusion/heun": [Heun(churn=20.0, churn_interval=(0.0, 0.9))],
    "diffusion/dpmpp_sde": [DPMppSDE(order=1), DPMppSDE()],
    "diffusion/pc": [PredictorCorrector(snr=0.1), PredictorCorrector(snr=0.1, corrections=2)],
}
ELSEWHERE = {"diffusion/consistency"}  # walks of another kind of decoder, with tests of their own
ORDERED = [pytest.param(spec, order, id=f"{spec.type}-{order}") for ways in ORDERS.values() for spec, order in ways]
RANDOMS = [pytest.param(spec, id=f"{spec.type}-{number}") for ways in RANDOM.values() for number, spec in enumerate(ways)]


def sampler_of(spec: Walk) -> WalkSampler:
    """Return the sampler."""
    sampler = part(spec)
    assert isinstance(sampler, WalkSampler)
    return sampler


def predictor(spec: Walk, model: Model, context: Context | None = None) -> Predictor:
    """Return the predictions of a walk."""
    return sampler_of(spec).predictor(model, context)


def walked(spec: Walk, model: Model, x: Tensor, path: list[Point]) -> Tensor:
    """Return where a walk leads along a path."""
    sampler = sampler_of(spec)
    return last(sampler.walk(sampler.predictor(model), x, path))


def last(states: Any) -> Any:
    """Return the last of a walk's states."""
    *_, state = states
    return state


def test_every_sampler_names_its_order_or_is_random() -> None:
    """A sampler that is added to the plugin must be measured here."""
    specs = [spec for spec in installed().registry("sampler") if spec.type_name().startswith("diffusion/")]
    assert {spec.type_name() for spec in specs} == {*ORDERS, *RANDOM, *ELSEWHERE}
    for ways, random in ((ORDERS, False), (RANDOM, True)):
        for name, entries in ways.items():
            for entry in entries:
                spec = entry[0] if isinstance(entry, tuple) else entry
                assert (spec.type, spec.random) == (name, random)
                assert sampler_of(spec).step().random == random


def even_path(process: Any, first: float, end: float, steps: int) -> list[Point]:
    """Return points evenly spaced in log-SNR between two noise-to-signal ratios."""
    log_ratios = torch.linspace(math.log(first), math.log(end), steps + 1, dtype=torch.float64)
    return points(process, process.time_at(-2 * log_ratios).tolist())


@cache
def flowed(name: str) -> tuple[Model, Tensor, Tensor]:
    """Return a model of three modes, noisy data, and where the probability flow takes them, to 1e-11."""
    torch.manual_seed(0)
    mixture = three_modes()
    model = analytic(PROCESSES[name], mixture)
    first, end = even_path(model.encoder, 5.0, 0.1, 1)
    y = mixture.sample(16).double()
    x = first.alpha * y + first.sigma * torch.randn_like(y)
    predict = predictor(DDIM(), model)
    way = Way(predict.denoise, predict.process, (2,))
    scales = [point.alpha + point.sigma if way.straight else point.alpha for point in (first, end)]
    y = integrate(way.slope, x / scales[0], way.place(first), way.place(end), tolerance=1e-11)
    return model, x, scales[1] * y


@pytest.mark.parametrize("name", PROCESSES)
@pytest.mark.parametrize(("spec", "order"), ORDERED)
def test_error_falls_by_the_order(spec: Walk, order: int, name: str) -> None:
    """Twice the steps, even in log-SNR, divide the error by two to the power of the order."""
    model, x, exact = flowed(name)
    errors = []
    for steps in (64, 128):
        reached = walked(spec, model, x, even_path(model.encoder, 5.0, 0.1, steps))
        errors.append(float((reached - exact).square().mean().sqrt()))
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.25)


@pytest.mark.parametrize("name", PROCESSES)
def test_ode_meets_its_tolerance(name: str) -> None:
    """The adaptive walk ends within ten times its tolerance of the flow."""
    model, x, exact = flowed(name)
    for tolerance in (1e-3, 1e-5, 1e-7):
        reached = walked(ODE(tolerance=tolerance), model, x, even_path(model.encoder, 5.0, 0.1, 3))
        assert 0 < float((reached - exact).abs().max()) < 10 * tolerance


@pytest.mark.parametrize(("steps", "error"), [(9, 0.1391), (18, 0.02763), (36, 0.006107), (72, 0.001435), (144, 0.000345)])
def test_edm_error_table(steps: int, error: float) -> None:
    """Heun's error on the analytic Gaussian from 80 to 0 is the known one, within 1 %: rho 7, deviation 0.5."""
    spec = Heun(steps=steps, grid="karras")
    model = analytic(EDM(), Mixture(torch.zeros(1, 1, dtype=torch.float64), 0.5), sampler=spec)
    x = torch.full((1, 1), 80.0, dtype=torch.float64)
    reached = walked(spec, model, x, sampler_of(spec).path(model.encoder))  # type: ignore[arg-type]
    exact = 80 * 0.5 / math.hypot(80, 0.5)
    assert abs(float(reached) - exact) == pytest.approx(error, rel=0.01)


@pytest.mark.parametrize("name", PROCESSES)
@pytest.mark.parametrize("spec", RANDOMS)
def test_random_walks_have_the_moments(spec: GridWalk, name: str) -> None:
    """With many steps mean and variance of a Gaussian come out, within four standard errors."""
    mean, deviation, n = torch.tensor([[0.5, -1.0]], dtype=torch.float64), 0.7, 2000
    spec = spec.model_copy(update={"steps": 200, "grid": GRIDS[name]})
    model = analytic(PROCESSES[name], Mixture(mean, deviation), sampler=spec)
    x = model.sampler.draw(model, n, generator=torch.Generator().manual_seed(0))
    assert float((x.mean(0) - mean).abs().max()) < 4 * deviation / math.sqrt(n)
    variance = float((x - mean).square().mean())
    assert abs(variance / deviation**2 - 1) < 4 * math.sqrt(1 / n)


@pytest.mark.parametrize("name", PROCESSES)
def test_inversion_by_the_ode_leads_back(name: str) -> None:
    """The latents of data give the data again, within what the tolerance allows."""
    model = analytic(PROCESSES[name], three_modes(), sampler=ODE(tolerance=1e-7))
    torch.manual_seed(0)
    x = three_modes().sample(16).double()
    sampler: WalkSampler = model.sampler  # type: ignore[assignment]
    again = last(sampler.trajectory_from(model, sampler.invert(model, x))).x
    assert 0 < float((again - x).abs().max()) < 2e-5


@pytest.mark.parametrize("name", PROCESSES)
@pytest.mark.parametrize("spec", [DDIM(), Heun(), DPMpp2M(), UniPC()], ids=lambda spec: spec.type)
def test_inversion_by_steps_leads_back_in_the_limit(spec: GridWalk, name: str) -> None:
    """The more steps, the nearer to the data: with 800 within 0.05, at less than half the error of 200.

    What lies below the least time, (sigma / alpha)² and less, is not undone.
    """
    torch.manual_seed(0)
    x = three_modes().sample(8).double()
    errors = []
    for steps in (200, 800):
        model = analytic(PROCESSES[name], three_modes(), sampler=spec.model_copy(update={"steps": steps}))
        sampler: WalkSampler = model.sampler  # type: ignore[assignment]
        again = last(sampler.trajectory_from(model, sampler.invert(model, x))).x
        errors.append(float((again - x).square().mean().sqrt()))
    assert errors[1] < 0.05
    assert errors[1] < 0.5 * errors[0] + 1e-5


@pytest.mark.parametrize("spec", RANDOMS)
def test_random_walks_have_no_inverse(spec: GridWalk) -> None:
    """A walk that draws noise refuses to be gone back, and says what can be."""
    model = analytic(VP(), three_modes(), sampler=spec)
    with pytest.raises(Unsupported, match="this walk draws noise on its way, so it has no inverse; use diffusion/ode"):
        model.sampler.invert(model, torch.zeros(2, 2))  # type: ignore[attr-defined]


def correlated(process: Process, spec: Walk, correlation: float) -> Model:
    """Return a model of two values of unit variance with a correlation."""
    model = analytic(process, Mixture(torch.zeros(1, 2, dtype=torch.float64), 1.0), sampler=spec)
    variances, axes = torch.linalg.eigh(torch.tensor([[1.0, correlation], [correlation, 1.0]], dtype=torch.float64))

    def denoise(noisy: Tensor, time: Tensor, context: Context | None = None) -> Tensor:
        alpha, sigma = (each[:, None] for each in model.encoder.alpha_sigma(time.double()))  # type: ignore[operator, union-attr]
        return (noisy @ axes * (alpha * variances / (alpha.square() * variances + sigma.square()))) @ axes.T

    model.decoder.denoise = denoise  # type: ignore[assignment]
    return model


@pytest.mark.parametrize("spec", [DDPM(steps=100), DDIM(steps=100)], ids=lambda spec: spec.type)
def test_inpainting_nears_the_conditional(spec: GridWalk) -> None:
    """The known value is kept exactly; the other's mean nears that of the conditional as rounds grow, its variance as steps do.

    The discretised step loses some variance in each round: a tenth is allowed for it.
    """
    n, known_value, correlation = 2000, 1.5, 0.8
    model = correlated(Rectified(), spec, correlation)
    known = torch.tensor([True, False]).expand(n, 2)
    x = torch.full((n, 2), known_value, dtype=torch.float64)
    gaps = []
    for rounds in (1, 4, 16):
        drawn = model.sampler.inpaint(model, x, known, generator=torch.Generator().manual_seed(0), rounds=rounds)  # type: ignore[attr-defined]
        assert torch.equal(drawn[:, 0], x[:, 0])
        gaps.append(abs(float(drawn[:, 1].mean()) - correlation * known_value))
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] < 0.1
    assert float(drawn[:, 1].var()) == pytest.approx(1 - correlation**2, rel=0.1 + 4 * math.sqrt(2 / n) / 2)


@pytest.mark.parametrize("spec", [*(param.values[0] for param in ORDERED), ODE()], ids=lambda spec: spec.type)
def test_every_walk_inpaints(spec: Walk) -> None:
    """Known values of bounded data are kept to the last bit, whatever the method."""
    spec = spec.model_copy(update={"steps": 5}) if isinstance(spec, GridWalk) else spec
    model = compose(model_spec(spec), Real((2, 3), -1.3, 2.6))
    x = torch.empty(4, 2, 3).uniform_(-1.3, 2.6)
    known = torch.rand(4, 2, 3) < 0.5
    with torch.no_grad():
        drawn = model.sampler.inpaint(model, x, known, rounds=2)  # type: ignore[attr-defined]
    assert torch.equal(drawn[known], x[known])
    assert float(drawn.min()) >= -1.3
    assert float(drawn.max()) <= 2.6
    assert not torch.equal(drawn, x)


def model_spec(sampler: SamplerSpec, process: Process | None = None, **fields: Any) -> ModelSpec:
    """Return a small model."""
    decoder = DenoiserDecoder(network=MLPDecoder(time=True, hidden=(8,)))
    return ModelSpec(encoder=process or VP(), decoder=decoder, loss=Denoising(), sampler=sampler, **fields)


GIVEN, OVERALL = (0.8, 0.3), (0.0, 1.0)  # mean and deviation with the condition, and without


def posterior_mean(noisy: Tensor, point: Point, moments: tuple[float, float]) -> Tensor:
    """Return clean data of a Gaussian, given noisy data."""
    mean, variance = moments[0], moments[1] ** 2
    gain = point.alpha * variance / (point.alpha**2 * variance + point.sigma**2)
    return mean + gain * (noisy - point.alpha * mean)


def guided(spec: Walk) -> tuple[Predictor, list[bool]]:
    """Return the guided predictor of a Gaussian that knows the condition, and for each call whether it had one."""
    model, calls = analytic(VP(), Mixture(torch.zeros(1, 2, dtype=torch.float64), 1.0)), []

    def denoise(noisy: Tensor, time: Tensor, context: Context | None = None) -> Tensor:
        calls.append(context is not None)
        (point,) = points(model.encoder, [float(time[0])])  # type: ignore[arg-type]
        return posterior_mean(noisy, point, OVERALL if context is None else GIVEN)

    model.decoder.denoise = denoise  # type: ignore[assignment]
    return predictor(spec, model, Context(torch.zeros(3, 1))), calls


NOISY = torch.tensor([[0.3, -1.0], [2.0, 0.1], [-0.5, 0.7]], dtype=torch.float64)


@pytest.mark.parametrize("weight", [0.0, 0.5, 3.0])
def test_guided_score_is_extrapolated(weight: float) -> None:
    """The score of the guided prediction is (1 - w) that without the condition plus w that with it: Ho & Salimans, eq. 6."""
    predict, _ = guided(DDIM(guidance=weight))
    (point,) = points(predict.process, [0.4])
    score = (point.alpha * predict(NOISY, point) - NOISY) / point.sigma**2

    def score_of(mean: float, deviation: float) -> Tensor:
        return (point.alpha * mean - NOISY) / ((point.alpha * deviation) ** 2 + point.sigma**2)

    torch.testing.assert_close(score, (1 - weight) * score_of(*OVERALL) + weight * score_of(*GIVEN))


def test_weight_one_is_plain() -> None:
    """A weight of 1 asks the denoiser once, with the condition; a weight near 1 gives nearly the same."""
    (plain, calls), (near, _) = guided(DDIM()), guided(DDIM(guidance=1 + 1e-9))
    (point,) = points(plain.process, [0.4])
    torch.testing.assert_close(plain(NOISY, point), posterior_mean(NOISY, point, GIVEN))
    assert calls == [True]
    torch.testing.assert_close(near(NOISY, point), plain(NOISY, point))


def test_guidance_is_within_its_interval() -> None:
    """Outside the interval the prediction is the plain one, and asked for once; so for rows at times of their own."""
    predict, calls = guided(DDIM(guidance=3.0, guidance_interval=(0.3, 0.6)))
    below, within, above = points(predict.process, [0.2, 0.45, 0.8])
    for point in (below, above):
        torch.testing.assert_close(predict(NOISY, point), posterior_mean(NOISY, point, GIVEN))
    assert calls == [True, True]
    predict(NOISY, within)
    assert calls == [True, True, True, False]
    for point in (below, within, above):
        time = torch.full((3,), point.time, dtype=torch.float64)
        torch.testing.assert_close(predict.denoise(NOISY, time), predict(NOISY, point))


def test_rescaled_guidance_keeps_the_deviation() -> None:
    """Rescaled wholly, each guided prediction deviates as the one with the condition; by a share, in between."""
    plain, whole, half = (guided(DDIM(**options))[0] for options in ({}, rescaled(1.0), rescaled(0.5)))
    raw, _ = guided(DDIM(guidance=4.0))
    (point,) = points(plain.process, [0.4])
    torch.testing.assert_close(whole(NOISY, point).std(1), plain(NOISY, point).std(1))
    torch.testing.assert_close(half(NOISY, point), 0.5 * (whole(NOISY, point) + raw(NOISY, point)))


def rescaled(share: float) -> dict[str, float]:
    """Return the fields of rescaled guidance."""
    return {"guidance": 4.0, "guidance_rescale": share}


def test_predictions_stay_within_bounds() -> None:
    """With clip, predicted data lie within the data's bounds in standard units; without, they do not."""
    predictions = []
    for clip in (True, False):
        model = compose(model_spec(DDIM(clip=clip)), Real((2,), 0.0, 4.0))
        predict = predictor(DDIM(clip=clip), model)
        (point,) = points(predict.process, [0.5])
        predictions.append(predict(torch.tensor([[9.0, -9.0]]), point))
    torch.testing.assert_close(predictions[0], predictions[1].clamp(-1, 1))
    assert float(predictions[1].detach().abs().max()) > 1


@pytest.mark.parametrize(
    "spec", [*(param.values[0] for param in [*ORDERED, *RANDOMS]), ODE(tolerance=1e-2)], ids=lambda spec: spec.type
)
def test_a_walk_holds_one_state(spec: Walk) -> None:
    """Tensors of data alive at the end do not grow with steps, and are no more than a method looks back on."""
    counts = []
    for steps in (6, 12):
        spec = spec.model_copy(update={"states" if isinstance(spec, ODE) else "steps": steps})
        model = analytic(VP(), three_modes(), sampler=spec)
        counts.append(0)
        for state in model.sampler.trajectory(model, 37, generator=torch.Generator().manual_seed(0)):
            if state.step == state.steps:
                counts[-1] = sum(type(each) is Tensor and each.shape == (37, 2) for each in gc.get_objects())
    assert counts[0] == counts[1]
    looked_back = spec.order + 1 if isinstance(spec, UniPC) else int(isinstance(spec, (DPMpp2M, DPMppSDE)))
    assert counts[0] <= 3 + looked_back  # the state, noisy and in its own units, and what the step left behind


@pytest.mark.parametrize("name", PROCESSES)
def test_grids_fall_and_end_in_clean_data(name: str) -> None:
    """Times of every grid fall from 1 to above the least, as many as steps; then come clean data."""
    process = analytic(PROCESSES[name], three_modes()).encoder
    for grid in ("uniform", "karras", "log_snr") if name != "rectified" else ("uniform",):
        for steps in (1, 7, 3000):
            path = GridPath(steps, grid)(process)  # type: ignore[arg-type]
            assert len(path) == steps + 1
            assert path[0].time == pytest.approx(1)
            assert path[-1] is CLEAN
            assert all(here.time > there.time and here.ratio > there.ratio for here, there in pairwise(path[:-1]))


def test_a_chain_is_walked_over_its_steps() -> None:
    """On a uniform grid every time is one of the chain's, each at most once."""
    process = analytic(VP(steps=100), three_modes()).encoder
    for steps in (1, 7, 60, 99, 100):
        numbers = [100 * point.time for point in GridPath(steps)(process)[:-1]]  # type: ignore[arg-type]
        assert numbers == pytest.approx([round(number) for number in numbers])
        assert len({round(number) for number in numbers}) == steps


def test_ode_samples_a_conditional_model_with_guidance() -> None:
    """Guidance by rows' own times is the same walk as by points, to the tolerance."""
    mixture = Mixture(torch.zeros(1, 2, dtype=torch.float64), 1.0)
    drawn = []
    for spec in (ODE(guidance=2.0, tolerance=1e-7), UniPC(guidance=2.0, steps=400, order=3)):
        model = analytic(VP(least_time=1e-4), mixture)

        def denoise(noisy: Tensor, time: Tensor, context: Context | None = None, model: Model = model) -> Tensor:
            given = Mixture(torch.full((1, 2), 0.8, dtype=torch.float64), 0.3)
            alpha, sigma = model.encoder.alpha_sigma(time.double())  # type: ignore[operator, union-attr]
            chosen = mixture if context is None else given
            return chosen.posterior_mean(noisy, alpha[:, None], sigma[:, None])

        model.decoder.denoise = denoise  # type: ignore[assignment]
        drawn.append(sampler_of(spec).draw(model, 8, Context(torch.zeros(8, 1)), torch.Generator().manual_seed(0)))
    torch.testing.assert_close(drawn[0], drawn[1], rtol=0, atol=2e-3)


def test_one_hot_condition_can_be_guided() -> None:
    """A conditional model samples with guidance, by its own null context."""
    spec = model_spec(DPMpp2M(steps=4, guidance=2.0, guidance_interval=(0.1, 0.9), guidance_rescale=0.7), condition=OneHot())
    model = compose(spec, Real((3,), -1.0, 1.0), Categorical((), 4))
    samples = model.sample(5, torch.arange(5) % 4)
    assert samples.x.shape == (5, 3)
    assert bool(samples.x.isfinite().all())
