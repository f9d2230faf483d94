"""What the typed check says of these components: refusals word for word, and kinds of density."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from genframe import Categorical, Composition, ModelSpec, Real, Space, SpecError, check

BITS = Real((1, 8, 8), 0, 1, 2)
GREY = Real((1, 8, 8), 0, 1, 256)
NOISY = Real((1, 8, 8), 0, 1, 256, True)


def checked(data: Space, **slots: Any) -> Composition:
    """Check a VAE with some slots replaced."""
    parts = {"encoder": "vae/gaussian", "decoder": "vae/bernoulli", "loss": "vae/elbo", **slots}
    return check(ModelSpec.model_validate(parts), data)


@pytest.mark.parametrize(
    ("data", "slots", "path", "message"),
    [
        (BITS, {"encoder": "nets/mlp"}, "model.loss", "needs an encoder with Posterior; 'nets/mlp' has none"),
        (
            BITS,
            {"encoder": {"type": "vae/corrupted"}},
            "model.loss",
            "needs an encoder with Posterior; 'vae/corrupted' has none",
        ),
        (BITS, {"decoder": "nets/mlp"}, "model.loss", "needs a decoder with Likelihood; 'nets/mlp' has none"),
        (
            BITS,
            {"encoder": "nets/mlp", "prior": "vae/vamp"},
            "model.prior",
            "needs an encoder with Posterior; 'nets/mlp' has none",
        ),
        (GREY, {}, "model.decoder", "a Bernoulli likelihood is of bits, found Real(1×8×8, 0 to 1, 256 levels)"),
        (NOISY, {"decoder": {"type": "vae/bernoulli", "grey": True}}, "model.decoder", "a Bernoulli likelihood is of bits"),
        (
            Real((4,), -1, 1),
            {},
            "model.decoder",
            "a Bernoulli likelihood is of values from 0 to 1, found Real(4, -1 to 1)",
        ),
        (Real((4,)), {"decoder": "vae/discretised_logistic"}, "model.decoder", "a discretised logistic is of values on a grid"),
        (NOISY, {"decoder": "vae/categorical"}, "model.decoder", "a categorical likelihood is of values on a grid"),
        (
            BITS,
            {"encoder": {"type": "vae/full_gaussian", "network": "nets/conv"}},
            "model.encoder.network",
            "a full covariance is of vector features, found Real(64×2×2)",
        ),
        (
            BITS,
            {"encoder": {"type": "vae/gaussian", "network": "nets/conv"}, "prior": "vae/gmm"},
            "model.prior",
            "needs 1 axis",
        ),
        (
            Real((4,)),
            {
                "encoder": {"type": "vae/corrupted", "corruption": "salt_and_pepper"},
                "decoder": "nets/mlp",
                "loss": "vae/reconstruction",
            },
            "model.encoder.corruption",
            "salt and pepper are the bounds of data, found Real(4)",
        ),
        (
            Real((4,)),
            {"decoder": "nets/mlp", "loss": {"type": "vae/reconstruction", "error": "cross_entropy"}},
            "model.loss.error",
            "a cross-entropy is of values from 0 to 1, found Real(4)",
        ),
        (Categorical((4,), 3), {"decoder": "vae/normal"}, "model.encoder.network", "needs real values"),
    ],
)
def test_a_mistake_is_refused_where_it_is(data: Space, slots: dict[str, Any], path: str, message: str) -> None:
    """The check names the path and what is missing, and says what would do."""
    with pytest.raises(SpecError) as caught:
        checked(data, **slots)
    problem = next(problem for problem in caught.value.problems if problem.path == path)
    assert message in problem.message
    assert problem.hint


def test_an_elbo_over_a_plain_encoder_names_what_has_a_posterior() -> None:
    """The whole message, as a user reads it."""
    with pytest.raises(SpecError) as caught:
        checked(BITS, encoder="nets/mlp")
    text = str(caught.value)
    assert text.startswith("model.loss: needs an encoder with Posterior; 'nets/mlp' has none; these have: ")
    assert "vae/full_gaussian, vae/gaussian" in text


def test_a_fraction_above_one_is_refused() -> None:
    """Masking more than all values is refused by the spec itself."""
    with pytest.raises(ValueError, match=r"fraction of at most 1, found 1\.5"):
        checked(BITS, encoder={"type": "vae/corrupted", "amount": 1.5})


@pytest.mark.parametrize(
    ("data", "decoder", "mass"),
    [
        (BITS, "vae/bernoulli", True),
        (GREY, {"type": "vae/bernoulli", "grey": True}, False),
        (NOISY, "vae/normal", False),
        (GREY, "vae/discretised_logistic", True),
        (GREY, "vae/categorical", True),
    ],
    ids=str,
)
def test_a_vae_bounds_mass_or_density(data: Space, decoder: Any, mass: bool) -> None:
    """Every VAE has a lower bound; it is of probability mass for discrete likelihoods, never for grey cross-entropies."""
    composition = checked(data, decoder=decoder)
    assert composition.density == "lower bound"
    assert composition.mass is mass


def test_an_autoencoder_has_no_density() -> None:
    """An autoencoder with a mixture over its codes is implicit and samples directly."""
    slots = {"encoder": {"type": "nets/mlp", "dim": 4}, "decoder": "nets/mlp", "prior": "vae/gmm", "loss": "vae/reconstruction"}
    composition = checked(BITS, **slots)
    assert (composition.density, composition.sampling) == ("implicit", "direct")


def test_the_plugin_is_read_without_torch() -> None:
    """Importing the plugin and typing a VAE never imports torch."""
    code = (
        "import sys, genframe_vae; from genframe import check, ModelSpec, Real\n"
        "spec = ModelSpec(encoder='vae/gaussian', decoder='vae/bernoulli', loss='vae/elbo', prior='vae/vamp')\n"
        "check(spec, Real((4,), 0, 1, 2))\n"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
