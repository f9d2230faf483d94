"""Metrics of energy models: log-likelihood by annealed importance sampling, and the mixing of chains."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from typing import Any, ClassVar, Final

import torch
from torch import Tensor

from genframe import Metric, MetricResult, Model, Split, Unsupported, blocks, evaluating, generator_for, stamp
from genframe.model import DATA
from genframe.types import Bijective, Energy

from .annealing import SCHEDULE, LogZ, Schedule, log_z_of
from .diagnostics import effective_sample_size, split_r_hat
from .traits import Annealed, MeanField, Walks
from .units import random_states

__all__ = ["LogLikelihoodMetric", "MixingMetric"]

MOST_FOR_MARGINALS: Final = 10_000
REFERENCE: Final = DATA + 1
DRAWS: Final = DATA + 2


class LogLikelihoodMetric(Metric):
    """Mean log-likelihood of a split in nats, and log Z from both sides. Salakhutdinov & Murray 2008.

    ``samples``, ``betas`` and ``sweeps`` are those of :func:`~genframe_energy.annealing.log_z_of`; ``limit`` is the number of
    examples to use, all if ``None``.

    >>> LogLikelihoodMetric(betas=[(1000, 1.0)]).samples
    100
    """

    type: ClassVar[str] = "energy/log_likelihood"

    def __init__(self, samples: int = 100, *, betas: Schedule = SCHEDULE, sweeps: int = 1000, limit: int | None = None) -> None:
        self.samples, self.betas, self.sweeps, self.limit = samples, betas, sweeps, limit

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return ``log_likelihood``, ``log_z`` and, unless that is exact, its estimate from the other side, all in nats.

        The first is named ``log_likelihood_bound`` where only a mean-field bound of the energy is known.
        """
        with evaluating(model):
            log_z = self._log_z(model, train, seed)
            unnormalised = torch.cat(list(self._unnormalised(model, split, seed)))
        protocol = stamp(
            self.type,
            split,
            seed,
            kind="unnormalised",
            data=len(unnormalised),
            estimator=log_z.estimator,
            runs=self.samples,
            betas=[list(pair) for pair in self.betas],
            sweeps=self.sweeps,
        )
        value = float(unnormalised.mean()) - log_z.nats
        error = math.hypot(float(unnormalised.std()) / math.sqrt(len(unnormalised)), log_z.standard_error)
        interval = f"by {log_z.estimator}"
        if log_z.forward is not None:
            shift = value + log_z.nats
            interval += f"; from {shift - log_z.high:.2f} to {shift - log_z.low:.2f} by the 95 % interval of log Z"
        bounded = model.composition.has("prior", MeanField)
        return [
            MetricResult("log_likelihood_bound" if bounded else "log_likelihood", value, "nats", protocol, error, interval),
            *_normalisers(log_z, protocol),
        ]

    def _log_z(self, model: Model, train: Split, seed: int) -> LogZ:
        prior, device = model.part("prior", Annealed), model.device
        rows = torch.randperm(len(train), generator=generator_for("cpu", seed, REFERENCE))[:MOST_FOR_MARGINALS]
        batch = train.batch(rows.to(train.device), generator_for(train.device, seed, DATA))
        generator = generator_for(device, seed, DRAWS)
        states = prior.states(model.codes(batch.x.to(device)), None, generator)
        return log_z_of(prior, states, runs=self.samples, betas=self.betas, sweeps=self.sweeps, generator=generator)

    def _unnormalised(self, model: Model, split: Split, seed: int) -> Iterator[Tensor]:
        """Yield log p(x) + log Z of data in nats, a block at a time: (B,)."""
        encoder, prior = model.part("encoder", Bijective), model.part("prior", Energy)
        for batch in blocks(split.subset(slice(self.limit)), seed, model.device):
            latent, log_abs_det = encoder.forward_and_log_det(batch.x)
            yield (log_abs_det - prior.energy(latent)).double()


def _normalisers(log_z: LogZ, protocol: dict[str, Any]) -> list[MetricResult]:
    if log_z.forward is None or log_z.reverse is None:
        return [MetricResult("log_z", log_z.nats, "nats", protocol, note="exact")]
    interval = f"95 % interval from {log_z.low:.2f} to {log_z.high:.2f}"
    return [
        MetricResult("log_z", log_z.nats, "nats", protocol, log_z.forward.standard_error, interval),
        MetricResult(
            "log_z_reverse",
            log_z.reverse.nats,
            "nats",
            protocol,
            log_z.reverse.standard_error,
            "above log Z where chains had mixed",
        ),
    ]


class MixingMetric(Metric):
    """R-hat and effective sample size of the model's own sampler: of ``draws`` steps of ``chains``, after ``burn_in`` steps.

    Gelman et al. 2013 (BDA3), sec. 11.4 and 11.5.

    >>> MixingMetric(chains=4).draws
    1000
    """

    type: ClassVar[str] = "energy/mixing"

    def __init__(self, chains: int = 16, *, burn_in: int = 1000, draws: int = 1000) -> None:
        self.chains, self.burn_in, self.draws = chains, burn_in, draws

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return both for the energy, and for the worst of those dimensions of the code that move.

        :raises Unsupported: if the model's sampler is no chain over codes.
        """
        with evaluating(model):
            draws = self._draws(model, seed)  # (chains, steps, 1 + D)
        sampler = model.composition.spec.sampler.model_dump(mode="json")
        protocol = stamp(self.type, split, seed, chains=self.chains, burn_in=self.burn_in, draws=self.draws, sampler=sampler)
        r_hat, size = split_r_hat(draws), effective_sample_size(draws)
        moving = ~r_hat[1:].isnan()
        note = f"of {self.chains * self.draws} draws"
        results = [
            MetricResult("energy_r_hat", float(r_hat[0]), "", protocol),
            MetricResult("energy_ess", float(size[0]), "draws", protocol, note=note),
        ]
        if bool(moving.any()):
            results += [
                MetricResult("worst_r_hat", float(r_hat[1:][moving].max()), "", protocol),
                MetricResult("worst_ess", float(size[1:][moving].min()), "draws", protocol, note=note),
            ]
        return results

    def _draws(self, model: Model, seed: int) -> Tensor:
        """Return the energies and codes of the chains: (chains, draws, 1 + D)."""
        if not isinstance(model.sampler, Walks):
            raise Unsupported("the mixing of chains is measured of a sampler with Walks, such as energy/gibbs")
        prior, generator = model.part("prior", Energy), generator_for(model.device, seed, DRAWS)
        start = random_states(model.composition.code, self.chains, generator, model.device)
        walk = model.sampler.walk(prior, start, None, generator)
        kept = islice(walk, self.burn_in, self.burn_in + self.draws)
        return torch.stack([torch.cat((prior.energy(code)[:, None], code.flatten(1).float()), 1) for code in kept], 1)
