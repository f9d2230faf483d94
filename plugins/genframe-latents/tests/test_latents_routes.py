"""Latents of every family: by which route, and that it leads there and back."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch
from torch import Tensor

from genframe import Categorical, Model, ModelSpec, Real, Space, Unsupported, compose, generator_for
from genframe_latents import Search, from_base, interpolated, latents_of, linear, route_of, spherical, to_base

IMAGES = Real((1, 8, 8), 0.0, 1.0, 17)
DEQUANTISED = Real((1, 8, 8), 0.0, 1.0, 17, dequantised=True)
NET = {"type": "nets/mlp", "hidden": [16]}
UNET = {"type": "nets/unet", "channels": [8], "blocks": 1}
FLOW = {"type": "flow/realnvp", "couplings": 4, "network": {**NET, "zero": False}}
NESTED = {"encoder": FLOW, "decoder": "core/inverse", "loss": "core/nll"}
DIFFUSION = {
    "encoder": {"type": "diffusion/vp", "schedule": "cosine", "least_time": 0.02},
    "decoder": {"type": "diffusion/denoiser", "network": UNET, "prediction": "v"},
    "loss": "diffusion/denoising",
    "sampler": {"type": "diffusion/ode", "tolerance": 1e-6},
}
VAE = {
    "encoder": {"type": "vae/gaussian", "dim": 4, "network": NET},
    "decoder": {"type": "vae/normal", "network": NET},
    "loss": "vae/elbo",
}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "autoencoder": ("encoder", {"encoder": NET, "decoder": NET, "loss": "vae/reconstruction"}),
    "vae": ("posterior mean", VAE),
    "vae with a flow prior": ("posterior mean", {**VAE, "prior": {"type": "core/model", "model": NESTED}}),
    "latent diffusion": (
        "posterior mean",
        {
            "encoder": {"type": "vae/gaussian", "dim": 2, "network": {"type": "nets/conv", "channels": [4]}},
            "decoder": {"type": "vae/normal", "network": {"type": "nets/conv", "channels": [4]}},
            "loss": {"type": "vae/elbo", "reference": "core/normal"},
            "prior": {"type": "core/model", "model": DIFFUSION},
        },
    ),
    "vq": (
        "codebook vectors",
        {
            "encoder": {"type": "vq/quantizer", "network": {"type": "nets/conv", "channels": [8]}, "dim": 4, "size": 16},
            "decoder": {"type": "nets/conv", "channels": [8]},
            "prior": "core/categorical",
            "loss": "vq/vqvae",
        },
    ),
    "flow": (
        "bijection",
        {"encoder": {"type": "flow/sequence", "flows": ["flow/logit", FLOW]}, "decoder": "core/inverse", "loss": "core/nll"},
    ),
    "diffusion": ("probability flow", DIFFUSION),
    "gan": (
        "search",
        {
            "decoder": {**NET, "activation": "tanh"},
            "prior": {"type": "core/normal", "shape": [3]},
            "loss": {"type": "gan/adversarial", "critic": NET},
        },
    ),
}
EXACT = ("flow", "diffusion")
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "autoregressive": (
        {"encoder": "core/identity", "decoder": "core/identity", "prior": "autoregressive/made", "loss": "core/nll"},
        "this model has no latent: its encoder returns the data unchanged",
    ),
    "rbm": (
        {
            "encoder": "core/identity",
            "decoder": "core/identity",
            "prior": {"type": "energy/rbm", "hidden": 4},
            "loss": "energy/contrastive_divergence",
            "sampler": "energy/gibbs",
        },
        "this model has no latent: its encoder returns the data unchanged",
    ),
    "diffusion by a random walk": (
        {**DIFFUSION, "sampler": "diffusion/ddpm"},
        "diffusion/ddpm draws noise at its steps, so it leads from no example back to a latent; name one that does not, "
        "such as --sampler diffusion/ode",
    ),
}


def family(name: str) -> Model:
    """Compose a small model of a family."""
    return made(FAMILIES[name][1], DEQUANTISED if name == "flow" else IMAGES)


def made(spec: dict[str, Any], space: Space = IMAGES) -> Model:
    """Compose a model."""
    return compose(ModelSpec.model_validate(spec), space)


def data(n: int = 5) -> Tensor:
    """Return a few data."""
    return torch.randint(0, 17, (n, 1, 8, 8), generator=generator_for("cpu", 3)) / 17 + 0.01


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_has_its_route(name: str) -> None:
    """Latents have the model's latent space and lead back to data; each is a function of its own example and the seed."""
    model, x = family(name), data()
    latents = latents_of(model)
    assert latents.route == FAMILIES[name][0] == route_of(model.composition)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    z = latents.encode(x)
    assert z.shape == (5, *latents.space.shape)
    back = latents.decode(z)
    assert back.shape == x.shape
    assert not z.requires_grad
    assert not back.requires_grad
    torch.testing.assert_close(latents.encode(x[2:4]), z[2:4], atol=1e-5, rtol=1e-4)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    if name in EXACT:
        torch.testing.assert_close(back, x, atol=2e-3, rtol=0)


def test_a_condition_that_only_the_prior_reads_is_not_asked_for() -> None:
    """Latents of captioned pictures, say, are the autoencoder's."""
    classes = Categorical((), 3)
    vae = {**VAE, "prior": {"type": "core/model", "model": NESTED}, "condition": "core/one_hot", "conditional": ["prior"]}
    latents = latents_of(compose(ModelSpec.model_validate(vae), IMAGES, classes))
    assert latents.decode(latents.encode(data())).shape == data().shape
    with pytest.raises(Unsupported, match="this model is conditional"):
        latents_of(compose(ModelSpec.model_validate({**vae, "conditional": ["decoder"]}), IMAGES, classes)).encode(data())


