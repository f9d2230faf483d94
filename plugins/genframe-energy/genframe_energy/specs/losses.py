"""Specs of the losses. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from genframe import LossSpec, Mismatch, Needs, Spaces, at
from genframe.types import Energy, Identity, MarkovKernel

from ..traits import HiddenUnits, Matching
from .priors import continuous

if TYPE_CHECKING:
    from genframe import Encoder, Loss

__all__ = ["ContrastiveDivergence", "LangevinLikelihood", "NoiseContrastive", "ScoreMatching"]


class ContrastiveDivergence(LossSpec):
    """Contrastive divergence: the energy of data against that of chains after k transitions. Hinton 2002; Tieleman 2008.

    Chains start from the data of each batch, or are ``persistent`` and continue from step to step; then the checkpoint has
    them. Momentum is the optimizer's: ``train.optimizer: sgd`` with ``train.betas``.
    """

    type: Literal["energy/contrastive_divergence"] = "energy/contrastive_divergence"

    k: PositiveInt = Field(default=1, description="transitions of each chain in a step (CD-k)")
    persistent: bool = Field(default=False, description="keep the chains from step to step (Tieleman 2008)")
    chains: PositiveInt = Field(default=100, description="number of persistent chains")
    weight_decay: NonNegativeFloat = Field(
        default=0.0, description="half of it times the squared weights is added, without the biases (Hinton 2012, sec. 10)"
    )
    sparsity_cost: NonNegativeFloat = Field(
        default=0.0, description="weight of the squared distance of hidden units' mean activities from their target"
    )
    sparsity_target: float = Field(default=0.05, gt=0, lt=1, description="mean activity of a hidden unit (Lee et al. 2008)")

    @model_validator(mode="after")
    def _fields_that_are_used(self) -> ContrastiveDivergence:
        if not self.persistent and self.chains != type(self).model_fields["chains"].default:
            raise ValueError("chains are counted where they persist; say persistent: true, or leave chains out")
        return self

    @property
    def needs(self) -> Needs:
        """Need a chain, and hidden units where they are to be sparse."""
        hidden = (HiddenUnits,) if self.sparsity_cost else ()
        return {"encoder": Identity, "prior": (Energy, MarkovKernel, *hidden)}

    def accepts(self, spaces: Spaces) -> None:
        """Accept a condition only where chains start from data."""
        if self.persistent and spaces.context is not None:
            with at("persistent"):
                raise Mismatch("a chain that persists has no condition, and this model has one", "say persistent: false")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make the loss with its chains."""
        from ..divergence import ContrastiveDivergenceLoss

        return ContrastiveDivergenceLoss(
            self.k,
            chains=self.chains if self.persistent else None,
            weight_decay=self.weight_decay,
            sparsity_cost=self.sparsity_cost,
            sparsity_target=self.sparsity_target,
        )


class LangevinLikelihood(LossSpec):
    """Maximum likelihood by chains of Langevin dynamics that a replay buffer keeps. Nijkamp et al. 2019; Du & Mordatch 2019.

    A step draws as many chains from the buffer as the batch has examples, restarts a few, walks, and puts them back. The
    checkpoint has the buffer.
    """

    type: Literal["energy/langevin_likelihood"] = "energy/langevin_likelihood"
    needs: ClassVar[Needs] = {"encoder": Identity, "prior": Energy}

    steps: PositiveInt = Field(default=20, description="Langevin steps of each chain")
    step_size: PositiveFloat = Field(default=0.1, description="standard deviation of a step's noise, in units of the code")
    adjusted: bool = Field(default=False, description="accept each step by Metropolis and Hastings' rule")
    buffer: PositiveInt = Field(default=10_000, description="number of chains that are kept")
    restart: float = Field(default=0.05, ge=0, le=1, description="share of chains that restart from random states")
    energy_cost: NonNegativeFloat = Field(
        default=0.0, description="weight of the mean squared energy of data and chains, which keeps it small (ibid., sec. 3.4)"
    )

    def accepts(self, spaces: Spaces) -> None:
        """Accept continuous real codes, without a condition."""
        continuous(spaces.code, self.type)
        if spaces.context is not None:
            raise Mismatch("a chain that is kept has no condition, and this model has one", "say energy/contrastive_divergence")

    def accepts_batch(self, size: int) -> None:
        """Accept batches for which the buffer has enough chains."""
        if size > self.buffer:
            with at("buffer"):
                raise Mismatch(f"a batch of {size} needs as many chains, and the buffer keeps {self.buffer}", "keep more")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make the loss with its buffer."""
        from ..likelihood import LangevinLikelihoodLoss

        return LangevinLikelihoodLoss(
            spaces.code,
            steps=self.steps,
            step_size=self.step_size,
            adjusted=self.adjusted,
            buffer=self.buffer,
            restart=self.restart,
            energy_cost=self.energy_cost,
        )


class ScoreMatching(LossSpec):
    """Fits the energy's gradient to that of the data's log-density, without a chain. Hyvärinen 2005.

    Denoising: at noisy data it should point to the data (Vincent 2011, sec. 4.2), weighted by the noise's variance. Sliced:
    Hyvärinen's objective in a random direction (Song et al. 2019, eq. 8).
    """

    type: Literal["energy/score_matching"] = "energy/score_matching"
    needs: ClassVar[Needs] = {"encoder": Identity, "prior": Energy}

    method: Matching = Field(default="denoising", description="which form of the objective")
    noise: PositiveFloat = Field(
        default=0.1, description="standard deviation of the noise of denoising; the fit is of data with that much noise"
    )

    def accepts(self, spaces: Spaces) -> None:
        """Accept continuous real codes."""
        continuous(spaces.code, self.type)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make the loss."""
        from ..matching import ScoreMatchingLoss

        return ScoreMatchingLoss(self.method, noise=self.noise)


class NoiseContrastive(LossSpec):
    """Noise-contrastive estimation: a classifier of data against normal noise, with log Z as a parameter.

    Gutmann & Hyvärinen 2012, sec. 2. Its metric ``log_z`` estimates the energy's log normaliser in nats.
    """

    type: Literal["energy/noise_contrastive"] = "energy/noise_contrastive"
    needs: ClassVar[Needs] = {"encoder": Identity, "prior": Energy}

    ratio: PositiveInt = Field(default=1, description="draws of noise for each example")
    deviation: PositiveFloat = Field(default=1.0, description="standard deviation of the noise N(0, deviation² I)")

    def accepts(self, spaces: Spaces) -> None:
        """Accept continuous real codes."""
        continuous(spaces.code, self.type)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make the loss with its constant."""
        from ..matching import NoiseContrastiveLoss

        return NoiseContrastiveLoss(self.ratio, deviation=self.deviation)
