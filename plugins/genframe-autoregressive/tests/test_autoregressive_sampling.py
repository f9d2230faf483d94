"""Sharpened draws, and what is known beforehand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from genframe import (
    Categorical,
    Context,
    ContextSpace,
    ModelSpec,
    PriorSpec,
    Real,
    Space,
    SpecError,
    check,
    compose,
    generator_for,
)
from genframe.core import IdentityDecoder, IdentityEncoder, NegativeLogLikelihood, Normal
from genframe.testing import part
from genframe_autoregressive import Made, PixelCNN, PixelRNN, SequentialSampling, TextEncoder, Transformer, sequence
from genframe_autoregressive.cache import Cache
from genframe_autoregressive.filtering import adjusted
from genframe_autoregressive.sampler import SequentialSampler
from genframe_autoregressive.sequence import AutoregressivePrior, pick
from genframe_autoregressive.transformer import TransformerPrior

Build = Callable[..., AutoregressivePrior]
COLOUR, CLASSES = Real((3, 2, 3), -1, 1, levels=5), Categorical((2, 3), 3)
SPECS = [
    Made(hidden=(16,)),
    PixelCNN(channels=6, layers=2),
    PixelCNN(channels=6, layers=2, mixture=2),
    PixelRNN(channels=6, layers=1),
    Transformer(dim=8, depth=1, heads=2),
]
PARTS = {"encoder": IdentityEncoder(), "decoder": IdentityDecoder(), "loss": NegativeLogLikelihood()}


@pytest.mark.parametrize("spec", SPECS, ids=["made", "pixelcnn", "mixture", "pixelrnn", "transformer"])
def test_completions_keep_what_is_known_and_draw_the_rest(build: Build, spec: PriorSpec) -> None:
    """Known values come back bit for bit; the first unknown ones after them have the conditional's frequencies."""
    prior = build(spec, COLOUR)
    known = prior.sample(1, None, generator_for("cpu", 1)).expand(3000, -1, -1, -1)
    mask = torch.zeros(COLOUR.shape, dtype=torch.bool)
    mask[:, 0] = True  # the first row of all channels
    mask[0, 1, 0] = True
    found = prior.complete(known, mask, None, generator_for("cpu", 2))
    assert torch.equal(found[:, mask], known[:, mask])
    assert (found[:, ~mask] != known[:, ~mask]).any(0).all()
    indices = prior.alphabet.indices(found)
    with torch.no_grad():
        expected = prior.logits(indices[:1])[0, 10].softmax(0)  # the second channel of the second row's first pixel
    share = torch.bincount(indices[:, 10], minlength=5) / len(indices)
    assert ((share - expected).abs() < 5 * (expected * (1 - expected) / len(indices)).sqrt() + 1e-6).all()


@pytest.mark.parametrize("spec", SPECS, ids=["made", "pixelcnn", "mixture", "pixelrnn", "transformer"])
def test_a_draw_in_slices_is_the_same(build: Build, monkeypatch: pytest.MonkeyPatch, spec: PriorSpec) -> None:
    """However few sequences fit the memory at once, each one's random numbers, context and known values stay its own."""
    prior = build(spec, COLOUR, Real((4,)))
    context = Context(torch.randn(7, 4, generator=generator_for("cpu", 3)))
    mask = torch.rand((7, *COLOUR.shape), generator=generator_for("cpu", 4)) < 0.3
    asked: list[int] = []
    step = prior.step
    monkeypatch.setattr(prior, "step", lambda n, context: (asked.append(n), step(n, context))[1])
    whole = prior.sample(7, context, generator_for("cpu", 1))
    completed = prior.complete(whole.roll(1, 0), mask, context, generator_for("cpu", 2))
    assert asked == [7, 7]
    monkeypatch.setattr(sequence, "NUMBERS_AT_ONCE", 3 * prior.numbers_kept)
    assert torch.equal(prior.sample(7, context, generator_for("cpu", 1)), whole)
    assert torch.equal(prior.complete(whole.roll(1, 0), mask, context, generator_for("cpu", 2)), completed)
    assert asked[2:] == [3, 3, 1] * 2


