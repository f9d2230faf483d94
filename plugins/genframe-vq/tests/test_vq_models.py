"""Quantising models: spaces, stages, what is frozen, sampling, code lengths, refusals."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from genframe import (
    Categorical,
    Composition,
    DataError,
    Dataset,
    ExperimentSpec,
    Model,
    ModelSpec,
    Real,
    Run,
    SpecError,
    Split,
    check,
    compose,
    evaluating,
    train,
)
from genframe.core import CategoricalPrior, IdentityEncoder, Normal
from genframe.testing import part
from genframe_gan import Adversarial
from genframe_nets import MLP, Conv, ConvDecoder
from genframe_vae import Bernoulli, NormalLikelihood
from genframe_vq import CodebookUse, CodeLength, FiniteScalar, LookupFree, Quantizer, VqVae
from genframe_vq.counting import UseWindow, code_counts, perplexity, usage
from genframe_vq.encoders import QuantisedEncoder

SPACE = Real((1, 8, 8), 0, 1)
BITS = Real((1, 8, 8), 0, 1, levels=2)
VqModel = Callable[..., ModelSpec]


def trained(model: ModelSpec, data: Dataset, stages: list[dict[str, Any]], folder: Path | None = None, **settings: Any) -> Run:
    """Train a model, in memory or in a folder."""
    spec = {
        "name": "test",
        "data": {"type": "data/digits"},
        "model": model,
        "train": {"stages": stages, "batch_size": 50, "lr": 3e-3, "threads": 1, **settings},
    }
    return train(ExperimentSpec.model_validate(spec), data=data, folder=folder)


def books(model: Model) -> list[Tensor]:
    """Return copies of all that codebooks hold."""
    encoder = cast(QuantisedEncoder, model.encoder)
    return [tensor.clone() for tensor in encoder.quantiser.state_dict().values()]


def same(first: list[Tensor], second: list[Tensor]) -> bool:
    """Return whether all tensors are alike."""
    return all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


def test_the_code_space_is_a_grid_of_indices() -> None:
    """28×28 pixels and two stages give 7×7 indices of 512 codes, and vectors of 64 on the same grid."""
    data = Real((1, 28, 28), 0, 1, levels=256)
    model = ModelSpec(
        encoder=Quantizer(network=Conv(channels=(32, 64))),
        decoder=ConvDecoder(channels=(32, 64)),
        prior=CategoricalPrior(),
        loss=VqVae(),
    )
    composition = check(model, data)
    assert composition.code == Categorical((7, 7), 512)
    assert composition.latent == Real((64, 7, 7))
    assert composition.density == "implicit"
    several = Quantizer(network=Conv(channels=(32, 64)), layers=2, groups=4)
    assert several.code_space(data) == Categorical((8, 7, 7), 512)
    assert FiniteScalar(network=Conv(), channel_levels=(8, 5, 5)).code_space(data) == Categorical((7, 7), 200)
    assert LookupFree(network=MLP(hidden=(8,)), bits=3).code_space(data) == Categorical((), 8)


@pytest.mark.parametrize("fields", [{}, {"layers": 2}, {"groups": 2}, {"layers": 2, "groups": 2}, {"distance": "cosine"}])
def test_codes_and_latents_belong_together(vqvae: VqModel, fields: dict[str, Any]) -> None:
    """The latent of a datum is that of its code; codes come back from latents, on the grid of their features."""
    model = compose(vqvae(fields), SPACE).eval()
    x = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    encoder = cast(QuantisedEncoder, model.encoder)
    codes = encoder.codes(x)
    assert codes.dtype == torch.int64
    assert codes.shape[1:] == model.composition.code.shape
    assert torch.allclose(model.latents(codes), model.encode(x), atol=1e-6)
    assert torch.equal(model.codes(x), codes)
    assert torch.equal(encoder.quantised(x).indices, codes)


def test_a_position_reads_its_own_features(vqvae: VqModel) -> None:
    """Latents lie on the grid as features do: each vector is the codebook's nearest to the feature at its place."""
    model = compose(vqvae(), SPACE).eval()
    x = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    encoder = cast(QuantisedEncoder, model.encoder)
    features = encoder.head(encoder.network.encode(x))
    book = encoder.quantiser.groups[0].codebooks[0].weight
    codes = encoder.codes(x)
    for b, i, j in ((0, 0, 1), (2, 1, 0)):
        assert int(codes[b, i, j]) == int((book - features[b, :, i, j]).norm(dim=1).argmin())


