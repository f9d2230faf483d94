"""What is refused before anything is built, with the path and what would do."""

from __future__ import annotations

from typing import Any

import pytest

from genframe import Categorical, ModelSpec, Real, Space, SpecError, check
from genframe.experiment.document.loading import experiment_from
from genframe_gsn import Chain, Stochastic, Walkback
from genframe_nets import MLP, MLPDecoder
from genframe_vae import Bernoulli, Elbo, Gaussian, Reconstruction

BITS = Real((1, 8, 8), 0, 1, levels=2)


def model(**parts: Any) -> ModelSpec:
    """Return a network of bits, but for ``parts``."""
    return ModelSpec(**{"encoder": Stochastic(), "decoder": Bernoulli(), "loss": Walkback(), "sampler": Chain(), **parts})


def problems_of(spec: ModelSpec, data: Space) -> list[str]:
    """Return what is wrong with the model."""
    with pytest.raises(SpecError) as caught:
        check(spec, data)
    return [str(problem) for problem in caught.value.problems]


def test_density_is_implicit_and_sampling_a_chain() -> None:
    """The stationary distribution has no known density; data are drawn by a chain."""
    composition = check(model(), BITS)
    assert (composition.density, composition.sampling, composition.latent) == ("implicit", "Markov chain", Real((64,)))


@pytest.mark.parametrize("encoder", [MLP(), Gaussian(), None])
def test_chain_of_a_model_without_a_kernel(encoder: Any) -> None:
    """Loss and sampler need an encoder that draws latents of corrupted data, and the message says which does."""
    prior = {"type": "core/normal", "shape": [4]} if encoder is None else "core/normal"
    problems = problems_of(model(encoder=encoder, prior=prior), BITS)
    found = f"'{encoder.type}' has none" if encoder is not None else "there is none"
    for path in ("model.loss", "model.sampler"):
        (problem,) = [each for each in problems if each.startswith(path)]
        assert problem.startswith(f"{path}: needs an encoder with Corrupting; {found}")
        assert "these have: gsn/stochastic" in problem


def test_decoder_without_a_likelihood() -> None:
    """The chain draws from p(x|z), so a plain decoder is refused."""
    problems = problems_of(model(decoder=MLPDecoder()), BITS)
    assert len(problems) == 2
    assert all("needs a decoder with Likelihood; 'nets/mlp' has none" in problem for problem in problems)
    assert all("vae/bernoulli" in problem for problem in problems)


def test_sampler_is_of_any_loss() -> None:
    """A denoising autoencoder trained by its reconstruction error has the chain too; a posterior is not claimed."""
    assert check(model(loss=Reconstruction()), BITS).sampling == "Markov chain"
    assert any("needs an encoder with Posterior" in problem for problem in problems_of(model(loss=Elbo()), BITS))


def test_salt_and_pepper_of_unbounded_data() -> None:
    """Unbounded data have no bounds to be set to; classes are to be encoded first."""
    (problem,) = problems_of(model(decoder="vae/normal"), Real((2,)))
    assert problem.startswith("model.encoder.corruption: salt and pepper are the bounds of data, found Real(2)")
    assert problem.endswith("say corruption: gaussian")
    (problem,) = problems_of(model(decoder="vae/categorical"), Categorical((4,), 3))
    assert problem.startswith("model.encoder: corruption needs real values, found Categorical(4, 3 values)")
    assert "core/one_hot" in problem


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"encoder": {"type": "gsn/stochastic", "amount": 1.5}}, "is a fraction of at most 1, found 1.5"),
        ({"sampler": {"type": "gsn/chain", "steps": 10, "burn_in": 10}}, "leaves nothing of steps: 10; give more steps"),
        ({"loss": {"type": "gsn/walkback", "steps": 0}}, "steps"),
    ],
)
def test_fields_that_have_no_meaning(fields: dict[str, Any], message: str) -> None:
    """Fields without a meaning are refused."""
    parts = {"encoder": "gsn/stochastic", "decoder": "vae/bernoulli", "loss": "gsn/walkback", "sampler": "gsn/chain"}
    data = {"type": "data/digits", "binarise": "static"}
    with pytest.raises(SpecError) as caught:
        experiment_from({"name": "x", "data": data, "model": {**parts, **fields}})
    assert message in str(caught.value)
