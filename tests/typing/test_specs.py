"""Specs: open unions, what they dump, and that they do not change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import pytest
from pydantic import Field, TypeAdapter, ValidationError, field_validator

from genframe import ComponentSpec, EncoderSpec, LossSpec, ModelSpec, PriorSpec, Real, SpecError, installed
from genframe.core import Ancestral, IdentityEncoder, Normal, Sum
from genframe.experiment.document.loading import experiment_from, read_experiment
from genframe.experiment.document.spec import ExperimentSpec
from genframe_nets import MLP, Conv
from genframe_vae import Elbo, Gaussian

VAE = {"encoder": "vae/gaussian", "decoder": "vae/bernoulli", "loss": "vae/elbo"}


class Unregistered(EncoderSpec):
    """An encoder that no plugin registered."""

    type: Literal["mine/encoder"] = "mine/encoder"
    size: int = Field(default=3)
    network: EncoderSpec = Field(default=MLP(hidden=(5,)))

    def latent_space(self, data: Real) -> Real:
        """Return a vector."""
        return Real((self.size,))


@pytest.mark.parametrize(
    "written",
    [
        "vae/gaussian",
        "gaussian",
        {"type": "vae/gaussian"},
        {"type": "gaussian", "dim": 16},
        {"type": "vae/gaussian", "network": "mlp"},
        {"type": "vae/gaussian", "network": {"type": "nets/mlp"}},
        {"type": "vae/gaussian", "network": {}},
        {"type": "vae/gaussian", "network": MLP()},
        Gaussian(),
    ],
    ids=str,
)
def test_a_component_may_be_written_in_many_ways(written: Any) -> None:
    """A bare name, an unqualified one, a mapping and an instance are the same component."""
    assert ModelSpec.model_validate({**VAE, "encoder": written}).encoder == Gaussian()


def test_an_unregistered_class_works_as_an_instance() -> None:
    """Classes of no plugin fit into any slot of their kind, in Python."""
    model = ModelSpec.model_validate({**VAE, "encoder": Unregistered(size=7)})
    assert model.encoder == Unregistered(size=7)
    assert model.model_dump()["encoder"]["size"] == 7


def test_an_instance_of_another_kind_is_refused() -> None:
    """A prior is no encoder."""
    with pytest.raises(SpecError, match="expected the name of an encoder"):
        ModelSpec.model_validate({**VAE, "encoder": Normal()})


def test_unregistered_names_cannot_be_loaded() -> None:
    """A file can only name registered types: nothing is imported by a path."""
    with pytest.raises(SpecError, match="there is no encoder 'mine/encoder'"):
        ModelSpec.model_validate({**VAE, "encoder": "mine/encoder"})


def test_fields_of_a_default_component_can_be_changed_alone() -> None:
    """A mapping without a type changes the field's default component, and keeps the rest of its settings."""
    changed = Unregistered.model_validate({"network": {"activation": "relu"}})
    assert changed.network == MLP(hidden=(5,), activation="relu")


def test_fields_of_a_default_that_is_a_name_can_be_changed_alone() -> None:
    """A slot whose default is named rather than made takes a mapping without a type as well."""
    model = ModelSpec.model_validate({**VAE, "sampler": {"draw": "sample"}})
    assert model.sampler == Ancestral(draw="sample")


def test_a_mapping_without_type_is_refused_where_nothing_is_the_default() -> None:
    """A slot without a default says what it takes."""
    with pytest.raises(SpecError, match="expected the name of a loss, or a mapping with its 'type'; found no 'type'"):
        ModelSpec.model_validate({**VAE, "loss": {"beta": 2}})


def test_components_nest_to_any_depth() -> None:
    """Terms of a sum and the models within priors are open unions too."""
    inner = {"encoder": "core/identity", "decoder": "core/inverse", "loss": {"type": "sum", "terms": ["core/nll"]}}
    model = ModelSpec.model_validate({**VAE, "prior": {"type": "core/model", "model": inner}})
    assert model.model_dump()["prior"]["model"]["loss"]["terms"] == ({"type": "core/nll"},)


