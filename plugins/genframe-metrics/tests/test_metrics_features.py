"""Classifiers of digits: how often they are right, their features, and the modes of stacks that they count."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from genframe import (
    Categorical,
    CheckpointError,
    Model,
    ModelSpec,
    Real,
    Run,
    RunError,
    Space,
    Split,
    check,
    compose,
    evaluate,
    load,
    train,
)
from genframe.experiment.document.loading import read_experiment
from genframe.roles import into
from genframe.testing import part
from genframe_data import Digits, Stacked
from genframe_metrics import Accuracy, Frechet, StackedModes
from genframe_metrics.classifier import Classifier, class_log_probs
from genframe_metrics.features import extractor
from genframe_metrics.stacks import modes_of

DIGITS = Real((1, 8, 8), 0, 1, 17)
STACKS = replace(DIGITS, shape=(3, 8, 8))
CPU = torch.device("cpu")
SMALL = ["train.steps=60", "train.warmup=0", "train.batch_size=64", "train.lr=5e-3", "train.validate_every=60"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of digits, trained for a moment."""
    folder = tmp_path_factory.mktemp("runs") / "digits-classifier"
    train(read_experiment("digits-classifier", [*SMALL, "data.of.augment=null", "train.ema=null"]).spec, folder=folder)
    return folder


@pytest.fixture(scope="module")
def classifier(run: Path) -> Run:
    """The same, loaded."""
    return load(run)


@pytest.fixture(scope="module")
def digits() -> tuple[Split, Split]:
    """Test and training images."""
    data = Digits().load()
    return data.split("test"), data.split("train")


def generator_of(space: Space) -> Model:
    """Return an untrained model that draws data of ``space``."""
    spec = {"decoder": "nets/mlp", "prior": {"type": "core/normal", "shape": [4]}, "loss": "gan/adversarial"}
    return compose(ModelSpec.model_validate(spec), space)


def test_accuracy_is_the_share_of_most_probable_classes(classifier: Run) -> None:
    """It is what the argmax of the probabilities says, with the standard error of a share, and far above chance."""
    split = classifier.experiment.data.load().split("test")
    (found,) = part(Accuracy()).measure(classifier.model, split, train=split)
    whole = split.batch(slice(None))
    assert whole.condition is not None
    probabilities = torch.stack([classifier.model.log_prob(torch.full((359,), one), whole.condition).nats for one in range(10)])
    share = float((probabilities.argmax(0) == whole.x).double().mean())
    assert share > 0.8
    assert found.value == pytest.approx(share, abs=1e-12)
    assert found.standard_error == pytest.approx(math.sqrt(share * (1 - share) / 358), rel=1e-6)
    assert found.stamp["protocol"]["data"].startswith("data/labels of data/digits@")


@pytest.mark.slow
def test_digits_classifier_knows_98_percent(tmp_path: Path) -> None:
    """The recipe's classifier is right for at least 98 % of the test digits."""
    trained = train(read_experiment("digits-classifier").spec, folder=tmp_path / "run")
    assert evaluate(trained).results[0].value >= 0.98


def test_probabilities_of_the_classes_sum_to_one(classifier: Run) -> None:
    """Under each image the ten classes have the probability one together."""
    log_probs = class_log_probs(classifier.model, torch.rand(5, 1, 8, 8))
    torch.testing.assert_close(log_probs.exp().sum(1), torch.ones(5))


@pytest.mark.parametrize(
    ("model", "data", "condition", "reason"),
    [
        ({"encoder": "core/identity", "prior": "core/normal"}, Real((2,)), None, "the data of this model is Real(2), not one"),
        ({"encoder": "core/identity", "prior": "core/categorical"}, Categorical((2,), 3), None, "not one class"),
        ({"encoder": "core/identity", "prior": "core/categorical"}, Categorical((), 3), None, "has no condition"),
    ],
)
def test_models_that_classify_nothing_are_refused(
    model: dict[str, str], data: Space, condition: Space | None, reason: str
) -> None:
    """Accuracy of other compositions is refused with a reason."""
    spec = ModelSpec.model_validate({**model, "decoder": "core/identity", "loss": "core/nll"})
    assert reason in Accuracy().refusal(check(spec, data, condition))


