"""A model: what every family can do under the same names."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any, Literal

import pytest
import torch
from torch import Generator, Tensor

from genframe import (
    Categorical,
    Context,
    Encoder,
    LogProb,
    Model,
    ModelSpec,
    Real,
    Sampler,
    SamplerSpec,
    Samples,
    Space,
    Spaces,
    SpecError,
    State,
    Unsupported,
    compose,
    generator_for,
)
from genframe.model.sampling import _chunks_of
from genframe.types import Batch, Density

PLANE = Real((2,))
BITS = Real((1, 4, 4), 0, 1, 2)
GREY = Real((1, 4, 4), 0, 1, 256)
NOISY = Real((1, 4, 4), 0, 1, 256, True)
LABELS = Categorical((), 3)
MLP = {"type": "nets/mlp", "hidden": [8]}
GAUSSIAN = {"type": "vae/gaussian", "dim": 3, "network": MLP}
FLOW = {"encoder": "core/identity", "decoder": "core/inverse", "loss": "core/nll"}
VAE = {
    "encoder": GAUSSIAN,
    "decoder": {"type": "vae/bernoulli", "network": MLP},
    "loss": "vae/elbo",
    "sampler": {"type": "core/ancestral", "draw": "sample"},
}
AUTOENCODER = {"encoder": {**MLP, "dim": 3}, "decoder": MLP, "loss": "vae/reconstruction"}


class CountingSampler(Sampler):
    """Draws of the prior that are 9 too small after the first of ten steps, and right after the last."""

    def trajectory(
        self, model: Model, n: int, context: Context | None = None, generator: Generator | None = None
    ) -> Iterator[State]:
        """Yield ten states."""
        x = model.prior.sample(n, context, generator)
        for step in range(1, 11):
            yield State(x + step - 10, step, 10)


class Counting(SamplerSpec):
    """A walk of ten steps."""

    type: Literal["test/counting"] = "test/counting"

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Sampler:
        """Make the sampler."""
        return CountingSampler()


def model(data: Space, parts: dict[str, Any], *, seed: int = 0, **slots: Any) -> Model:
    """Compose a model with some slots replaced."""
    spec = ModelSpec.model_validate({**parts, **slots})
    return compose(spec, data, LABELS if spec.condition is not None else None, seed=seed).eval()


def bits(n: int = 5) -> Tensor:
    """Return a batch of random bits."""
    return torch.rand(n, *BITS.shape, generator=generator_for("cpu", 1)).round()


@pytest.mark.parametrize("k", [1, 65, 512, 513, 590])
@pytest.mark.parametrize(
    ("data", "parts"),
    [(PLANE, FLOW), (BITS, VAE), (BITS, {**VAE, "prior": {"type": "core/model", "model": FLOW}})],
    ids=["flow", "vae", "nested"],
)
def test_a_sample_does_not_depend_on_how_many_are_drawn(data: Space, parts: dict[str, Any], k: int) -> None:
    """The first k of 600 samples are the k samples, bit for bit, within and across chunks."""
    drawn = model(data, parts)
    assert torch.equal(drawn.sample(600, seed=3).x[:k], drawn.sample(k, seed=3).x)


@pytest.mark.parametrize(
    ("dims", "first", "most"),
    [(2, 512, 4096), (64, 512, 4096), (256, 128, 4096), (784, 64, 1024), (3 * 32 * 32, 64, 256), (3 * 256 * 256, 64, 64)],
)
def test_chunks_of_large_data_are_small(dims: int, first: int, most: int) -> None:
    """A chunk holds at most about a million values, and 64 to 4,096 data; the first one fewer, where walks are long just 64."""
    sizes = [len(rows) for rows in _chunks_of(20_000, dims, direct=True)]
    assert (sizes[0], max(sizes)) == (first, most)
    assert len(next(_chunks_of(20_000, dims, direct=False))) == 64


def test_chunks_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many samples are drawn in few calls, few samples with few in vain: 512, 512, 1,024 and so on of points in the plane."""
    drawn = model(PLANE, FLOW)
    sizes: list[int] = []
    draw = drawn.sampler.draw
    monkeypatch.setattr(drawn.sampler, "draw", lambda of, n, *rest: (sizes.append(n), draw(of, n, *rest))[1])
    for n, expected in [(0, []), (1, [512]), (513, [512, 512]), (2048, [512, 512, 1024]), (2049, [512, 512, 1024, 2048])]:
        sizes.clear()
        assert len(drawn.sample(n)) == n
        assert sizes == expected


