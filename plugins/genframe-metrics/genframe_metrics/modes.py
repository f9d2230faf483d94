"""Counting the modes that a model's samples reach."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from genframe import Metric, MetricResult, Model, Split, stamp
from genframe.model import not_finite

from .protocol import prepared, samples_in_turn

__all__ = ["Coverage", "ModesMetric", "coverage", "divergence_from_equal", "expected_coverage"]


@dataclass(frozen=True)
class Coverage:
    """How many modes are reached, the share of samples near a mode, and the divergence of the modes' shares from equal ones.

    The divergence is in nats.

    >>> modes = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    >>> coverage(torch.tensor([[0.1, 0.0], [0.9, 0.0], [5.0, 0.0], [0.0, 0.0]]), modes, radius=0.2)
    Coverage(modes=2.0, high_quality=0.75, reverse_kl=0.0)
    """

    modes: float
    high_quality: float
    reverse_kl: float


def coverage(x: Tensor, modes: Tensor, radius: float) -> Coverage:
    """Return the coverage of ``modes`` (K, D) by samples (n, D): near is within ``radius``. Lin et al. 2018, sec. 4.1."""
    distance, nearest = torch.cdist(x, modes).min(1)
    near = distance <= radius
    shares = torch.bincount(nearest, minlength=len(modes)).double() / len(x)
    reached = torch.bincount(nearest[near], minlength=len(modes)) > 0
    return Coverage(float(reached.sum()), float(near.double().mean()), divergence_from_equal(shares))


def divergence_from_equal(shares: Tensor) -> float:
    """Return the Kullback-Leibler divergence in nats of the modes' shares (K,) from equal ones."""
    return float(torch.xlogy(shares, shares * len(shares)).sum())


def expected_coverage(modes: int, n: int, within: float) -> Coverage:
    """Return what ``n`` draws from a mixture of well separated normals in the plane are expected to have.

    A draw is near with probability 1 - exp(-within² / 2). The number of draws of a mode is binomial, and with it
    E[KL] = K E[(N / n) log(K N / n)].
    """
    near = -math.expm1(-(within**2) / 2)
    counts = torch.arange(n + 1, dtype=torch.float64)
    number = torch.distributions.Binomial(n, torch.tensor(1 / modes, dtype=torch.float64))
    shares = counts / n
    divergence = modes * (number.log_prob(counts).exp() * torch.xlogy(shares, shares * modes)).sum()
    return Coverage(modes * -math.expm1(n * math.log1p(-near / modes)), near, float(divergence))


class ModesMetric(Metric):
    """The coverage of known modes in the plane by samples. Lin et al. 2018, sec. 4.1.

    :param modes: the modes, (K, 2).
    :param sigma: the standard deviation of the data around each mode.
    :param n: how many samples to draw.
    :param within: how many standard deviations from a mode are near.
    :param name: the name of these modes in the stamp of a result.

    >>> metric = ModesMetric([(0, 0), (9, 0)], sigma=1.0, n=200)
    >>> results = metric.measure(model, test, train=train)  # a model of N(0, I)
    >>> results[0].name, results[0].value, results[0].unit
    ('modes', 1.0, 'of 2')
    """

    type: ClassVar[str] = "metrics/modes"

    def __init__(
        self, modes: Sequence[tuple[float, float]], sigma: float, n: int = 2500, within: float = 3.0, name: str = "modes"
    ) -> None:
        self.modes, self.sigma, self.n, self.within, self.name = modes, sigma, n, within, name

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return ``modes``, ``high_quality`` and ``reverse_kl``, each followed by that of a perfect sampler.

        A conditional model draws under the conditions of the split in turn.
        """
        data = prepared(split, seed, model.device)
        samples = samples_in_turn(model, self.n, data, seed).double()
        modes = torch.tensor(self.modes, dtype=torch.float64, device=samples.device)
        found = coverage(samples, modes, self.within * self.sigma)
        perfect = expected_coverage(len(modes), self.n, self.within)
        settings = {"toy": self.name, "sigma": self.sigma, "within": self.within}
        protocol = stamp(self.type, split, seed, data=len(split), samples=self.n, **settings)
        error = math.sqrt(found.high_quality * (1 - found.high_quality) / self.n)
        note = not_finite(samples, "samples")
        results = []
        for name, unit, standard_error in (
            ("modes", f"of {len(modes)}", None),
            ("high_quality", "of samples", error),
            ("reverse_kl", "nats", None),
        ):
            results.append(MetricResult(name, getattr(found, name), unit, protocol, standard_error, note))
            best = f"{name}_of_perfect_sampler"
            results.append(MetricResult(best, getattr(perfect, name), unit, protocol, note="in expectation"))
        return results