@pytest.mark.parametrize("name", sorted(installed().recipes))
@pytest.mark.parametrize("exclude", [False, True], ids=["whole", "changes only"])
def test_every_recipe_reloads_equal_from_its_dump(name: str, exclude: bool) -> None:
    """A dump, with or without its defaults, is read back as the same experiment."""
    spec = read_experiment(name).spec
    dumped = spec.model_dump(mode="json", exclude_defaults=exclude)
    again = experiment_from(dumped).spec
    assert again == spec
    assert again.digest() == spec.digest()


def test_dumps_without_defaults_still_name_the_type() -> None:
    """What cannot be reloaded without a type is written with it, however plain."""
    model = ModelSpec.model_validate({**VAE, "encoder": {"type": "vae/gaussian", "network": {"type": "nets/conv"}}})
    dumped = model.model_dump(exclude_defaults=True)
    assert dumped["encoder"] == {"type": "vae/gaussian", "network": {"type": "nets/conv"}}
    assert dumped["loss"] == {"type": "vae/elbo"}


@pytest.mark.parametrize("component", installed().components(), ids=lambda c: f"{c.kind}-{c.type_name()}")
def test_every_installed_component_is_frozen_and_closed(component: type[ComponentSpec]) -> None:
    """No field can be set afterwards, and no unknown one is taken."""
    assert component.model_config["frozen"] is True
    with pytest.raises(SpecError, match="unknown field 'no_such_field'"):
        component.model_validate({"type": component.type_name(), "no_such_field": 1})


def test_setting_a_field_is_refused() -> None:
    """Specs are values."""
    with pytest.raises(ValidationError, match="frozen"):
        Gaussian().dim = 3  # type: ignore[misc]


def test_specs_are_values() -> None:
    """Equal specs are equal and hash alike, so that they can be keys."""
    assert hash(Gaussian(network=Conv())) == hash(Gaussian(network=Conv()))
    assert {Elbo(): 1}[Elbo()] == 1
    assert Gaussian(dim=3) != Gaussian(dim=4)


def test_a_type_cannot_be_another_components() -> None:
    """The type of a class is its own."""
    with pytest.raises(SpecError):
        Gaussian.model_validate({"type": "vae/full_gaussian"})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_are_finite(value: float) -> None:
    """NaN and infinity are no hyper-parameters."""
    with pytest.raises(SpecError):
        Elbo(beta=value)


@pytest.mark.parametrize("component", installed().components(), ids=lambda c: f"{c.kind}-{c.type_name()}")
def test_every_field_of_every_component_is_described(component: type[ComponentSpec]) -> None:
    """What ``genframe show`` prints of a field is a sentence, never nothing."""
    undescribed = [name for name, field in component.model_fields.items() if name != "type" and not field.description]
    assert undescribed == []


@pytest.mark.parametrize("root", [EncoderSpec, PriorSpec, LossSpec])
def test_root_classes_are_abstract(root: type[ComponentSpec]) -> None:
    """A root class has no type of its own."""
    assert root.type_name() == ""


def test_type_names_are_plugin_and_name() -> None:
    """The name of a class comes from its type, and nothing says it twice."""
    assert IdentityEncoder.type_name() == "core/identity"
    assert Sum.kind == "loss"


def test_a_digest_is_of_values_not_of_spelling() -> None:
    """However an experiment is written, its digest is that of the resolved values."""
    short = {"name": "x", "data": "digits", "model": {"encoder": "gaussian", "decoder": "bernoulli", "loss": "elbo"}}
    long = ExperimentSpec.model_validate(short).model_dump(mode="json")
    assert ExperimentSpec.model_validate(long).digest() == ExperimentSpec.model_validate(short).digest()
    assert ExperimentSpec.model_validate({**long, "name": "y"}).digest() != ExperimentSpec.model_validate(long).digest()


