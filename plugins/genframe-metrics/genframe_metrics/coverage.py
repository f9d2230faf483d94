"""Counting the modes that a model's samples reach."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from genframe import Metric, MetricResult, Model, Split, stamp
from genframe.measurement import not_finite

from .protocol import prepared, samples_in_turn
from .specs import Modes

__all__ = ["Coverage", "ModesMetric", "coverage", "divergence_from_equal", "expected_coverage"]


@dataclass(frozen=True)
class Coverage:
    """Modes reached, the share of samples near one, and the divergence of the modes' shares from equal ones in nats."""

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
    """The coverage of known modes by samples."""

    def __init__(self, spec: Modes) -> None:
        self.spec = spec

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return ``modes``, ``high_quality`` and ``reverse_kl``, each with that of a perfect sampler after it.

        A conditional model draws under the split's conditions in turn.
        """
        spec = self.spec
        data = prepared(split, seed, model.device)
        samples = samples_in_turn(model, spec.n, data, seed).double()
        modes = torch.tensor(spec.places, dtype=torch.float64, device=samples.device)
        found = coverage(samples, modes, spec.within * spec.sigma)
        perfect = expected_coverage(len(modes), spec.n, spec.within)
        protocol = stamp(spec, split, seed, data=len(split), samples=spec.n, toy=spec.toy, sigma=spec.sigma, within=spec.within)
        error = math.sqrt(found.high_quality * (1 - found.high_quality) / spec.n)
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
