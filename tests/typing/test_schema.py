"""The JSON Schema of experiments: it takes what genframe takes, and marks what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from genframe import installed
from genframe.experiment.document import parse
from genframe.experiment.document.loading import read_experiment
from genframe.experiment.document.schema import experiment_schema, schema_text

GOOD = {
    "name": "good",
    "data": "data/digits",
    "model": {"encoder": "vae/gaussian", "decoder": "vae/discretised_logistic", "loss": "vae/elbo"},
}


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    """The schema of everything that is installed."""
    return Draft202012Validator(experiment_schema())


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return the good experiment with one value put in or, where it is ``...``, taken out."""
    copy = json.loads(json.dumps(GOOD))
    *parents, last = path.split(".")
    node = copy
    for key in parents:
        node = node.setdefault(key, {})
    if value is ...:
        del node[last]
    else:
        node[last] = value
    return dict(copy)


def test_the_schema_is_a_schema() -> None:
    """It is valid by its own draft, and the text is the schema."""
    Draft202012Validator.check_schema(experiment_schema())
    assert json.loads(schema_text()) == experiment_schema()


@pytest.mark.parametrize("name", sorted(installed().recipes))
def test_every_recipe_is_valid_as_written_and_resolved(schema: Draft202012Validator, name: str) -> None:
    """An editor marks nothing in a shipped recipe, nor in the experiment.yaml of its run."""
    schema.validate(parse(installed().recipes[name].text(), name).value)
    schema.validate(read_experiment(name).spec.model_dump(mode="json"))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("model.encoder", {"type": "vae/gaussian", "dim": 8, "network": {"type": "nets/mlp", "hidden": [32]}}),
        ("model.encoder", {"type": "vae/gaussian", "network": "nets/conv"}),
        ("model.encoder", None),
        ("model.loss", {"type": "core/sum", "terms": ["vae/elbo", {"type": "vae/elbo", "beta": 0.5}]}),
        ("data", {"type": "data/digits", "labels": True}),
        ("train.stages", [{"parts": ["encoder", "decoder"], "steps": 5}, {"parts": ["prior"], "fit": True}]),
        ("evaluate.metrics", ["metrics/elbo", {"type": "metrics/nll", "samples": 5}]),
    ],
    ids=str,
)
def test_what_genframe_takes_is_valid(schema: Draft202012Validator, path: str, value: Any) -> None:
    """Names, mappings and nested components are all allowed."""
    schema.validate(changed(path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("name", "../up"),
        ("name", ...),
        ("model.decoder", ...),
        ("model.encoder", "vae/gausian"),
        ("model.encoder", "vae/elbo"),
        ("model.encoder", {"type": "vae/gaussian", "dims": 8}),
        ("model.encoder", {"type": "vae/gaussian", "dim": 0}),
        ("model.encoder", {"dim": 8}),
        ("model.encoder", {"type": "vae/gaussian", "network": {"type": "nets/mlp", "activation": "rleu"}}),
        ("model.loss", {"type": "core/sum", "terms": ["vae/elbow"]}),
        ("data", "data/npz"),
        ("train.steps", "many"),
        ("train.optimizer", "adamm"),
        ("trian", {}),
        ("evaluate.metrics", ["vae/elbo"]),
    ],
    ids=str,
)
def test_what_genframe_refuses_is_marked(schema: Draft202012Validator, path: str, value: Any) -> None:
    """An editor marks misspelled names and fields, wrong kinds, wrong types and missing parts."""
    assert not schema.is_valid(changed(path, value))


@pytest.mark.parametrize("component", installed().components(), ids=lambda c: f"{c.kind}-{c.type_name()}")
def test_every_installed_component_is_offered(schema: Draft202012Validator, component: Any) -> None:
    """Each component stands in the union of its kind, with its fields described."""
    definitions = schema.schema["$defs"]
    key = f"{component.kind}:{component.type_name()}".replace("/", ":")
    assert {"$ref": f"#/$defs/{key}"} in definitions[f"any_{component.kind}"]["anyOf"]
    described = {name for name, field in definitions[key]["properties"].items() if "description" in field}
    assert described == set(definitions[key]["properties"]) - {"type"}