def test_samples_depend_on_the_seed_only() -> None:
    """The same seed gives the same samples whatever torch's global generator is at, another seed gives others."""
    drawn = model(BITS, VAE)
    first = drawn.sample(8, seed=1).x
    torch.rand(7)
    assert torch.equal(drawn.sample(8, seed=1).x, first)
    assert not torch.equal(drawn.sample(8, seed=2).x, first)


@pytest.mark.parametrize("n", [3, 70])
def test_states_lead_to_the_samples(n: int) -> None:
    """States are evenly spaced over the walk, and the last are the samples, within and across chunks."""
    walking = {**FLOW, "sampler": Counting()}
    states = model(PLANE, walking).states(n, seed=2, count=4)
    samples = model(PLANE, walking).sample(n, seed=2)
    assert torch.equal(states[-1].x, samples.x)
    shown = [float((state.x - samples.x).mean()) + 10 for state in states]
    assert shown == pytest.approx([3, 5, 8, 10], abs=1e-4)
    assert len(model(PLANE, FLOW).states(n, count=4)) == 1


def test_no_two_chunks_are_alike() -> None:
    """Each chunk has a generator of its own."""
    x = model(PLANE, FLOW).sample(1600).x
    assert len(torch.unique(x, dim=0)) == 1600


def test_sampling_leaves_everything_as_it_was() -> None:
    """Neither torch's global generator, nor the modes of the parts, nor gradients are touched."""
    drawn = model(BITS, VAE).train()
    drawn.decoder.eval()
    before = torch.get_rng_state()
    x = drawn.sample(3).x
    assert torch.equal(torch.get_rng_state(), before)
    assert (drawn.training, drawn.encoder.training, drawn.decoder.training) == (True, True, False)
    assert not x.requires_grad


def test_no_samples_are_an_empty_batch() -> None:
    """Zero samples have the data's shape."""
    samples = model(BITS, VAE).sample(0)
    assert samples.x.shape == (0, *BITS.shape)
    assert len(samples) == 0


def test_samples_say_what_they_are() -> None:
    """A batch of samples names its space and seed, and is a picture in a notebook."""
    samples = model(BITS, VAE).sample(3, seed=4)
    assert repr(samples) == "Samples(3 of Real(1×4×4, 0 to 1, 2 levels), seed 4)"
    assert (samples._repr_png_() or b"").startswith(b"\x89PNG")


def test_the_digest_is_of_the_weights() -> None:
    """It is the same for the same weights and another for others."""
    first = model(BITS, VAE)
    digest = first.weights_digest()
    assert digest == model(BITS, VAE).weights_digest()
    with torch.no_grad():
        next(first.parameters()).add_(1e-6)
    assert digest != first.weights_digest()


def test_a_model_shows_its_parts() -> None:
    """In a notebook: each part with its component and its number of parameters, and the kinds of density and sampling."""
    shown = model(BITS, VAE)
    html = shown._repr_html_()
    encoder, decoder = (sum(weight.numel() for weight in part.parameters()) for part in (shown.encoder, shown.decoder))
    assert "lower bound density, direct sampling</caption>" in html
    assert f'<th scope="row">encoder</th><td>vae/gaussian</td><td>Conditional, Posterior</td><td>{encoder:,}</td>' in html
    assert '<th scope="row">decoder</th><td>vae/bernoulli</td>' in html
    assert f"<td>{decoder:,}</td>" in html
    assert '<th scope="row">sampler</th><td>core/ancestral</td>' in html
    assert "style" not in html, "its colours are the notebook's, light or dark"


