"""The parts of a model as one module: how they are made, which of them learn, and what they read of a condition."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeVar, get_args

import torch
from torch import nn

from ..roles import Decoder, Encoder, Loss, Prior, Sampler, data_digest
from ..specs import Composition
from ..types import Context, Role, Unsupported, methods_of
from .evaluation import device_of
from .table import as_html, as_text
from .wrapping import Moved

__all__ = ["Parts"]

T = TypeVar("T")


class Parts(nn.Module):
    """Five parts, made by their specs.

    ``encoder`` and ``condition`` may be ``None``. Parts own their parameters; ``loss`` owns those that only
    training needs (critics). ``nested`` are the models within, such as one that is the prior.
    """

    encoder: Encoder | None
    decoder: Decoder
    prior: Prior
    condition: Encoder | None
    loss: Loss

    def __init__(self, composition: Composition) -> None:
        super().__init__()
        spec, spaces_of = composition.spec, composition.spaces_of
        self.composition = composition
        self.condition = None
        if spec.condition is not None and composition.condition is not None:
            self.condition = spec.condition.build(spec.condition.spaces(composition.condition))
        self.encoder = spec.encoder.build(spaces_of("encoder")) if spec.encoder is not None else None
        self.decoder = spec.decoder.build(spaces_of("decoder"), self.encoder)
        self.prior = spec.prior.build(spaces_of("prior"), self.encoder)
        self.loss = spec.loss.build(composition.spaces)
        self.loss.players = composition.players
        self.sampler: Sampler = spec.sampler.build(composition.spaces)
        self.moved: list[Moved] = []
        self.nested = [module for module in self.modules() if isinstance(module, Parts) and module is not self]
        self.loss.begin(self)

    def __repr__(self) -> str:
        return as_text(self.composition, {**self.parts(), "loss": self.loss})

    def _repr_html_(self) -> str:
        return as_html(self.composition, {**self.parts(), "loss": self.loss})

    @property
    def players(self) -> tuple[str, ...]:
        """The loss's players, in the order of their steps: each has a term of the loss, and parameters of its own."""
        return self.composition.players

    def player_parameters(self, player: str) -> list[nn.Parameter]:
        """Return the parameters that ``player`` moves, each once."""
        return list(dict.fromkeys(self.loss.player_parameters(self, player)))

    def begin(self) -> None:
        """Let the loss, and those of models within, take from the model what they need; before the first step of training."""
        with torch.no_grad():
            for model in (self, *self.nested):
                model.loss.begin(model)

    def learn(self, parts: Collection[str] | None = None, *, loss: bool = True) -> None:
        """Put ``parts`` (all unless given) into training mode with gradients and freeze the others.

        What was frozen, or in evaluation mode, in a module of one's own when it was handed in stays so.
        """
        self.train()
        for role, part in self.parts().items():
            learns = parts is None or role in parts
            part.train(learns)
            part.requires_grad_(learns)
        self.loss.requires_grad_(loss)
        self._keep_frozen()

    def rest(self) -> None:
        """Put the model into evaluation mode, with gradients where a user would expect them."""
        self.requires_grad_(True).eval()
        self._keep_frozen()

    def _keep_frozen(self) -> None:
        for moved in self.moved:
            moved.keep()

    @property
    def device(self) -> torch.device:
        """The device of the model's first tensor; the CPU where it has none."""
        return device_of(self)

    def parts(self) -> dict[str, nn.Module]:
        """Return the model's parts that are modules, by role; the loss is not among them."""
        roles = {"condition": self.condition, "encoder": self.encoder, "decoder": self.decoder, "prior": self.prior}
        return {role: part for role, part in roles.items() if part is not None}

    def part(self, role: Role, trait: type[T]) -> T:
        """Return the part in ``role`` as one with ``trait``, which ``check`` found in its spec where another part needs it."""
        found: T = getattr(self, role)
        return found

    def entry_points(self, role: Role) -> tuple[str, ...]:
        """Return the methods by which others call the part in ``role``: ``forward``, its role's own, and those of its traits.

        What wraps a part, such as a sharding of its weights, has to cover them all.
        """
        own = {"encoder": ("encode", "codes"), "decoder": ("decode",), "prior": ("sample", "objective")}[role]
        spec = getattr(self.composition.spec, role)
        traits = spec.provides if spec is not None else ()
        return tuple(dict.fromkeys(["forward", *own, *sorted(name for trait in traits for name in methods_of(trait))]))

    def part_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of all parts, each once."""
        return [parameter for part in self.parts().values() for parameter in part.parameters()]

    def weights_digest(self) -> str:
        """Return the digest of all weights, by their names' order."""
        return data_digest(*(tensor.detach().cpu() for _, tensor in sorted(self.state_dict().items())))

    def context(self, condition: Any, *readers: Role) -> Context | None:
        """Return the context of each condition, (B, ...); a nested model's condition is a context already.

        :raises Unsupported: if there is no condition, and one of ``readers`` reads it, or any part where none are named.
        """
        if self.composition.context is None:
            return None
        if condition is None:
            if any(map(self.composition.reads, readers or get_args(Role))):
                raise Unsupported(f"this model is conditional: give a condition in {self.composition.condition}")
            return None
        return self.condition.context(condition) if self.condition is not None else condition