def test_draws_in_bfloat16_follow_the_same_logits(build: Build) -> None:
    """Under autocast the cached logits are those of the whole network within bfloat16's rounding."""
    prior = build(Transformer(dim=16, depth=2, heads=2), CLASSES, Real((3, 4)))
    context = Context(sequence=torch.randn(5, 3, 4, generator=generator_for("cpu", 1)))
    indices = torch.randint(3, (5, 6))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        step = prior.step(5, context)
        rows = [step(indices[:, t - 1] if t else None) for t in range(6)]
        torch.testing.assert_close(torch.stack(rows, 1).float(), prior.logits(indices, context).float(), atol=0.1, rtol=0.05)


def test_large_draws_keep_a_quarter_gibibyte() -> None:
    """Keys and values of 784 tokens, as the cache allocates them, are what a transformer counts, and few rows at once."""
    prior = part(Transformer(dim=16, depth=2, heads=2), code=Categorical((784,), 3))
    assert isinstance(prior, TransformerPrior)
    cache = Cache(list(prior.blocks), prior.rotary, 5, prior.length)
    assert sum(kept.keys.numel() + kept.values.numel() for kept in cache.kept) == 5 * prior.numbers_kept
    assert sequence.NUMBERS_AT_ONCE * 4 == 2**28


def test_unknown_values_may_hold_anything(build: Build) -> None:
    """What is not known is not looked at: it may lie outside the alphabet."""
    prior = build(SPECS[0], CLASSES)
    mask = torch.tensor([[True, True, False], [False, False, False]])
    known = torch.where(mask, 1, -7).expand(4, 2, 3)
    found = prior.complete(known, mask, None, generator_for("cpu", 0))
    assert found[:, mask].eq(1).all()
    assert found.ge(0).all()


def sampler(**fields: object) -> SequentialSampler:
    """Return a sampler of the fields."""
    built = part(SequentialSampling.model_validate(fields))
    assert isinstance(built, SequentialSampler)
    return built


@pytest.mark.parametrize("spec", SPECS, ids=["made", "pixelcnn", "mixture", "pixelrnn", "transformer"])
def test_at_temperature_zero_each_value_is_the_most_probable(spec: PriorSpec) -> None:
    """All samples are one, and each of its values has the largest logit given those before it; near 0 it is the same."""
    model = compose(ModelSpec(prior=spec, **PARTS), COLOUR)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator_for("cpu", parameter.numel())))
    greedy = sampler(temperature=0).draw(model, 5, None, generator_for("cpu", 0))
    prior = model.prior
    assert isinstance(prior, AutoregressivePrior)
    indices = prior.alphabet.indices(greedy)
    with torch.no_grad():
        assert torch.equal(prior.logits(indices).argmax(-1), indices)
    assert torch.equal(sampler(temperature=1e-6).draw(model, 5, None, generator_for("cpu", 1)), greedy)


def test_a_sampler_that_adjusts_nothing_draws_what_the_prior_draws() -> None:
    """With the defaults the sampler's samples are core/ancestral's, by the same generator, and its last state holds them."""
    model = compose(ModelSpec(prior=SPECS[1], **PARTS), COLOUR)
    plain = model.sampler.draw(model, 3, None, generator_for("cpu", 0))
    states = list(sampler().trajectory(model, 3, None, generator_for("cpu", 0)))
    assert torch.equal(sampler().draw(model, 3, None, generator_for("cpu", 0)), plain)
    assert torch.equal(states[-1].x, plain)
    assert [state.step for state in states] == [*range(1, 19)]


def test_samplers_complete_data() -> None:
    """The sampler keeps known values too, and sharpens the rest."""
    model = compose(ModelSpec(prior=SPECS[0], **PARTS), CLASSES)
    mask = torch.tensor([[True, False, True], [False, False, True]])
    known = torch.tensor([[2, 0, 1], [0, 0, 2]]).expand(50, 2, 3)
    found = sampler(top_k=1).complete(model, known, mask, None, generator_for("cpu", 0))
    assert torch.equal(found[:, mask], known[:, mask])
    assert len(found.unique(dim=0)) == 1