def test_a_part_is_asked_for_by_its_trait() -> None:
    """The part is the model's own."""
    shown = model(BITS, VAE)
    assert shown.part("prior", Density) is shown.prior
    assert shown.part("encoder", Encoder) is shown.encoder


CONDITIONAL = {**VAE, "condition": "core/one_hot"}


def test_a_sample_follows_its_condition() -> None:
    """The i-th sample depends on its own condition, not on the others'."""
    drawn = model(BITS, CONDITIONAL)
    conditions = torch.arange(9) % 3
    x = drawn.sample(9, conditions, seed=2).x
    assert torch.equal(drawn.sample(4, conditions[:4], seed=2).x, x[:4])
    changed = conditions.clone()
    changed[1] = 2
    others = [0, *range(2, 9)]
    assert torch.equal(drawn.sample(9, changed, seed=2).x[others], x[others])


def test_conditions_are_read_in_order_across_chunks() -> None:
    """Row 150 of conditions is of sample 150: with only that one changed, only that one can change."""
    drawn = model(BITS, CONDITIONAL, sampler="core/ancestral")
    conditions = torch.zeros(300, dtype=torch.long)
    changed = conditions.clone()
    changed[150] = 1
    x, other = drawn.sample(300, conditions).x, drawn.sample(300, changed).x
    assert (x != other).flatten(1).any(1).nonzero().tolist() == [[150]]


def test_conditions_reach_the_likelihood() -> None:
    """The bound of a conditional model is of the given class."""
    drawn = model(BITS, CONDITIONAL)
    x = bits(2)
    zero, one = (drawn.log_prob(x, torch.full((2,), label), generator=generator_for("cpu", 0)).nats for label in (0, 1))
    assert not torch.allclose(zero, one)


@pytest.mark.parametrize("readers", [["encoder"], ["decoder"], ["encoder", "decoder"]])
def test_only_the_parts_named_read_the_condition(readers: list[str]) -> None:
    """A part that is left out is built without a context, gives the same whatever the label, and asks for none."""
    drawn = model(BITS, {**CONDITIONAL, "conditional": readers})
    x, zero = bits(2), torch.zeros(2, dtype=torch.long)
    for part, ask, given in (("encoder", drawn.encode, x), ("decoder", drawn.decode, drawn.encode(x, zero))):
        with pytest.raises(Unsupported) if part in readers else nullcontext():
            ask(given)
    latents = [drawn.encode(x, label) for label in (zero, zero + 1)]
    data = [drawn.decode(latents[0], label) for label in (zero, zero + 1)]
    assert torch.equal(*latents) != ("encoder" in readers)
    assert torch.equal(*data) != ("decoder" in readers)


def test_a_wrong_number_of_conditions_is_refused() -> None:
    """One condition for each sample."""
    with pytest.raises(ValueError, match="expected 3 conditions, one for each sample, found 2"):
        model(BITS, CONDITIONAL).sample(3, torch.zeros(2, dtype=torch.long))


@pytest.mark.parametrize("ask", ["sample", "encode", "log_prob"])
def test_a_conditional_model_asks_for_its_condition(ask: str) -> None:
    """Whatever is asked of it without one, the message says which condition."""
    drawn = model(BITS, CONDITIONAL)
    with pytest.raises(Unsupported, match=r"this model is conditional: give a condition in Categorical\(scalar, 3 values\)"):
        getattr(drawn, ask)(2 if ask == "sample" else bits(2))


def test_an_unconditional_model_leaves_conditions_alone() -> None:
    """Labels that nothing reads change nothing."""
    drawn = model(BITS, VAE)
    assert torch.equal(drawn.encode(bits(), torch.zeros(5, dtype=torch.long)), drawn.encode(bits()))