def test_features_are_the_context(run: Path, classifier: Run) -> None:
    """The features of images are what the classifier's condition encoder gives, in double precision, whatever the batch."""
    x = torch.rand(600, 1, 8, 8)
    found = extractor(run, DIGITS, CPU)
    expected = classifier.model.context(x)
    assert expected is not None
    features = found.extract(x)
    assert features.dtype == torch.float64
    torch.testing.assert_close(features, expected.tensors[0].detach().double(), rtol=1e-4, atol=1e-4)
    assert (found.name, set(found.stamped)) == ("digits-classifier", {"name", "weights"})


def test_images_of_another_range_have_the_same_features(run: Path) -> None:
    """Images from -1 to 1 are taken to the classifier's range, 0 to 1."""
    x = torch.randint(17, (20, 1, 8, 8)) / 16
    other = replace(DIGITS, low=-1.0)
    torch.testing.assert_close(into(DIGITS, 2 * x - 1, other), x)
    torch.testing.assert_close(extractor(run, other, CPU).extract(2 * x - 1), extractor(run, DIGITS, CPU).extract(x))


def test_dequantised_images_have_the_features_of_their_levels(run: Path) -> None:
    """Noise within a level is taken away where the classifier was trained without."""
    levels = torch.randint(17, (20, 1, 8, 8))
    noisy = (levels + torch.rand(levels.shape)) / 17
    dequantised = replace(DIGITS, dequantised=True)
    torch.testing.assert_close(into(DIGITS, noisy, dequantised), levels / 16)
    found, expected = extractor(run, dequantised, CPU).extract(noisy), extractor(run, DIGITS, CPU).extract(levels / 16)
    torch.testing.assert_close(found, expected)


def test_figures_by_other_weights_do_not_compare(run: Path, digits: tuple[Split, Split], tmp_path: Path) -> None:
    """The stamp holds the digest of the extractor's weights: a second training gives figures that do not compare."""
    second = tmp_path / "again"
    experiment = read_experiment(str(run / "experiment.yaml"), ["train.seed=1", "train.steps=1"]).spec
    train(experiment, folder=second)
    test, training = digits
    model = generator_of(DIGITS)
    one, same, other = (
        part(Frechet(features=folder, n=60)).measure(model, test, train=training)[0] for folder in (run, run, second)
    )
    assert one.name == other.name == "fd(digits-classifier)"
    assert not one.differs_from(same)
    assert one.differs_from(other)
    assert one.stamp["features"]["weights"] != other.stamp["features"]["weights"]


def test_training_data_are_nearer_than_noise(run: Path, digits: tuple[Split, Split]) -> None:
    """An untrained generator lies many standard errors farther from test data than training data do."""
    test, training = digits
    own, of_data = part(Frechet(features=run)).measure(generator_of(DIGITS), test, train=training)
    assert own.standard_error is not None
    assert own.value - of_data.value > 10 * own.standard_error


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (Real((1, 8, 8), 0, 1, 2), "reads Real(1×8×8, 0 to 1, 17 levels), found Real(1×8×8, 0 to 1, 2 levels); train it on"),
        (Real((3, 8, 8), 0, 1, 17), "found Real(3×8×8"),
    ],
)
def test_a_run_that_reads_other_data_is_refused(run: Path, space: Real, message: str) -> None:
    """Data of another preparation or shape are refused with both spaces, before anything is measured and when it is."""
    model = generator_of(space)
    assert message in Frechet(features=run).refusal(model.composition)
    split = Split("test", torch.zeros(30, *space.shape))
    with pytest.raises(RunError, match=r"train it on data that is prepared"):
        part(Frechet(features=run)).measure(model, split, train=split)


