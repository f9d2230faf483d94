"""The typed check: spaces, what compositions are, and the invariants of spaces."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from genframe import (
    Categorical,
    ContextSpace,
    DataError,
    EncoderSpec,
    LossSpec,
    Mismatch,
    ModelSpec,
    PriorSpec,
    Real,
    SamplerSpec,
    Space,
    SpecError,
    at,
    check,
    projected,
    require_categorical,
    require_real,
    traits,
)
from genframe.types import Density, Energy, TraitSet, format_shape, space_from_dict

PLANE = Real((2,))
BITS = Real((1, 8, 8), 0, 1, 2)
LABELS = Categorical((), 10)
MLP = {"type": "nets/mlp", "hidden": [8], "dim": 3}
FLOW = {"encoder": "core/identity", "decoder": "core/inverse", "loss": "core/nll"}
VAE = {"encoder": "vae/gaussian", "decoder": "vae/bernoulli", "loss": "vae/elbo"}
AUTOENCODER = {"encoder": MLP, "decoder": "nets/mlp", "loss": "vae/reconstruction"}


class Boltzmann(PriorSpec):
    """A prior with an energy only, sampled by a chain."""

    type: Literal["test/boltzmann"] = "test/boltzmann"
    provides: ClassVar[TraitSet] = traits(Energy)
    sampling = "Markov chain"

    def accepts(self, code: Space, context: ContextSpace | None = None) -> None:
        """Accept all codes."""


class Pixels(PriorSpec):
    """A prior with a density, sampled value by value."""

    type: Literal["test/pixels"] = "test/pixels"
    provides: ClassVar[TraitSet] = traits(Density)
    sampling = "sequential"

    def accepts(self, code: Space, context: ContextSpace | None = None) -> None:
        """Accept all codes."""


class Chain(SamplerSpec):
    """A sampler that walks a chain."""

    type: Literal["test/chain"] = "test/chain"
    sampling = "Markov chain"


class Adversarial(LossSpec):
    """A loss of two players."""

    type: Literal["test/adversarial"] = "test/adversarial"
    players: ClassVar[tuple[str, ...]] = ("generator", "critic")


class Scaled(EncoderSpec):
    """An encoder whose code is not its latent."""

    type: Literal["test/scaled"] = "test/scaled"

    def latent_space(self, data: Space) -> Space:
        """Return vectors."""
        return Real((6,))

    def code_space(self, data: Space) -> Space:
        """Return indices."""
        return Categorical((3,), 7)


def composed(data: Space, parts: dict[str, Any], **slots: Any) -> Any:
    """Check a model with some slots replaced."""
    return check(ModelSpec.model_validate({**parts, **slots}), data)


ENERGY = {**FLOW, "prior": Boltzmann(), "loss": AUTOENCODER["loss"]}


@pytest.mark.parametrize(
    ("data", "parts", "density", "sampling", "mass"),
    [
        (PLANE, AUTOENCODER, "implicit", "direct", False),
        (PLANE, {**AUTOENCODER, "prior": "vae/gmm"}, "implicit", "direct", False),
        (PLANE, {**AUTOENCODER, "encoder": None, "prior": {"type": "core/normal", "shape": [4]}}, None, None, None),
        (BITS, VAE, "lower bound", "direct", True),
        (BITS, {**VAE, "decoder": "vae/normal"}, "lower bound", "direct", False),
        (BITS, {**VAE, "prior": "vae/vamp"}, "lower bound", "direct", True),
        (BITS, {**VAE, "prior": {"type": "core/model", "model": FLOW}}, "lower bound", "direct", True),
        (BITS, {**VAE, "prior": Pixels()}, "lower bound", "sequential", True),
        (BITS, {**VAE, "sampler": Chain()}, "lower bound", "Markov chain", True),
        (BITS, {**VAE, "sampler": Chain(), "prior": Pixels()}, "lower bound", "Markov chain", True),
        (PLANE, FLOW, "exact", "direct", False),
        (PLANE, {**FLOW, "prior": "vae/gmm"}, "exact", "direct", False),
        (PLANE, {**FLOW, "prior": Pixels()}, "exact", "sequential", False),
        (PLANE, {**FLOW, "decoder": "core/identity"}, "exact", "direct", False),
        (PLANE, {**FLOW, "prior": {"type": "core/model", "model": {**FLOW, "prior": Pixels()}}}, "exact", "sequential", False),
        (PLANE, {**FLOW, "decoder": "nets/mlp", "loss": "vae/reconstruction"}, "implicit", "direct", False),
        (PLANE, ENERGY, "unnormalised", "Markov chain", False),
        (PLANE, {**AUTOENCODER, "prior": {"type": "core/model", "model": AUTOENCODER}}, "implicit", "direct", False),
    ],
    ids=str,
)
def test_kinds_fall_out_of_the_composition(data: Space, parts: Any, density: Any, sampling: Any, mass: Any) -> None:
    """Density, way of sampling, and whether probability is of mass follow from the parts' traits alone."""
    if density is None:
        with pytest.raises(SpecError, match="needs an encoder; there is none"):
            composed(data, parts)
        return
    composition = composed(data, parts)
    assert (composition.density, composition.sampling, composition.mass) == (density, sampling, mass)