def test_the_exact_density_of_a_standard_normal() -> None:
    """Identity over N(0, I): -log 2π - |x|²/2, by hand."""
    x = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    found = model(PLANE, FLOW).log_prob(x)
    assert (found.kind, found.estimator, found.mass) == ("exact", "exact", False)
    assert found.nats.tolist() == pytest.approx([-math.log(2 * math.pi), -math.log(2 * math.pi) - 12.5])


def test_a_lower_bound_says_how_it_was_estimated() -> None:
    """One draw is the evidence lower bound, more are importance weighting."""
    drawn = model(BITS, VAE)
    one, many = drawn.log_prob(bits()), drawn.log_prob(bits(), samples=20)
    assert (one.kind, one.estimator, one.samples, one.mass) == ("lower bound", "evidence lower bound", 1, True)
    assert (many.estimator, many.samples) == ("importance weighting", 20)
    assert one.nats.shape == many.nats.shape == (5,)


def test_importance_weights_are_the_terms_of_the_bound() -> None:
    """log p(x|z) + log p(z) - log q(z|x), computed from the parts with the same draw."""
    drawn: Any = model(BITS, VAE)
    x = bits()
    weights = drawn.log_weights(x, samples=1, generator=generator_for("cpu", 5))
    posterior = drawn.encoder.posterior(x)
    z = posterior.rsample(generator_for("cpu", 5))
    expected = drawn.decoder.likelihood(z).log_prob(x) + drawn.prior.log_prob(z) - posterior.log_prob(z)
    assert weights.shape == (1, 5)
    torch.testing.assert_close(weights[0], expected)


@torch.no_grad()
def test_several_draws_keep_data_apart() -> None:
    """Column i of the weights is of datum i, for each of its draws: reckoned one draw at a time from the parts."""
    drawn: Any = model(BITS, VAE)
    x = bits(3)
    found = drawn.log_weights(x, samples=4, generator=generator_for("cpu", 0))
    z = drawn.encoder.posterior(x).expand(4).rsample(generator_for("cpu", 0)).reshape(3, 4, 3)
    for datum in range(3):
        for draw in range(4):
            one, code = x[datum : datum + 1], z[datum, draw][None]
            joint = drawn.decoder.likelihood(code).log_prob(one) + drawn.prior.log_prob(code)
            expected = joint - drawn.encoder.posterior(one).log_prob(code)
            torch.testing.assert_close(found[draw, datum], expected[0])


@pytest.mark.parametrize(
    ("data", "parts", "words"),
    [(BITS, AUTOENCODER, "implicit"), (PLANE, {**FLOW, "decoder": MLP, "loss": "vae/reconstruction"}, "implicit")],
)
def test_a_model_without_density_says_why(data: Space, parts: dict[str, Any], words: str) -> None:
    """The refusal names the kind of density and what a likelihood would need."""
    with pytest.raises(Unsupported, match=f"the density of this model is {words}: a likelihood needs"):
        model(data, parts).log_prob(torch.zeros(1, *data.shape))


def test_an_energy_model_says_that_its_normaliser_is_unknown() -> None:
    """The refusal names what is missing of log p(x), and that a metric may estimate it."""
    machine = model(
        BITS,
        {
            **FLOW,
            "prior": {"type": "energy/rbm", "hidden": 2},
            "loss": "energy/contrastive_divergence",
            "sampler": "energy/gibbs",
        },
    )
    with pytest.raises(Unsupported, match=r"is unnormalised: .* less log Z, which is not known; a metric may estimate it"):
        machine.log_prob(bits())


def log_prob(nats: float, space: Space, *, mass: bool) -> LogProb:
    """Return a log-likelihood of two data that are ``nats`` each."""
    return LogProb(torch.full((2,), nats), "exact", space, mass, "by hand")


