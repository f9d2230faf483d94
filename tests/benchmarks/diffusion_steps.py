"""How few steps each sampler of genframe-diffusion needs: Fréchet distance of samples of digits from the training data.

Features are those of `digits-classifier`. The network is a perceptron, so that there can be so many samples that their noise is
below the differences. Both runs are taken from runs/, and trained there when missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

import genframe
from genframe import Model, Run
from genframe.experiment.document.loading import read_experiment
from genframe.testing import part
from genframe_diffusion import DDPM, Grid, GridWalk, Heun
from genframe_metrics.estimates import jackknife
from genframe_metrics.features import extractor
from genframe_metrics.frechet import frechet_distance

from .diffusion_sampling import SAMPLERS

WALKS: tuple[tuple[type[GridWalk], Grid], ...] = (*((kind, "uniform") for kind in SAMPLERS), (Heun, "log_snr"))
STEPS, SAMPLES = (5, 10, 20, 50, 250), 8192
LONG_STEPS, MANY_SAMPLES, CONTENDERS = 1000, 65536, 3
NETWORK = "model.decoder.network={type: nets/mlp, hidden: [256, 256, 256], time: true}"
PERCEPTRON = (NETWORK, "train.batch_size=256", "train.steps=3000", "train.lr=1e-3")


def measure() -> dict[str, Any]:
    """Return the table of all samplers, then with more samples the best of 20 steps beside 1000 ancestral ones."""
    digits = _run("diffusion-digits", Path("runs/diffusion-digits-perceptron"), PERCEPTRON)
    classifier = Path("runs/digits-classifier")
    _run("digits-classifier", classifier)
    train = digits.experiment.data.load().split("train")
    features = extractor(classifier, digits.model.composition.data, torch.device("cpu")).extract
    data = features(train.batch(slice(None)).x)

    def row(sampler: GridWalk, count: int) -> dict[str, float]:
        with _sampling_by(digits.model, sampler):
            samples = features(digits.model.sample(count).x)
        # the data are the same in every row, so the error is that of the samples alone
        found = jackknife(lambda _, y: frechet_distance(data, y), data, samples)
        print(f"{_name(sampler):<36} {count:>6} samples   {found.value:.4f} ± {found.standard_error:.4f}", flush=True)
        return {"fd": found.value, "error": float(found.standard_error or 0)}

    table = {_name(walk): row(walk, SAMPLES) for kind, grid in WALKS for walk in (kind(steps=n, grid=grid) for n in STEPS)}
    short = [kind(steps=20, grid=grid) for kind, grid in WALKS]
    best = sorted(short, key=lambda walk: table[_name(walk)]["fd"])[:CONTENDERS]
    contest = {_name(walk): row(walk, MANY_SAMPLES) for walk in [*best, DDPM(steps=LONG_STEPS)]}
    return {"samples": SAMPLES, "table": table, "more samples": MANY_SAMPLES, "contest": contest}


def _name(walk: GridWalk) -> str:
    return f"{walk.type} {walk.grid} {walk.steps}"


def _run(recipe: str, folder: Path, assignments: Sequence[str] = ()) -> Run:
    if not (folder / "experiment.yaml").is_file():
        genframe.train(read_experiment(recipe, assignments).spec, folder=folder)
    return genframe.load(folder)


@contextmanager
def _sampling_by(model: Model, sampler: GridWalk) -> Iterator[None]:
    usual = model.sampler
    model.sampler = part(sampler)
    try:
        yield
    finally:
        model.sampler = usual
