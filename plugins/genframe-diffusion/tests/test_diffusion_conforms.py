"""Every part of the plugin keeps what a component promises, with networks small enough for a test."""

from __future__ import annotations

from typing import ClassVar

from genframe import ModelSpec, Real, SamplerSpec
from genframe.testing import Example, PluginConformance
from genframe_diffusion import (
    DDIM,
    DDPM,
    EDM,
    ODE,
    VP,
    ConsistencyFunction,
    ConsistencySteps,
    ConsistencyTraining,
    DenoiserDecoder,
    Denoising,
    DPMpp2M,
    DPMppSDE,
    Euler,
    EulerAncestral,
    Heun,
    PredictorCorrector,
    Process,
    Rectified,
    Reflow,
    UniPC,
)
from genframe_nets import MLPDecoder

NETWORK = MLPDecoder(time=True, hidden=(16,))
DENOISER = DenoiserDecoder(network=NETWORK)
FUNCTION = ConsistencyFunction(network=NETWORK)
CONSISTENT = ModelSpec(encoder=EDM(), decoder=FUNCTION, loss=ConsistencyTraining(), sampler=ConsistencySteps())
PLANE = Real((2,))


def model(process: Process, decoder: DenoiserDecoder = DENOISER) -> ModelSpec:
    """Return a small model of a process."""
    return ModelSpec(encoder=process, decoder=decoder, loss=Denoising(), sampler=DDIM(steps=3))


def walks(*specs: SamplerSpec) -> list[Example]:
    """Return examples of samplers on three processes."""
    return [Example(spec, model=model(process)) for spec in specs for process in (VP(), EDM(), Rectified())]


class TestDiffusion(PluginConformance):
    """The conformance kit."""

    plugin = "diffusion"
    examples: ClassVar = {
        "diffusion/vp": [
            VP(),
            VP(schedule="cosine"),
            VP(schedule="log_snr"),
            VP(steps=20),
            VP(zero_terminal_snr=True),
            VP(steps=20, zero_terminal_snr=True),
        ],
        "diffusion/edm": [EDM()],
        "diffusion/rectified": [Rectified()],
        "diffusion/denoiser": [
            Example(DenoiserDecoder(network=NETWORK, prediction=prediction), encoder=process)
            for prediction, process in (("v", VP()), ("data", VP()), ("noise", VP()), ("edm", EDM()), ("velocity", Rectified()))
        ]
        + [Example(DenoiserDecoder(network=NETWORK, likelihood="flow"), encoder=VP())],
        "diffusion/denoising": [
            Example(Denoising(weighting=weighting), model=model(VP())) for weighting in ("simple", "min_snr", "edm", "sigmoid")
        ]
        + [
            Example(Denoising(weighting="likelihood", times="log_snr"), model=model(VP())),
            Example(Denoising(times="log_normal"), model=model(EDM())),
            Example(Denoising(times="logit_normal", pairing="optimal"), model=model(Rectified())),
            Example(Denoising(low_discrepancy=False, condition_dropout=0.0), model=model(VP(steps=20))),
            Example(Denoising(objective="sliced"), model=model(Rectified()), data=PLANE),
        ],
        "diffusion/consistency_function": [
            Example(FUNCTION, encoder=process) for process in (VP(schedule="log_snr"), EDM(), Rectified())
        ],
        "diffusion/consistency_training": [
            Example(ConsistencyTraining(distil=distil), model=CONSISTENT, data=PLANE) for distil in (False, True)
        ],
        "diffusion/reflow": [Example(Reflow(walk=Heun(steps=2)), model=model(Rectified()), data=PLANE)],
        "diffusion/consistency": [Example(ConsistencySteps(), model=CONSISTENT, data=PLANE)],
        "diffusion/ddpm": walks(DDPM(steps=3), DDPM(steps=3, variance="large")),
        "diffusion/ddim": walks(DDIM(steps=3), DDIM(steps=3, eta=0.5)),
        "diffusion/euler": walks(Euler(steps=3), Euler(steps=3, churn=1.0)),
        "diffusion/euler_ancestral": walks(EulerAncestral(steps=3)),
        "diffusion/heun": walks(Heun(steps=3)),
        "diffusion/dpmpp_2m": walks(DPMpp2M(steps=4)),
        "diffusion/dpmpp_sde": walks(DPMppSDE(steps=4), DPMppSDE(steps=4, order=1)),
        "diffusion/unipc": walks(UniPC(steps=5), UniPC(steps=5, order=3)),
        "diffusion/pc": walks(PredictorCorrector(steps=3, corrections=2)),
        "diffusion/ode": walks(ODE(tolerance=1e-2, states=3)),
    }
