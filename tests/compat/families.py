"""Small experiments, one or two of each family: what the stored runs are of."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["FAMILIES", "MORE_STEPS", "STEPS"]

STEPS: Final = 4  # of a stored run
MORE_STEPS: Final = 8  # what it is resumed to

MLP: Final = {"type": "nets/mlp", "hidden": [12]}
DIGITS: Final = {"type": "data/digits", "limit": 400}
MOONS: Final = {"type": "data/toy", "name": "moons", "n": 400}
DEQUANTISED: Final = {**DIGITS, "dequantise": True}
BITS: Final = {**DIGITS, "binarise": "dynamic"}
GAUSSIAN: Final = {"type": "vae/gaussian", "dim": 3, "network": MLP}
LOGISTIC: Final = {"type": "vae/discretised_logistic", "network": MLP}
IDENTITY: Final = {"encoder": "core/identity", "decoder": "core/identity"}
DENOISER: Final = {"type": "diffusion/denoiser", "network": {**MLP, "time": True}}
DIFFUSION: Final = {
    "encoder": {"type": "diffusion/vp", "schedule": "cosine"},
    "decoder": DENOISER,
    "loss": "diffusion/denoising",
    "sampler": {"type": "diffusion/ddim", "steps": 4},
}
LEARN: Final = [["encoder", "decoder"], ["prior"]]


def _flow(kind: str) -> dict[str, Any]:
    layers = {"type": f"flow/{kind}", "scales": 2, "network": {**MLP, "zero": True}}
    encoder = {"type": "flow/sequence", "flows": ["flow/logit", layers]}
    return {"encoder": encoder, "decoder": "core/inverse", "loss": "core/nll"}


MODELS: Final[dict[str, tuple[Any, dict[str, Any]]]] = {
    "autoencoder": (
        DIGITS,
        {
            "encoder": {**MLP, "dim": 3},
            "decoder": MLP,
            "prior": {"type": "vae/gmm", "components": 3},
            "loss": "vae/reconstruction",
        },
    ),
    "vae": (
        {**DIGITS, "labels": True},
        {
            "encoder": GAUSSIAN,
            "decoder": LOGISTIC,
            "condition": "core/one_hot",
            "loss": {"type": "vae/elbo", "anneal_steps": 6},
        },
    ),
    "vamp": (
        DIGITS,
        {"encoder": GAUSSIAN, "decoder": LOGISTIC, "prior": {"type": "vae/vamp", "components": 4}, "loss": "vae/elbo"},
    ),
    "vq": (
        DIGITS,
        {
            "encoder": {"type": "vq/quantizer", "network": {"type": "nets/resnet", "channels": [8], "blocks": 1}, "size": 16},
            "decoder": {"type": "vae/discretised_logistic", "network": {"type": "nets/resnet", "channels": [8], "blocks": 1}},
            "prior": "core/categorical",
            "loss": {"type": "vq/vqvae", "window": 64},
        },
    ),
    "gan": (
        DIGITS,
        {
            "decoder": MLP,
            "prior": {"type": "core/normal", "shape": [4]},
            "loss": {"type": "gan/adversarial", "critic": MLP, "objective": "relativistic", "r1": 2.0},
        },
    ),
    "realnvp": (DEQUANTISED, _flow("realnvp")),
    "glow": (DEQUANTISED, _flow("glow")),
    "diffusion": (MOONS, DIFFUSION),
    "latent-diffusion": (
        DIGITS,
        {
            "encoder": GAUSSIAN,
            "decoder": LOGISTIC,
            "prior": {"type": "core/model", "model": DIFFUSION},
            "loss": {"type": "vae/elbo", "reference": "core/normal"},
        },
    ),
    "transformer": (
        DIGITS,
        {**IDENTITY, "prior": {"type": "autoregressive/transformer", "dim": 8, "depth": 1, "heads": 2}, "loss": "core/nll"},
    ),
    "rbm": (
        BITS,
        {
            **IDENTITY,
            "prior": {"type": "energy/rbm", "hidden": 6},
            "loss": {"type": "energy/contrastive_divergence", "persistent": True},
            "sampler": {"type": "energy/gibbs", "steps": 4, "thinning": 2},
        },
    ),
    "energy": (
        MOONS,
        {
            **IDENTITY,
            "prior": {"type": "energy/neural", "network": MLP, "base": 2.0},
            "loss": {"type": "energy/langevin_likelihood", "steps": 2, "step_size": 0.1, "buffer": 64},
            "sampler": {"type": "energy/tempering", "steps": 4, "step_size": 0.2, "thinning": 2},
        },
    ),
    "gsn": (
        DIGITS,
        {
            "encoder": {"type": "gsn/stochastic", "dim": 6, "network": MLP, "amount": 0.1},
            "decoder": LOGISTIC,
            "loss": {"type": "gsn/walkback", "steps": 2},
            "sampler": {"type": "gsn/chain", "steps": 4, "draw": "sample"},
        },
    ),
}
STAGES: Final[dict[str, list[dict[str, Any]]]] = {
    "autoencoder": [{"parts": LEARN[0], "steps": 2}, {"parts": ["prior"], "fit": True}, {"parts": ["prior"], "steps": 6}],
    "vq": [{"parts": LEARN[0], "steps": 2}, {"parts": ["prior"], "steps": 6}],
    "latent-diffusion": [{"parts": LEARN[0], "steps": 2}, {"parts": ["prior"], "steps": 6}],
}


def _experiment(name: str) -> dict[str, Any]:
    data, model = MODELS[name]
    train = {"batch_size": 32, "lr": 1e-2, "ema": 0.9, "clip": 5.0, "log_every": 1, "checkpoint_every": STEPS, "threads": 1}
    return {"name": name, "data": data, "model": model, "train": {**train, "stages": STAGES.get(name, []), "steps": MORE_STEPS}}


FAMILIES: Final = {name: _experiment(name) for name in MODELS}
