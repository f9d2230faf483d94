"""Parts without a model: walks over any function, denoisers over a user's module, contexts through guidance."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from genframe import Context, ContextSpace, Real, installed
from genframe_diffusion import (
    DDIM,
    EDM,
    VP,
    CosineVP,
    DenoisingDecoder,
    DenoisingLoss,
    DiscreteVP,
    GridWalk,
    Guidance,
    LinearVP,
    LogSNRVP,
    MultistepStep,
    NoisingProcess,
    Predictor,
    Solver,
    StraightPaths,
    VarianceExploding,
    Walk,
    WalkSampler,
)

DEVIATION, N, STEPS = 0.5, 4000, 400
PROCESSES: dict[str, NoisingProcess] = {
    "linear": LinearVP(),
    "cosine": CosineVP(),
    "log_snr": LogSNRVP(),
    "terminal": LinearVP(zero_terminal_snr=True),
    "chain": DiscreteVP(steps=1000),
    "exploding": VarianceExploding(),
    "straight": StraightPaths(),
}
WALKS = [spec() for spec in installed().registry("sampler") if spec.type_name().startswith("diffusion/")]
SOLVERS = [spec for spec in WALKS if isinstance(spec, Walk)]


class Exact(nn.Module):
    """The denoiser of N(0, 0.5²)."""

    def __init__(self, process: NoisingProcess) -> None:
        super().__init__()
        self.process = process

    def forward(self, noisy: Tensor, time: Tensor) -> Tensor:
        """Return E[y | noisy]: (n, D), (n,) -> (n, D)."""
        alpha, sigma = (each[:, None] for each in self.process.alpha_sigma(time))
        return DEVIATION**2 * alpha / ((DEVIATION * alpha).square() + sigma.square()) * noisy


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Return standard normal noise."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_walks_of_the_plugin_are_solvers() -> None:
    """All samplers but that of consistency functions are tried here."""
    assert {spec.type for spec in WALKS} - {spec.type for spec in SOLVERS} == {"diffusion/consistency"}
    assert all(Solver in spec.provides for spec in SOLVERS)


@pytest.mark.parametrize("name", PROCESSES)
@pytest.mark.parametrize("spec", SOLVERS, ids=lambda spec: spec.type)
def test_samples_have_the_deviation_of_the_data(spec: Walk, name: str) -> None:
    """By the exact denoiser of N(0, 0.5²), every walk with every process gives samples of standard deviation 0.5."""
    spec = spec.model_copy(update={"steps": STEPS}) if isinstance(spec, GridWalk) else spec
    process = PROCESSES[name]
    x = spec.solve(Exact(process), normal(N, 2), process, generator=torch.Generator().manual_seed(1))
    assert float(x.std()) == pytest.approx(DEVIATION, abs=0.012)
    assert float(x.mean()) == pytest.approx(0, abs=0.03)


@pytest.mark.parametrize("spec", [VP(), EDM()], ids=lambda spec: spec.type)
def test_a_process_may_be_given_by_its_spec(spec: VP | EDM) -> None:
    """The same samples come of the process that the spec describes."""
    process = LinearVP() if isinstance(spec, VP) else VarianceExploding()
    walk, noise = DDIM(steps=10), normal(6, 2)
    assert torch.equal(walk.solve(Exact(process), noise, spec), walk.solve(Exact(process), noise, process))


def test_predictions_stay_within_given_bounds() -> None:
    """Samples too, unless clip is false."""
    process = CosineVP()
    found = [
        DDIM(steps=10, clip=clip).solve(Exact(process), normal(50, 2), process, bounds=(-0.1, 0.1)) for clip in (True, False)
    ]
    assert float(found[0].abs().max()) <= 0.1 + 1e-6
    assert float(found[1].abs().max()) > 0.5


def test_plain_functions_are_guided() -> None:
    """The third argument is the context as it was given, and None where it is left out."""
    seen: list[Any] = []

    def denoise(noisy: Tensor, time: Tensor, context: Tensor | None) -> Tensor:
        seen.append(context)
        return torch.zeros_like(noisy) if context is None else context.expand_as(noisy)

    labels, sampler = torch.full((3, 1), 2.0), WalkSampler(MultistepStep, guidance=Guidance(3.0))
    x = sampler.solve(denoise, normal(3, 2), CosineVP(), labels)
    torch.testing.assert_close(x, torch.full((3, 2), 6.0))
    assert {None if each is None else id(each) for each in seen} == {None, id(labels)}


class Reading(nn.Module):
    """A network that reads a time and a context, and remembers what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[Tensor, ...]] = []
        self.weight = nn.Parameter(torch.tensor(0.1))

    def forward(self, x: Tensor, time: Tensor, *, context: Tensor, sequence: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return a part of the input, moved by the context: (n, D) -> (n, D)."""
        mask = torch.ones(sequence.shape[:2]) if mask is None else mask
        self.seen.append((context, sequence, mask))
        tokens = (sequence * mask[..., None]).sum((1, 2))
        return self.weight * (x + context.sum(1)[:, None] + tokens[:, None] + time[:, None] / 1000)


def conditional() -> tuple[DenoisingDecoder, Context, Context]:
    """Return a denoiser over a network, a context of vectors and tokens, and what stands for leaving it out."""
    space = ContextSpace(Real((3,)), Real((4, 2)))
    decoder = DenoisingDecoder(Reading(), CosineVP(), "data", space)
    mask = torch.arange(4) < torch.tensor([[1], [4]])
    nothing = Context(normal(2, 3, seed=3), normal(2, 4, 2, seed=4), torch.ones(2, 4).bool())
    return decoder, Context(normal(2, 3, seed=1), normal(2, 4, 2, seed=2), mask), nothing


@pytest.mark.parametrize("given", [False, True], ids=["learned null", "nothing"])
def test_guidance_goes_away_from_nothing(given: bool) -> None:
    """Predictions are moved from that of the context's own ``nothing``, and of the learned null where it has none."""
    decoder, context, nothing = conditional()
    assert decoder.null is not None
    assert decoder.null_sequence is not None
    torch.nn.init.normal_(decoder.null)
    torch.nn.init.normal_(decoder.null_sequence)
    context = Context(context.vector, context.sequence, context.mask, nothing if given else None)
    noisy, time = normal(2, 5), torch.full((2,), 0.5)
    guided = Predictor(decoder, decoder.process, context, Guidance(3.0)).denoise(noisy, time)
    without = decoder.denoise(noisy, time, nothing if given else None)
    torch.testing.assert_close(guided, without + 3 * (decoder.denoise(noisy, time, context) - without))
    assert not torch.allclose(without, decoder.denoise(noisy, time, None if given else nothing))


def test_vectors_tokens_and_masks_reach_the_network() -> None:
    """With guidance a network reads the context and what stands for nothing, in turn."""
    decoder, context, nothing = conditional()
    context = Context(context.vector, context.sequence, context.mask, nothing)
    network = decoder.network
    assert isinstance(network, Reading)
    DDIM(steps=2, guidance=2.0).solve(decoder, normal(2, 5), decoder.process, context)
    assert len(network.seen) == 4
    for number, seen in enumerate(network.seen):
        expected = nothing if number % 2 else context
        assert all(a is b for a, b in zip(seen, (expected.vector, expected.sequence, expected.mask), strict=True))


def test_a_denoiser_learns_from_plain_tensors() -> None:
    """The loss on data and contexts, without a model: gradients reach the network, and both nulls where they are used."""
    decoder, context, nothing = conditional()
    loss = DenoisingLoss(condition_dropout=0.5)
    for own, learned in ((None, True), (nothing, False)):
        decoder.zero_grad()
        for seed in range(8):
            torch.manual_seed(seed)
            given = Context(context.vector, context.sequence, context.mask, own)
            loss.on(decoder, normal(2, 5), given).total.backward()
        assert decoder.network.weight.grad is not None
        assert (decoder.null is not None and decoder.null.grad is not None) is learned
        assert (decoder.null_sequence is not None and decoder.null_sequence.grad is not None) is learned