def test_spaces_flow_along_the_path() -> None:
    """Data, latent and code are what the encoder's functions say."""
    composition = composed(BITS, {**AUTOENCODER, "encoder": Scaled(), "prior": Pixels()})
    assert (composition.data, composition.latent, composition.code) == (BITS, Real((6,)), Categorical((3,), 7))
    assert (composition.condition, composition.context) == (None, None)


def test_a_condition_becomes_a_context() -> None:
    """Labels are encoded, and what comes out is the context that parts read."""
    spec = ModelSpec.model_validate({**VAE, "condition": {"type": "nets/embedding", "dim": 5}})
    composition = check(spec, BITS, LABELS)
    assert (composition.condition, composition.context) == (LABELS, ContextSpace(Real((5,))))


def test_labels_of_an_unconditional_model_are_left_alone() -> None:
    """Data may have labels that the model does not read."""
    assert check(ModelSpec.model_validate(VAE), BITS, LABELS).condition is None


def test_without_an_encoder_the_prior_gives_the_space() -> None:
    """A generator starts from the prior's own space."""
    parts = {"decoder": "nets/mlp", "prior": {"type": "core/normal", "shape": [4]}, "loss": Adversarial()}
    composition = composed(BITS, parts)
    assert composition.latent == composition.code == Real((4,))
    assert composition.players == ("generator", "critic")


def test_every_problem_is_told_at_once() -> None:
    """Three mistakes give three problems, each with its own path."""
    with pytest.raises(SpecError) as caught:
        composed(
            Real((1, 8, 8), 0, 1, 17), VAE, encoder="nets/mlp", condition="core/one_hot", prior={"type": "normal", "shape": [2]}
        )
    assert [problem.path for problem in caught.value.problems] == [
        "model.condition",
        "model.prior.shape",
        "model.decoder",
        "model.loss",
    ]


def test_a_defect_of_another_plugin_does_not_hide_a_message() -> None:
    """Suggestions come from trying what is installed; a component that fails oddly is passed over."""

    class Nested(EncoderSpec):
        """Refuses everything about its own network."""

        type: Literal["test/nested"] = "test/nested"
        network: EncoderSpec = Scaled()

        def latent_space(self, data: Space) -> Space:
            """Fail in one way for the network that is there and in another for all others."""
            if isinstance(self.network, Scaled):
                with at("network"):
                    raise Mismatch("not this one")
            raise ZeroDivisionError

    with pytest.raises(SpecError, match=r"^model.encoder.network: not this one$"):
        composed(PLANE, AUTOENCODER, encoder=Nested())


def shapes(least: int = 0) -> st.SearchStrategy[tuple[int, ...]]:
    """Shapes of up to four axes."""
    return st.lists(st.integers(1, 9), min_size=least, max_size=4).map(tuple)


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    """Any space."""
    shape = draw(shapes())
    if draw(st.booleans()):
        return Categorical(shape, draw(st.integers(2, 1000)))
    if draw(st.booleans()):
        return Real(shape)
    low, high = draw(st.floats(-1e6, 1e6)), draw(st.floats(-1e6, 1e6))
    assume(low < high)
    levels = draw(st.none() | st.integers(2, 65536))
    return Real(shape, low, high, levels, levels is not None and draw(st.booleans()))


@given(spaces())
def test_a_space_survives_its_description(space: Space) -> None:
    """Plain data describe a space wholly, after JSON too, where tuples become lists."""
    assert space_from_dict(space.to_dict()) == space
    assert space_from_dict({**space.to_dict(), "shape": list(space.shape)}) == space


@given(spaces())
def test_spaces_are_values(space: Space) -> None:
    """Equal spaces hash alike, dimensions multiply, and the text names the shape."""
    again = space_from_dict(space.to_dict())
    assert hash(again) == hash(space)
    assert space.dims == math.prod(space.shape)
    assert format_shape(space.shape) in str(space)


@given(spaces())
def test_discrete_values_lie_on_a_grid_or_are_classes(space: Space) -> None:
    """A dequantised space is continuous; classes and levels are not."""
    if isinstance(space, Categorical):
        assert space.discrete
    else:
        assert space.discrete == (space.levels is not None and not space.dequantised)


