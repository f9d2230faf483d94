"""Likelihood of held-out data, importance-weighted or exact, and the terms of the evidence lower bound."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import reduce
from operator import add
from typing import ClassVar

import torch
from torch import Generator, Tensor

from genframe import Batch, LogProb, Metric, MetricResult, Model, Split, Unsupported, average, blocks, evaluating, stamp
from genframe.types import Density, Likelihood, Posterior

from .protocol import drawn, draws_of

__all__ = ["ElboMetric", "NllMetric", "importance_weighted", "rate_and_distortion"]


def importance_weighted(model: Model, batch: Batch, samples: int, max_rows: int, generator: Generator) -> LogProb:
    """Return log 1/K sum_k p(x, z_k) / q(z_k|x) with at most ``max_rows`` latents decoded at once.

    The sum is taken in double precision. ``samples`` of the result is the number of draws that were made.

    Source: Burda et al. 2015, eq. 8.
    """
    if len(batch.x) > max_rows:
        pieces = [_rows(batch, slice(start, start + max_rows)) for start in range(0, len(batch.x), max_rows)]
        return reduce(add, [importance_weighted(model, piece, samples, max_rows, generator) for piece in pieces])
    context = model.context(batch.condition)
    total, drawn_so_far = torch.full((len(batch.x),), -math.inf, dtype=torch.float64, device=batch.x.device), 0
    while drawn_so_far < samples:
        count = min(samples - drawn_so_far, max(1, max_rows // len(batch.x)))
        weights = model.log_weights(batch.x, context, samples=count, generator=generator)  # (count, B)
        total = torch.logaddexp(total, weights.double().logsumexp(0))
        drawn_so_far += len(weights)
    estimator = "importance weighting" if drawn_so_far > 1 else "evidence lower bound"
    composition = model.composition
    nats = total - math.log(drawn_so_far)
    return LogProb(nats, composition.density, composition.data, composition.mass, estimator, drawn_so_far)


def _rows(batch: Batch, rows: slice) -> Batch:
    return Batch(batch.x[rows], batch.condition[rows] if batch.condition is not None else None)


class NllMetric(Metric):
    """Mean negative log-likelihood, exact or as an upper bound, with bits per dimension where they have a meaning.

    :param samples: draws per example, where the density is estimated.
    :param max_rows: how many latents are decoded at once; bounds memory.
    :param limit: use only this many examples, drawn by the seed; all unless given.

    >>> (nll,) = NllMetric().measure(model, test, train=train)  # a model of N(0, I) in the plane
    >>> nll.unit, 2.5 < nll.value < 3.2, nll.note  # log 2 pi e is 2.84
    ('nats', True, 'exact')
    """

    type: ClassVar[str] = "metrics/nll"

    def __init__(self, samples: int = 200, max_rows: int = 2500, limit: int | None = None) -> None:
        self.samples, self.max_rows, self.limit = samples, max_rows, limit

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return ``nll`` in nats, ``bits_per_dim`` of discrete or dequantised data, and ``bits_per_character`` of text."""
        used = drawn(split, self.limit, seed)
        generator = draws_of(model, seed)
        with evaluating(model):
            parts = [self._log_prob(model, batch, generator) for batch in blocks(used, seed, model.device)]
        log_prob = reduce(add, parts)
        protocol = stamp(
            self.type, split, seed, data=len(used), kind=log_prob.kind, estimator=log_prob.estimator, samples=log_prob.samples
        )
        nll = average("nll", -log_prob.nats, "nats", protocol, _label(log_prob))
        return [nll, *_in_bits(nll, log_prob), *_in_characters(nll, log_prob, used)]

    def _log_prob(self, model: Model, batch: Batch, generator: Generator) -> LogProb:
        samples = self.samples
        if model.composition.estimate == "importance weights":
            return importance_weighted(model, batch, samples, self.max_rows, generator)
        pieces = [_rows(batch, slice(at, at + self.max_rows)) for at in range(0, len(batch.x), self.max_rows)]
        return reduce(add, [model.log_prob(each.x, each.condition, samples=samples, generator=generator) for each in pieces])