def test_encoding_changes_nothing(vqvae: VqModel) -> None:
    """In training mode too, encoding leaves codebooks alone; what the loss asks for moves them."""
    model = compose(vqvae(), SPACE).train()
    x = torch.rand(6, 1, 8, 8)
    before = books(model)
    model.encode(x)
    assert same(before, books(model))
    model.encoder.quantised(x)
    assert not same(before, books(model))


def test_evaluation_freezes_averages(vqvae: VqModel) -> None:
    """In evaluation mode no average, idle count or vector moves."""
    model = compose(vqvae({"revive": 1}), SPACE).eval()
    before = books(model)
    model.encoder.quantised(torch.rand(6, 1, 8, 8))
    assert same(before, books(model))


def test_two_stages(vqvae: VqModel, stripes: Dataset) -> None:
    """The autoencoder learns, then the prior over its codes alone; samples and reconstructions are pictures."""
    spec = vqvae({"revive": 5})
    first = [{"parts": ["encoder", "decoder"], "steps": 50}]
    run = trained(spec, stripes, [*first, {"parts": ["prior"], "steps": 50}], lr=1.5e-2)
    x = stripes.split("test").batch(slice(None)).x
    with evaluating(run.model):
        error = float((run.model.reconstruct(x) - x).square().mean())
        nats = -float(run.model.prior.log_prob(run.model.codes(x)).mean())
    assert error < 0.05
    assert nats < 0.9 * 4 * math.log(8)
    samples = run.model.sample(10).x
    assert samples.shape == (10, 1, 8, 8)
    assert bool(((samples >= 0) & (samples <= 1)).all())
    alone = trained(spec, stripes, first, lr=1.5e-2)
    assert same(books(run.model), books(alone.model))


@pytest.mark.parametrize("kind", ["ema", "gradient"])
def test_frozen_codebooks_stay(vqvae: VqModel, stripes: Dataset, kind: str) -> None:
    """A stage in which the encoder does not learn moves no codebook, not even one that learns by averages."""
    spec = vqvae({"codebook": kind, "revive": 1})
    run = trained(spec, stripes, [{"parts": ["decoder"], "steps": 3}])
    assert same(books(run.model), books(compose(spec, SPACE)))
    moved = trained(spec, stripes, [{"parts": ["encoder"], "steps": 3}])
    assert not same(books(moved.model), books(compose(spec, SPACE)))


def test_codebooks_start_on_data(vqvae: VqModel, stripes: Dataset) -> None:
    """Before its first step an encoder's codebook is put onto features of training data, by k-means."""
    model = compose(vqvae({"size": 4}), SPACE).eval()
    x = stripes.split("train").batch(slice(None)).x
    before = model.encoder.quantised(x).commitment
    model.initialise(x)
    assert bool(model.encoder.quantised(x).commitment < 0.1 * before)


@pytest.mark.parametrize("fields", [{}, {"codebook": "gradient"}, {"codebook": "gradient", "distance": "cosine"}])
def test_the_loss_is_equation_three(vqvae: VqModel, fields: dict[str, Any]) -> None:
    """Squared error summed over pixels + mean squared distance of vectors, once for the codebook and beta times."""
    model = compose(vqvae(fields, loss=VqVae(beta=0.5)), SPACE).train()
    batch = Split("train", torch.rand(6, 1, 8, 8)).batch(slice(None))
    found = model.encoder.eval().quantised(batch.x)
    error = (model.decode(found.latent) - batch.x).square().sum() / 6
    output = model.loss(model, batch)
    assert torch.allclose(output.total, error + (0.5 + ("codebook" in fields)) * found.commitment)
    assert torch.allclose(output.metrics["error"], error)


