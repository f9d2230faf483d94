"""The kit passes an honest encoder and catches each lie told by one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import pytest
import torch
from pydantic import Field, PositiveInt
from torch import Generator, Tensor, nn

from genframe import Context, ContextSpace, Encoder, EncoderSpec, Real, Space, Spaces, require_real, traits, vector_dims
from genframe.testing import check_component
from genframe.types import Conditional, Posterior, TraitSet


@dataclass
class Gaussian:
    """N(mean, sigma²)."""

    mean: Tensor
    sigma: Tensor

    @property
    def variance(self) -> Tensor:
        return self.sigma.square()

    def entropy(self) -> Tensor:
        return (self.sigma.log() + 1.4189385332046727).sum(1)

    def log_prob(self, value: Tensor) -> Tensor:
        return (-0.5 * ((value - self.mean) / self.sigma).square() - self.sigma.log() - 0.9189385332046727).sum(1)

    def rsample(self, generator: Generator | None = None) -> Tensor:
        return self.mean + self.sigma * torch.randn(self.mean.shape, generator=generator)

    def expand(self, samples: int) -> Gaussian:
        return type(self)(self.mean.repeat_interleave(samples, 0), self.sigma.repeat_interleave(samples, 0))


class Network(Encoder):
    """An honest posterior: linear maps to mean and log-sigma, shifted by the context."""

    law: type[Gaussian] = Gaussian

    def __init__(self, data: Space, dim: int, context: ContextSpace | None) -> None:
        super().__init__()
        self.mean = nn.Linear(data.dims, dim)
        self.log_sigma = nn.Linear(data.dims, dim)
        self.shift = nn.Linear(vector_dims(context), dim) if context is not None else None

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        return self.posterior(x, context).mean

    def posterior(self, x: Tensor, context: Context | None = None) -> Gaussian:
        mean = self.mean(x.flatten(1))
        if self.shift is not None and context is not None:
            mean = mean + self.shift(context.vector)
        return self.law(mean, 0.1 * self.log_sigma(x.flatten(1)).exp())


class Honest(EncoderSpec):
    """Gives an honest Gaussian posterior."""

    type: Literal["kit/honest"] = "kit/honest"
    provides: ClassVar[TraitSet] = traits(Posterior, Conditional)
    part: ClassVar[Any] = Network

    dim: PositiveInt = Field(default=3, description="dimensions of the latent")

    def latent_space(self, data: Space) -> Space:
        require_real(data, "an honest encoder")
        return Real((self.dim,))

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        return self.part(spaces.data, self.dim, spaces.context)


class WiderThanDeclared(Network):
    def __init__(self, data: Space, dim: int, context: ContextSpace | None) -> None:
        super().__init__(data, dim + 1, context)


class InDoubles(Network):
    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        return super().encode(x, context).double()


class DeadParameter(Network):
    def __init__(self, data: Space, dim: int, context: ContextSpace | None) -> None:
        super().__init__(data, dim, context)
        self.unused = nn.Parameter(torch.ones(2))


class DetachedHead(Network):
    def posterior(self, x: Tensor, context: Context | None = None) -> Gaussian:
        honest = super().posterior(x, context)
        return Gaussian(honest.mean, honest.sigma.detach())


class NoPosterior(Encoder):
    def __init__(self, data: Space, dim: int, context: ContextSpace | None) -> None:
        super().__init__()
        self.linear = nn.Linear(data.dims, dim)

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        return self.linear(x.flatten(1))


class Forgetful(Network):
    def __init__(self, data: Space, dim: int, context: ContextSpace | None) -> None:
        super().__init__(data, dim, context)
        self.scale = torch.rand(())

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        return self.scale * super().encode(x, context)


class NotPersistent(Network):
    def __init__(self, data: Space, dim: int, context: ContextSpace | None) -> None:
        super().__init__(data, dim, context)
        self.register_buffer("seen", torch.zeros(()), persistent=False)

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        if self.training:
            self.seen += 1
        return self.seen + super().encode(x, context)


class RegisteredTwice(Network):
    def __init__(self, data: Space, dim: int, context: ContextSpace | None) -> None:
        super().__init__(data, dim, context)
        self.again = self.mean


class LeaksAcrossBatch(Network):
    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        latent = super().encode(x, context)
        return latent - latent.mean(0)


class RandomWhenEvaluated(Network):
    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        return self.posterior(x, context).rsample()


class OwnEntropy(Network):
    """Initialises from a generator that no seed reaches."""

    def __init__(self, data: Space, dim: int, context: ContextSpace | None) -> None:
        super().__init__(data, dim, context)
        generator = Generator()
        generator.seed()
        nn.init.normal_(self.mean.weight, generator=generator)


class DeafToContext(Network):
    def posterior(self, x: Tensor, context: Context | None = None) -> Gaussian:
        return super().posterior(x, None if context is None else context.map(torch.zeros_like))


class ReadsWhatItWasNotBuiltFor(Network):
    def posterior(self, x: Tensor, context: Context | None = None) -> Gaussian:
        return super().posterior(x if context is None else x + context.vector.mean(), context)


class IgnoresGenerator(Gaussian):
    def rsample(self, generator: Generator | None = None) -> Tensor:
        return super().rsample(None)


class AlwaysTheMean(Gaussian):
    def rsample(self, generator: Generator | None = None) -> Tensor:
        return self.mean


class Unnormalised(Gaussian):
    def log_prob(self, value: Tensor) -> Tensor:
        return super().log_prob(value) + 0.1


class WrongVariance(Gaussian):
    @property
    def variance(self) -> Tensor:
        return self.sigma


class WrongEntropy(Gaussian):
    def entropy(self) -> Tensor:
        return super().entropy() - 0.5


class ExpandsByTiling(Gaussian):
    def expand(self, samples: int) -> Gaussian:
        return type(self)(self.mean.repeat(samples, 1), self.sigma.repeat(samples, 1))


LIES = [
    (WiderThanDeclared, "spaces", r"declared Real\(3\), a batch of 5 has shape \(5, 4\)"),
    (InDoubles, "spaces", "found torch.float64, not torch.float32"),
    (NoPosterior, "traits", "declares Posterior, but NoPosterior has no posterior"),
    (DeadParameter, "gradients", "no gradient reaches the parameter 'unused'"),
    (DetachedHead, "gradients", "no gradient reaches the parameter 'log_sigma.weight'"),
    (RandomWhenEvaluated, "seed", "encode on .* differs under one seed"),
    (OwnEntropy, "seed", "built twice under one seed, 'mean.weight' differs"),
    (IgnoresGenerator, "seed", "posterior.rsample on .* differs under one seed"),
    (AlwaysTheMean, "seed", "posterior.rsample on .* is the same under two seeds"),
    (LeaksAcrossBatch, "batch", "encode on .* changes with the rest of the batch"),
    (Forgetful, "state", "encode on .* differs after its state was saved"),
    (NotPersistent, "state", "encode on .* differs after its state was saved"),
    (RegisteredTwice, "state", "one tensor twice, as 'mean.weight' and 'again.weight'"),
    (DeafToContext, "context", "no result changes with the context"),
    (ReadsWhatItWasNotBuiltFor, "context", "built without a context, it reads one on"),
    (Unnormalised, "density", "it integrates to 1.[01]"),
    (WrongVariance, "density", "posterior.variance on .* is not that of its draws"),
    (WrongEntropy, "density", "posterior.entropy on .* differ by 0.5"),
    (ExpandsByTiling, "density", "posterior.mean on .* is not that of its draws"),
]


def test_an_honest_encoder_passes_every_check() -> None:
    """The control: the kit finds nothing wrong with an encoder that keeps all its promises."""
    assert check_component(Honest) == []


@pytest.mark.parametrize(("part", "check", "message"), LIES, ids=[lie[0].__name__ for lie in LIES])
def test_a_lying_encoder_is_caught(monkeypatch: pytest.MonkeyPatch, part: type[Any], check: str, message: str) -> None:
    """The check meant for a lie finds it, and says what was declared and what was found."""
    if issubclass(part, Gaussian):
        part = type(part.__name__, (Network,), {"law": part})
    monkeypatch.setattr(Honest, "part", part)
    findings = check_component(Honest, only=[check])
    assert findings
    assert re.search(message, str(findings[0]))