def test_a_missing_or_unfit_run_is_refused(tmp_path: Path, classifier: Run) -> None:
    """No run, one without a checkpoint and one without a condition are refused, each in a sentence with what would do."""
    composition = generator_of(DIGITS).composition
    assert Frechet(features=tmp_path).refusal(composition) == (
        f"{tmp_path} is not a run; train a classifier, such as genframe train digits-classifier, and name its folder"
    )
    unconditional = tmp_path / "points"
    assignments = ["train.steps=1", "model.condition=null"]
    train(read_experiment("digits-classifier", assignments).spec, folder=unconditional)
    assert "has no condition encoder to give features; name a classifier" in Frechet(features=unconditional).refusal(
        composition
    )
    for file in (unconditional / "checkpoints").rglob("*.safetensors"):
        file.write_bytes(b"damaged")
    assert Frechet(features=unconditional).refusal(composition) != ""
    with pytest.raises((RunError, CheckpointError)):
        load(unconditional)


def test_a_metric_with_a_run_can_be_written_and_read() -> None:
    """The path of a run is plain text in a file."""
    spec = Frechet(features=Path("runs") / "digits-classifier")
    written: dict[str, Any] = spec.model_dump(mode="json")
    assert written["features"] == "runs/digits-classifier"
    assert Frechet.model_validate(written) == spec


def test_modes_of_stacks_are_the_classes_of_their_channels(classifier: Run) -> None:
    """A stack's mode is the number whose digits are the classes of its three channels."""
    x = Stacked(of=Digits(), n=50, held_out=50).load().split("test").batch(slice(None)).x
    classes = [class_log_probs(classifier.model, x[:, place : place + 1]).argmax(1) for place in range(3)]
    assert torch.equal(modes_of(Classifier(classifier.model, DIGITS), x), 100 * classes[0] + 10 * classes[1] + classes[2])


def test_data_reach_the_modes_that_their_labels_say(run: Path) -> None:
    """Stacks of test digits reach nearly the modes of their labels; a model of few modes diverges by more."""
    data = Stacked(of=Digits(labels=True), n=20, held_out=3000).load()
    split = data.split("test")
    assert split.condition is not None
    spec = StackedModes(classifier=run, n=3000)
    measured = part(spec).measure(generator_of(STACKS), split, train=split)
    results = {result.name: result for result in measured}
    assert list(results) == ["modes", "modes_of_data", "reverse_kl", "reverse_kl_of_data"]
    true = len(split.condition.unique())
    assert results["modes_of_data"].value == pytest.approx(true, abs=0.1 * true)
    assert results["modes_of_data"].unit == "of 1000"
    assert results["reverse_kl"].value > 2 > results["reverse_kl_of_data"].value > (1000 - 1) / (2 * 3000) / 2
    assert results["modes"].stamp["classifier"]["name"] == "digits-classifier"


def test_a_collapsed_model_has_one_mode(run: Path) -> None:
    """A model that draws one stack reaches one mode and diverges by the log of their number."""
    model = generator_of(STACKS)
    with torch.no_grad():
        for parameter in model.decoder.parameters():
            parameter.zero_()
    split = Split("test", torch.zeros(20, 3, 8, 8))
    modes, _, divergence, _ = part(StackedModes(classifier=run, n=200)).measure(model, split, train=split)
    assert modes.value == 1
    assert divergence.value == pytest.approx(math.log(1000))


def test_modes_are_counted_where_there_are_channels(run: Path, tmp_path: Path) -> None:
    """Points, images of other sizes and runs that classify nothing are refused with a reason."""
    assert "images with channels, found Real(4)" in StackedModes(classifier=run).refusal(generator_of(Real((4,))).composition)
    larger = generator_of(Real((3, 16, 16), 0, 1, 17)).composition
    assert "found Real(1×16×16" in StackedModes(classifier=run).refusal(larger)
    many = generator_of(replace(DIGITS, shape=(7, 8, 8))).composition
    assert "7 channels of Categorical(scalar, 10 values) have more than" in StackedModes(classifier=run).refusal(many)
    assert "is not a run" in StackedModes(classifier=tmp_path).refusal(generator_of(STACKS).composition)
