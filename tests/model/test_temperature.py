"""Sampling at a temperature: of the whole code, or of each of its levels."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import pytest
import torch

from genframe import Encoder, EncoderSpec, Model, ModelSpec, Real, Space, Spaces, SpecError, check, compose, generator_for
from genframe.core.parts import Identity
from genframe.types import Bijective, Tempered, TraitSet, traits

SPACE = Real((6,))
FLOW = {"encoder": "core/identity", "decoder": "core/inverse", "loss": "core/nll"}


class Levels(EncoderSpec):
    """Leaves data as they are, and says that they fall into three levels."""

    type: Literal["test/levels"] = "test/levels"
    provides: ClassVar[TraitSet] = traits(Bijective)

    def latent_space(self, data: Space) -> Space:
        """Return the data's space."""
        return data

    def levels(self, data: Space) -> tuple[int, ...]:
        """Return three levels, the finest first."""
        return (data.dims - 3, 2, 1)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make the encoder."""
        return Identity()


def model(temperature: Any, space: Space = SPACE, **slots: Any) -> Model:
    """Compose a flow that is drawn at a temperature."""
    spec = {**FLOW, "encoder": Levels(), "sampler": {"type": "core/ancestral", "temperature": temperature}, **slots}
    return compose(ModelSpec.model_validate(spec), space)


@pytest.mark.parametrize("temperature", [0.5, [0.5], [0.5, 0.5, 0.5]])
def test_a_single_temperature_scales_every_code(temperature: Any) -> None:
    """The draws of N(0, I) at temperature t are t times those at 1."""
    space = Real((2, 3)) if temperature == 0.5 else SPACE
    slots = {"encoder": "core/identity"} if temperature == [0.5] else {}
    drawn, plain = (model(t, space, **slots).sample(70, seed=3).x for t in (temperature, 1.0))
    torch.testing.assert_close(drawn, 0.5 * plain)


@pytest.mark.parametrize("space", [SPACE, Real((2, 3))])
def test_each_level_has_its_own(space: Space) -> None:
    """Consecutive groups of a code's dimensions are drawn at the temperatures of their levels, from fine to coarse."""
    drawn, plain = (model(t, space).sample(5, seed=3).x for t in ([0.5, 1.0, 2.0], 1.0))
    scales = torch.tensor([0.5, 0.5, 0.5, 1.0, 1.0, 2.0]).reshape(space.shape)
    torch.testing.assert_close(drawn, scales * plain)


def test_temperatures_of_one_ask_nothing_of_the_prior() -> None:
    """At 1, alone or for every level, a prior without Tempered will do, and samples are those of the default, to the bit."""
    nested = {"prior": {"type": "core/model", "model": FLOW}}
    for temperature in (1, [1, 1.0, 1]):
        assert torch.equal(model(temperature, **nested).sample(4).x, model(1.0).sample(4).x)
    with pytest.raises(SpecError, match=r"model\.sampler: needs a prior with Tempered; 'core/model' has none"):
        model([1, 1, 0.9], **nested)


def test_a_composition_says_the_levels_of_its_code() -> None:
    """The encoder's groups; all dimensions in one where it names none, or where there is no encoder."""
    assert check(ModelSpec.model_validate({**FLOW, "encoder": Levels()}), SPACE).levels == (3, 2, 1)
    assert check(ModelSpec.model_validate(FLOW), Real((2, 3))).levels == (6,)


def test_a_wrong_number_of_temperatures_is_refused() -> None:
    """One temperature a level, or a single one: the message says how many levels there are."""
    with pytest.raises(SpecError, match=r"model\.sampler\.temperature: this model's code has 3 levels, found 2 temperatures"):
        model([0.5, 0.7])


def test_a_normal_prior_is_tempered() -> None:
    """A number or a tensor multiplies what the same generator draws at 1."""
    prior: Any = model(1.0).prior
    assert isinstance(prior, Tempered)
    scales = torch.arange(1.0, 7.0)
    plain = prior.sample(4, generator=generator_for("cpu", 0))
    torch.testing.assert_close(prior.sample_at(scales, 4, generator=generator_for("cpu", 0)), scales * plain)