def test_a_likelihood_takes_the_place_of_squares(vqvae: VqModel) -> None:
    """Where the decoder has one, the loss has minus its logarithm, in nats."""
    model = compose(vqvae(decoder=Bernoulli(network=ConvDecoder(channels=(8, 8)))), BITS).eval()
    x = torch.randint(2, (6, 1, 8, 8)).float()
    output = model.loss(model, Split("train", x).batch(slice(None)))
    nats = -model.decoder.likelihood(model.encode(x)).log_prob(x).mean()
    assert torch.allclose(output.metrics["distortion"], nats)


def test_the_entropy_term_enters_by_its_weight(vqvae: VqModel) -> None:
    """The loss of vq/lfq grows by the entropy term times its weight."""
    totals = []
    for weight in (0.0, 2.0):
        encoder = LookupFree(network=Conv(channels=(8, 8)), bits=3)
        model = compose(vqvae(loss=VqVae(entropy=weight), encoder=encoder), SPACE).eval()
        batch = Split("train", torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))).batch(slice(None))
        totals.append(model.loss(model, batch).total)
    assert torch.allclose(totals[1] - totals[0], 2 * model.encoder.quantised(batch.x).entropy, atol=1e-4)


def test_counts_over_a_window() -> None:
    """Until a window is full its counts so far are reported, then those of the last full one; the next begins anew."""
    window = UseWindow(1, 4, window=10)
    first, second, third = (torch.tensor([counts]) for counts in ([4, 0, 0, 0], [0, 8, 0, 0], [0, 0, 5, 0]))
    assert torch.equal(window.add(first, 4), first)
    assert torch.equal(window.add(second, 8), first + second)
    assert torch.equal(window.add(third, 5), first + second)
    assert torch.equal(window.add(third, 5), 2 * third)


def test_perplexity_and_usage() -> None:
    """Equal use of k codes has perplexity k; of two codebooks the mean is taken; half the codes used is a usage of a half."""
    codes = torch.tensor([[[0, 1], [3, 3]], [[2, 3], [3, 3]]])  # (B, codebooks, positions)
    counts = code_counts(codes, 2, 4)
    assert counts.tolist() == [[1, 1, 1, 1], [0, 0, 0, 4]]
    assert float(perplexity(counts)) == pytest.approx((4 + 1) / 2)
    assert float(usage(counts)) == pytest.approx(5 / 8)


def test_the_use_of_a_split(vqvae: VqModel, stripes: Dataset) -> None:
    """vq/codebook counts the codes of a whole split, each datum once."""
    model = compose(vqvae({"layers": 2}), SPACE).eval()
    split = stripes.split("test")
    figures = {result.name: result for result in part(CodebookUse()).measure(model, split, train=split)}
    codes = cast(QuantisedEncoder, model.encoder).codes(split.batch(slice(None)).x)  # (B, 2, 2, 2)
    shares = torch.stack([torch.bincount(codes[:, k].flatten(), minlength=8) / codes[:, k].numel() for k in range(2)])
    expected = float((-torch.xlogy(shares, shares).sum(1)).exp().mean())
    assert figures["perplexity"].value == pytest.approx(expected, rel=1e-5)
    assert figures["usage"].value == pytest.approx(float((shares > 0).float().mean()))
    assert figures["usage"].stamp["of"] == 100