@pytest.mark.parametrize(
    ("nats", "space", "mass", "bits_per_dim"),
    [
        (-16 * math.log(2), BITS, True, 1.0),  # a fair coin for each of 16 pixels
        (-16 * math.log(256), GREY, True, 8.0),  # uniform over the levels
        (0.0, NOISY, False, 8.0),  # density 1 on [0, 1]: a bin has volume 1/256
        (16 * math.log(128), NOISY, False, 1.0),  # density 128: half a bit more for each doubling
        (-2 * math.log(10), Real((2,), 0, 10, 5, True), False, math.log2(5)),  # uniform on [0, 10]: bins of width 2
        (-3 * math.log(7), Categorical((3,), 7), True, math.log2(7)),
    ],
    ids=str,
)
def test_bits_per_dimension_by_hand(nats: float, space: Space, mass: bool, bits_per_dim: float) -> None:
    """Mass divides by dims and log 2; density of dequantised data by the volume of a bin first (Theis et al. 2015)."""
    assert log_prob(nats, space, mass=mass).bits_per_dim == pytest.approx(bits_per_dim)


@pytest.mark.parametrize(
    ("space", "words"),
    [
        (PLANE, "have no meaning for continuous data"),
        (GREY, "need dequantised data under a density"),
    ],
)
def test_bits_per_dimension_are_refused_where_they_mean_nothing(space: Space, words: str) -> None:
    """A density in the units of the data is no number of bits."""
    with pytest.raises(Unsupported, match=words):
        _ = log_prob(-1.0, space, mass=False).bits_per_dim


def test_a_uniform_flow_gives_the_levels_bits() -> None:
    """The whole way, from dequantised data through an exact model, agrees with the formula by hand."""
    found = model(NOISY, FLOW).log_prob(torch.full((1, 1, 4, 4), 0.5))
    nats = -8 * math.log(2 * math.pi) - 16 * 0.125
    assert found.bits_per_dim == pytest.approx(-(nats - 16 * math.log(256)) / (16 * math.log(2)), rel=1e-6)
    assert found.dequantisation == "uniform"


def test_log_probs_add_up_to_one_batch() -> None:
    """Batches of one protocol are joined; of different ones refused."""
    joined = log_prob(-1.0, BITS, mass=True) + log_prob(-3.0, BITS, mass=True)
    assert (len(joined.nats), joined.average) == (4, -2.0)
    assert joined.standard_error == pytest.approx(math.sqrt(4 / 3) / 2)
    with pytest.raises(ValueError, match="different kinds"):
        _ = log_prob(-1.0, BITS, mass=True) + log_prob(-1.0, GREY, mass=True)


@pytest.mark.parametrize(("kind", "sign"), [("exact", "="), ("lower bound", "≥")])
def test_a_log_prob_shows_its_relation(kind: Any, sign: str) -> None:
    """Equal, or at least."""
    assert str(LogProb(torch.tensor([-1.0]), kind, BITS, True, "x")).startswith(f"log p(x) {sign} -1.0000 nats")


NESTED = {**VAE, "prior": {"type": "core/model", "model": FLOW}}


def test_a_nested_model_is_a_prior_with_its_density() -> None:
    """The nested model's exact density is the prior's, and its own loss the prior's objective."""
    drawn: Any = model(BITS, NESTED)
    code = torch.randn(4, 3, generator=generator_for("cpu", 0))
    plain: Any = model(BITS, VAE)
    assert isinstance(drawn.prior, Density)
    torch.testing.assert_close(drawn.prior.log_prob(code), plain.prior.log_prob(code))
    torch.testing.assert_close(drawn.prior.objective(code).total, -plain.prior.log_prob(code).mean())
    assert drawn.prior.players == ("model",)


