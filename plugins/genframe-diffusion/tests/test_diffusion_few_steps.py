"""Consistency functions, reflow and sliced score matching against their definitions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from genframe import Batch, Context, Mismatch, Model, ModelSpec, Real, Spaces, SpecError, check, compose, resume, train
from genframe_diffusion import (
    DDIM,
    DDPM,
    EDM,
    VP,
    ConsistencyFunction,
    ConsistencySteps,
    ConsistencyTraining,
    DenoiserDecoder,
    Denoising,
    Heun,
    Process,
    Rectified,
    Reflow,
)
from genframe_diffusion.consistency import ConsistencyDecoder
from genframe_diffusion.denoiser import Coefficients
from genframe_diffusion.losses import sliced_error
from genframe_diffusion.reflow import ReflowLoss
from genframe_diffusion.teacher import Teacher
from genframe_diffusion.testing import CHAINS, PLANE, PROCESSES, analytic, three_modes
from genframe_nets import MLPDecoder

SMALL = MLPDecoder(time=True, hidden=(8,))
EXTENSIVE = 20_000
ROUTES: dict[str, Process] = {"edm": EDM(), "log_snr": VP(schedule="log_snr"), "rectified": Rectified()}


def consistent(process: Process, loss: ConsistencyTraining | None = None, steps: int = 2) -> Model:
    """Return a model of a consistency function in the plane."""
    function, sampler = ConsistencyFunction(network=SMALL), ConsistencySteps(steps=steps)
    return compose(ModelSpec(encoder=process, decoder=function, loss=loss or ConsistencyTraining(), sampler=sampler), PLANE)


def reflowing(walk: Any, loss: dict[str, Any] | None = None) -> Model:
    """Return a model of straight paths that learns from its teacher's pairs."""
    decoder = DenoiserDecoder(network=SMALL, prediction="velocity")
    reflow = Reflow.model_validate({"walk": walk, **(loss or {})})
    return compose(ModelSpec(encoder=Rectified(), decoder=decoder, loss=reflow, sampler=Heun(steps=2)), PLANE)


def function_of(model: Model) -> ConsistencyDecoder:
    """Return the model's consistency function."""
    assert isinstance(model.decoder, ConsistencyDecoder)
    return model.decoder


def reflow_of(model: Model) -> ReflowLoss:
    """Return the model's loss."""
    assert isinstance(model.loss, ReflowLoss)
    return model.loss


def disturb(model: Model) -> None:
    """Change every weight of the decoder, as training does."""
    with torch.no_grad():
        for parameter in model.decoder.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))


def flow_of_a_normal(model: Model) -> None:
    """Let the decoder be the consistency function of standard normal data, and its teacher their denoiser, in closed form.

    The flow keeps y / sqrt(alpha² + sigma²).
    """
    decoder = function_of(model)
    least = decoder.process.alpha_sigma(torch.tensor([decoder.process.least_time], dtype=torch.float64))
    end = torch.hypot(*least) / least[0]

    def denoise(noisy: Tensor, time: Tensor, context: Context | None = None) -> Tensor:
        return end * noisy / torch.hypot(*decoder.process.alpha_sigma(time.double()))[:, None]

    def denoise_by(by: Coefficients, noisy: Tensor, time: Tensor, context: Context | None = None) -> Tensor:
        alpha, sigma = decoder.process.alpha_sigma(time.double())
        return (alpha / (alpha.square() + sigma.square()))[:, None] * noisy

    model.double()
    decoder.denoise, decoder.denoise_by = denoise, denoise_by  # type: ignore[method-assign]


