"""The metric flow/inversion: it measures an error that is known, says whether it keeps the bound, and refuses the rest."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import ClassVar, Literal

import pytest
import torch
from pydantic import Field
from torch import Tensor

from genframe import (
    Context,
    DataError,
    Encoder,
    EncoderSpec,
    Model,
    ModelSpec,
    Real,
    Space,
    Spaces,
    Split,
    check,
    compose,
    evaluating,
)
from genframe.testing import part
from genframe.types import Bijective, TraitSet, traits
from genframe_flow import Inversion, RealNvp
from genframe_nets import MLP, MLPDecoder

DATA = Real((3,))
OFF = 2.0**-9  # is exact in float32, as are the data below and their doubles


class Doubling(Encoder):
    """z = 2 x; its inverse is off by ``off`` in the first dimension, or rounds to bfloat16."""

    def __init__(self, off: float, *, rounds: bool) -> None:
        super().__init__()
        self.off, self.rounds = off, rounds

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return 2 x."""
        return 2 * x

    def forward_and_log_det(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return 2 x and D log 2."""
        return 2 * x, x.new_full((len(x),), 3 * math.log(2))

    def inverse(self, latent: Tensor, context: Context | None = None) -> Tensor:
        """Return the inverse with its error."""
        x = latent / 2 + torch.tensor([self.off, 0, 0])
        return x.bfloat16().float() if self.rounds else x


class DoublingSpec(EncoderSpec):
    """Spec of the map with a known error."""

    type: Literal["test/doubling"] = "test/doubling"
    provides: ClassVar[TraitSet] = traits(Bijective)

    off: float = Field(default=0.0)
    rounds: bool = Field(default=False)

    def latent_space(self, data: Space) -> Space:
        """Return the data's space."""
        return data

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make it."""
        return Doubling(self.off, rounds=self.rounds)


def model(encoder: EncoderSpec) -> Model:
    """Return a flow with a standard normal prior."""
    return compose(ModelSpec(encoder=encoder, decoder="core/inverse", loss="core/nll"), DATA)


def split(n: int = 300) -> Split:
    """Return data whose sum with a power of two is exact."""
    x = torch.randint(-64, 64, (n, 3), generator=torch.Generator().manual_seed(0)).float() / 64
    return Split("test", x, protocol={"made": "by hand"})


def measured(encoder: EncoderSpec, spec: Inversion | None = None, seed: int = 0) -> dict[str, tuple[float, str]]:
    """Return each result's value and note."""
    results = part(spec or Inversion()).measure(model(encoder), split(), train=split(), seed=seed)
    return {result.name: (result.value, result.note) for result in results}


def test_a_known_error_is_measured() -> None:
    """An inverse that is off by e in one of three dimensions has the largest error e and the mean e / 3; of latents 2 e."""
    found = measured(DoublingSpec(off=OFF))
    assert found["inversion_largest"] == (OFF, "exceeds the bound 0.0001")
    assert found["inversion_mean"] == (pytest.approx(OFF / 3, rel=1e-12), "")
    assert found["latent_inversion_largest"] == (pytest.approx(2 * OFF, rel=1e-3), "exceeds the bound 0.0001")
    assert found["latent_inversion_mean"][0] == pytest.approx(2 * OFF / 3, rel=1e-3)


def test_a_rounded_inverse_is_measured_as_such() -> None:
    """An inverse in bfloat16 is off by up to half a unit in its eighth digit, as rounding the data is."""
    x = split().stored + 1 / 1024
    expected = (x.bfloat16().float() - x).abs()
    data = replace(split(), stored=x)
    results = part(Inversion()).measure(model(DoublingSpec(rounds=True)), data, train=data)
    assert results[0].value == float(expected.max()) > 9e-4
    assert results[1].value == pytest.approx(float(expected.double().mean()), rel=1e-12)


def test_the_bound_is_stated() -> None:
    """The note of the largest errors says whether they keep the bound; NaN does not."""
    assert measured(DoublingSpec(), Inversion(bound=1e-7))["inversion_largest"] == (0.0, "within the bound 1e-07")
    assert "within the bound 0.01" in measured(DoublingSpec(off=OFF), Inversion(bound=1e-2))["inversion_largest"][1]
    assert "exceeds" in measured(DoublingSpec(off=OFF), Inversion(bound=1e-3))["inversion_largest"][1]
    value, note = measured(DoublingSpec(off=1e39))["inversion_largest"]
    assert not math.isfinite(value)
    assert "exceeds" in note


def test_a_flow_keeps_its_bound() -> None:
    """A RealNVP with random weights inverts to 1e-4 in float32, and what is reported is what its methods do."""
    flow = RealNvp(couplings=4, bound=0.5, network=MLPDecoder(hidden=(16,)))
    found = measured(flow)
    assert "within" in found["inversion_largest"][1]
    assert "within" in found["latent_inversion_largest"][1]
    built, x = model(flow), split().stored
    with evaluating(built):
        off = (built.decoder.decode(built.encode(x)) - x).double().abs()
    assert found["inversion_largest"][0] == pytest.approx(float(off.max()), rel=0.5)
    assert 0 < found["inversion_mean"][0] < found["inversion_largest"][0]


def test_other_models_are_refused() -> None:
    """A model without a one-to-one encoder has no inversion error."""
    network = {"encoder": MLP(dim=2), "decoder": MLPDecoder(), "loss": {"type": "vae/reconstruction"}}
    assert "'nets/mlp' has no inverse" in Inversion().refusal(check(ModelSpec.model_validate(network), DATA))
    composition = model(DoublingSpec()).composition
    assert Inversion().refusal(composition) == ""
    assert "there is none" in Inversion().refusal(
        replace(composition, spec=composition.spec.model_copy(update={"encoder": None}))
    )


def test_stamp_and_seed() -> None:
    """The stamp says data, split and seed; latents depend on the seed, data do not; ``limit`` and no data are respected."""
    metric = part(Inversion(limit=260))
    flow = model(RealNvp(couplings=2, network=MLPDecoder(hidden=(16,))))
    first, again, other = (metric.measure(flow, split(), train=split(), seed=seed) for seed in (3, 3, 4))
    assert [result.value for result in first] == [result.value for result in again]
    assert first[1].value == other[1].value
    assert first[3].value != other[3].value
    stamp = first[0].stamp
    assert (stamp["metric"], stamp["split"], stamp["data"], stamp["of"], stamp["seed"]) == (
        "flow/inversion",
        "test",
        260,
        300,
        3,
    )
    assert stamp["protocol"] == {"made": "by hand"}
    assert set(stamp["versions"]) == {"genframe", "genframe-flow"}
    with pytest.raises(DataError, match="'test'"):
        metric.measure(flow, split(0), train=split())
