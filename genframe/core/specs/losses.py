"""Specs of the core losses."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from ...specs.base import Needs
from ...specs.parts import LossSpec
from ...types.errors import at
from ...types.spaces import Spaces
from ...types.trait.base import Trait
from ...types.trait.decoders import EncoderInverse
from ...types.trait.encoders import Bijective
from ...types.trait.priors import Density
from ...types.values import Role

if TYPE_CHECKING:
    from ...roles.parts import Encoder, Loss

__all__ = ["NegativeLogLikelihood", "Sum"]


class NegativeLogLikelihood(LossSpec):
    """Maximum likelihood by the exact density: minus the log-density of data, averaged over the batch."""

    type: Literal["core/nll"] = "core/nll"
    needs: ClassVar[Needs] = {"encoder": Bijective, "decoder": EncoderInverse, "prior": Density}

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make the loss."""
        from ..parts import ExactNll

        return ExactNll()


class Sum(LossSpec):
    """A weighted sum of losses, player by player."""

    type: Literal["core/sum"] = "core/sum"

    terms: tuple[LossSpec, ...] = Field(min_length=1, description="the losses to add")
    weights: tuple[float, ...] | None = Field(default=None, description="a weight for each term; all 1 if left out")

    @model_validator(mode="after")
    def _one_weight_a_term(self) -> Sum:
        if self.weights is not None and len(self.weights) != len(self.terms):
            raise ValueError(f"there are {len(self.terms)} terms and {len(self.weights)} weights; give one weight a term")
        return self

    @property
    def players(self) -> tuple[str, ...]:
        """Return every term's players, in the order they come up, each as often as the term that moves it most."""
        names: list[str] = []
        for term in self.terms:
            own = term.players
            for player in dict.fromkeys(own):
                names += [player] * (own.count(player) - names.count(player))
        return tuple(names)

    @property
    def needs(self) -> Needs:
        """Return what any of the terms needs."""
        needed: dict[Role, dict[Trait, None]] = {}
        for term in self.terms:
            for role, wanted in term.needs.items():
                needed.setdefault(role, {}).update(dict.fromkeys(wanted if isinstance(wanted, tuple) else (wanted,)))
        return {role: tuple(wanted) for role, wanted in needed.items()}

    def accepts(self, spaces: Spaces) -> None:
        """Accept what every term accepts."""
        for number, term in enumerate(self.terms):
            with at("terms", str(number)):
                term.accepts(spaces)

    def accepts_batch(self, size: int) -> None:
        """Accept what every term accepts."""
        for number, term in enumerate(self.terms):
            with at("terms", str(number)):
                term.accepts_batch(size)

    def trained_parts(self) -> tuple[Role, ...]:
        """Return what any of the terms says."""
        return tuple(dict.fromkeys(part for term in self.terms for part in term.trained_parts()))

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make all terms."""
        from ..parts import SumOfLosses

        losses = [term.build(spaces) for term in self.terms]
        for loss, term in zip(losses, self.terms, strict=True):
            loss.players = term.players
        return SumOfLosses(losses, self.weights or (1.0,) * len(losses))