@given(spaces())
def test_bins_tile_the_bounds(space: Space) -> None:
    """As many bins as levels fill the interval; without levels there are no bins."""
    if isinstance(space, Real) and space.levels is not None:
        assert space.bin_width * space.levels == pytest.approx(space.high - space.low)  # type: ignore[operator]
    elif isinstance(space, Real):
        with pytest.raises(ValueError, match="has no levels"):
            _ = space.bin_width


@given(shapes(1), st.integers(1, 99))
def test_a_head_replaces_the_first_axis(shape: tuple[int, ...], channels: int) -> None:
    """A linear head keeps all axes but the first."""
    assert projected(Real(shape), channels) == Real((channels, *shape[1:]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shape": (0,)}, "whole numbers of at least 1"),
        ({"shape": (2.0,)}, "whole numbers of at least 1"),
        ({"shape": (True,)}, "whole numbers of at least 1"),
        ({"shape": 3}, "a shape is a list"),
        ({"shape": (1,), "low": 0}, "both of low and high"),
        ({"shape": (1,), "low": 1, "high": 1}, "low must be less than high"),
        ({"shape": (1,), "low": float("nan"), "high": 1}, "low must be less than high"),
        ({"shape": (1,), "levels": 3}, "levels needs bounds"),
        ({"shape": (1,), "low": 0, "high": 1, "levels": 1}, "at least 2"),
        ({"shape": (1,), "low": 0, "high": 1, "dequantised": True}, "says from how many levels"),
    ],
    ids=str,
)
def test_impossible_spaces_are_refused(arguments: dict[str, Any], message: str) -> None:
    """A space cannot contradict itself."""
    with pytest.raises(ValueError, match=message):
        Real(**arguments)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {"kind": "complex"},
        {"kind": "real"},
        {"kind": "real", "shape": [-1]},
        {"kind": "real", "shape": [1], "x": 1},
        {"kind": "categorical", "shape": [], "size": 1},
    ],
    ids=str,
)
def test_what_describes_no_space_is_refused(value: Any) -> None:
    """A damaged description is an error of data, not a traceback."""
    with pytest.raises(DataError):
        space_from_dict(value)


def test_mismatches_gather_their_path_from_within() -> None:
    """Each wrapper puts its field in front."""
    with pytest.raises(Mismatch) as caught, at("encoder"), at("network", "0"):
        require_real(LABELS, "a linear head")
    assert caught.value.problem.path == "encoder.network.0"
    assert caught.value.problem.message == "a linear head needs real values, found Categorical(scalar, 10 values)"


def test_classes_are_required() -> None:
    """A space of classes passes as it is; another is named, with the hint."""
    assert require_categorical(LABELS, "a code") is LABELS
    with pytest.raises(Mismatch, match=r"a code needs classes, found Real") as caught:
        require_categorical(BITS, "a code", "encode it")
    assert caught.value.problem.hint == "encode it"


@pytest.mark.parametrize(("rank", "message"), [(1, "needs 1 axis, found"), (2, "needs 2 axes, found")])
def test_a_wrong_number_of_axes_is_told(rank: int, message: str) -> None:
    """The number of axes that is needed, and the space that was found."""
    with pytest.raises(Mismatch, match=message):
        require_real(BITS, "a thing", rank=rank)


def test_a_refusing_encoder_of_conditions_is_one_problem() -> None:
    """An encoder of conditions that does not take the labels is named, with what would fit."""
    spec = ModelSpec.model_validate({**VAE, "condition": "core/one_hot"})
    with pytest.raises(SpecError) as caught:
        check(spec, BITS, Real((4,)))
    (problem,) = caught.value.problems
    assert problem.path == "model.condition"
    assert "one-hot vectors are of classes, found Real(4)" in problem.message
    assert "nets/mlp" in problem.hint


def test_a_sequence_is_not_handed_to_who_reads_a_vector() -> None:
    """A part that reads a vector is refused a condition that is a sequence; one that reads sequences takes it."""
    spec = ModelSpec.model_validate({**VAE, "condition": {"type": "nets/embedding", "dim": 5}})
    with pytest.raises(SpecError, match="reads a vector as its condition, found a sequence of 3 vectors of 5"):
        check(spec, BITS, Categorical((3,), 7))


class Misspelt(Chain):
    """A sampler whose kind of sampling no plugin brings."""

    type: Literal["test/misspelt"] = "test/misspelt"  # type: ignore[assignment]
    sampling = "Markov chian"


def test_a_kind_of_sampling_that_nobody_brings_is_named() -> None:
    """A near name is offered."""
    with pytest.raises(SpecError, match=r"there is no kind of sampling 'Markov chian'; did you mean 'Markov chain'\?"):
        composed(BITS, VAE, sampler=Misspelt())
