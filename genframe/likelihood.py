"""Likelihood as a value: how much, of which kind, in which unit, and by which estimate."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .errors import Unsupported
from .spaces import Real, Space
from .traits import DensityKind

__all__ = ["LogProb"]


@dataclass(frozen=True, repr=False)
class LogProb:
    """Log-likelihood of each datum under a model.

    ``nats``: (B,), of probability where ``mass`` is true, else of density in the units of ``space``.
    ``kind`` says whether it is exact, a lower bound or unnormalised; ``estimator`` by which method, with
    ``samples`` draws for each datum.
    """

    nats: Tensor
    kind: DensityKind
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
        """Standard error of the mean over data, in nats; NaN for a single datum."""
        if len(self.nats) < 2:
            return math.nan
        return float(self.nats.detach().double().std() / math.sqrt(len(self.nats)))

    @property
    def dequantisation(self) -> str:
        """How continuous density and discrete data were reconciled: ``uniform`` noise, or ``none``."""
        return "uniform" if isinstance(self.space, Real) and self.space.dequantised else "none"

    @property
    def bits_per_dim(self) -> float:
        """Mean negative log-probability in bits for each dimension of the data (an upper bound for a lower bound).

        A density of dequantised data becomes a probability by the volume of a bin (Theis et al. 2015, sec. 3.1).

        :raises Unsupported: where the data are not discrete, so that the figure would depend on their unit.
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
        if self._protocol() != other._protocol():
            raise ValueError("log-probabilities of different kinds do not add up to one batch")
        nats = torch.cat([self.nats, other.nats])
        return LogProb(nats, self.kind, self.space, self.mass, self.estimator, self.samples)

    def _protocol(self) -> tuple[object, ...]:
        return self.kind, self.space, self.mass, self.estimator, self.samples

    def __repr__(self) -> str:
        relation = {"exact": "=", "lower bound": "≥"}.get(self.kind, "∝")
        error = f" ± {self.standard_error:.2g}" if len(self.nats) > 1 else ""
        return f"log p(x) {relation} {self.average:.4f}{error} nats ({self.estimator}, samples: {self.samples})"
