"""Flows one after another: what falls out of the parts, and first states from data."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

import pytest
import torch
from torch import Tensor

from genframe import (
    Categorical,
    Context,
    Encoder,
    EncoderSpec,
    ModelSpec,
    Real,
    Space,
    Spaces,
    SpecError,
    check,
    compose,
    traits,
)
from genframe.core import IdentityEncoder, OneHot
from genframe.testing import part
from genframe.types import Bijective, Conditional, DataDependent, TraitSet
from genframe_flow import FlowSequence, GaussianPrior, LearnedGaussian, RealNvp, Scaling, SequenceEncoder, Whitening
from genframe_nets import MLPDecoder

SMALL = MLPDecoder(hidden=(8,))
PLANE = Real((2,))
COUPLINGS = RealNvp(network=SMALL, couplings=2)


class TripledEncoder(Encoder):
    """y = 3 x; counts the rows that it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = 0

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return 3 x."""
        self.rows += len(x)
        return 3 * x

    def forward_and_log_det(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return 3 x and D log 3."""
        return self.encode(x), torch.full((len(x),), x[0].numel() * math.log(3))

    def inverse(self, latent: Tensor, context: Context | None = None) -> Tensor:
        """Return y / 3."""
        return latent / 3


class Tripled(EncoderSpec):
    """An encoder of somebody else, with levels."""

    type: Literal["other/tripled"] = "other/tripled"
    provides: ClassVar[TraitSet] = traits(Bijective)

    def latent_space(self, data: Space) -> Space:
        """Return the data's space."""
        return data

    def levels(self, data: Space) -> tuple[int, ...]:
        """Return two levels."""
        return (1, data.dims - 1)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make the encoder."""
        return TripledEncoder()


def built(spec: FlowSequence, data: Space = PLANE) -> SequenceEncoder:
    """Build a sequence."""
    torch.manual_seed(0)
    encoder = part(spec, data=data)
    assert isinstance(encoder, SequenceEncoder)
    return encoder


def layers(encoder: SequenceEncoder) -> list[Any]:
    """Return the bijections of the flows."""
    return list(encoder.flow.layers)


def in_model(*flows: Any, data: Space = PLANE, **fields: Any) -> Any:
    """Check a flow with these encoders in a sequence."""
    parts = {"encoder": {"type": "flow/sequence", "flows": flows, **fields}, "decoder": "core/inverse", "loss": "core/nll"}
    return check(ModelSpec.model_validate(parts), data)


def test_a_sequence_is_its_flows_one_after_another() -> None:
    """Latents pass from one to the next, log-determinants add up, and the inverse goes back."""
    encoder = built(FlowSequence(flows=(COUPLINGS, Scaling(scale=2.0), Tripled())))
    x = torch.randn(5, 2)
    first, log_det = layers(encoder)[0](x)
    latent, total = encoder.forward_and_log_det(x)
    torch.testing.assert_close(latent, 6 * first)
    torch.testing.assert_close(total, log_det + 2 * torch.tensor(6.0).log())
    torch.testing.assert_close(encoder.inverse(latent), x)


def test_constant_memory_reaches_into_the_flows() -> None:
    """The layers of all flows are recomputed one by one, under the same names, and gradients are the ordinary ones."""
    flows = (COUPLINGS, Scaling(scale=2.0), COUPLINGS, Tripled())
    ordinary, constant = built(FlowSequence(flows=flows)), built(FlowSequence(flows=flows, memory="constant"))
    constant.load_state_dict(ordinary.state_dict())
    assert len(constant.flow.bijections) == 2 * len(layers(ordinary)[0].bijections) + 2
    x = torch.randn(16, 2)
    gradients = []
    for encoder in (ordinary, constant):
        latent, log_det = encoder.forward_and_log_det(x)
        (latent.square().sum() - log_det.sum()).backward()
        gradients.append([parameter.grad for parameter in encoder.parameters()])
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-5)


def test_first_states_come_from_what_the_flows_before_make_of_the_data() -> None:
    """Two preprocessings each fit what they see; rows pass in chunks, and nothing passes behind the last of them."""
    spec = FlowSequence(flows=(Tripled(), Scaling(), IdentityEncoder(), Whitening(), Tripled()))
    encoder = built(spec)
    x = torch.randn(700, 2) @ torch.tensor([[2.0, 1.0], [0.0, 0.5]]) + 7
    encoder.initialise(x)
    assert (layers(encoder)[0].encoder.rows, layers(encoder)[4].encoder.rows) == (700, 0)
    torch.testing.assert_close(layers(encoder)[1].scale, 1 / (3 * x).std(0, correction=0))
    latent = encoder.encode(x) / 3
    torch.testing.assert_close(latent.T @ latent / 700, torch.eye(2), rtol=0, atol=1e-4)


def test_a_model_initialises_its_sequence() -> None:
    """Through Model.initialise, as the trainer calls it; the data's mean then has latent zero."""
    spec = ModelSpec.model_validate(
        {"encoder": FlowSequence(flows=(Scaling(), Tripled())), "decoder": "core/inverse", "loss": "core/nll"}
    )
    model = compose(spec, PLANE)
    x = 5 + 2 * torch.randn(100, 2)
    model.initialise(x)
    torch.testing.assert_close(model.encode(x.mean(0, keepdim=True)), torch.zeros(1, 2), rtol=0, atol=1e-5)


