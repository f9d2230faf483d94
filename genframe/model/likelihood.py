"""Likelihood: how it is computed from a model's parts, and as a value with its kind, unit and estimator."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from ..plugins import installed
from ..roles import Encoder
from ..types.errors import Unsupported
from ..types.spaces import Real, Space
from ..types.trait.decoders import DataBound, Likelihood
from ..types.trait.encoders import Bijective, Identity, Posterior
from ..types.trait.priors import Density
from ..types.values import Context
from .parts import Parts

__all__ = ["LogProb", "estimated", "log_weights"]


@dataclass(frozen=True, repr=False)
class LogProb:
    """Log-likelihood of each example under a model.

    ``nats``: (B,), a probability where ``mass`` is true, else a density in the units of ``space``.
    ``kind`` names what can be said of the density, such as ``exact`` or ``lower bound``; ``estimator`` names the method, with
    ``samples`` draws per example.
    """

    nats: Tensor
    kind: str
    space: Space
    mass: bool
    estimator: str
    samples: int = 1

    @property
    def average(self) -> float:
        """The mean over the batch, in nats; :attr:`nats` has the tensor."""
        return float(self.nats.detach().double().mean())

    @property
    def standard_error(self) -> float:
        """Standard error of the mean over examples, in nats; NaN for a single example."""
        if len(self.nats) < 2:
            return math.nan
        return float(self.nats.detach().double().std() / math.sqrt(len(self.nats)))

    @property
    def relation(self) -> str:
        """The sign between log p(x) and this value: ``=``, ``≥``, ``≤`` or ``∝``; ``?`` where no plugin knows the kind."""
        known = installed().densities.get(self.kind)
        return known.relation if known is not None else "?"

    @property
    def dequantisation(self) -> str:
        """How continuous density and discrete values were reconciled: ``uniform`` noise, or ``none``."""
        return "uniform" if isinstance(self.space, Real) and self.space.dequantised else "none"

    @property
    def bits_per_dim(self) -> float:
        """Mean negative log-probability in bits for each dimension of the data (an upper bound for a lower bound).

        A density of dequantised data becomes a probability by the volume of a bin (Theis et al. 2015, sec. 3.1).

        :raises Unsupported: where the space is continuous, so that the value would depend on the unit.
        """
        return -(self.average + self._log_bin_volume()) / (self.space.dims * math.log(2))

    def _log_bin_volume(self) -> float:
        if self.mass:
            return 0.0
        if isinstance(self.space, Real) and self.space.dequantised:
            return self.space.dims * math.log(self.space.bin_width)
        if self.space.discrete:
            raise Unsupported("bits per dimension need dequantised data under a density; set dequantise: true in the data")
        raise Unsupported(f"bits per dimension have no meaning for continuous data ({self.space}); use nats")

    def __add__(self, other: LogProb) -> LogProb:
        """Return both batches as one; they must be of the same model and estimate."""
        if vars(self) | {"nats": None} != vars(other) | {"nats": None}:
            raise ValueError("log-probabilities of different kinds do not add up to one batch")
        return replace(self, nats=torch.cat([self.nats, other.nats]))

    def __repr__(self) -> str:
        error = f" ± {self.standard_error:.2g}" if len(self.nats) > 1 else ""
        return f"log p(x) {self.relation} {self.average:.4f}{error} nats ({self.estimator}, samples: {self.samples})"


def estimated(parts: Parts, x: Tensor, context: Context | None, samples: int, generator: Generator | None) -> LogProb:
    """Return the log-likelihood of each example, of kind ``parts.composition.density``; see :meth:`genframe.Model.log_prob`.

    :raises Unsupported: if the density is implicit or unnormalised, saying why.
    """
    composition = parts.composition
    refusal = composition.density_kind.refusal
    if refusal or composition.estimate is None:
        refusal = refusal or "no part of this model gives the likelihood of its data by a method data_log_prob"
        raise Unsupported(f"the density of this model is {composition.density}: {refusal}")

    def result(nats: Tensor, estimator: str, samples: int = 1) -> LogProb:
        return LogProb(nats, composition.density, composition.data, composition.mass, estimator, samples)

    if composition.estimate == "decoder":
        decoder = parts.part("decoder", DataBound)
        return result(*decoder.data_log_prob(x, parts.prior, context, samples=samples, generator=generator), samples)
    if composition.estimate == "change of variables":
        latent, log_abs_det = parts.part("encoder", Bijective).forward_and_log_det(x, context)
        nats = parts.part("prior", Density).log_prob(parts.part("encoder", Encoder).code(latent), context) + log_abs_det
        return result(nats, "exact" if composition.has("encoder", Identity) else "change of variables")
    weights = log_weights(parts, x, context, samples, generator)
    name = "importance weighting" if samples > 1 else "evidence lower bound"
    return result(weights.logsumexp(0) - math.log(samples), name, samples)


def log_weights(parts: Parts, x: Tensor, context: Context | None, samples: int, generator: Generator | None) -> Tensor:
    """Return log p(x|z) + log p(z) - log q(z|x) of ``samples`` draws of z per example: (samples, B) nats.

    :raises Unsupported: if the likelihood is not estimated by them.
    """
    if parts.composition.estimate != "importance weights":
        raise Unsupported("importance weights need an encoder with Posterior, a decoder with Likelihood, a prior with Density")
    encoder, decoder, prior = parts.part("encoder", Posterior), parts.part("decoder", Likelihood), parts.part("prior", Density)
    posterior = encoder.posterior(x, context).expand(samples)
    latent = posterior.rsample(generator)
    repeated = None if context is None else context.repeat_interleave(samples)
    log_joint = decoder.likelihood(latent, repeated).log_prob(x.repeat_interleave(samples, 0))
    log_joint = log_joint + prior.log_prob(parts.part("encoder", Encoder).code(latent), repeated)
    return (log_joint - posterior.log_prob(latent)).reshape(len(x), samples).T
