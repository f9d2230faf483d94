"""What depends on what: no logit on its own value or a later one; drawing value by value computes the same logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from genframe import Categorical, Context, ContextSpace, PriorSpec, Real, Space, generator_for
from genframe_autoregressive import Made, PixelCNN, PixelRNN, Transformer
from genframe_autoregressive.sequence import AutoregressivePrior, recomputed

N = 3
Build = Callable[..., AutoregressivePrior]
IMAGE, COLOUR, CLASSES = Real((1, 4, 5), 0, 1, levels=4), Real((3, 3, 4), -1, 1, levels=5), Categorical((4, 3), 3)
SEQUENCE = Categorical((6,), 4)
SMALL = {"channels": 6, "kernel": 3, "first_kernel": 5}
MADE, TRANSFORMER = Made(hidden=(64, 64), activation="silu"), Transformer(dim=16, depth=2, heads=2)
CNN, MIXTURE, RNN = PixelCNN(layers=3, **SMALL), PixelCNN(layers=2, mixture=3, **SMALL), PixelRNN(**SMALL)
TAKEN = [
    *((spec, space) for spec in (MADE, TRANSFORMER) for space in (IMAGE, COLOUR, CLASSES, SEQUENCE)),
    *((spec, space) for spec in (CNN, RNN) for space in (IMAGE, COLOUR, CLASSES)),
    *((MIXTURE, space) for space in (IMAGE, COLOUR)),
]
NAMES = [f"{spec.type.partition('/')[2]}{'-mixture' * (spec is MIXTURE)}-{space}" for spec, space in TAKEN]
each = pytest.mark.parametrize(("spec", "space"), TAKEN, ids=NAMES)


def random_indices(prior: AutoregressivePrior, n: int = N) -> Tensor:
    """Return random places in the prior's alphabet: (n, D)."""
    return torch.randint(prior.alphabet.size, (n, prior.alphabet.length), generator=generator_for("cpu", 5))


def random_context(space: ContextSpace, n: int = N) -> Context:
    """Return a random context."""
    vector, sequence = (
        torch.randn(n, *each.shape, generator=generator_for("cpu", 6)) if each is not None else None
        for each in (space.vector, space.sequence)
    )
    return Context(vector, sequence)