def test_a_nested_model_changes_nothing_but_where_codes_come_from() -> None:
    """The same weights and noise give the same bound under N(0, I) and under a nested N(0, I)."""
    plain, nested = model(BITS, VAE), model(BITS, NESTED)
    found = [m.log_prob(bits(), samples=3, generator=generator_for("cpu", 2)).nats for m in (plain, nested)]
    torch.testing.assert_close(*found)
    assert torch.equal(plain.sample(5).x, nested.sample(5).x)


def test_a_nested_model_without_density_is_no_density() -> None:
    """The prior has log_prob only where the nested model's density is exact."""
    drawn: Any = model(BITS, {**AUTOENCODER, "prior": {"type": "core/model", "model": AUTOENCODER}})
    assert not isinstance(drawn.prior, Density)
    assert drawn.sample(2).x.shape == (2, *BITS.shape)


def test_a_nested_model_reads_the_outer_context() -> None:
    """A conditional model within a conditional model gets the context that the outer one encoded."""
    inner = {**VAE, "decoder": {"type": "vae/normal", "network": MLP}}
    drawn = model(BITS, {**AUTOENCODER, "condition": "core/one_hot", "prior": {"type": "core/model", "model": inner}})
    x = [drawn.sample(4, torch.full((4,), label)).x for label in (0, 1)]
    assert not torch.equal(*x)


def test_a_sum_of_losses_adds_weighted_terms() -> None:
    """Twice the squared error minus the absolute one, and each metric by its name."""
    squared, absolute = ({"type": "vae/reconstruction", "error": error} for error in ("squared", "absolute"))
    batch = Batch(bits())

    def total(loss: Any) -> float:
        drawn = model(BITS, AUTOENCODER, loss=loss)
        return float(drawn.loss(drawn, batch).total.detach())

    found = total({"type": "core/sum", "terms": [squared, absolute], "weights": [2.0, -1.0]})
    assert found == pytest.approx(2 * total(squared) - total(absolute))
    unweighted = total({"type": "core/sum", "terms": [squared, absolute]})
    assert unweighted == pytest.approx(total(squared) + total(absolute))


def test_a_sum_owns_each_parameter_once() -> None:
    """Terms that share all parts do not give an optimizer a parameter twice."""
    drawn = model(BITS, AUTOENCODER, loss={"type": "core/sum", "terms": ["vae/reconstruction", "vae/reconstruction"]})
    owned = list(drawn.loss.player_parameters(drawn, "model"))
    assert len(owned) == len({id(parameter) for parameter in owned}) == len(drawn.part_parameters())


@pytest.mark.parametrize(("parts", "slots"), [(FLOW, {}), (AUTOENCODER, {"decoder": "nets/tied"})], ids=["inverse", "tied"])
def test_tied_parts_do_not_register_the_encoder_again(parts: dict[str, Any], slots: dict[str, Any]) -> None:
    """A decoder that uses the encoder owns none of its parameters, so nothing is counted or saved twice."""
    drawn = model(PLANE, parts, **slots)
    names = [name for name, _ in drawn.named_modules() if name.startswith("decoder") and "encoder" in name]
    assert names == []
    weights = [id(parameter) for part in drawn.parts().values() for parameter in part.parameters()]
    assert len(weights) == len(set(weights))


def test_an_inverse_follows_the_encoder() -> None:
    """Reconstruction by the inverse is exact."""
    x = torch.randn(4, 2)
    assert torch.equal(model(PLANE, FLOW).reconstruct(x), x)


def test_composing_leaves_torchs_generator_alone() -> None:
    """Weights depend on the seed only, and the global generator is as before."""
    torch.manual_seed(9)
    before = torch.get_rng_state()
    first = model(BITS, VAE, seed=4).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(3)
    again, other = model(BITS, VAE, seed=4).state_dict(), model(BITS, VAE, seed=5).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_composing_refuses_what_does_not_fit() -> None:
    """The same check, before anything is built."""
    with pytest.raises(SpecError, match="needs an encoder with Posterior"):
        model(BITS, VAE, encoder="nets/mlp")


