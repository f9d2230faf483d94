"""Metrics of energy models: log-likelihood by annealed importance sampling, and how well chains mix."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, cast

import torch
from torch import Tensor

from genframe import Metric, MetricResult, Model, Split, blocks, evaluating, generator_for, stamp
from genframe.measurement import DATA
from genframe.traits import Bijective, Energy

from .annealing import LogZ, annealed_log_z, betas_of, enumerated_log_z
from .chains import ChainSampler
from .diagnostics import effective_sample_size, split_r_hat
from .traits import Annealed, MeanField
from .units import random_states

if TYPE_CHECKING:
    from .specs import LogLikelihood, Mixing

__all__ = ["LogLikelihoodMetric", "MixingMetric"]

MOST_FOR_MARGINALS: Final = 10_000
REFERENCE: Final = DATA + 1
DRAWS: Final = DATA + 2


class LogLikelihoodMetric(Metric):
    """Mean log-likelihood of a split, and log Z from both sides."""

    def __init__(self, spec: LogLikelihood) -> None:
        self.spec = spec

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return ``log_likelihood`` and ``log_z`` with its two estimates where it is not exact, all in nats.

        ``log_likelihood_bound`` stands for the former where energies are known by a mean-field bound only.
        """
        with evaluating(model):
            log_z = self._log_z(model, train, seed)
            unnormalised = torch.cat(list(self._unnormalised(model, split, seed)))
        protocol = stamp(
            self.spec,
            split,
            seed,
            kind="unnormalised",
            data=len(unnormalised),
            estimator=log_z.estimator,
            runs=self.spec.samples,
            betas=[list(pair) for pair in self.spec.betas],
            sweeps=self.spec.sweeps,
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
        prior, device = cast(Annealed, model.prior), model.device
        rows = torch.randperm(len(train), generator=generator_for("cpu", seed, REFERENCE))[:MOST_FOR_MARGINALS]
        batch = train.batch(rows.to(train.stored.device), generator_for(train.stored.device, seed, DATA))
        generator = generator_for(device, seed, DRAWS)
        states = prior.states(model.codes(batch.x.to(device)), None, generator)
        path = prior.annealing_path(states)
        exact = enumerated_log_z(path)
        if exact is not None:
            return exact
        samples = states[torch.arange(self.spec.samples, device=device) % len(states)]
        for _ in range(self.spec.sweeps):
            samples = prior.transition(samples, None, generator)
        return annealed_log_z(path, betas_of(self.spec.betas), self.spec.samples, samples, generator)

    def _unnormalised(self, model: Model, split: Split, seed: int) -> Any:
        """Yield log p(x) + log Z of data, a block at a time: (B,)."""
        for batch in blocks(split.subset(slice(self.spec.limit)), seed, model.device):
            latent, log_abs_det = cast(Bijective, model.encoder).forward_and_log_det(batch.x)
            yield (log_abs_det - cast(Energy, model.prior).energy(latent)).double()


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
    """R-hat and effective sample size of the model's own sampler."""

    def __init__(self, spec: Mixing) -> None:
        self.spec = spec

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return both for the energy, and for the worst of the code's dimensions that move."""
        spec = self.spec
        with evaluating(model):
            draws = self._draws(model, seed)  # (chains, steps, 1 + D)
        sampler = model.composition.spec.sampler.model_dump(mode="json")
        protocol = stamp(spec, split, seed, chains=spec.chains, burn_in=spec.burn_in, draws=spec.draws, sampler=sampler)
        r_hat, size = split_r_hat(draws), effective_sample_size(draws)
        moving = ~r_hat[1:].isnan()
        note = f"of {spec.chains * spec.draws} draws"
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
        spec, prior = self.spec, cast(Energy, model.prior)
        generator = generator_for(model.device, seed, DRAWS)
        start = random_states(model.composition.code, spec.chains, generator, model.device)
        walk = cast(ChainSampler, model.sampler).walk(model, start, None, generator)
        for _ in range(spec.burn_in):
            next(walk)
        rows = [torch.cat((prior.energy(code)[:, None], code.flatten(1).float()), 1) for code in _first(walk, spec.draws)]
        return torch.stack(rows, 1)


def _first(walk: Any, count: int) -> Any:
    for _ in range(count):
        yield next(walk)