def smooth(lookup: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return a look-up that takes floats, and whose result has a gradient in them: itself."""

    def looked_up(index: Tensor, *rest: Any) -> Tensor:
        found = lookup(index.detach().round().long(), *rest)
        return found * (1 + index - index.detach()).unsqueeze(-1)

    return looked_up


@each
def test_later_inputs_have_no_gradient(build: Build, monkeypatch: pytest.MonkeyPatch, spec: PriorSpec, space: Space) -> None:
    """The gradient of the logits of value i in input j is zero for j >= i; perceptrons and attention see all the others."""
    monkeypatch.setattr(F, "embedding", smooth(F.embedding))
    monkeypatch.setattr(F, "one_hot", smooth(F.one_hot))
    prior = build(spec, space)
    indices = random_indices(prior, 1).float().requires_grad_()
    logits = prior.logits(indices)[0]
    weights = torch.randn(logits.shape, generator=generator_for("cpu", 1))
    rows = [torch.autograd.grad(row, indices, retain_graph=True)[0][0] for row in (logits * weights).sum(1)]
    seen = torch.stack(rows) != 0  # (i, j)
    assert not seen.triu().any()
    assert seen[1:].any(1).all()
    if spec in (MADE, TRANSFORMER):
        assert seen.tril(-1).sum() == len(seen) * (len(seen) - 1) // 2


def test_a_gated_pixelcnn_has_no_blind_spot(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deep enough, every pixel sees all pixels before it: above to the right too."""
    prior = build(PixelCNN(channels=6, layers=6, kernel=3, first_kernel=3), Real((1, 5, 5), 0, 1, levels=4))
    indices = random_indices(prior, 1).float().requires_grad_()
    (gradient,) = torch.autograd.grad(prior.logits(indices)[0, -1].square().sum(), indices)
    assert (gradient[0, :-1] != 0).all()


VECTOR, SEQUENCE_OF_VECTORS = Real((3,)), Real((2, 3))
CONTEXTS = {
    "alone": None,
    "vector": ContextSpace(VECTOR),
    "vectors": ContextSpace(sequence=SEQUENCE_OF_VECTORS),
    "both": ContextSpace(VECTOR, SEQUENCE_OF_VECTORS),
}
WITH_CONTEXT = [
    pytest.param(spec, space, context, id=f"{name}-{number}")
    for number, (spec, space) in enumerate(TAKEN)
    for name, context in CONTEXTS.items()
    if context is None or context.sequence is None or spec is TRANSFORMER
]


def step_by_step(prior: AutoregressivePrior, indices: Tensor, given: Context | None) -> Tensor:
    """Return the logits that drawing computes: (N, D, values)."""
    step = prior.step(len(indices), given)
    return torch.stack([step(indices[:, t - 1] if t else None) for t in range(prior.alphabet.length)], 1)


@torch.no_grad()
@pytest.mark.parametrize(("spec", "space", "context"), WITH_CONTEXT)
def test_logits_step_by_step_are_those_of_the_whole(
    build: Build, spec: PriorSpec, space: Space, context: ContextSpace | None
) -> None:
    """What drawing keeps changes nothing: the logits agree within 1e-5 of the whole network's."""
    prior = build(spec, space, context)
    indices, given = random_indices(prior), random_context(context) if context is not None else None
    torch.testing.assert_close(step_by_step(prior, indices, given), prior.logits(indices, given), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_transformer_reads_the_vector_and_the_sequence(build: Build) -> None:
    """With a context of both, either changes the logits of every value, the first too; each row has its own."""
    prior = build(TRANSFORMER, COLOUR, CONTEXTS["both"])
    indices, given = random_indices(prior), random_context(ContextSpace(VECTOR, SEQUENCE_OF_VECTORS))
    plain = prior.logits(indices, given)
    assert given.vector is not None
    assert given.sequence is not None
    for other in (Context(given.vector + 1, given.sequence), Context(given.vector, given.sequence + 1)):
        assert (prior.logits(indices, other) != plain).any(-1).all()
    first = Context(torch.cat((given.vector[:1] + 1, given.vector[1:])), given.sequence)
    torch.testing.assert_close(prior.logits(indices, first)[1:], plain[1:])


@torch.no_grad()
@pytest.mark.parametrize("name", ["vectors", "both"])
def test_tokens_that_are_not_there_change_nothing(build: Build, name: str) -> None:
    """Behind a mask a sequence may hold anything, in whole and step by step; with all tokens there a mask says nothing."""
    space = CONTEXTS[name]
    assert space is not None
    prior = build(TRANSFORMER, SEQUENCE, space)
    indices, given = random_indices(prior), random_context(space)
    assert given.sequence is not None
    mask = torch.tensor([[True, True], [True, False], [False, False]])
    masked = Context(given.vector, given.sequence, mask)
    noise = Context(given.vector, torch.where(mask[..., None], given.sequence, 9.0), mask)
    logits = prior.logits(indices, masked)
    torch.testing.assert_close(prior.logits(indices, noise), logits)
    torch.testing.assert_close(step_by_step(prior, indices, noise), logits, atol=1e-5, rtol=1e-5)
    plain = prior.logits(indices, given)
    torch.testing.assert_close(logits[0], plain[0])
    assert (logits[1:] != plain[1:]).any(-1).all()


def test_the_state_keeps_its_names(build: Build) -> None:
    """Whatever a context of one kind is, the layer that reads it is ``context``; beside a sequence, ``vector`` is added."""
    keys = {name: {*build(TRANSFORMER, SEQUENCE, space).state_dict()} for name, space in CONTEXTS.items()}
    own = {"context.weight", "context.bias"}
    assert keys["vector"] == keys["vectors"] == keys["alone"] | own
    assert keys["both"] == keys["alone"] | own | {"vector.weight", "vector.bias"}


@each
def test_cached_samples_are_the_uncached_ones(
    build: Build, monkeypatch: pytest.MonkeyPatch, spec: PriorSpec, space: Space
) -> None:
    """On the CPU, one seed draws the same samples bit for bit with the cache and by running the whole network each time."""
    prior = build(spec, space)
    cached = prior.sample(16, None, generator_for("cpu", 3))
    monkeypatch.setattr(prior, "step", lambda n, context: recomputed(prior, n, context))
    assert torch.equal(prior.sample(16, None, generator_for("cpu", 3)), cached)
    assert not torch.equal(prior.sample(16, None, generator_for("cpu", 4)), cached)


@each
def test_the_batch_of_other_data_changes_nothing(build: Build, spec: PriorSpec, space: Space) -> None:
    """The sum of the logits' log-probabilities is log_prob, which is that of each example alone."""
    prior = build(spec, space)
    indices = random_indices(prior)
    summed = prior.logits(indices).log_softmax(-1).gather(-1, indices.unsqueeze(-1)).sum((1, 2))
    code = prior.alphabet.code(indices)
    torch.testing.assert_close(prior.log_prob(code), summed, atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(prior.log_prob(code[1:2]), summed[1:2], atol=1e-4, rtol=1e-5)
