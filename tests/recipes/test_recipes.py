"""Every recipe that is shipped is well typed and runs from end to end, on data of the real shape."""

from __future__ import annotations

from pathlib import Path

import pytest

from genframe import evaluate, installed
from genframe.experiment.document.loading import check_placed
from genframe_report import read_suite
from tests.compat import gate
from tests.recipes.small import data_files

RECIPES = sorted(installed().recipes)


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The datasets that are not shipped."""
    return data_files(tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_trains_and_evaluates(name: str, paths: dict[str, Path], tmp_path: Path) -> None:
    """The recipe trains for two steps a stage as recorded, draws, and every metric that it names is measured, none refused."""
    record, run = gate.recipe_record(name, paths, tmp_path)
    before = gate.recorded()
    known = before["recipes"][name]
    exact = known.pop("machine", before["machine"]) == gate.machine()
    assert gate.differences(known, record, exact=exact) == []
    spec = run.experiment
    assert spec.name == name
    evaluation = evaluate(run)
    assert {result.stamp["metric"] for result in evaluation.results} == {metric.type for metric in spec.evaluate.metrics}
    assert evaluation.refused == {}
    assert list((tmp_path / "run" / "samples").glob("*.txt" if run.of_text else "*.png"))


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_has_a_name_and_a_summary(name: str) -> None:
    """The file is named as the recipe, says what it is of in a comment, and its plugin tells it in a line."""
    recipe = installed().recipes[name]
    assert recipe.path == f"recipes/{name}.yaml"
    assert recipe.text().startswith("# ")
    assert 20 < len(recipe.summary) < 100


@pytest.mark.parametrize("name", ["table.yaml", "table-fashion.yaml"])
def test_the_documentation_s_suites_are_in_order(
    name: str, paths: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every experiment of the tables types, and there are eight families or more, by three seeds or more."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fashion-mnist").symlink_to(paths["mnist"])
    suite = read_suite(Path(__file__).parents[2] / "docs" / name)
    assert len(suite.spec.rows) >= 8
    assert len(suite.spec.seeds) >= 3
    for experiment in suite.experiments():
        check_placed(experiment)
