"""Which traits the parts of a model need of each other and do not find."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from ..specs.base import ComponentSpec, children, each_needed
from ..types.trait.base import Trait
from ..types.values import Role

if TYPE_CHECKING:
    from ..specs.parts import ModelSpec

__all__ = ["Need", "unmet_needs"]


@dataclass(frozen=True)
class Need:
    """What the part at ``path`` within ``slot`` needs of ``role``: a trait, or only that there is a part."""

    slot: str
    path: tuple[str, ...]
    role: Role
    trait: Trait | None


def unmet_needs(spec: ModelSpec) -> Iterator[Need]:
    """Yield each trait that a part of the model needs and that the part in that role does not provide."""
    for slot in ("encoder", "decoder", "prior", "loss", "sampler"):
        part = cast("ComponentSpec | None", getattr(spec, slot))
        if part is None:
            continue
        for role in part.needs:
            other = cast("ComponentSpec | None", getattr(spec, role))
            for trait in each_needed(part.needs, role) or (None,):
                if other is None or (trait is not None and trait not in other.provides):
                    yield Need(slot, _within(part, role, trait), role, trait)


def _within(part: ComponentSpec, role: Role, trait: Trait | None) -> tuple[str, ...]:
    """Return the path to the nested component that has the need, so that the message names it and not its wrapper."""
    for path, child in children(part):
        if (
            isinstance(child, ComponentSpec)
            and role in child.needs
            and (trait is None or trait in each_needed(child.needs, role))
        ):
            return (*path, *_within(child, role, trait))
    return ()