@pytest.mark.parametrize("name", [*PROCESSES, *CHAINS])
def test_least_noisy_data_are_left_as_they_are(name: str) -> None:
    """At the least time the function divides by alpha and does nothing else, whatever the network says."""
    model = consistent((PROCESSES | CHAINS)[name]).double()
    decoder = function_of(model)
    disturb(model)
    noisy = torch.randn(20, 2, dtype=torch.float64)
    time = torch.full((20,), decoder.process.least_time, dtype=torch.float64)
    alpha, _ = decoder.process.alpha_sigma(time)
    torch.testing.assert_close(decoder.denoise(noisy, time), noisy / alpha[:, None], rtol=1e-14, atol=0)
    assert not torch.allclose(decoder.denoise(noisy, 2 * time + 0.2), noisy, atol=1e-2)


def test_coefficients_are_the_papers() -> None:
    """With alpha 1: c_skip and c_out of Song et al. 2023, app. C."""
    decoder = function_of(consistent(EDM()))
    time = torch.linspace(0, 1, 30, dtype=torch.float64)
    alpha, sigma = decoder.process.alpha_sigma(time)
    skip, out, _ = decoder.coefficients(alpha, sigma)
    torch.testing.assert_close(skip, 1 / ((sigma - 0.002).square() + 1))
    torch.testing.assert_close(out, (sigma - 0.002) / (sigma.square() + 1).sqrt())


@pytest.mark.parametrize("name", ROUTES)
def test_perfect_function_costs_nothing(name: str) -> None:
    """Distilled, the exact flow of normal data costs only the teacher's step, whose error falls as the cube of its width."""

    def distance(intervals: int) -> float:
        model = consistent(ROUTES[name], ConsistencyTraining(distil=True, intervals=(intervals, intervals)))
        flow_of_a_normal(model)
        torch.manual_seed(0)
        return float(model.loss(model, Batch(torch.randn(2000, 2, dtype=torch.float64))).metrics["distance"])

    wide, narrow, narrower = (distance(intervals) for intervals in (64, 128, 1024))
    assert narrower < 1e-5
    assert wide / narrow == pytest.approx(8, rel=0.2)


def test_function_that_is_not_consistent_costs_more() -> None:
    """The denoiser of normal data, which is no consistency function, is far from its neighbours."""
    model = consistent(EDM(), ConsistencyTraining(distil=True, intervals=(64, 64)))
    x = torch.randn(2000, 2, dtype=torch.float64)
    flow_of_a_normal(model)
    perfect = model.loss(model, Batch(x)).total
    by = function_of(model).denoise_by
    model.decoder.denoise = lambda noisy, time, context=None: by(None, noisy, time)  # type: ignore[assignment, arg-type]
    assert model.loss(model, Batch(x)).total > 20 * perfect


def test_neighbours_of_data_lie_on_their_own_noise() -> None:
    """Without a teacher both points have the same example and the same noise, at two times of a width apart."""
    model = consistent(EDM(), ConsistencyTraining(intervals=(50, 50)))
    x = torch.randn(500, 2, dtype=torch.float64)
    model.double()
    asked: list[tuple[Tensor, Tensor]] = []
    model.decoder.denoise = lambda noisy, time, context=None: (asked.append((noisy, time)), noisy)[1]  # type: ignore[assignment]
    model.loss(model, Batch(x))
    (_, earlier), (_, later) = asked
    noises = [(y - x) / model.encoder.alpha_sigma(time)[1][:, None] for y, time in asked]  # type: ignore[operator, union-attr]
    torch.testing.assert_close(noises[0], noises[1])
    torch.testing.assert_close(later - earlier, torch.full_like(later, 0.02))
    assert float(earlier.min()) >= 0
    assert abs(float(noises[0].std()) - 1) < 0.1


def test_intervals_double_as_training_goes_on() -> None:
    """From the first number to the last, counting batches of training alone: Song & Dhariwal 2024, sec. 3.4."""
    model = consistent(EDM(), ConsistencyTraining(intervals=(4, 12), double_every=2))
    seen = [int(model.train().loss(model, Batch(torch.randn(4, 2))).metrics["intervals"]) for _ in range(7)]
    assert seen == [4, 4, 8, 8, 12, 12, 12]
    model.eval().loss(model, Batch(torch.randn(4, 2)))
    assert int(model.loss.get_buffer("calls")) == 7