def _label(log_prob: LogProb) -> str:
    if log_prob.kind == log_prob.estimator:
        return log_prob.kind
    bound = {"≥": "upper bound", "≤": "lower bound"}.get(log_prob.relation)  # of minus the log-likelihood
    if bound is None:
        return f"{log_prob.kind}, by {log_prob.estimator}"
    return f"{bound}, by {log_prob.estimator} with samples: {log_prob.samples}"


def _in_bits(nll: MetricResult, log_prob: LogProb) -> list[MetricResult]:
    """Return the same in bits per dimension, or nothing where it would depend on the unit of the data."""
    try:
        bits = log_prob.bits_per_dim
    except Unsupported:
        return []
    error = nll.standard_error
    scaled = error / (log_prob.space.dims * math.log(2)) if error is not None else None
    return [replace(nll, name="bits_per_dim", value=bits, unit="bits/dim", standard_error=scaled)]


def _in_characters(nll: MetricResult, log_prob: LogProb, split: Split) -> list[MetricResult]:
    """Return the bits per character of text, with an error by linearisation; nothing for other data."""
    if split.characters is None:
        return []
    characters, bits = split.characters.double().cpu(), -log_prob.nats.double().cpu() / math.log(2)
    value = float(bits.sum() / characters.sum())
    residual = (bits - value * characters) / characters.mean()
    error = float(residual.std() / math.sqrt(len(residual))) if len(residual) > 1 else None
    return [replace(nll, name="bits_per_character", value=value, unit="bits/character", standard_error=error)]


def rate_and_distortion(model: Model, batch: Batch, samples: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """Return KL(q(z|x) || p(z)) and -E_q[log p(x|z)] of each example in nats: (B,), (B,).

    Expectations are means over ``samples`` draws; the entropy of q is in closed form.

    :raises Unsupported: if the model is not an encoder with Posterior, decoder with Likelihood and prior with Density.
    """
    encoder, decoder, prior = model.encoder, model.decoder, model.prior
    if encoder is None or not (
        isinstance(encoder, Posterior) and isinstance(decoder, Likelihood) and isinstance(prior, Density)
    ):
        raise Unsupported("rate and distortion need Posterior, Likelihood and Density")
    context = model.context(batch.condition)
    posterior = encoder.posterior(batch.x, context)
    rates, distortions = [], []
    for _ in range(samples):
        latent = posterior.rsample(generator)
        rates.append(-posterior.entropy() - prior.log_prob(encoder.code(latent), context))
        distortions.append(-decoder.likelihood(latent, context).log_prob(batch.x))
    return torch.stack(rates).double().mean(0), torch.stack(distortions).double().mean(0)


class ElboMetric(Metric):
    """Mean rate, distortion and evidence lower bound. Kingma & Welling 2013, eq. 3.

    :param samples: draws of the latent per example, averaged.
    :param limit: use only this many examples, drawn by the seed; all unless given.

    >>> spec = {"encoder": "vae/gaussian", "decoder": "vae/normal", "loss": "vae/elbo"}
    >>> vae = compose(ModelSpec.model_validate(spec), Real((2,)))
    >>> rate, distortion, elbo = ElboMetric().measure(vae, test, train=train)
    >>> abs(elbo.value + rate.value + distortion.value) < 1e-9
    True
    """

    type: ClassVar[str] = "metrics/elbo"

    def __init__(self, samples: int = 1, limit: int | None = None) -> None:
        self.samples, self.limit = samples, limit

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return ``rate``, ``distortion`` and ``elbo`` in nats, all of the same draws."""
        used = drawn(split, self.limit, seed)
        generator = draws_of(model, seed)
        with evaluating(model):
            terms = [rate_and_distortion(model, batch, self.samples, generator) for batch in blocks(used, seed, model.device)]
        rate, distortion = (torch.cat(term) for term in zip(*terms, strict=True))
        protocol = stamp(
            self.type, split, seed, data=len(used), kind="lower bound", estimator="Monte Carlo", samples=self.samples
        )
        return [
            average("rate", rate, "nats", protocol),
            average("distortion", distortion, "nats", protocol),
            average("elbo", -(rate + distortion), "nats", protocol),
        ]