def test_shapes_on_the_way() -> None:
    """Encode, code, latent, decode and reconstruct keep the batch and the spaces of the composition."""
    drawn = model(BITS, VAE)
    x = bits()
    code = drawn.codes(x)
    assert code.shape == (5, *drawn.composition.code.shape)
    assert drawn.latents(code).shape == (5, *drawn.composition.latent.shape)
    assert drawn.reconstruct(x).shape == drawn.decode(drawn.encode(x)).shape == x.shape


def test_parts_are_named_by_their_roles() -> None:
    """What can be frozen, counted and saved apart."""
    assert list(model(BITS, CONDITIONAL).parts()) == ["condition", "encoder", "decoder", "prior"]
    assert list(model(BITS, VAE).parts()) == ["encoder", "decoder", "prior"]


def test_generators_of_neighbouring_seeds_are_unrelated() -> None:
    """Streams of (0, 1), (1, 0) and their neighbours differ; equal seeds give equal streams."""
    seeds = [(0, 1), (1, 0), (0, 0), (1, 1), (0, 2), (2**40, 0)]
    streams = [tuple(torch.rand(4, generator=generator_for("cpu", *pair)).tolist()) for pair in seeds]
    assert len(set(streams)) == len(seeds)
    assert streams[0] == tuple(torch.rand(4, generator=generator_for("cpu", 0, 1)).tolist())


def test_ancestral_sampling_takes_means_or_draws() -> None:
    """Means of bits lie between the bits that are drawn."""
    means = model(BITS, VAE, sampler="core/ancestral").sample(20).x
    draws = model(BITS, VAE).sample(20).x
    assert ((means > 0) & (means < 1)).all()
    assert set(draws.unique().tolist()) == {0.0, 1.0}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # raised in torch itself when it compiles
@pytest.mark.parametrize("parts", [VAE, {**VAE, "sampler": "core/ancestral"}], ids=["likelihood", "mean"])
def test_compiled_samples_are_the_eager_ones(parts: dict[str, Any]) -> None:
    """Up to rounding, in chunks of several sizes; no bit is so near a half that rounding could turn it."""
    drawn = model(BITS, parts)
    torch.testing.assert_close(drawn.sample(150, seed=3, compile=True).x, drawn.sample(150, seed=3).x)


def test_samples_in_bfloat16_are_the_same_up_to_rounding() -> None:
    """Networks run under autocast for the call alone, and what comes out is as precise as data are."""
    drawn = model(BITS, {**VAE, "sampler": "core/ancestral"})
    full, rounded = drawn.sample(50, seed=3).x, drawn.sample(50, seed=3, precision="bfloat16").x
    assert rounded.dtype == full.dtype
    assert not torch.equal(rounded, full)
    torch.testing.assert_close(rounded, full, rtol=0, atol=0.02)
    assert not torch.is_autocast_enabled("cpu")


def test_compiling_lasts_as_long_as_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """What samplers ask of decoders is compiled, a nested model's too; then all is as before."""
    names: list[str] = []

    def compiling(function: Any) -> Any:
        names.append(function.__qualname__)
        return function

    monkeypatch.setattr(torch, "compile", compiling)
    drawn = model(BITS, {**VAE, "prior": {"type": "core/model", "model": FLOW}})
    before = [set(vars(part)) for part in drawn.modules()]
    x = drawn.sample(3, compile=True).x
    assert [set(vars(part)) for part in drawn.modules()] == before
    count = len(names)
    assert len([name for name in names if name.endswith(".likelihood")]) == 1
    assert "IdentityAsDecoder.decode" in names or "InverseDecoder.decode" in names
    assert torch.equal(drawn.sample(3).x, x)
    assert len(names) == count


def test_samples_are_of_the_models_space() -> None:
    """Samples carry the space of the data, for pictures and metrics."""
    samples = model(GREY, AUTOENCODER).sample(2)
    assert isinstance(samples, Samples)
    assert samples.space == GREY
