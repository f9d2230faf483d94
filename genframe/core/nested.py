"""A whole model as a prior."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from torch import Generator, Tensor, nn

from ..model.model import Model
from ..roles.parts import Encoder, Prior
from ..specs.composition import Composition
from ..types.trait.encoders import NoiseProcess
from ..types.trait.parts import Invertible
from ..types.trait.priors import NormalBase
from ..types.values import Batch, Context, LossOutput

__all__ = ["NestedModel"]


class NestedModel(Prior):
    """A model of the codes. Its own loss is the prior's objective, its own sampler draws."""

    def __init__(self, composition: Composition, *, normal_base: bool = False) -> None:
        super().__init__()
        self.model = Model(composition)
        if composition.density_kind.relation == "=":
            self.log_prob = self._log_prob
        if normal_base:
            self.to_base, self.from_base = self._to_base, self._from_base

    def sample(self, n: int, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        """Return ``n`` data of the nested model."""
        return self.model.sampler.draw(self.model, n, context, generator)

    def initialise(self, x: Tensor, context: Context | None = None) -> None:
        """Let the nested model's parts take their first state from the codes ``x``."""
        self.model.initialise(x, context)

    def _log_prob(self, code: Tensor, context: Context | None = None) -> Tensor:
        """Return the nested model's exact log-density in nats."""
        return self.model.log_prob(code, context).nats

    def _to_base(self, code: Tensor, context: Context | None = None) -> Tensor:
        """Return codes in the base of the nested model's prior, by way of its latents."""
        encoder = cast(Encoder, self.model.encoder)
        if self._walks:
            latent = cast(Invertible, self.model.sampler).invert(self.model, code, context)
        else:
            latent = encoder.encode(code, context)
        return cast(NormalBase, self.model.prior).to_base(encoder.code(latent), context)

    def _from_base(self, base: Tensor, context: Context | None = None) -> Tensor:
        """Return the codes of points of that base."""
        latent = self.model.latents(cast(NormalBase, self.model.prior).from_base(base, context))
        if not self._walks:
            return self.model.decoder.decode(latent, context)
        sampler = self.model.sampler
        return sampler.last(cast(Invertible, sampler).trajectory_from(self.model, latent, context))

    @property
    def _walks(self) -> bool:
        """Whether latents of the nested model are noise, to and from which its sampler walks."""
        return self.model.composition.has("encoder", NoiseProcess)

    @property
    def players(self) -> tuple[str, ...]:
        """The nested loss's players."""
        return self.model.composition.players

    def player_parameters(self, player: str) -> Iterable[nn.Parameter]:
        """Return what ``player`` owns in the nested model."""
        return self.model.loss.player_parameters(self.model, player)

    def objective(self, code: Tensor, context: Context | None = None, player: str = "model") -> LossOutput:
        """Return the nested model's own loss on the codes."""
        return self.model.loss(self.model, Batch(code, context), player)