def test_traits_come_from_the_flows() -> None:
    """A sequence reads a condition or starts from data if one of its flows does."""
    assert FlowSequence(flows=(Tripled(), IdentityEncoder())).provides == traits(Bijective)
    assert FlowSequence(flows=(Tripled(), COUPLINGS)).provides == traits(Bijective, Conditional)
    assert FlowSequence(flows=(Scaling(), Tripled())).provides == traits(Bijective, DataDependent)


def test_levels_are_the_last_flows() -> None:
    """Temperatures and per-level Gaussians see through a sequence."""
    spec = FlowSequence(flows=(Scaling(scale=2.0), Tripled()))
    assert spec.levels(Real((5,))) == (1, 4) == built(spec, Real((5,))).level_sizes
    prior = part(LearnedGaussian(per="level"), code=Real((5,)), encoder=built(spec, Real((5,))))
    assert isinstance(prior, GaussianPrior)
    assert prior.mean.shape == (2,)


@pytest.mark.parametrize(
    ("flows", "data", "message"),
    [
        (
            ["core/identity", "nets/mlp"],
            Real((4,)),
            "model.encoder.flows.1: 'nets/mlp' maps Real(4) to features from which there is no way back; "
            "use encoders with Bijective: flows, their preprocessing, core/identity",
        ),
        (
            ["flow/logit", "flow/logit"],
            Real((4,), 0, 1),
            "model.encoder.flows.1: flow/logit needs data within bounds, found Real(4); "
            "put it first, where the data have their bounds, or use flow/scaling",
        ),
        (
            ["flow/scaling", "flow/realnvp"],
            Real((4,), 0, 1, 17),
            "model.encoder.flows.0: flow/scaling needs continuous values, found Real(4, 0 to 1, 17 levels); "
            "set dequantise: true in the data",
        ),
    ],
)
def test_what_does_not_fit_is_refused_where_it_is(flows: list[str], data: Space, message: str) -> None:
    """The path leads to the encoder in the list, and the hint says what would fit."""
    with pytest.raises(SpecError) as error:
        in_model(*flows, data=data)
    assert str(error.value) == message


def test_an_empty_sequence_is_refused() -> None:
    """There is at least one flow."""
    with pytest.raises(SpecError, match="at least one item"):
        FlowSequence(flows=())


def test_a_sequence_without_conditional_flows_leaves_the_condition_unread() -> None:
    """A condition that none of the flows reads is refused, as anywhere."""
    spec = {"encoder": FlowSequence(flows=(Tripled(),)), "decoder": "core/inverse", "loss": "core/nll", "condition": OneHot()}
    with pytest.raises(SpecError, match="no part of the model reads the condition"):
        check(ModelSpec.model_validate(spec), PLANE, Categorical((), 3))