def test_the_two_part_code_length(vqvae: VqModel) -> None:
    """Its parts are an even prior's, log2 of the codes an index, and the decoder's, with a bin's volume for densities."""
    x = torch.randint(2, (60, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    network = ConvDecoder(channels=(8, 8))
    for decoder, space, prepare in (
        (Bernoulli(network=network), BITS, lambda stored, generator: stored.float()),
        (
            NormalLikelihood(network=network),
            Real((1, 8, 8), 0, 1, levels=2, dequantised=True),
            lambda stored, generator: (stored + 0.5) / 2,
        ),
    ):
        model = compose(vqvae(decoder=decoder), space).eval()
        split = Split("test", x, prepare=prepare)
        figures = {result.name: result for result in part(CodeLength()).measure(model, split, train=split)}
        data = split.batch(slice(None)).x
        with evaluating(model):
            nats = -model.decoder.likelihood(model.encode(data)).log_prob(data).double().mean()
        volume = 0.0 if space is BITS else 1.0  # -log2 of a bin, half a unit wide
        assert figures["prior_code_length"].value == pytest.approx(4 * 3 / 64)
        assert figures["decoder_code_length"].value == pytest.approx(float(nats) / 64 / math.log(2) + volume, rel=1e-5)
        total = figures["prior_code_length"].value + figures["decoder_code_length"].value
        assert figures["code_length"].value == pytest.approx(total)
        assert "two-part" in figures["code_length"].note


def test_vqgan_trains(vqvae: VqModel, stripes: Dataset) -> None:
    """A sum of vq/vqvae and an adversarial term on reconstructions trains both players, the codebook once a step."""
    game = Adversarial(critic=Conv(channels=(4,), dim=8), fakes="reconstructions")
    spec = vqvae(loss={"type": "core/sum", "terms": [VqVae(), game], "weights": [1.0, 0.1]})
    run = trained(spec, stripes, [{"parts": ["encoder", "decoder"], "steps": 60}], lr=1e-2)
    x = stripes.split("test").batch(slice(None)).x
    errors = []
    for model in (compose(spec, SPACE), run.model):
        with evaluating(model):
            errors.append(float((model.reconstruct(x) - x).square().mean()))
    assert errors[1] < 0.7 * errors[0]
    logged = run.metrics[-1]
    assert {"error", "commitment", "perplexity", "usage", "loss/critic"} <= set(logged)


def refusal(metric: Any, composition: Composition) -> str:
    """Return why a metric is refused."""
    return str(metric.refusal(composition))


def test_code_lengths_need_probabilities(vqvae: VqModel) -> None:
    """A decoder without likelihood, a density of discrete data, a prior without density, no codebook: refused with a hint."""
    network = ConvDecoder(channels=(8, 8))
    assert "choose a decoder with Likelihood" in refusal(CodeLength(), check(vqvae(), SPACE))
    density = check(vqvae(decoder=NormalLikelihood(network=network)), BITS)
    assert "set dequantise: true in the data, or choose a decoder with ProbabilityMass" in refusal(CodeLength(), density)
    plain = check(vqvae(encoder=Conv(channels=(8, 8)), loss="vae/reconstruction", prior=Normal()), SPACE)
    for metric in (CodeLength(), CodebookUse()):
        assert "choose an encoder with VectorQuantised, such as vq/quantizer" in refusal(metric, plain)
    assert refusal(CodeLength(), check(vqvae(decoder=Bernoulli(network=network)), BITS)) == ""


@pytest.mark.parametrize(
    ("parts", "path", "message"),
    [
        ({"prior": Normal()}, "model.prior", "needs real values, found Categorical"),
        ({"encoder": Conv(channels=(8, 8)), "prior": Normal()}, "model.loss", "needs an encoder with VectorQuantised"),
        ({"loss": "vae/elbo"}, "model.loss", "needs an encoder with Posterior"),
        ({"decoder": ConvDecoder(channels=(8,))}, "model.decoder", "2 stages in 'channels' would fit"),
    ],
)
def test_models_that_do_not_fit(vqvae: VqModel, parts: dict[str, Any], path: str, message: str) -> None:
    """A prior of other codes, a loss without its trait, a decoder of another grid: refused where they stand."""
    with pytest.raises(SpecError) as caught:
        check(vqvae(**parts), SPACE)
    problems = [problem for problem in caught.value.problems if problem.path == path]
    assert any(message in str(problem) for problem in problems)


@pytest.mark.parametrize("wrong", [torch.full((2, 1, 8, 8), 255.0), torch.full((2, 1, 8, 8), -1.0)])
def test_data_beyond_their_bounds_are_refused(vqvae: VqModel, wrong: Tensor) -> None:
    """Pictures of bytes, and pictures from -1, are not read as pictures from 0 to 1; NaN is not between bounds either."""
    model = compose(vqvae(), SPACE)
    for x in (wrong, torch.full((2, 1, 8, 8), math.nan)):
        for ask in (model.encode, model.codes, model.encoder.quantised):
            with pytest.raises(DataError, match=r"expected values of Real\(1×8×8, 0 to 1\), found .*prepare them as"):
                ask(x)


@pytest.mark.parametrize("index", [8, -1])
def test_indices_beyond_the_codebook_are_refused(vqvae: VqModel, index: int) -> None:
    """A code of another vocabulary has no vectors."""
    for fields, shape in (({}, (3, 2, 2)), ({"layers": 2}, (3, 2, 2, 2))):
        with pytest.raises(DataError, match=r"8 values\), found .*draw codes from a prior that was trained with it"):
            compose(vqvae(fields), SPACE).latents(torch.full(shape, index))


def test_a_prior_of_another_codebook_is_refused(vqvae: VqModel, stripes: Dataset, tmp_path: Path) -> None:
    """A prior takes its vocabulary from the codebook; one that was trained over another is not taken from its run."""
    stages = [{"parts": ["encoder", "decoder"], "steps": 1}, {"parts": ["prior"], "steps": 1}]
    trained(vqvae(), stripes, stages, folder=tmp_path / "small")
    with pytest.raises(SpecError, match=r"logits is .*give it, and the parts whose spaces it lives on, the specs") as caught:
        trained(vqvae({"size": 16}), stripes, stages, start={"run": str(tmp_path / "small"), "parts": ["prior"]})
    assert caught.value.problems[0].path == "model.prior"


@pytest.mark.parametrize("space", [Categorical((4,), 5), Real(()), Real((2, 3, 4, 5, 6))])
def test_features_that_cannot_be_projected(space: Any) -> None:
    """Classes, scalars and too many axes are refused at the network, with a hint."""
    for spec in (Quantizer(network=IdentityEncoder()), FiniteScalar(network=IdentityEncoder())):
        with pytest.raises(SpecError) as caught:
            check(ModelSpec(encoder=spec, decoder=ConvDecoder(), prior=CategoricalPrior(), loss=VqVae()), space)
        problem = next(problem for problem in caught.value.problems if problem.path == "model.encoder.network")
        assert problem.hint


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dim": 6, "groups": 4}, "groups: 4 does not divide dim: 6; choose a divisor"),
        ({"distance": "cosine", "layers": 2}, "leave layers or distance out"),
    ],
)
def test_codebooks_that_do_not_fit(fields: dict[str, Any], message: str) -> None:
    """Fields that contradict each other are refused with what would do."""
    with pytest.raises(ValueError, match=message):
        Quantizer(**fields)


def test_too_many_codes_are_refused() -> None:
    """Indices stay countable."""
    with pytest.raises(ValueError, match="take fewer channels or levels"):
        FiniteScalar(channel_levels=(1000,) * 4)


def test_a_whole_model_is_a_prior_of_codes(vqvae: VqModel, stripes: Dataset) -> None:
    """A nested model of classes has the grid of indices as its data, learns them in its stage and draws them."""
    nested = {"encoder": "core/identity", "decoder": "core/identity", "prior": "core/categorical", "loss": "core/nll"}
    spec = vqvae(prior={"type": "core/model", "model": nested})
    assert check(spec, SPACE).code == Categorical((2, 2), 8)
    run = trained(spec, stripes, [{"parts": ["encoder", "decoder"], "steps": 2}, {"parts": ["prior"], "steps": 20}])
    codes = run.model.prior.sample(50, generator=torch.Generator().manual_seed(0))
    assert codes.shape == (50, 2, 2)
    assert run.metrics[-1]["nll"] < 4 * math.log(8)
    assert run.model.sample(3).x.shape == (3, 1, 8, 8)
