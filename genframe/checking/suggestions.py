"""What would do instead: the installed components that fit where one does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..plugins.discovery import installed
from ..specs.base import ComponentSpec, Kind, Needs
from ..specs.parts import DecoderSpec, EncoderSpec, LossSpec, PriorSpec, SamplerSpec
from ..types.errors import SpecError
from ..types.spaces import ContextSpace, Space, Spaces
from ..types.trait.base import Trait, TraitSet, traits
from ..types.values import Role
from .needs import unmet_needs

if TYPE_CHECKING:
    from ..specs.parts import ModelSpec

__all__ = ["SLOTS", "Suggestions", "as_it_comes", "at_path", "fitting", "has", "traits_of"]

SLOTS: Final[Mapping[str, Kind]] = {
    "condition": "encoder",
    "encoder": "encoder",
    "decoder": "decoder",
    "prior": "prior",
    "loss": "loss",
    "sampler": "sampler",
}


@dataclass(frozen=True)
class Suggestions:
    """What fits into the slots of a model, as far as its spaces are known."""

    spec: ModelSpec
    data: Space
    condition: Space | None
    latent: Space | None
    code: Space | None
    context: ContextSpace | None

    def what_fits(self, slot: str, path: tuple[str, ...]) -> str:
        """Name the installed components that would do at ``path`` within the slot, if a component is there."""
        part = getattr(self.spec, slot)
        present = at_path(part, path)
        if path and not isinstance(present, ComponentSpec):
            return ""
        kind = present.kind if isinstance(present, ComponentSpec) else SLOTS[slot]
        candidates = [as_it_comes(component) for component in installed().registry(kind)]
        tried = {candidate.type: _with(part, path, candidate) for candidate in candidates if candidate is not None}
        fit = {name: changed for name, changed in tried.items() if self._takes(slot, changed)}
        meeting = [name for name, changed in fit.items() if self._meets_needs(slot, changed)]
        return f"these fit: {', '.join(sorted(meeting or fit))}" if fit else ""

    def these_have(self, role: Role, trait: Trait | None) -> str:
        """Name the installed components with the trait: those that take the spaces here, or else all."""
        having = {component.type_name(): as_it_comes(component) for component in fitting(role) if has(component, trait)}
        if not having:
            return f"no installed {role} has it"
        taking = [part for part in having.values() if part is not None and self._takes(role, part)]
        meeting = [part for part in taking if self._meets_needs(role, part)]
        return f"these have: {', '.join([part.type for part in meeting or taking] or having)}"

    def _takes(self, slot: str, part: ComponentSpec) -> bool:
        """Whether the part takes the spaces at the slot."""
        try:
            match part:
                case EncoderSpec() if slot == "condition" and self.condition is not None:
                    part.context_space(self.condition)
                case EncoderSpec() if slot == "encoder":
                    part.latent_space(self.data)
                case DecoderSpec() if self.latent is not None:
                    part.accepts(self.latent, self.data, self.spec.reads("decoder", self.context))
                case PriorSpec() if self.code is not None:
                    part.accepts(self.code, self.spec.reads("prior", self.context))
                case LossSpec() if self.latent is not None and self.code is not None:
                    part.accepts(Spaces(self.data, self.latent, self.code, self.context))
                case SamplerSpec() if self.latent is not None and self.code is not None:
                    part.accepts(self.spec, Spaces(self.data, self.latent, self.code, self.context))
                case _:
                    return False
        except Exception:  # a defect of some other plugin must not stand in the way of this message
            return False
        return True

    def _meets_needs(self, slot: str, part: ComponentSpec) -> bool:
        """Whether the part, put into the slot, finds the traits that it needs and has those that others need of it."""
        changed = self.spec.model_copy(update={slot: part})
        return not any(slot in (need.slot, need.role) for need in unmet_needs(changed))


def as_it_comes(component: type[ComponentSpec]) -> ComponentSpec | None:
    """Return the component with its defaults, or ``None`` where a field must be given."""
    try:
        return component.model_validate({"type": component.type_name()})
    except SpecError:
        return None


def traits_of(component: type[ComponentSpec]) -> tuple[TraitSet, Needs]:
    """Return what the component provides and needs with its defaults.

    Where a field must be given it is what the class says of every component of its type, which may be nothing.
    """
    part = as_it_comes(component)
    if part is not None:
        return part.provides, part.needs
    provides, needs = vars(component).get("provides"), vars(component).get("needs")
    return provides if isinstance(provides, frozenset) else traits(), needs if isinstance(needs, Mapping) else {}


def fitting(slot: str) -> list[type[ComponentSpec]]:
    """Return the installed components of the slot's kind, by name."""
    registry = installed().registry(SLOTS[slot])
    return [registry.find(name) for name in registry.names()]


def has(component: type[ComponentSpec], trait: Trait | None) -> bool:
    """Return whether the component, as it comes, provides the trait; every component has ``None``."""
    return trait is None or trait in traits_of(component)[0]


def at_path(node: Any, path: Sequence[str]) -> Any:
    """Return what is at ``path`` within a spec, by fields and by places in lists, or ``None``."""
    for key in path:
        if isinstance(node, tuple):
            node = node[int(key)] if key.isdigit() and int(key) < len(node) else None
        else:
            node = getattr(node, key, None) if key in getattr(type(node), "model_fields", ()) else None
    return node


def _with(node: Any, path: tuple[str, ...], child: ComponentSpec) -> Any:
    """Return a component with ``child`` in the place of what is at ``path`` within it."""
    if not path:
        return child
    key, rest = path[0], path[1:]
    if isinstance(node, tuple):
        index = int(key)
        return (*node[:index], _with(node[index], rest, child), *node[index + 1 :])
    return node.model_copy(update={key: _with(getattr(node, key), rest, child)})
