"""The family tree: the place of a composition by the kind of its density and the kind of its sampling.

The shape is that of Goodfellow 2016, "NIPS 2016 Tutorial: Generative Adversarial Networks", fig. 9. The place follows from the
kinds that :func:`genframe.check` finds; no component is named here. No torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from genframe import Composition, DataError, ModelSpec, SpecError, installed
from genframe.checking import density_kind, sampling_kind
from genframe.experiment.document.loading import check_placed, read_experiment
from genframe.experiment.run.folder import RunFolder

__all__ = ["PARTS", "Placed", "Taxonomy", "density_branch", "place", "place_recipes"]

PARTS: Final = ("encoder", "decoder", "prior", "loss", "sampler")


@dataclass(frozen=True)
class Placed:
    """A composition in its place: ``parts`` are the types by role; ``unread`` says why the space of its data is unknown."""

    name: str
    parts: dict[str, str | None]
    density: str
    sampling: str
    data: str | None
    unread: str = ""

    @property
    def branch(self) -> tuple[str, ...]:
        """The path from the root of the tree: density first, then sampling."""
        return (*density_branch(self.density), self.sampling)


def density_branch(name: str) -> tuple[str, ...]:
    """Return the path to a kind of density, by what is known of log p(x): nothing, the value itself, or something else."""
    relation = installed().densities[name].relation
    if not relation:
        return ("implicit density",) if name == "implicit" else ("implicit density", name)
    return ("explicit density", "tractable" if relation == "=" else "approximate", name)


@dataclass(frozen=True)
class Taxonomy:
    """Compositions in the order of the tree, and those that have no place, each with the reason."""

    placed: tuple[Placed, ...]
    left_out: dict[str, str]


def place(sources: Sequence[str]) -> Taxonomy:
    """Place runs, experiment files and recipes, by their paths or names.

    The kinds follow from the parts' traits alone. So an experiment has a place even if its dataset is not on this machine, but
    then nothing checks that the spaces fit. A run keeps its spaces.

    :raises SpecError: if a source is none of these, or the parts of its model do not fit.
    """
    return _sorted([_placed(source) for source in sources], {})


def place_recipes() -> Taxonomy:
    """Place every recipe of the installed plugins; one whose parts do not fit is left out, with the reason."""
    placed, left_out = [], {}
    for name in installed().recipes:
        try:
            placed.append(_of_experiment(name))
        except SpecError as error:
            left_out[name] = str(error.problems[0])
    return _sorted(placed, left_out)


def _placed(source: str) -> Placed:
    if (Path(source) / "experiment.yaml").is_file():
        folder = RunFolder(source)
        return _of_composition(source, folder.composition(folder.experiment()))
    return _of_experiment(source)


def _of_experiment(source: str) -> Placed:
    experiment = read_experiment(source)
    try:
        return _of_composition(source, check_placed(experiment))
    except DataError as error:
        model = experiment.spec.model
        return Placed(source, _parts(model), density_kind(model).name, sampling_kind(model).name, None, str(error))


def _of_composition(name: str, composition: Composition) -> Placed:
    return Placed(name, _parts(composition.spec), composition.density, composition.sampling, str(composition.data))


def _parts(model: ModelSpec) -> dict[str, str | None]:
    return {role: getattr(getattr(model, role), "type", None) for role in PARTS}


def _sorted(placed: Sequence[Placed], left_out: dict[str, str]) -> Taxonomy:
    return Taxonomy(tuple(sorted(placed, key=_rank)), dict(sorted(left_out.items())))


def _rank(placed: Placed) -> tuple[int, int, str]:
    known = installed()
    return known.densities[placed.density].order, known.sampling(placed.sampling).order, placed.name
