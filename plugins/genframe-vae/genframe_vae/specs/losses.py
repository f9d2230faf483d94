"""Specs of losses. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt

from genframe import LossSpec, Mismatch, Needs, PriorSpec, Spaces, at, require_real
from genframe.types import Density, Likelihood, Posterior

from ..choices import ReconstructionError

if TYPE_CHECKING:
    from genframe import Encoder, Loss

__all__ = ["Elbo", "Iwae", "Reconstruction"]


class Elbo(LossSpec):
    """Minus the evidence lower bound, distortion + beta * rate. Kingma & Welling 2013, eq. 3; Higgins et al. 2017, eq. 4.

    Rate is KL(q(z|x) || p(z)), in closed form where the prior has GaussianExpectation and else by Monte Carlo; distortion is
    minus the log-likelihood. Both are in nats, summed over dimensions and averaged over the batch, and reported as they
    are, whatever ``beta`` and ``free_bits`` make of them. Beta is warmed up in training only; other modes use its final value.
    """

    type: Literal["vae/elbo"] = "vae/elbo"

    beta: NonNegativeFloat = Field(default=1.0, description="weight of the rate")
    anneal_steps: NonNegativeInt = Field(default=0, description="training batches over which beta rises linearly from 0")
    free_bits: NonNegativeFloat = Field(
        default=0.0,
        description="nats per latent dimension that are not charged: the batch's mean rate counts as at least this times the "
        "dimensions (Kingma et al. 2016, eq. 15, all dimensions in one group)",
    )
    samples: PositiveInt = Field(default=1, description="latents drawn for each example")
    reference: PriorSpec | None = Field(
        default=None,
        description="prior that the rate is measured from, where the model's own is trained on the codes in a later stage "
        "(Dai & Wipf 2019, sec. 5; Rombach et al. 2022, sec. 3.1)",
    )

    @property
    def needs(self) -> Needs:
        """Need a density of the model's prior unless there is a reference."""
        return (
            {"encoder": Posterior, "decoder": Likelihood, "prior": Density}
            if self.reference is None
            else {"encoder": Posterior, "decoder": Likelihood}
        )

    def accepts(self, spaces: Spaces) -> None:
        """Accept codes that the reference has a density of."""
        if self.reference is None:
            return
        with at("reference"):
            if Density not in self.reference.provides:
                raise Mismatch(f"a rate is measured from a density, and {self.reference.type} has none", "say core/normal")
            self.reference.accepts(spaces.code, spaces.context)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make the loss."""
        from ..losses import ElboLoss

        reference = self.reference.build(spaces) if self.reference is not None else None
        assert reference is None or isinstance(reference, Density)  # as the spec's `accepts` has seen
        return ElboLoss(
            self.beta,
            anneal_steps=self.anneal_steps,
            free_nats=self.free_bits * spaces.latent.dims,
            samples=self.samples,
            reference=reference,
        )


class Iwae(LossSpec):
    """Minus the importance-weighted bound of several samples, in nats, averaged over the batch. Burda et al. 2015, eq. 8."""

    type: Literal["vae/iwae"] = "vae/iwae"
    needs: ClassVar[Needs] = {"encoder": Posterior, "decoder": Likelihood, "prior": Density}

    samples: PositiveInt = Field(default=50, description="latents drawn for each example")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make the loss."""
        from ..losses import IwaeLoss

        return IwaeLoss(self.samples)


class Reconstruction(LossSpec):
    """The error of encoding and decoding, summed over dimensions, averaged over the batch. Hinton & Salakhutdinov 2006.

    Sparsity: the latents' absolute values, or with ``target_rate`` the Kullback-Leibler divergence of their mean activation
    (Ng 2011). Contraction: the squared Frobenius norm of the encoder's Jacobian (Rifai et al. 2011, eq. 4).
    """

    type: Literal["vae/reconstruction"] = "vae/reconstruction"
    needs: ClassVar[Needs] = {"encoder": ()}

    error: ReconstructionError = Field(default="squared", description="the error of each value")
    sparsity: NonNegativeFloat = Field(default=0.0, description="weight of the sparsity penalty")
    target_rate: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="mean activation that the sparsity penalty aims at; none penalises absolute values",
    )
    contractive: NonNegativeFloat = Field(default=0.0, description="weight of the contraction penalty")
    probes: NonNegativeInt = Field(default=0, description="random probes that estimate the contraction; 0 computes it exactly")

    def accepts(self, spaces: Spaces) -> None:
        """Accept real data, for a cross-entropy from 0 to 1."""
        space = require_real(spaces.data, "a reconstruction error")
        if self.error == "cross_entropy" and (space.low, space.high) != (0, 1):
            with at("error"):
                raise Mismatch(f"a cross-entropy is of values from 0 to 1, found {space}", "use squared or absolute")
        if self.sparsity or self.contractive:
            require_real(spaces.latent, "a penalty on latents")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make the loss."""
        from ..losses import ReconstructionLoss

        return ReconstructionLoss(
            self.error,
            sparsity=self.sparsity,
            target_rate=self.target_rate,
            contractive=self.contractive,
            probes=self.probes,
            latent=spaces.latent,
        )