@pytest.mark.parametrize("name", ROUTES)
@pytest.mark.parametrize("steps", [1, 2, 4])
def test_perfect_function_draws_the_data(name: str, steps: int) -> None:
    """However few the steps, samples by the exact flow of normal data are as wide as the data."""
    model = consistent(ROUTES[name], steps=steps)
    flow_of_a_normal(model)
    torch.manual_seed(0)
    states = list(model.sampler.trajectory(model, EXTENSIVE))
    assert [(state.step, state.steps) for state in states] == [(step, steps) for step in range(1, steps + 1)]
    for state in states:
        assert float(state.x.std()) == pytest.approx(1, abs=4 / math.sqrt(4 * EXTENSIVE))


def test_first_state_is_the_single_step() -> None:
    """With one step it is the decoder itself: core/ancestral draws the same."""
    model = consistent(EDM(), steps=1)
    (state,) = model.sampler.trajectory(model, 5, generator=torch.Generator().manual_seed(1))
    latent = model.latents(model.prior.sample(5, None, torch.Generator().manual_seed(1)))
    assert torch.equal(state.x, model.decode(latent))


def weights(model: Model) -> list[Tensor]:
    """Return copies of the decoder's weights."""
    return [parameter.detach().clone() for parameter in model.decoder.parameters()]


