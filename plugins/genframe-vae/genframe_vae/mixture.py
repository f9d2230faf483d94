"""Mixtures of normals, and their fit by expectation-maximisation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Generator, Tensor

from genframe import normal_like

from .distributions import LOG_2PI

__all__ = ["EmFit", "Mixture", "fit_mixture"]

ROWS: Final = 512  # codes in a chunk of the E-step: memory does not grow with their number, and a chunk fits the cache
EMPTY: Final = 1e-8  # responsibility below which a component counts as empty


@dataclass(frozen=True)
class Mixture:
    """K normals in D dimensions: ``log_weights`` (K,), ``means`` (K, D) and a factor of each covariance.

    ``factor`` is the standard deviations (K, D) or lower Cholesky factors (K, D, D).

    >>> _ = torch.manual_seed(0)
    >>> mixture = Mixture(torch.tensor([0.5, 0.5]).log(), torch.tensor([[-4.0], [4.0]]), torch.ones(2, 1))
    >>> mixture.log_joint(mixture.sample(5)).shape
    torch.Size([5, 2])
    """

    log_weights: Tensor
    means: Tensor
    factor: Tensor

    @property
    def full(self) -> bool:
        """Whether covariances are full."""
        return self.factor.ndim == 3

    def log_joint(self, codes: Tensor) -> Tensor:
        """Return log p(code, component): (N, D) -> (N, K)."""
        offset = codes.unsqueeze(1) - self.means  # (N, K, D)
        if self.full:
            white: Tensor = torch.linalg.solve_triangular(self.factor, offset.permute(1, 2, 0), upper=False)  # (K, D, N)
            squared = white.square().sum(1).T
            log_det = self.factor.diagonal(dim1=1, dim2=2).log().sum(1)
        else:
            squared = (offset / self.factor).square().sum(2)
            log_det = self.factor.log().sum(1)
        return self.log_weights - log_det - 0.5 * (squared + codes.shape[1] * LOG_2PI)

    def sample(self, n: int, generator: Generator | None = None) -> Tensor:
        """Return ``n`` draws: (n, D)."""
        component = torch.multinomial(self.log_weights.exp(), n, replacement=True, generator=generator)
        noise = normal_like(self.means[component], generator)
        factor = self.factor[component]
        scaled = (factor @ noise.unsqueeze(-1)).squeeze(-1) if self.full else factor * noise
        return self.means[component] + scaled


@dataclass(frozen=True)
class EmFit:
    """What :func:`fit_mixture` returns: the mixture, and whether EM converged.

    ``log_likelihoods`` are those of a code on average, in nats, before each step and after the last.
    """

    mixture: Mixture
    log_likelihoods: list[float]
    converged: bool


@dataclass(frozen=True)
class Moments:
    """What the M-step needs of each component: sums over codes of responsibility times 1, code and code²."""

    mass: Tensor
    first: Tensor
    second: Tensor
    log_likelihood: float


def fit_mixture(
    codes: Tensor,
    components: int,
    *,
    full: bool = True,
    steps: int = 200,
    tolerance: float = 1e-4,
    floor: float = 1e-6,
    generator: Generator | None = None,
) -> EmFit:
    """Fit by EM in float64 from k-means++ seeds: (N, D). Dempster et al. 1977; Arthur & Vassilvitskii 2007.

    Variances (of a full covariance: its eigenvalues) are held at ``floor`` or above, which is the constrained
    maximum, so that the likelihood never falls. Stops when the mean log-likelihood gains less than ``tolerance``.

    :raises ValueError: if there are fewer codes than components, or a code is not finite.

    >>> _ = torch.manual_seed(0)
    >>> fitted = fit_mixture(torch.cat((torch.randn(200, 1) - 4, torch.randn(200, 1) + 4)), components=2)
    >>> fitted.mixture.means.flatten().sort().values.round().tolist()
    [-4.0, 4.0]
    """
    if codes.ndim != 2 or len(codes) < components:
        raise ValueError(f"expected at least {components} codes (N, D), one per component, found shape {tuple(codes.shape)}")
    if not codes.isfinite().all():
        raise ValueError("expected finite codes, found NaN or infinity among them")
    codes = codes.double()
    centre = codes.mean(0)
    mixture = _start(codes - centre, components, full, floor, generator)
    history: list[float] = []
    converged = False
    for _ in range(steps + 1):
        moments = _expect(codes - centre, mixture)
        history.append(moments.log_likelihood)
        converged = len(history) > 1 and history[-1] - history[-2] < tolerance
        if converged or len(history) > steps:
            break
        mixture = _maximise(moments, mixture, len(codes), floor)
    return EmFit(Mixture(mixture.log_weights, mixture.means + centre, mixture.factor), history, converged)


def _start(codes: Tensor, components: int, full: bool, floor: float, generator: Generator | None) -> Mixture:
    """Return the mixture of the codes nearest to each seed."""
    seeds = _plus_plus(codes, components, generator)
    nearest = torch.cdist(codes, seeds).argmin(1)
    resp = torch.nn.functional.one_hot(nearest, components).to(codes)
    variance = codes.var(0, correction=0).clamp(min=floor)
    deviations = variance.sqrt().expand(components, -1)
    overall = Mixture(torch.zeros_like(seeds[:, 0]), seeds, torch.diag_embed(deviations) if full else deviations)
    return _maximise(_moments(codes, resp, full), overall, len(codes), floor)


def _plus_plus(codes: Tensor, count: int, generator: Generator | None) -> Tensor:
    """Return greedy k-means++ seeds: each the best of some draws by squared distance to the seeds so far."""
    trials = 2 + int(math.log(count))
    rows = torch.arange(len(codes), device=codes.device)
    chosen = [rows[torch.randint(len(codes), (1,), generator=generator, device=codes.device)]]
    nearest = (codes - codes[chosen[0]]).square().sum(1)
    for _ in range(count - 1):
        odds = nearest + torch.finfo(nearest.dtype).tiny  # equal odds where all codes are seeds already
        drawn = torch.multinomial(odds, trials, replacement=True, generator=generator)
        distances = torch.minimum(nearest, torch.cdist(codes[drawn], codes).square())  # (trials, N)
        best = distances.sum(1).argmin()
        nearest = distances[best]
        chosen.append(drawn[best].unsqueeze(0))
    return codes[torch.cat(chosen)]


def _moments(codes: Tensor, resp: Tensor, full: bool, log_likelihood: float = 0.0) -> Moments:
    second = torch.einsum("nk,ni,nj->kij", resp, codes, codes) if full else resp.T @ codes.square()
    return Moments(resp.sum(0), resp.T @ codes, second, log_likelihood)


def _expect(codes: Tensor, mixture: Mixture) -> Moments:
    """The E-step: responsibilities, and the moments under them."""
    parts = []
    for rows in codes.split(ROWS):
        log_joint = mixture.log_joint(rows)
        log_density = log_joint.logsumexp(1)
        resp = torch.exp(log_joint - log_density.unsqueeze(1))
        parts.append(_moments(rows, resp, mixture.full, float(log_density.sum())))
    total = sum(part.log_likelihood for part in parts) / len(codes)
    mass, first, second = (torch.stack([getattr(part, name) for part in parts]).sum(0) for name in ("mass", "first", "second"))
    return Moments(mass, first, second, total)


def _maximise(moments: Moments, before: Mixture, n: int, floor: float) -> Mixture:
    """The M-step; an empty component keeps its place and loses its weight."""
    empty = moments.mass < EMPTY
    mass = moments.mass.clamp(min=EMPTY).unsqueeze(1)
    means = moments.first / mass
    if before.full:
        covariance = moments.second / mass.unsqueeze(2) - means.unsqueeze(2) * means.unsqueeze(1)
        factor = _floored_cholesky(covariance, floor)
    else:
        factor = (moments.second / mass - means.square()).clamp(min=floor).sqrt()
    weights = moments.mass.clamp(min=EMPTY) / n
    return Mixture(
        (weights / weights.sum()).log(),
        torch.where(empty.unsqueeze(1), before.means, means),
        torch.where(empty.view(-1, *[1] * (factor.ndim - 1)), before.factor, factor),
    )


def _floored_cholesky(covariance: Tensor, floor: float) -> Tensor:
    """Return Cholesky factors of covariances (K, D, D) whose eigenvalues are raised to ``floor``."""
    values, vectors = torch.linalg.eigh(covariance)
    raised = (vectors * values.clamp(min=floor).unsqueeze(1)) @ vectors.mT
    factor: Tensor = torch.linalg.cholesky(0.5 * (raised + raised.mT))
    return factor