MISTAKES = {
    "an unknown field": ("encoder", lambda: Gaussian(dims=3), "{type: vae/gaussian, dims: 3}"),  # type: ignore[call-arg]
    "a wrong type": ("encoder", lambda: Gaussian(dim="x"), "{type: vae/gaussian, dim: x}"),  # type: ignore[arg-type]
    "two values": ("encoder", lambda: Gaussian(dim=0, network=3), "{type: vae/gaussian, dim: 0, network: 3}"),  # type: ignore[arg-type]
    "a name": ("encoder", lambda: Gaussian(network="nets/mpl"), "{type: vae/gaussian, network: nets/mpl}"),  # type: ignore[arg-type]
    "within": (
        "encoder",
        lambda: Gaussian.model_validate({"network": {"hiden": []}}),
        "{type: vae/gaussian, network: {hiden: []}}",
    ),
    "nothing": ("loss", lambda: Sum(), "{type: core/sum}"),  # type: ignore[call-arg]
    "in a list": (
        "loss",
        lambda: Sum(terms=({"type": "vae/elbo", "beta": -1},)),  # type: ignore[arg-type]
        "{type: core/sum, terms: [{type: vae/elbo, beta: -1}]}",
    ),
    "two fields": (
        "sampler",
        lambda: Ancestral(temperature=2, truncation=1),
        "{type: core/ancestral, temperature: 2, truncation: 1}",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_python_says_what_the_command_line_says(mistake: str) -> None:
    """A spec class that is called with a mistake raises the error that a file with the same mistake gets, hint included."""
    slot, make, written = MISTAKES[mistake]
    with pytest.raises(SpecError) as in_python:
        make()  # type: ignore[no-untyped-call]
    with pytest.raises(SpecError) as in_file:
        read_experiment("vae-digits", [f"model.{slot}={written}"])
    at = [replace(each, source="", line=None, column=None) for each in in_file.value.problems]
    prefixed = [replace(each, path=".".join(filter(None, ("model", slot, each.path)))) for each in in_python.value.problems]
    assert prefixed == at


def test_a_model_says_where_and_what_would_do() -> None:
    """The path leads to the mistake, and a near name is offered."""
    with pytest.raises(SpecError) as caught:
        ModelSpec(encoder={"type": "vae/gausian"}, decoder="vae/bernoulli", loss="vae/elbo")  # type: ignore[arg-type]
    assert str(caught.value) == "encoder: there is no encoder 'vae/gausian'; did you mean 'vae/gaussian'?"


class Ready(EncoderSpec):
    """A component whose network is made by a validator, wrongly."""

    type: Literal["mine/ready"] = "mine/ready"
    network: EncoderSpec = Field(description="a network")

    @field_validator("network", mode="before")
    @classmethod
    def _make(cls, width: int) -> MLP:
        return MLP(hiden=(width,))  # type: ignore[call-arg]


def test_a_mistake_in_a_validator_has_its_place() -> None:
    """A spec that a validator makes wrongly is a finding like any other, at its path, among those of its siblings."""
    with pytest.raises(SpecError) as caught:
        ModelSpec(encoder=Ready(network=3), decoder="vae/bernoulli", loss="vae/elbo")  # type: ignore[arg-type]
    assert str(caught.value) == "network.hiden: unknown field 'hiden'; did you mean 'hidden'?"


def test_within_a_validation_errors_stay_pydantics() -> None:
    """What is not made by a spec class but by pydantic, such as one side of a union, raises pydantic's error."""
    either = TypeAdapter(EncoderSpec | int)
    assert either.validate_python(3) == 3
    with pytest.raises(ValidationError, match="unknown field 'dims'"):
        either.validate_python({"type": "vae/gaussian", "dims": 3})
