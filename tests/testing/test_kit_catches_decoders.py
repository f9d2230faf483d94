"""The kit passes honest decoders and catches each lie told by one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import pytest
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from genframe import (
    Context,
    ContextSpace,
    Decoder,
    DecoderSpec,
    Encoder,
    EncoderSpec,
    Mismatch,
    Needs,
    Real,
    Space,
    Spaces,
    require_real,
    traits,
)
from genframe.testing import Example, check_component
from genframe.types import Bijective, Likelihood, ProbabilityMass, TraitSet


@dataclass
class Coins:
    """Independent coins, of values 0 and 1."""

    logits: Tensor

    @property
    def mean(self) -> Tensor:
        return self.logits.sigmoid()

    def log_prob(self, value: Tensor) -> Tensor:
        return -F.binary_cross_entropy_with_logits(self.logits, value, reduction="none").flatten(1).sum(1)

    def rsample(self, generator: Generator | None = None) -> Tensor:
        return torch.bernoulli(self.mean, generator=generator)


class Network(Decoder):
    """An honest likelihood: a linear map to logits."""

    law: type[Coins] = Coins

    def __init__(self, latent: Space, data: Space) -> None:
        super().__init__()
        self.shape = data.shape
        self.linear = nn.Linear(latent.dims, data.dims)

    def decode(self, latent: Tensor, context: Context | None = None) -> Tensor:
        return self.likelihood(latent).mean

    def likelihood(self, latent: Tensor, context: Context | None = None) -> Coins:
        return self.law(self.linear(latent.flatten(1)).unflatten(1, self.shape))


class Honest(DecoderSpec):
    """Gives honest coins."""

    type: Literal["kit/coins"] = "kit/coins"
    provides: ClassVar[TraitSet] = traits(Likelihood, ProbabilityMass)
    part: ClassVar[Any] = Network

    def accepts(self, latent: Space, data: Space, context: ContextSpace | None = None) -> None:
        require_real(latent, "a linear map")
        if not (isinstance(data, Real) and data.levels == 2 and data.discrete):
            raise Mismatch(f"coins need data of two levels, found {data}")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Decoder:
        return self.part(spaces.latent, spaces.data)


class ForgetsShape(Network):
    def decode(self, latent: Tensor, context: Context | None = None) -> Tensor:
        return super().decode(latent).flatten(1)


class NotFinite(Network):
    def decode(self, latent: Tensor, context: Context | None = None) -> Tensor:
        return super().decode(latent).log() - float("inf")


class SumsOverBatch(Coins):
    def log_prob(self, value: Tensor) -> Tensor:
        return super().log_prob(value).sum().expand(len(value))


class BetweenLevels(Coins):
    def rsample(self, generator: Generator | None = None) -> Tensor:
        return 0.5 * super().rsample(generator)


class NotOneDatumEach(Coins):
    def log_prob(self, value: Tensor) -> Tensor:
        return super().log_prob(value).mean()


class ForgetsHalf(Coins):
    """The log-odds in place of the log-probability: proportional, but not normalised."""

    def log_prob(self, value: Tensor) -> Tensor:
        return (self.logits * value).flatten(1).sum(1)


class DrawsTheComplement(Coins):
    def rsample(self, generator: Generator | None = None) -> Tensor:
        return 1 - super().rsample(generator)


LIES = [
    (ForgetsShape, "spaces", r"decode on .* has shape \(5, 64\), not \(5, 1, 8, 8\)"),
    (NotFinite, "spaces", "values that are not finite"),
    (BetweenLevels, "spaces", "likelihood.rsample on .* found values between the levels"),
    (NotOneDatumEach, "spaces", r"likelihood.log_prob on .* has shape \(\), not \(5,\)"),
    (SumsOverBatch, "batch", "likelihood.log_prob on .* changes with the rest of the batch"),
    (ForgetsHalf, "density", "it sums to"),
    (DrawsTheComplement, "density", "over its draws"),
]


def test_an_honest_decoder_passes_every_check() -> None:
    """The control: the kit finds nothing wrong with coins."""
    assert check_component(Honest) == []


@pytest.mark.parametrize(("part", "check", "message"), LIES, ids=[lie[0].__name__ for lie in LIES])
def test_a_lying_decoder_is_caught(monkeypatch: pytest.MonkeyPatch, part: type[Any], check: str, message: str) -> None:
    """The check meant for a lie finds it, and says what was declared and what was found."""
    if issubclass(part, Coins):
        part = type(part.__name__, (Network,), {"law": part})
    monkeypatch.setattr(Honest, "part", part)
    assert any(re.search(message, str(finding)) for finding in check_component(Honest, only=[check]))


class Inverse(Decoder):
    """Refers to its encoder without owning it."""

    def __init__(self, encoder: Encoder | None) -> None:
        super().__init__()
        self.encoder = (encoder,)

    def decode(self, latent: Tensor, context: Context | None = None) -> Tensor:
        return self.encoder[0].inverse(latent, context)


class OwnsItsEncoder(Inverse):
    def __init__(self, encoder: Encoder | None) -> None:
        super().__init__(encoder)
        self.owned = encoder


class Shift(Encoder):
    """z = x + b."""

    def __init__(self, data: Space) -> None:
        super().__init__()
        self.b = nn.Parameter(torch.zeros(data.shape))

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        return x + self.b

    def inverse(self, latent: Tensor, context: Context | None = None) -> Tensor:
        return latent - self.b


class ShiftSpec(EncoderSpec):
    """Shifts data."""

    type: Literal["kit/shift"] = "kit/shift"

    def latent_space(self, data: Space) -> Space:
        return Real(require_real(data, "a shift").shape)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        return Shift(spaces.data)


class Tied(DecoderSpec):
    """Inverts an encoder."""

    type: Literal["kit/tied"] = "kit/tied"
    needs: ClassVar[Needs] = {"encoder": Bijective}
    part: ClassVar[Any] = Inverse

    def accepts(self, latent: Space, data: Space, context: ContextSpace | None = None) -> None:
        """Accept all."""

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Decoder:
        return self.part(encoder)


def test_a_tied_decoder_gets_an_encoder_with_the_trait_it_needs() -> None:
    """The kit builds an installed encoder for a decoder that needs one."""
    assert check_component(Tied) == []


def test_a_tied_decoder_that_registers_its_encoder_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tied part refers to its encoder; were it to own it, the encoder's weights would be in the state twice."""
    example = Example(Tied(), data=Real((2,)), encoder=ShiftSpec())
    assert check_component(example) == []
    monkeypatch.setattr(Tied, "part", OwnsItsEncoder)
    assert "it owns 'owned.b', a tensor of the encoder it is tied to" in str(check_component(example, only=["state"])[0])
