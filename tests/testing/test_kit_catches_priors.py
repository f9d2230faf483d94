"""The kit passes an honest prior and catches each lie told by one."""

from __future__ import annotations

import math
import re
from typing import Any, ClassVar, Literal

import pytest
import torch
from torch import Generator, Tensor, nn

from genframe import (
    Categorical,
    Context,
    ContextSpace,
    Encoder,
    LossOutput,
    Mismatch,
    Prior,
    PriorSpec,
    Real,
    Space,
    Spaces,
    Unsupported,
    traits,
)
from genframe.testing import Example, check_component
from genframe.types import Density, Energy, Fittable, GaussianExpectation, ProbabilityMass, Tempered, TraitSet


class DiagonalNormal(Prior):
    """An honest density: N(mean, sigma²) with learnt moments."""

    def __init__(self, code: Space) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(code.shape))
        self.log_sigma = nn.Parameter(torch.zeros(code.shape))

    def sample(self, n: int, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        return self.mean + self.log_sigma.exp() * torch.randn(n, *self.mean.shape, generator=generator)

    def log_prob(self, code: Tensor, context: Context | None = None) -> Tensor:
        return self.expected_log_prob(code, torch.zeros_like(code))

    def expected_log_prob(self, mean: Tensor, variance: Tensor, context: Context | None = None) -> Tensor:
        squares = ((mean - self.mean).square() + variance) * (-2 * self.log_sigma).exp()
        return (-0.5 * squares - self.log_sigma - 0.5 * math.log(2 * math.pi)).flatten(1).sum(1)

    def sample_at(
        self, temperature: float | Tensor, n: int, context: Context | None = None, generator: Generator | None = None
    ) -> Tensor:
        return self.mean + temperature * (self.sample(n, context, generator) - self.mean)


class Honest(PriorSpec):
    """Is an honest normal distribution."""

    type: Literal["kit/normal"] = "kit/normal"
    provides: ClassVar[TraitSet] = traits(Density, GaussianExpectation, Tempered)
    part: ClassVar[Any] = DiagonalNormal

    def accepts(self, code: Space, context: ContextSpace | None = None) -> None:
        if not isinstance(code, Real) or code.discrete:
            raise Mismatch(f"a normal distribution is of continuous values, found {code}")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Prior:
        return self.part(spaces.code)


class Unnormalised(DiagonalNormal):
    def log_prob(self, code: Tensor, context: Context | None = None) -> Tensor:
        return super().log_prob(code) + 0.02


class DrawsTooWide(DiagonalNormal):
    def sample(self, n: int, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        return 1.1 * super().sample(n, context, generator)


class DrawsAside(DiagonalNormal):
    def sample(self, n: int, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        return 0.15 + super().sample(n, context, generator)


class SigmaForVariance(DiagonalNormal):
    def expected_log_prob(self, mean: Tensor, variance: Tensor, context: Context | None = None) -> Tensor:
        return super().expected_log_prob(mean, variance.sqrt())

    def log_prob(self, code: Tensor, context: Context | None = None) -> Tensor:
        return super().expected_log_prob(code, torch.zeros_like(code))


class IgnoresGenerator(DiagonalNormal):
    def sample(self, n: int, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        return super().sample(n, context, None)


class AlwaysTheSame(DiagonalNormal):
    def sample(self, n: int, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        return super().sample(n, context, Generator().manual_seed(0))


class TooFew(DiagonalNormal):
    def sample(self, n: int, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        return super().sample(n - 1, context, generator)


class NeverColder(DiagonalNormal):
    def sample_at(
        self, temperature: float | Tensor, n: int, context: Context | None = None, generator: Generator | None = None
    ) -> Tensor:
        return self.sample(n, context, generator)


class TooCold(DiagonalNormal):
    def sample_at(
        self, temperature: float | Tensor, n: int, context: Context | None = None, generator: Generator | None = None
    ) -> Tensor:
        return 0.9 * super().sample_at(temperature, n, context, generator)


class AddsTemperaturesUp(DiagonalNormal):
    def sample_at(
        self, temperature: float | Tensor, n: int, context: Context | None = None, generator: Generator | None = None
    ) -> Tensor:
        if isinstance(temperature, Tensor):
            temperature = temperature.cumsum(-1)
        return super().sample_at(temperature, n, context, generator)


class OfItsOwnNoise(DiagonalNormal):
    def sample_at(
        self, temperature: float | Tensor, n: int, context: Context | None = None, generator: Generator | None = None
    ) -> Tensor:
        return super().sample_at(temperature, n, context, None)


LIES = [
    (NeverColder, "temperature", "at temperature 0.05 spreads as widely as at 1"),
    (TooCold, "temperature", "at temperature 1 does not draw what sample draws"),
    (AddsTemperaturesUp, "temperature", "draws otherwise at a tensor of equal temperatures"),
    (OfItsOwnNoise, "seed", "sample_at on .* differs under one seed"),
    (Unnormalised, "density", "it integrates to 1.02, not 1"),
    (DrawsTooWide, "density", "over its draws"),
    (DrawsAside, "density", "over its draws"),
    (SigmaForVariance, "expectation", "drawing gives"),
    (IgnoresGenerator, "seed", "sample on .* differs under one seed"),
    (AlwaysTheSame, "seed", "sample on .* is the same under two seeds"),
    (TooFew, "spaces", r"sample on .* has shape \(4, 2\), not \(5, 2\)"),
]


def test_an_honest_prior_passes_every_check() -> None:
    """The control: the kit finds nothing wrong with a normal distribution."""
    assert check_component(Honest) == []


@pytest.mark.parametrize(("part", "check", "message"), LIES, ids=[lie[0].__name__ for lie in LIES])
def test_a_lying_prior_is_caught(monkeypatch: pytest.MonkeyPatch, part: type[Prior], check: str, message: str) -> None:
    """The check meant for a lie finds it, and says what was declared and what was found."""
    monkeypatch.setattr(Honest, "part", part)
    findings = check_component(Honest, only=[check])
    assert findings
    assert re.search(message, str(findings[0]))


def test_high_dimensional_densities_are_integrated_by_importance_sampling(monkeypatch: pytest.MonkeyPatch) -> None:
    """A density over sixteen dimensions that is a tenth too large is caught as well."""

    class Slightly(DiagonalNormal):
        def log_prob(self, code: Tensor, context: Context | None = None) -> Tensor:
            return super().log_prob(code) + 0.1

    example = Example(Honest(), latent=Real((16,)))
    assert check_component(example, only=["density"]) == []
    monkeypatch.setattr(Honest, "part", Slightly)
    assert "not 1 (±" in str(check_component(example, only=["density"])[0])


class Classes(Prior):
    """Independent classes with learnt probabilities."""

    temperature = 1.0

    def __init__(self, code: Categorical) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.randn(*code.shape, code.size))

    def sample(self, n: int, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        probabilities = (self.logits / self.temperature).softmax(-1).flatten(0, -2)
        return torch.multinomial(probabilities, n, True, generator=generator).T.reshape(n, *self.logits.shape[:-1])

    def log_prob(self, code: Tensor, context: Context | None = None) -> Tensor:
        log_probabilities = self.logits.log_softmax(-1).expand(len(code), *self.logits.shape)
        return log_probabilities.gather(-1, code[..., None]).flatten(1).sum(1)


class HotClasses(Classes):
    temperature = 1.5


class SharedSoftmax(Classes):
    def log_prob(self, code: Tensor, context: Context | None = None) -> Tensor:
        log_probabilities = self.logits.log_softmax(0).expand(len(code), *self.logits.shape)
        return log_probabilities.gather(-1, code[..., None]).flatten(1).sum(1)


class FloatClasses(Classes):
    def sample(self, n: int, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        return super().sample(n, context, generator).float()


class OneClassTooMany(Classes):
    def sample(self, n: int, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        return super().sample(n, context, generator) + 5


class HonestClasses(PriorSpec):
    """Is an honest distribution of classes."""

    type: Literal["kit/classes"] = "kit/classes"
    provides: ClassVar[TraitSet] = traits(Density, ProbabilityMass)
    part: ClassVar[Any] = Classes

    def accepts(self, code: Space, context: ContextSpace | None = None) -> None:
        if not isinstance(code, Categorical) or not code.shape:
            raise Mismatch(f"these are rows of classes, found {code}")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Prior:
        return self.part(spaces.code)


DISCRETE_LIES = [
    (HotClasses, "density", "over its draws"),
    (SharedSoftmax, "density", "it sums to"),
    (FloatClasses, "spaces", "found torch.float32, not torch.int64"),
    (OneClassTooMany, "spaces", "found values from [567] to"),
]


def test_honest_classes_pass_every_check() -> None:
    """The control: probabilities of a few classes are summed over every value."""
    assert check_component(HonestClasses) == []


@pytest.mark.parametrize(("part", "check", "message"), DISCRETE_LIES, ids=[lie[0].__name__ for lie in DISCRETE_LIES])
def test_lying_classes_are_caught(monkeypatch: pytest.MonkeyPatch, part: type[Prior], check: str, message: str) -> None:
    """A distribution of classes that does not sum to one, or draws others, is caught."""
    monkeypatch.setattr(HonestClasses, "part", part)
    findings = check_component(HonestClasses, only=[check])
    assert findings
    assert re.search(message, str(findings[0]))


class NeverTrained(DiagonalNormal):
    """Has an objective that leaves a parameter of its own out."""

    def __init__(self, code: Space) -> None:
        super().__init__(code)
        self.temperature = nn.Parameter(torch.ones(()))

    def objective(self, code: Tensor, context: Context | None = None, player: str = "model") -> LossOutput:
        return LossOutput(-self.log_prob(code).mean())


class FitsBadly(DiagonalNormal):
    def fit(self, codes: Tensor, context: Context | None = None, generator: Generator | None = None) -> float:
        return 0.0


class Stuck(DiagonalNormal):
    def objective(self, code: Tensor, context: Context | None = None, player: str = "model") -> LossOutput:
        raise Unsupported("no")


class FittableButNot(Honest):
    """Declares a fit."""

    provides: ClassVar[TraitSet] = traits(Fittable, Energy)


def test_a_parameter_that_no_objective_reaches_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A prior's own objective counts among its results."""
    monkeypatch.setattr(Honest, "part", NeverTrained)
    assert "no gradient reaches the parameter 'temperature'" in str(check_component(Honest, only=["gradients"])[0])


def test_declared_traits_without_methods_are_named() -> None:
    """Every declared trait that the part does not have is named, with the methods it lacks."""
    text = "\n".join(map(str, check_component(FittableButNot, only=["traits"])))
    assert "declares Energy, but DiagonalNormal has no energy" in text
    assert "declares Fittable, but DiagonalNormal has no fit" in text


def test_a_fit_without_figures_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fit returns a dictionary of figures."""
    monkeypatch.setattr(Honest, "part", FitsBadly)
    monkeypatch.setattr(Honest, "provides", traits(Fittable))
    assert "fit must return a dictionary" in str(check_component(Honest, only=["traits"])[0])


def test_a_check_that_cannot_be_carried_out_is_a_finding_with_its_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error inside a part does not escape from the kit, and is not lost."""
    monkeypatch.setattr(Honest, "part", Stuck)
    finding = check_component(Honest, only=["gradients"])[0]
    assert "it raised Unsupported: no" in str(finding)
    assert isinstance(finding.cause, Unsupported)
