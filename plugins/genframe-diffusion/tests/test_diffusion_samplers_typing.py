"""What samplers refuse, before anything is built, with the path and what would do."""

from __future__ import annotations

from typing import Any

import pytest

from genframe import Categorical, DecoderSpec, ModelSpec, Real, SamplerSpec, SpecError, check
from genframe.core import Ancestral, OneHot
from genframe_diffusion import (
    DDIM,
    DDPM,
    EDM,
    ODE,
    VP,
    DenoiserDecoder,
    Denoising,
    Euler,
    Heun,
    Process,
    Rectified,
    UniPC,
    Walk,
)
from genframe_nets import MLP, MLPDecoder, UNet

DENOISER = DenoiserDecoder(network=MLPDecoder(time=True, hidden=(8,)))
LABELS = Categorical((), 3)


def problem_of(sampler: SamplerSpec, encoder: Any = None, decoder: DecoderSpec = DENOISER, **fields: Any) -> str:
    """Return the only problem of a small model, with its path and hint."""
    spec = ModelSpec(encoder=encoder or VP(), decoder=decoder, sampler=sampler, **{"loss": Denoising(), **fields})
    with pytest.raises(SpecError) as caught:
        check(spec, Real((3,)), LABELS if spec.condition else None)
    (problem,) = caught.value.problems
    return str(problem)


@pytest.mark.parametrize("sampler", [DDIM(), UniPC(), ODE()], ids=lambda spec: spec.type)
def test_a_model_without_noise_is_refused(sampler: Walk) -> None:
    """A walk needs a process and a denoiser; the problems name what has them."""
    spec = ModelSpec(encoder=MLP(dim=3), decoder=MLPDecoder(), loss=Denoising(), sampler=sampler)
    with pytest.raises(SpecError) as caught:
        check(spec, Real((3,)))
    found = [str(problem) for problem in caught.value.problems if problem.path == "model.sampler"]
    assert len(found) == 2
    assert "needs an encoder with NoiseProcess; 'nets/mlp' has none" in found[0]
    assert "diffusion/vp" in found[0]
    assert "needs a decoder with Denoiser" in found[1]
    assert "diffusion/denoiser" in found[1]


def test_one_step_is_refused_for_a_denoiser() -> None:
    """The sampler of other families would take a single step; those that walk are named."""
    found = problem_of(Ancestral())
    assert found.startswith("model.sampler: diffusion/denoiser removes noise step by step")
    assert "diffusion/ddim" in found


def test_guidance_needs_a_condition() -> None:
    """Without a condition, with a network that does not read it, or with one that is never left out: refused."""
    assert problem_of(DDIM(guidance=2.0)) == (
        "model.sampler.guidance: there is no condition to follow; leave 'guidance' out, or give the model a condition that "
        "its network reads"
    )
    never = problem_of(ODE(guidance=2.0), condition=OneHot(), loss=Denoising(condition_dropout=0.0))
    assert never.startswith("model.sampler.guidance: no condition is ever left out in training")
    assert "set condition_dropout in the loss" in never
    check(
        ModelSpec(encoder=VP(), decoder=DENOISER, loss=Denoising(), sampler=DDIM(guidance=2.0), condition=OneHot()),
        Real((3,)),
        LABELS,
    )


@pytest.mark.parametrize("process", [Rectified(), VP(zero_terminal_snr=True)], ids=lambda spec: spec.type)
@pytest.mark.parametrize("grid", ["karras", "log_snr"])
def test_noise_alone_has_no_place_on_a_grid_of_log_snr(process: Process, grid: Any) -> None:
    """Grids over log-SNR are refused where it ends at minus infinity, and allowed elsewhere."""
    assert problem_of(Heun(grid=grid), process) == (
        f"model.sampler.grid: {process.type} ends at a log-SNR of minus infinity, which is not on the grid {grid}; say uniform"
    )
    for other in (VP(), EDM(), VP(steps=100)):
        check(ModelSpec(encoder=other, decoder=DENOISER, loss=Denoising(), sampler=Heun(grid=grid)), Real((3,)))


def test_a_chain_has_so_many_steps() -> None:
    """More steps than the chain has are refused, as many are not."""
    assert problem_of(DDPM(steps=101), VP(steps=100)) == (
        "model.sampler.steps: the chain of diffusion/vp has 100 steps, found 101; take fewer"
    )
    check(ModelSpec(encoder=VP(steps=100), decoder=DENOISER, loss=Denoising(), sampler=DDPM(steps=100)), Real((3,)))


def test_predicted_noise_says_nothing_of_data_in_noise_alone() -> None:
    """A prediction of noise is refused for a process that ends in noise alone."""
    noise = DENOISER.model_copy(update={"prediction": "noise"})
    found = problem_of(DDIM(), Rectified(), noise)
    assert found.startswith("model.sampler: diffusion/rectified ends in noise alone")
    assert found.endswith("say prediction: v or velocity in the decoder")


@pytest.mark.parametrize(
    ("sampler", "fields", "message"),
    [
        (
            DDIM,
            {"guidance": 2.0, "guidance_interval": (0.8, 0.2)},
            "two times from 0 to 1, found 0.8 and 0.2",
        ),
        (DDIM, {"guidance_rescale": 0.7}, "give a guidance other than 1"),
        (Euler, {"churn_interval": (0.1, 0.9)}, "give a churn greater than 0"),
        (Euler, {"churn": 1.0, "churn_interval": (-1.0, 0.9)}, "churn_interval is two times from 0 to 1"),
        (ODE, {"steps": 10}, "unknown field 'steps'"),
        (ODE, {"states": 1}, "greater than or equal to 2"),
        (DDIM, {"eta": 1.5}, "less than or equal to 1"),
        (UniPC, {"order": 4}, "1, 2 or 3"),
    ],
)
def test_fields_that_do_not_go_together(sampler: type[Walk], fields: dict[str, Any], message: str) -> None:
    """Intervals that are none, and settings of what is not there, are refused by the field."""
    with pytest.raises(SpecError) as caught:
        sampler(**fields)
    assert message in str(caught.value)


def test_a_network_without_time_is_refused() -> None:
    """A denoiser's network must read a time; one that can says how."""
    no_time = problem_of(DDIM(), decoder=DenoiserDecoder(network=MLPDecoder()))
    assert no_time == "model.decoder.network: a denoiser's network reads a time, and nets/mlp does not; say time: true"


def test_data_of_the_wrong_rank_are_refused() -> None:
    """A U-Net over vectors is refused at the network."""
    found = problem_of(DDIM(), decoder=DenoiserDecoder(network=UNet()))
    assert found.startswith("model.decoder.network: nets/unet needs channels and 1 to 3 spatial axes, found Real(3)")
