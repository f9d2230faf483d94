"""The kit passes an honest bijection and catches each lie told by one."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Literal

import pytest
import torch
from torch import Tensor, nn

from genframe import Context, Encoder, EncoderSpec, Real, Space, Spaces, require_real, traits
from genframe.testing import check_component
from genframe.types import Bijective, TraitSet


class Scaling(Encoder):
    """z = exp(s) x."""

    def __init__(self, data: Space) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(data.shape))

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        return self.forward_and_log_det(x, context)[0]

    def forward_and_log_det(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        return x * self.log_scale.exp(), self.log_scale.sum().expand(len(x))

    def inverse(self, latent: Tensor, context: Context | None = None) -> Tensor:
        return latent * (-self.log_scale).exp()


class Flow(EncoderSpec):
    """Scales data one to one."""

    type: Literal["kit/flow"] = "kit/flow"
    provides: ClassVar[TraitSet] = traits(Bijective)
    part: ClassVar[Any] = Scaling

    def latent_space(self, data: Space) -> Space:
        return Real(require_real(data, "a flow").shape)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        return self.part(spaces.data)


class WrongSign(Scaling):
    def forward_and_log_det(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        latent, log_abs_det = super().forward_and_log_det(x)
        return latent, -log_abs_det


class SlightlyOff(Scaling):
    def forward_and_log_det(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        latent, log_abs_det = super().forward_and_log_det(x)
        return latent, log_abs_det + 1e-7


class InSinglePrecision(Scaling):
    def forward_and_log_det(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        latent, log_abs_det = super().forward_and_log_det(x)
        return latent, log_abs_det.float()


class NoWayBack(Scaling):
    def inverse(self, latent: Tensor, context: Context | None = None) -> Tensor:
        return latent


class EncodesOtherwise(Scaling):
    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        return x + 1


BIJECTIVE_LIES = [
    (WrongSign, "the Jacobian's is"),
    (SlightlyOff, "the Jacobian's is"),
    (InSinglePrecision, "the Jacobian's is"),
    (NoWayBack, "does not lead back"),
    (EncodesOtherwise, "encode on .* is not the latent"),
]


def test_an_honest_flow_passes_every_check() -> None:
    """The control: the kit finds nothing wrong with a bijection whose log-determinant and inverse are right."""
    assert check_component(Flow) == []


@pytest.mark.parametrize(("part", "message"), BIJECTIVE_LIES, ids=[lie[0].__name__ for lie in BIJECTIVE_LIES])
def test_a_lying_bijection_is_caught(monkeypatch: pytest.MonkeyPatch, part: type[Encoder], message: str) -> None:
    """Log-determinants are compared with autograd's in float64, to nine digits."""
    monkeypatch.setattr(Flow, "part", part)
    findings = check_component(Flow, only=["bijection"])
    assert findings
    assert re.search(message, str(findings[0]))
