"""The kit passes an honest part with a first state from data, and catches each lie told by one; levels likewise."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Literal

import pytest
import torch
from torch import Tensor, nn

from genframe import Context, Encoder, EncoderSpec, Real, Space, Spaces, require_real, traits
from genframe.testing import check_component
from genframe.types import Bijective, DataDependent, TraitSet


class ActNorm(Encoder):
    """z = scale (x - shift), of mean 0 and deviation 1 on the first data; Kingma & Dhariwal 2018, sec. 3.1."""

    def __init__(self, data: Space) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(data.shape))
        self.log_scale = nn.Parameter(torch.zeros(data.shape))

    def initialise(self, x: Tensor, context: Context | None = None) -> None:
        self.shift.copy_(x.mean(0))
        self.log_scale.copy_(-(x.std(0) + 1e-6).log())

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        return self.forward_and_log_det(x)[0]

    def forward_and_log_det(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        return (x - self.shift) * self.log_scale.exp(), self.log_scale.sum().expand(len(x))

    def inverse(self, latent: Tensor, context: Context | None = None) -> Tensor:
        return latent * (-self.log_scale).exp() + self.shift


class Honest(EncoderSpec):
    """Normalises by the first data."""

    type: Literal["kit/actnorm"] = "kit/actnorm"
    provides: ClassVar[TraitSet] = traits(Bijective, DataDependent)
    part: ClassVar[Any] = ActNorm
    groups: ClassVar[tuple[int, ...]] = ()

    def latent_space(self, data: Space) -> Space:
        return Real(require_real(data, "a flow").shape)

    def levels(self, data: Space) -> tuple[int, ...]:
        return self.groups or super().levels(data)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        return self.part(spaces.data)


class Infinite(ActNorm):
    def initialise(self, x: Tensor, context: Context | None = None) -> None:
        self.log_scale.copy_(-(x - x).sum(0).log())


class Haphazard(ActNorm):
    made = 0

    def initialise(self, x: Tensor, context: Context | None = None) -> None:
        type(self).made += 1
        self.shift.copy_(x[self.made % len(x)])


class Idle(ActNorm):
    def initialise(self, x: Tensor, context: Context | None = None) -> None:
        pass


class Replaced(ActNorm):
    def initialise(self, x: Tensor, context: Context | None = None) -> None:
        self.shift = nn.Parameter(x.mean(0))


class Forgotten(ActNorm):
    """Keeps what it learnt from data where no checkpoint finds it."""

    centre: Tensor | float = 0.0

    def initialise(self, x: Tensor, context: Context | None = None) -> None:
        super().initialise(x)
        self.centre = x.amax(0)

    def forward_and_log_det(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        return super().forward_and_log_det(x - self.centre)

    def inverse(self, latent: Tensor, context: Context | None = None) -> Tensor:
        return super().inverse(latent) + self.centre


class Buffered(ActNorm):
    """Scales by a buffer that is 1 until there are data, and is left out of something."""

    def __init__(self, data: Space) -> None:
        super().__init__(data)
        self.register_buffer("spread", torch.ones(data.shape))

    def initialise(self, x: Tensor, context: Context | None = None) -> None:
        self.get_buffer("spread").copy_(x.std(0) + 1)


class UncountedScale(Buffered):
    def forward_and_log_det(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        latent, log_abs_det = super().forward_and_log_det(x)
        return latent / self.spread, log_abs_det

    def inverse(self, latent: Tensor, context: Context | None = None) -> Tensor:
        return super().inverse(latent * self.spread)


class OneWay(Buffered):
    def forward_and_log_det(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        latent, log_abs_det = super().forward_and_log_det(x)
        return latent / self.spread, log_abs_det - self.spread.log().sum()


LIES = [
    (Infinite, "leaves NaN or infinity in 'log_scale'"),
    (Haphazard, "leaves another 'shift' at a second part"),
    (Idle, "changes nothing"),
    (Replaced, "puts a new parameter 'shift' in the old one's place"),
    (Forgotten, "is not a function of the state"),
    (UncountedScale, "after initialise, forward_and_log_det .* the Jacobian's is"),
    (OneWay, "after initialise, inverse .* does not lead back"),
]


def test_an_honest_first_state_passes_every_check() -> None:
    """The control: the kit finds nothing wrong with actnorm."""
    assert check_component(Honest) == []


@pytest.mark.parametrize(("part", "message"), LIES, ids=[lie[0].__name__ for lie in LIES])
def test_a_lying_first_state_is_caught(monkeypatch: pytest.MonkeyPatch, part: type[Encoder], message: str) -> None:
    """The check finds the lie, and says what is wrong with it."""
    monkeypatch.setattr(Honest, "part", part)
    findings = check_component(Honest, only=["initialisation"])
    assert re.search(message, "\n".join(map(str, findings)))


@pytest.mark.parametrize("part", [UncountedScale, OneWay])
def test_some_lies_show_after_the_first_data_only(monkeypatch: pytest.MonkeyPatch, part: type[Encoder]) -> None:
    """What is wrong with a scale that data set is seen by no check of the part as it was built."""
    monkeypatch.setattr(Honest, "part", part)
    assert check_component(Honest, only=["bijection"]) == []


@pytest.mark.parametrize("groups", [(1,), (1, 2), (2, 0)])
def test_levels_that_do_not_add_up_are_caught(monkeypatch: pytest.MonkeyPatch, groups: tuple[int, ...]) -> None:
    """The sizes of levels are positive, and together the code's dimensions."""
    monkeypatch.setattr(Honest, "groups", groups)
    (finding, *_) = check_component(Honest, only=["levels"])
    assert f"the levels {groups} do not divide a code of 2 dimensions" in str(finding)
