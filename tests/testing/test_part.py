"""One component is built between given spaces, and a missing space is named."""

from __future__ import annotations

from typing import Any, Literal

import pytest
import torch

from genframe import (
    Categorical,
    ContextSpace,
    DatasetSpec,
    Decoder,
    DecoderSpec,
    Encoder,
    Loss,
    LossSpec,
    Metric,
    MetricSpec,
    Prior,
    Real,
    Sampler,
    Spaces,
)
from genframe.core import Ancestral, IdentityDecoder, IdentityEncoder, Inverse, NegativeLogLikelihood, Normal, OneHot
from genframe.testing import part

PLANE, CUBE, CONTEXT = Real((2,)), Real((3,)), Real((4,))


class Recorded(Exception):
    """What a spec's ``build`` was given."""


class AnyDecoder(DecoderSpec):
    type: Literal["test/decoder"] = "test/decoder"

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Decoder:
        raise Recorded(spaces.latent, spaces.data, spaces.context, encoder)


class AnyLoss(LossSpec):
    type: Literal["test/loss"] = "test/loss"

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        raise Recorded(spaces)


class AnyMetric(MetricSpec):
    type: Literal["test/metric"] = "test/metric"

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        raise Recorded(spaces)


class AnyDataset(DatasetSpec):
    type: Literal["test/dataset"] = "test/dataset"


def test_each_kind_is_built() -> None:
    """Encoders, decoders, priors, losses and samplers come from their specs."""
    encoder = part(IdentityEncoder(), data=PLANE)
    assert isinstance(encoder, Encoder)
    assert isinstance(part(Inverse(), data=PLANE, latent=PLANE, encoder=encoder), Decoder)
    assert isinstance(part(Normal(), code=PLANE), Prior)
    assert isinstance(part(NegativeLogLikelihood(), data=PLANE, latent=PLANE), Loss)
    assert isinstance(part(Ancestral()), Sampler)
    assert part(OneHot(), data=Categorical((), 3)).encode(torch.tensor([1])).tolist() == [[0, 1, 0]]


def test_spaces_reach_the_spec() -> None:
    """Each space arrives at its own place, and a loss's code is its latent unless it is given."""
    encoder = part(IdentityEncoder(), data=PLANE)
    assert recorded(AnyDecoder(), data=PLANE, latent=CUBE, context=CONTEXT, encoder=encoder) == (
        CUBE,
        PLANE,
        ContextSpace(CONTEXT),
        encoder,
    )
    assert recorded(AnyLoss(), data=PLANE, latent=CUBE, context=CONTEXT) == (Spaces(PLANE, CUBE, CUBE, ContextSpace(CONTEXT)),)
    assert recorded(AnyLoss(), data=PLANE, latent=CUBE, code=PLANE) == (Spaces(PLANE, CUBE, PLANE),)
    assert recorded(AnyMetric(), data=PLANE) == (Spaces(PLANE, PLANE, PLANE),)


def recorded(spec: Any, **given: Any) -> tuple[Any, ...]:
    """Return what ``build`` was given."""
    with pytest.raises(Recorded) as caught:
        part(spec, **given)
    return caught.value.args


def test_a_dataset_is_no_part() -> None:
    """Datasets are loaded, not built."""
    dataset: Any = AnyDataset()
    with pytest.raises(ValueError, match="a dataset is not a part; its spec is not built"):
        part(dataset)


@pytest.mark.parametrize(
    ("spec", "given", "missing"),
    [
        (IdentityEncoder(), {"latent": PLANE}, "encoder core/identity, give the space 'data'"),
        (IdentityDecoder(), {"data": PLANE}, "decoder core/identity, give the space 'latent'"),
        (IdentityDecoder(), {"latent": PLANE}, "decoder core/identity, give the space 'data'"),
        (Normal(), {"latent": PLANE}, "prior core/normal, give the space 'code'"),
        (NegativeLogLikelihood(), {"data": PLANE}, "loss core/nll, give the space 'latent'"),
        (NegativeLogLikelihood(), {"latent": PLANE}, "loss core/nll, give the space 'data'"),
    ],
)
def test_a_missing_space_is_named(spec: Any, given: dict[str, Any], missing: str) -> None:
    """Each kind says which space it needs."""
    with pytest.raises(ValueError, match=missing):
        part(spec, **given)