def same(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> bool:
    """Return whether all tensors are equal."""
    return all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


def test_teacher_keeps_what_it_took() -> None:
    """The decoder has the teacher's weights, untrained, within the context only; its own are as before afterwards."""
    model, teacher = consistent(EDM()).train(), Teacher()
    before = weights(model)
    teacher.take(model.decoder)
    disturb(model)
    after = weights(model)
    assert not same(before, after)
    with suppress(KeyError), teacher.in_place_of(model.decoder):
        assert same(weights(model), before)
        assert not model.decoder.training
        assert not model.decode(torch.randn(2, 2)).requires_grad
        raise KeyError
    assert same(weights(model), after)
    assert model.decoder.training
    assert not list(teacher.parameters())


@pytest.mark.parametrize("walk", [Heun(steps=3), DDIM(steps=4)])
def test_pairs_are_the_teachers(walk: Heun | DDIM) -> None:
    """However the student has changed, data are where the first weights lead, and noise is where they began."""
    model = reflowing(walk)
    disturb(model)
    first, loss = deepcopy(model), reflow_of(model)
    loss.begin(model)
    disturb(model)
    torch.manual_seed(4)
    clean, noise = loss.pairs(model, Batch(torch.randn(6, 2)))
    torch.manual_seed(4)
    torch.randn(6, 2)
    latent = first.prior.sample(6)
    expected = walk.solve(first.decoder, latent, first.encoder)  # type: ignore[arg-type]
    torch.testing.assert_close(clean, expected)
    torch.testing.assert_close(noise, latent)


def test_reflow_is_the_denoising_loss_of_its_pairs() -> None:
    """A student whose velocity is the pairs' own costs nothing."""
    model = reflowing(DDIM(steps=2))
    clean, noise = torch.randn(2, 40, 2)
    loss = reflow_of(model)
    loss.pairs = lambda model, batch: (clean, noise)  # type: ignore[method-assign]
    model.decoder.predict = lambda noisy, time, scale, context=None: noise - clean  # type: ignore[assignment]
    assert float(loss(model, Batch(clean)).total) < 1e-8


@pytest.mark.parametrize("process", [VP(), EDM(sigma_max=5.0)])
def test_sliced_error_is_the_denoising_error(process: Process) -> None:
    """For any denoiser of a mixture both have one expectation; at its own score that is the posterior's variance."""
    mixture = three_modes()
    model = analytic(process, mixture)
    exact, built = model.decoder.denoise, model.encoder
    assert callable(exact)
    torch.manual_seed(0)
    x = mixture.sample(EXTENSIVE)
    alpha, sigma = built.alpha_sigma(time := 0.2 + 0.15 * torch.rand(EXTENSIVE, dtype=torch.float64))  # type: ignore[operator, union-attr]
    noisy = alpha[:, None] * x + sigma[:, None] * torch.randn_like(x)
    for wrong in (0.0, 0.3):
        model.decoder.denoise = lambda noisy, time, context=None, wrong=wrong: exact(noisy, time) + wrong * noisy.tanh()  # type: ignore[assignment, misc]
        sliced = sliced_error(model.decoder, noisy, time)  # type: ignore[arg-type]
        direct = (model.decoder.denoise(noisy, time) - x).square().mean(1)
        gap = (sliced - direct).detach()
        assert abs(float(gap.mean())) < 4 * float(gap.std()) / math.sqrt(EXTENSIVE) < 0.05


def test_sliced_objective_is_the_papers() -> None:
    """Over (sigma² / alpha)² and less its constant, it is |s|² + 2 vᵀ (ds/dy) v: twice Song et al. 2019, eq. 8."""
    mixture = three_modes()
    model = analytic(VP(), mixture)
    time = torch.full((8,), 0.3, dtype=torch.float64)
    alpha, sigma = model.encoder.alpha_sigma(time)  # type: ignore[operator, union-attr]
    noisy = torch.randn(8, 2, dtype=torch.float64, requires_grad=True)
    torch.manual_seed(2)
    error = sliced_error(model.decoder, noisy, time)  # type: ignore[arg-type]
    torch.manual_seed(2)
    signs = torch.where(torch.rand_like(noisy) < 0.5, -1.0, 1.0)
    score = noised_score(noisy, mixture.means, float(alpha[0]), float(alpha[0]) ** 2 * 0.4**2 + float(sigma[0]) ** 2)
    (product,) = torch.autograd.grad((score * signs).sum(), noisy)
    papers = score.square().sum(1) + 2 * (product * signs).sum(1)
    torch.testing.assert_close(error, (sigma.square() / alpha).square() * papers / 2 + (sigma / alpha).square())


def noised_score(noisy: Tensor, means: Tensor, alpha: float, variance: float) -> Tensor:
    """Return the gradient of the log-density of a mixture with noise, by its density alone: (B, D) -> (B, D)."""
    log_density = (-0.5 * (noisy[:, None] - alpha * means).square().sum(-1) / variance).logsumexp(1)
    (score,) = torch.autograd.grad(log_density.sum(), noisy, create_graph=True)
    return score


def test_sliced_loss_trains_through_attention() -> None:
    """Networks with attention have the second derivatives that it takes, and gradients reach their weights."""
    decoder = {"type": "diffusion/denoiser", "network": {"type": "nets/unet", "channels": [8], "blocks": 1, "attention": [0]}}
    spec = {"encoder": VP(), "decoder": decoder, "loss": Denoising(objective="sliced"), "sampler": DDIM()}
    model = compose(ModelSpec.model_validate(spec), Real((1, 4, 4)))
    disturb(model)
    model.loss(model, Batch(torch.randn(3, 1, 4, 4))).total.backward()
    missing = [name for name, parameter in model.decoder.named_parameters() if parameter.grad is None]
    assert missing == []


def problem_of(**parts: object) -> str:
    """Return the only problem of a model."""
    given = {
        "encoder": EDM(),
        "decoder": ConsistencyFunction(network=SMALL),
        "loss": ConsistencyTraining(),
        "sampler": ConsistencySteps(),
    }
    with pytest.raises(SpecError) as caught:
        check(ModelSpec.model_validate(given | parts), PLANE)
    (problem,) = caught.value.problems
    return str(problem)


def test_denoiser_is_no_consistency_function() -> None:
    """Neither its sampler nor its loss takes a denoiser; the messages name what would do."""
    denoiser = DenoiserDecoder(network=SMALL)
    for part, other in (({"loss": Denoising()}, "sampler"), ({"sampler": DDIM()}, "loss")):
        message = problem_of(decoder=denoiser, **part)
        assert f"model.{other}: needs a decoder with Consistent; 'diffusion/denoiser' has none" in message
        assert "these have: diffusion/consistency_function" in message


def test_consistency_function_is_no_denoiser() -> None:
    """No walk takes small steps with it, and no denoising loss trains it."""
    assert "model.sampler: needs a decoder with Denoiser" in problem_of(sampler=Heun())
    assert "model.loss: needs a decoder with Preconditioned" in problem_of(loss=Denoising())


def test_network_without_time_is_refused() -> None:
    """The message says what would give it one."""
    assert "nets/mlp does not; say time: true" in problem_of(decoder=ConsistencyFunction(network=MLPDecoder()))


def test_more_steps_than_the_chain_has_are_refused() -> None:
    """A chain of so many steps has no more times."""
    assert "model.sampler.steps: the chain of diffusion/vp has 3 steps, found 4" in problem_of(
        encoder=VP(steps=3), sampler=ConsistencySteps(steps=4)
    )


@pytest.mark.parametrize(
    ("walk", "message"),
    [
        (DDPM(), "diffusion/ddpm draws noise on its way"),
        (DDIM(eta=0.5), "say diffusion/ddim with eta: 0"),
        (Heun(churn=1.0), "diffusion/heun without churn"),
        ("core/ancestral", "core/ancestral is no walk of a denoiser"),
        (ConsistencySteps(), "say diffusion/ddim or diffusion/heun"),
    ],
)
def test_teacher_walks_without_drawing_noise(walk: object, message: str) -> None:
    """A walk whose end does not belong to its beginning gives no pairs."""
    with pytest.raises(Mismatch) as caught:
        Reflow.model_validate({"walk": walk}).accepts(Spaces(PLANE, PLANE, PLANE))
    assert caught.value.path == ("walk",)
    assert message in str(caught.value.problem)


def test_fields_that_cannot_be_are_refused() -> None:
    """Pairs are the teacher's alone; intervals grow, from two."""
    with pytest.raises(ValueError, match="leave 'pairing' out"):
        Reflow(pairing="optimal")
    for intervals in ((20, 10), (1, 10)):
        with pytest.raises(ValueError, match="intervals grow from 2 or more"):
            ConsistencyTraining(intervals=intervals)


@pytest.mark.parametrize("loss", [ConsistencyTraining(distil=True, double_every=3), Reflow(walk=DDIM(steps=2))])
def test_resumed_run_has_the_same_teacher(loss: ConsistencyTraining | Reflow, tmp_path: Path) -> None:
    """Of a run that is stopped and goes on, weights and teacher are those of a run that is not, bit for bit."""
    model = (consistent(EDM(), loss) if isinstance(loss, ConsistencyTraining) else reflowing(DDIM(steps=2))).composition.spec
    settings: dict[str, Any] = {"batch_size": 16, "threads": 1, "device": "cpu", "ema": 0.5}
    experiment = {"name": "few", "data": {"type": "data/toy", "n": 300}, "model": model.model_dump(mode="json")}
    first = ConsistencyTraining() if isinstance(loss, ConsistencyTraining) else Denoising()
    untaught = {**experiment, "model": model.model_copy(update={"loss": first}).model_dump(mode="json")}
    train({**untaught, "train": {**settings, "steps": 2}}, folder=tmp_path / "teacher")
    settings["start"] = {"run": str(tmp_path / "teacher"), "parts": ["decoder"]}
    whole = train({**experiment, "train": {**settings, "steps": 8}}, folder=tmp_path / "whole").model
    train({**experiment, "train": {**settings, "steps": 4}}, folder=tmp_path / "half")
    again = resume(tmp_path / "half", ["train.steps=8"]).model
    ours, theirs = whole.state_dict(), again.state_dict()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())
    taught = ours["loss.teacher.weights"]
    assert taught.numel() > 100
    assert not torch.equal(taught, torch.cat([parameter.flatten() for parameter in whole.decoder.parameters()])[: len(taught)])
