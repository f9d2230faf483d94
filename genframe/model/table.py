"""A model as text, and as a table in a notebook."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup
from torch import nn

from ..specs import ComponentSpec, Composition

__all__ = ["as_html", "as_text"]

PART_ROW = Markup('<tr><th scope="row">{}</th><td>{}</td><td>{}</td><td>{}</td></tr>')
PART_TABLE = Markup(
    '<table><caption>{}</caption><thead><tr><th scope="col">part</th><th scope="col">component</th><th scope="col">traits</th>'
    '<th scope="col">parameters</th></tr></thead><tbody>{}</tbody></table>'
)


def as_text(composition: Composition, modules: Mapping[str, nn.Module]) -> str:
    """Return the kind of a model, and a line for each part: its role, its component and how many parameters it has."""
    lines = [f"Model of {_kind(composition)}"]
    for role, module in modules.items():
        lines.append(f"  {role:<9} {getattr(composition.spec, role).type:<28} {_parameters(module):>12,} parameters")
    return "\n".join([*lines, f"  {'sampler':<9} {composition.spec.sampler.type}"])


def as_html(composition: Composition, modules: Mapping[str, nn.Module]) -> str:
    """Return the same as a table, with the traits of each part."""
    counts = {role: f"{_parameters(module):,}" for role, module in modules.items()}
    specs = {role: getattr(composition.spec, role) for role in [*modules, "sampler"]}
    rows = [(role, part.type, _trait_names(part), counts.get(role, "")) for role, part in specs.items()]
    body = Markup().join(PART_ROW.format(*row) for row in rows)
    return str(PART_TABLE.format(f"A model of {_kind(composition)}", body))


def _kind(composition: Composition) -> str:
    return f"{composition.data}: {composition.density} density, {composition.sampling} sampling"


def _parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _trait_names(part: ComponentSpec) -> str:
    return ", ".join(sorted(trait.__name__ for trait in part.provides))
