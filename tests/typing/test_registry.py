"""The registry: finding a component by its name, and saying why there is none."""

from __future__ import annotations

from typing import Literal

import pytest
from pydantic_core import PydanticCustomError

from genframe import EncoderSpec, Installed, Plugin, PriorSpec, SpecError
from genframe.plugins import Registry
from genframe.specs import KINDS


class Red(EncoderSpec):
    """An encoder."""

    type: Literal["a/red"] = "a/red"


class OtherRed(EncoderSpec):
    """An encoder of the same name by another plugin."""

    type: Literal["b/red"] = "b/red"


class Green(EncoderSpec):
    """An encoder."""

    type: Literal["a/green"] = "a/green"


class GreenPrior(PriorSpec):
    """A prior that shares its name with an encoder."""

    type: Literal["a/green"] = "a/green"


class Blue(PriorSpec):
    """A prior."""

    type: Literal["b/blue"] = "b/blue"


def plugin(name: str, *specs: type, **about: str) -> Plugin:
    """Return the record of a plugin."""
    return Plugin(name, f"genframe-{name}", "1.0", f"genframe_{name}", "v1", specs=specs, **about)  # type: ignore[arg-type]


@pytest.fixture
def crowd() -> Installed:
    """Two good plugins, a broken one and one that is switched off."""
    return Installed(
        [
            plugin("a", Red, Green, GreenPrior),
            plugin("b", OtherRed, Blue),
            plugin("c", status="broken", reason="ImportError: no luck"),
            plugin("d", status="disabled", reason="switched off by GENFRAME_DISABLE"),
        ]
    )


def refusal(crowd: Installed, name: str) -> str:
    """Return what is said of a name that is no encoder, message and hint together."""
    with pytest.raises(PydanticCustomError) as caught:
        crowd.registry("encoder").find(name)
    return f"{caught.value.message()}; {(caught.value.context or {})['hint']}"


def test_names_are_found_qualified_and_bare(crowd: Installed) -> None:
    """A bare name will do where one plugin has it."""
    encoders = crowd.registry("encoder")
    assert encoders.find("a/green") is Green
    assert encoders.find("green") is Green
    assert encoders.find("b/red") is OtherRed


def test_kinds_have_names_of_their_own(crowd: Installed) -> None:
    """One name may be an encoder and a prior."""
    assert crowd.registry("prior").find("green") is GreenPrior


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("red", "the encoder 'red' is ambiguous; say a/red or b/red"),
        ("b/blue", "there is no encoder 'b/blue'; 'b/blue' is a prior"),
        ("blue", "there is no encoder 'blue'; 'b/blue' is a prior"),
        ("c/anything", "there is no encoder 'c/anything'; the plugin genframe-c is broken: ImportError: no luck"),
        ("d/x", "there is no encoder 'd/x'; the plugin genframe-d is disabled: switched off by GENFRAME_DISABLE"),
        ("gan/x", "there is no encoder 'gan/x'; no plugin 'gan' is installed; try: pip install genframe-gan"),
        ("a/gren", "there is no encoder 'a/gren'; did you mean 'a/green'?"),
        ("gren", "there is no encoder 'gren'; did you mean 'a/green'?"),
        ("b/green", "there is no encoder 'b/green'; did you mean 'a/green'?"),
        ("a/violet", "there is no encoder 'a/violet'; installed are a/green, a/red, b/red"),
        ("", "there is no encoder ''; installed are a/green, a/red, b/red"),
    ],
)
def test_a_name_that_is_not_there(crowd: Installed, name: str, message: str) -> None:
    """Another kind, a broken plugin and a missing one are told before any name is guessed."""
    assert refusal(crowd, name) == message


def test_an_empty_registry_says_so() -> None:
    """Nothing installed is said plainly."""
    with pytest.raises(PydanticCustomError) as caught:
        Registry("loss", lambda kind, name: "").find("x")
    assert (caught.value.context or {})["hint"] == "installed are none"


def test_a_registry_is_a_sorted_collection(crowd: Installed) -> None:
    """Names come sorted; membership and length are of qualified names."""
    encoders = crowd.registry("encoder")
    assert encoders.names() == ["a/green", "a/red", "b/red"]
    assert "a/red" in encoders
    assert "red" not in encoders
    assert len(encoders) == len(list(encoders)) == 3


def test_there_is_a_registry_for_each_kind(crowd: Installed) -> None:
    """Five parts, data sets and metrics."""
    assert tuple(crowd.registries) == KINDS


def test_components_of_one_name_are_given_together(crowd: Installed) -> None:
    """``genframe show green`` shows the encoder and the prior."""
    assert crowd.named("a/green") == [Green, GreenPrior]
    assert crowd.named("green") == [Green, GreenPrior]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("red", "several plugins have a component 'red'; say one of a/red, b/red"),
        ("a/gren", "there is no component 'a/gren'; did you mean 'a/green'?"),
        ("zzz", "there is no component 'zzz'; genframe list says what is installed"),
    ],
)
def test_naming_no_component_or_several(crowd: Installed, name: str, message: str) -> None:
    """What cannot be shown is explained."""
    with pytest.raises(SpecError) as caught:
        crowd.named(name)
    assert str(caught.value) == message


def test_a_component_knows_its_plugin(crowd: Installed) -> None:
    """The record of the plugin that registered a class, or nothing."""
    found = crowd.plugin_of(Blue)
    assert found is not None
    assert found.name == "b"
    assert crowd.plugin_of(type("Mine", (EncoderSpec,), {"__doc__": "Mine."})) is None