PROBABILITIES = torch.tensor([[0.4, 0.1, 0.3, 0.2], [0.05, 0.05, 0.05, 0.85]])


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({"top_k": 2}, [[1, 0, 1, 0], [1, 1, 1, 1]]),
        ({"top_k": 9}, [[1, 1, 1, 1], [1, 1, 1, 1]]),
        ({"top_p": 0.6}, [[1, 0, 1, 0], [0, 0, 0, 1]]),
        ({"top_p": 0.75}, [[1, 0, 1, 1], [0, 0, 0, 1]]),
        ({"top_p": 1e-6}, [[1, 0, 0, 0], [0, 0, 0, 1]]),
        ({"min_p": 0.6}, [[1, 0, 1, 0], [0, 0, 0, 1]]),
        ({"min_p": 1.0}, [[1, 0, 0, 0], [0, 0, 0, 1]]),
        ({"top_k": 3, "top_p": 0.5}, [[1, 0, 1, 0], [0, 0, 0, 1]]),
        ({"temperature": 0.0}, [[1, 0, 0, 0], [0, 0, 0, 1]]),
    ],
)
def test_filters_keep_what_they_say(fields: dict[str, float], kept: list[list[int]]) -> None:
    """What is kept has its probabilities, divided by their sum; of equal ones at the edge, all are kept."""
    mask = torch.tensor(kept, dtype=torch.bool)
    expected = PROBABILITIES.masked_fill(~mask, 0)
    found = adjusted(PROBABILITIES.log(), **fields).softmax(1)  # type: ignore[arg-type]
    torch.testing.assert_close(found, expected / expected.sum(1, keepdim=True))


def test_temperature_raises_probabilities_to_its_inverse() -> None:
    """At temperature one half probabilities are squared and normalised."""
    squares = PROBABILITIES.square()
    torch.testing.assert_close(adjusted(PROBABILITIES.log(), 0.5).softmax(1), squares / squares.sum(1, keepdim=True))


def test_picks_have_the_probabilities_and_never_none() -> None:
    """An even grid of uniform numbers picks each value as often as its probability, and no value of probability zero."""
    logits = torch.tensor([[0.0, 0.5, 0.25, 0.0, 0.25, 0.0]]).log()
    uniform = (torch.arange(1000) / 1000)[:, None]
    counts = torch.bincount(pick(logits.expand(1000, -1), uniform), minlength=6)
    assert counts.tolist() == [0, 500, 250, 0, 250, 0]
    last = torch.tensor([[1 - 2**-24]])
    assert pick(logits, last).item() == 4


def test_the_sampler_needs_a_prior_that_goes_value_by_value() -> None:
    """A normal prior is refused, and what would do is named."""
    spec = ModelSpec(prior=Normal(), sampler=SequentialSampling(), **PARTS)
    with pytest.raises(SpecError, match=r"a prior with Sequential; 'core/normal' has none; these have: autoregressive/made"):
        check(spec, Real((3,)))


@pytest.mark.parametrize("pool", [False, True])
def test_a_caption_conditions_every_pixel(pool: bool) -> None:
    """A text that is encoded reaches probabilities and draws, as a sequence or as its mean."""
    condition = TextEncoder(dim=8, depth=1, heads=2, pool=pool)
    spec = ModelSpec(prior=Transformer(dim=8, depth=1, heads=2), condition=condition, **PARTS)
    model = compose(spec, CLASSES, Categorical((5,), 256))
    assert model.composition.context == (ContextSpace(Real((8,))) if pool else ContextSpace(sequence=Real((5, 8))))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator_for("cpu", parameter.numel())))
    captions = torch.tensor([[*b"red 1"], [*b"blue2"]]).repeat_interleave(40, 0)
    x = model.sample(80, captions).x
    log_prob = model.log_prob(x[:1].expand(80, -1, -1), captions).nats.detach()
    assert log_prob[0] == pytest.approx(log_prob[39].item(), rel=1e-5)
    assert (log_prob[0] - log_prob[40]).abs() > 1e-3


@pytest.mark.parametrize("space", [COLOUR, CLASSES])
def test_spaces_come_back_through_the_alphabet(space: Space) -> None:
    """Values become whole numbers, channels of a pixel beside each other, and come back the same."""
    prior = part(Made(hidden=(4,)), code=space)
    assert isinstance(prior, AutoregressivePrior)
    code = prior.sample(7, None, generator_for("cpu", 0))
    indices = prior.alphabet.indices(code)
    assert torch.equal(prior.alphabet.code(indices), code)
    if isinstance(space, Real):
        assert torch.equal(indices[0, :3].double(), (code[0, :, 0, 0].double() + 1) * 2)