@pytest.mark.parametrize("name", REFUSED)
def test_models_without_a_latent_are_refused(name: str) -> None:
    """The reason is said, and what would do."""
    spec, message = REFUSED[name]
    spaces: dict[str, Space] = {"autoregressive": Categorical((16,), 4), "rbm": Real((1, 8, 8), 0.0, 1.0, 2)}
    model = made(spec, spaces.get(name, IMAGES))
    with pytest.raises(Unsupported) as caught:
        latents_of(model)
    assert message in str(caught.value) or "classes cannot be averaged" in str(caught.value)


def test_a_search_finds_the_code_of_an_example() -> None:
    """What the generator made is found again, nearer with more steps; the same with any other examples beside it."""
    model = family("gan")
    for parameter in model.decoder.parameters():
        torch.nn.init.normal_(parameter, std=0.5, generator=generator_for("cpu", 5))
    x = model.sample(6, seed=4).x
    search = Search(model, deviation=0.01)
    back = search.decode(search.encode(x))
    rough = Search(model, steps=1, restarts=1, draws=4)
    error = (back - x).square().mean()
    assert float(error) < 1e-4 < float((rough.decode(rough.encode(x)) - x).square().mean())
    torch.testing.assert_close(search.encode(x[3:]), search.encode(x)[3:], atol=1e-5, rtol=1e-5)
    assert torch.equal(search.encode(x), search.encode(x))
    assert search.cost() == "2,656 decodings per example"


def test_interpolation_keeps_its_ends() -> None:
    """Each path begins and ends at its ends; the middle of a segment is their mean, of a great circle as long as they are."""
    a, b = torch.randn(4, 3, 2), torch.randn(4, 3, 2)
    shares = torch.linspace(0, 1, 5)
    for path in (linear(a, b, shares), spherical(a, b, shares)):
        assert path.shape == (4, 5, 3, 2)
        torch.testing.assert_close(path[:, 0], a)
        torch.testing.assert_close(path[:, -1], b)
    torch.testing.assert_close(linear(a, b, shares)[:, 2], (a + b) / 2)
    lengths = spherical(a, b, shares).flatten(2).norm(dim=2)
    ends = torch.lerp(lengths[:, :1], lengths[:, -1:], shares[None])
    torch.testing.assert_close(lengths, ends)


def test_a_great_circle_turns_evenly() -> None:
    """Two unit vectors at a right angle: the points are (cos, sin) of even angles (closed form)."""
    shares = torch.linspace(0, 1, 4, dtype=torch.float64)
    path = spherical(torch.tensor([[1.0, 0.0]]).double(), torch.tensor([[0.0, 1.0]]).double(), shares)
    angles = shares * torch.pi / 2
    torch.testing.assert_close(path[0], torch.stack((angles.cos(), angles.sin()), 1))


@pytest.mark.parametrize("b", [[2.0, 0.0], [-3.0, 0.0], [0.0, 0.0]])
def test_a_great_circle_that_is_undecided_is_a_line(b: list[float]) -> None:
    """Parallel, opposite and zero ends give finite points on the segment."""
    shares = torch.linspace(0, 1, 3)
    path = spherical(torch.tensor([[1.0, 0.0]]), torch.tensor([b]), shares)
    torch.testing.assert_close(path, linear(torch.tensor([[1.0, 0.0]]), torch.tensor([b]), shares))


@pytest.mark.parametrize("name", ["vae", "vae with a flow prior", "latent diffusion", "flow", "gan"])
def test_the_base_of_a_prior_leads_back(name: str) -> None:
    """Latents go to the normal base and back; a path along the prior has the latents as its ends."""
    model = family(name)
    z = torch.randn(3, *model.composition.latent.shape, generator=generator_for("cpu", 2))
    with torch.no_grad():
        base = to_base(model, z)
        torch.testing.assert_close(from_base(model, base), z, atol=2e-3, rtol=1e-3)
    path = interpolated(model, z[:2], z[1:], torch.linspace(0, 1, 3), "prior")
    torch.testing.assert_close(path[:, 0], z[:2], atol=2e-3, rtol=1e-3)
    torch.testing.assert_close(path[:, 2], z[1:], atol=2e-3, rtol=1e-3)


def test_along_a_normal_prior_is_spherical() -> None:
    """N(0, I) is its own base."""
    model = family("vae")
    a, b, shares = torch.randn(2, 4), torch.randn(2, 4), torch.linspace(0, 1, 4)
    torch.testing.assert_close(interpolated(model, a, b, shares, "prior"), spherical(a, b, shares))


def test_a_flow_prior_s_base_is_the_flow_s_code() -> None:
    """The base of a flow as prior is what the flow's own encoder gives."""
    model = family("vae with a flow prior")
    nested = cast(Any, model.prior).model
    z = torch.randn(3, 4)
    with torch.no_grad():
        torch.testing.assert_close(to_base(model, z), nested.encode(z))


def test_a_prior_without_a_base_is_refused() -> None:
    """Along a mixture there is no geometry; what has one is said."""
    model = made({**VAE, "prior": {"type": "vae/gmm", "components": 2}})
    with pytest.raises(Unsupported, match=r"vae/gmm has no map to a normal base.*say linear or spherical.*core/normal"):
        interpolated(model, torch.randn(1, 4), torch.randn(1, 4), torch.linspace(0, 1, 3), "prior")
