"""The conformance kit, for every metric of the plugin."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from genframe import Categorical, ModelSpec, Real, train
from genframe.experiment.document.loading import read_experiment
from genframe.testing import Example, PluginConformance
from genframe_metrics import (
    Accuracy,
    Frechet,
    KernelDistance,
    Parzen,
    Perceptual,
    PrecisionRecall,
    SamplingCost,
    SamplingTime,
    ShapesRead,
    SlicedWasserstein,
    StackedModes,
    TwoSample,
)
from genframe_metrics.specs import FeatureMetric

FOLDER = TemporaryDirectory(prefix="genframe-conforms-")  # examples are made when tests are collected, before any fixture
RUN = Path(FOLDER.name) / "classifier"
train(read_experiment("digits-classifier", ["train.steps=1", "train.log_every=1"]).spec, folder=RUN)
DIGITS = Real((1, 8, 8), 0, 1, 17)
STACKS = Real((3, 8, 8), 0, 1, 17)
DIRECT = {"encoder": "core/identity", "decoder": "core/identity", "loss": "core/nll"}
POINTS = ModelSpec.model_validate({**DIRECT, "prior": "core/normal"})
LABELS = ModelSpec.model_validate({**DIRECT, "prior": "core/categorical"})
GENERATOR = ModelSpec.model_validate(
    {"decoder": "nets/mlp", "prior": {"type": "core/normal", "shape": [4]}, "loss": "gan/adversarial"}
)
AUTOENCODER = ModelSpec.model_validate(
    {"encoder": "nets/conv", "decoder": "nets/conv", "prior": "core/normal", "loss": "vae/reconstruction"}
)


def over_features(metric: type[FeatureMetric]) -> list[Example]:
    """Return examples of a metric over values and over features."""
    return [Example(metric(), model=POINTS), Example(metric(features=RUN), data=DIGITS, model=GENERATOR)]


class TestMetrics(PluginConformance):
    """Every metric keeps a metric's promises."""

    plugin = "metrics"
    examples: ClassVar[dict[str, Sequence[Any]]] = {
        "metrics/accuracy": [Example(Accuracy(), data=Categorical((), 10), model=LABELS)],
        "metrics/frechet": over_features(Frechet),
        "metrics/kernel_distance": over_features(KernelDistance),
        "metrics/parzen": [Parzen(n=50)],
        "metrics/perceptual": [Example(Perceptual(features=RUN), data=DIGITS, model=AUTOENCODER)],
        "metrics/precision_recall": over_features(PrecisionRecall),
        "metrics/sampling_cost": [
            Example(SamplingCost(batch=4), model=POINTS),
            Example(SamplingCost(), model=GENERATOR, data=DIGITS),
        ],
        "metrics/sampling_time": [Example(SamplingTime(batch=4, repeats=2), model=GENERATOR, data=DIGITS)],
        "metrics/shapes": [Example(ShapesRead(n=20), data=Real((3, 32, 32), 0, 1, 256), model=GENERATOR)],
        "metrics/sliced_wasserstein": over_features(SlicedWasserstein),
        "metrics/stacked_modes": [Example(StackedModes(classifier=RUN, n=100), data=STACKS, model=GENERATOR)],
        "metrics/two_sample": over_features(TwoSample),
    }
