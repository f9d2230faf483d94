"""What the examples of the kit compute is what was recorded; the recipes are compared where they are run, in tests/recipes."""

from __future__ import annotations

from typing import Any

import pytest

from genframe import installed
from genframe.testing import PluginConformance
from tests.compat import gate

KITS = list(gate.conformance_classes())


@pytest.mark.parametrize("kit", KITS, ids=lambda kit: str(kit.plugin))
def test_examples_compute_what_was_recorded(kit: type[PluginConformance]) -> None:
    """Each example's keys, initial weights, losses and samples are the recorded ones."""
    record = gate.recorded()
    before, now = record["examples"][kit.plugin], gate.example_records(kit)
    assert sorted(now) == sorted(before)
    exact = record["machine"] == gate.machine()
    changed = {name: gate.differences(before[name], now[name], exact=exact) for name in before}
    assert {name: found for name, found in changed.items() if found} == {}


def test_the_record_is_of_all_recipes_and_plugins() -> None:
    """No recipe and no plugin with components of a model is left out."""
    record = gate.recorded()
    assert sorted(record["recipes"]) == sorted(installed().recipes)
    assert sorted(record["examples"]) == sorted(kit.plugin for kit in KITS)


@pytest.mark.parametrize("exact", [True, False])
def test_the_gate_has_teeth(exact: bool) -> None:
    """A changed key, weight or first loss is seen, on the machine of the record and on others."""
    before: dict[str, Any] = gate.recorded()["recipes"]["gan-digits"]
    assert gate.differences(before, before, exact=exact) == []
    mean, root = before["moments"]
    losses = [before["losses"][0] + 0.1, *before["losses"][1:]]
    for change in ({"keys": "other"}, {"moments": [mean, root * 1.2]}, {"losses": losses}):
        assert gate.differences(before, {**before, **change}, exact=exact)
    rounded = {**before, "losses": [before["losses"][0] * (1 + 1e-6), *before["losses"][1:]]}
    assert bool(gate.differences(before, rounded, exact=exact)) is exact
