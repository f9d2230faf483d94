"""Specs of the adversarial losses. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from genframe import Mismatch, Needs, Real, Spaces, at, require_real, vector_dims
from genframe.traits import Conditional

from .game import Game

if TYPE_CHECKING:
    from genframe import Encoder, Loss

__all__ = ["Adversarial", "Augmentation", "Bidirectional", "LatentAdversarial"]

Augmentation = Literal["translation", "cutout", "brightness"]


class Adversarial(Game):
    """A critic on data against the decoder as generator. Goodfellow et al. 2014; relativistic: Jolicoeur-Martineau 2019.

    The default objective with ``r1`` and ``r2`` is that of R3GAN (Huang et al. 2024, eq. 2 and sec. 2.2). Under a condition
    the critic's features are projected on the context (Miyato & Koyama 2018, eq. 3), or its network reads it.
    """

    type: Literal["gan/adversarial"] = "gan/adversarial"

    fakes: Literal["samples", "reconstructions"] = Field(
        default="samples", description="decode draws of the prior, or the latents of data"
    )
    augment: tuple[Augmentation, ...] = Field(
        default=(), description="differentiable changes of all images that the critic sees (Zhao et al. 2020, sec. 3.3)"
    )
    conditioning: Literal["projection", "input"] = Field(
        default="projection", description="how the critic judges under a condition, where the model has one"
    )

    @property
    def needs(self) -> Needs:
        """Need an encoder for reconstructions."""
        return {"encoder": ()} if self.fakes == "reconstructions" else {}

    def accepts(self, spaces: Spaces) -> None:
        """Accept data that the critic can judge, and a condition that it can judge them under."""
        features = self.judge(spaces.data)
        if self.augment and len(require_real(spaces.data, "augmentation").shape) != 3:
            with at("augment"):
                raise Mismatch(
                    f"only images (channels, height, width) are augmented, found {spaces.data}", "leave 'augment' out"
                )
        if self.conditioning == "input" and Conditional not in self.critic.provides:
            with at("critic"):
                message = f"{self.critic.type} does not read a context beside {spaces.data}"
                raise Mismatch(message, "choose a network with Conditional, or say conditioning: projection")
        if spaces.context is not None:
            if spaces.context.vector is None:
                raise Mismatch(
                    f"a critic judges beside a vector, found {spaces.context}", "let the condition's encoder give a vector"
                )
            if self.conditioning == "projection" and features.shape == (1,):
                with at("critic"):
                    message = f"under a condition features are projected on the context; {self.critic.type} gives a single one"
                    raise Mismatch(message, "leave 'dim' out, or say conditioning: input")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make the loss with its critic."""
        from ..losses import AdversarialLoss

        return AdversarialLoss(self, require_real(spaces.data, "a critic"), spaces.context)


class LatentAdversarial(Game):
    """A critic on latents against the encoder: draws of the prior are real, latents of data fake. Makhzani et al. 2016, sec. 2.

    With vae/reconstruction in core/sum it makes an adversarial autoencoder. The critic reads no condition, so that latents
    become independent of it.
    """

    type: Literal["gan/latent_adversarial"] = "gan/latent_adversarial"
    needs: ClassVar[Needs] = {"encoder": ()}

    def accepts(self, spaces: Spaces) -> None:
        """Accept latents that the critic can judge."""
        self.judge(spaces.latent)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make the loss with its critic."""
        from ..losses import LatentAdversarialLoss

        return LatentAdversarialLoss(self, require_real(spaces.latent, "a critic"))


class Bidirectional(Game):
    """A critic on pairs of datum and latent: (x, E(x)) is real, (G(z), z) fake. Donahue et al. 2017, eq. 2 (BiGAN).

    Encoder and decoder together play the generator, with the labels exchanged (ibid., sec. 3.4). The critic reads the datum
    as its data and the latent as its context.
    """

    type: Literal["gan/bidirectional"] = "gan/bidirectional"
    needs: ClassVar[Needs] = {"encoder": ()}

    def accepts(self, spaces: Spaces) -> None:
        """Accept data and latents that the critic can judge together."""
        self.judge(spaces.data)
        require_real(spaces.latent, "a critic of pairs")
        if Conditional not in self.critic.provides:
            with at("critic"):
                message = f"{self.critic.type} does not read the latent {spaces.latent} beside {spaces.data}"
                raise Mismatch(message, "choose a network with Conditional, such as nets/mlp")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make the loss with its critic."""
        from ..losses import BidirectionalLoss

        dims = spaces.latent.dims + vector_dims(spaces.context)
        return BidirectionalLoss(self, require_real(spaces.data, "a critic"), Real((dims,)))
