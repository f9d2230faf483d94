"""Specs of a user's own modules: what is known of one in a file, where the module itself cannot be."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from ..types.errors import Mismatch, SpecError
from ..types.spaces import ContextSpace, Space, Spaces, space_from_dict
from ..types.trait import TRAITS
from ..types.trait.base import TraitSet, traits
from ..types.trait.parts import Conditional, ReadsSequence, TimeConditioned
from .base import ComponentSpec
from .parts import DecoderSpec, EncoderSpec, LossSpec, PriorSpec, SamplerSpec

if TYPE_CHECKING:
    from ..roles.parts import Encoder

__all__ = ["ModuleDecoder", "ModuleEncoder", "ModuleFields", "ModuleLoss", "ModulePrior", "ModuleSampler"]

READS = {"time": TimeConditioned, "context": Conditional, "sequence": ReadsSequence}


def _none_lent(spec: ModuleFields, spaces: Spaces) -> Any:
    raise SpecError(f"the module {spec.of or spec.kind} was not handed in; compose and load take it by modules=")


lent: ContextVar[Callable[[ModuleFields, Spaces], Any]] = ContextVar("lent", default=_none_lent)
"""How the module of a place is found while a model is built."""


class ModuleFields(ComponentSpec):
    """What a spec says of a module that is handed in; abstract."""

    listed: ClassVar[bool] = False

    of: str = Field(default="", description="the module's class, for messages; it is never imported")
    reads: tuple[Literal["time", "context", "sequence"], ...] = Field(
        default=(), description="what the module reads beside its input"
    )
    has: tuple[str, ...] = Field(default=(), description="names of the traits of genframe.types that the module has")

    @property
    def provides(self) -> TraitSet:
        """Provide what it reads, and the traits by name; one that reads a sequence is conditional."""
        read = [READS[name] for name in self.reads] + ([Conditional] if "sequence" in self.reads else [])
        return traits(*read, *(TRAITS[name] for name in self.has if name in TRAITS))

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Any:
        """Return the module that was handed in for this place, probed between ``spaces``."""
        return lent.get()(self, spaces)


class ModuleEncoder(ModuleFields, EncoderSpec):
    """A module of one's own as an encoder, or as the network of one."""

    type: Literal["core/module"] = "core/module"

    out: dict[str, Any] | None = Field(default=None, description="the space of its output")
    code: dict[str, Any] | None = Field(default=None, description="the space of its codes, where that is another")

    def latent_space(self, data: Space) -> Space:
        """Return the space that was said."""
        if self.out is None:
            raise Mismatch("the output of this module is not known", "say it: wrap(module, out=Real((512,)))")
        return space_from_dict(self.out)

    def code_space(self, data: Space) -> Space:
        """Return the space of codes that was said, or that of the output."""
        return space_from_dict(self.code) if self.code is not None else self.latent_space(data)


class ModuleDecoder(ModuleFields, DecoderSpec):
    """A module of one's own as a decoder, or as the network of one."""

    type: Literal["core/module"] = "core/module"

    def accepts(self, latent: Space, data: Space, context: ContextSpace | None = None) -> None:
        """Accept all spaces; whether the module fits is tried when it is built."""


class ModulePrior(ModuleFields, PriorSpec):
    """A prior of one's own."""

    type: Literal["core/module"] = "core/module"

    out: dict[str, Any] | None = Field(default=None, description="the space of its codes, where no encoder gives one")

    def own_space(self) -> Space | None:
        """Return the space that was said."""
        return space_from_dict(self.out) if self.out is not None else None

    def accepts(self, code: Space, context: ContextSpace | None = None) -> None:
        """Accept all codes."""


class ModuleLoss(ModuleFields, LossSpec):
    """A loss of one's own."""

    type: Literal["core/module"] = "core/module"

    names: tuple[str, ...] = Field(default=("model",), min_length=1, description="its players, in the order of their steps")

    @property
    def players(self) -> tuple[str, ...]:
        """The players that were said."""
        return self.names


class ModuleSampler(ModuleFields, SamplerSpec):
    """A sampler of one's own."""

    type: Literal["core/module"] = "core/module"
