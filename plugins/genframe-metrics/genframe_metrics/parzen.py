"""Log-likelihood under Gaussian Parzen windows around samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, cast

import torch
from torch import Tensor

from genframe import DataError, Metric, MetricResult, Model, Real, Split, average, stamp
from genframe.measurement import not_finite

from .features import vectors
from .protocol import drawn, prepared, samples_in_turn
from .specs import Parzen

__all__ = ["ParzenMetric", "parzen_log_prob"]

MOST_PAIRS: Final = 1 << 22  # distances at once; bounds memory
BIAS: Final = "biased, and does not rank models as their log-likelihood does: Theis et al. 2016"


def parzen_log_prob(x: Tensor, centres: Tensor, sigmas: Sequence[float]) -> Tensor:
    """Return log 1/N sum_i N(x; c_i, sigma² I) in nats for each sigma: (B, D), (N, D) -> (S, B), in double precision."""
    blocks = []
    for rows in x.split(max(1, MOST_PAIRS // len(centres))):
        squares = torch.cdist(rows, centres).square()  # (block, N)
        blocks.append(torch.stack([(squares / (-2 * sigma**2)).logsumexp(1) for sigma in sigmas]))
    scale = torch.tensor(sigmas, dtype=x.dtype, device=x.device) * math.sqrt(2 * math.pi)
    return torch.cat(blocks, 1) - centres.shape[1] * scale.log()[:, None] - math.log(len(centres))


class ParzenMetric(Metric):
    """Mean log-likelihood of data under windows around samples, and around training data."""

    def __init__(self, spec: Parzen) -> None:
        self.spec = spec

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return ``parzen`` and ``parzen_of_data`` in nats; the standard error is of the mean over data, the windows as given.

        :raises DataError: if there are no data, or fewer than two training data.
        """
        spec, space = self.spec, cast(Real, model.composition.data)
        used, training = drawn(split, spec.limit, seed), drawn(train, spec.validation + spec.n, seed)
        if len(training) < 2:
            raise DataError(f"the deviation of windows is chosen by training data, and there are {len(training)}")
        data = prepared(used, seed, model.device)
        known = _in_unit_range(prepared(training, seed, model.device).x, space)
        samples = _in_unit_range(samples_in_turn(model, spec.n, data, seed), space)
        held_out, known = known.tensor_split([min(spec.validation, len(known) // 2)])
        protocol = stamp(spec, split, seed, data=len(used), samples=spec.n, sigmas=list(spec.sigmas), validation=len(held_out))
        x = _in_unit_range(data.x, space)
        return [
            self._result("parzen", x, samples, "samples", held_out, protocol),
            self._result("parzen_of_data", x, known, "training data", held_out, protocol),
        ]

    def _result(
        self, name: str, x: Tensor, centres: Tensor, what: str, held_out: Tensor, protocol: dict[str, Any]
    ) -> MetricResult:
        sigmas = self.spec.sigmas
        best = int(parzen_log_prob(held_out, centres, sigmas).mean(1).argmax())
        chosen = f"{len(centres)} {what}, sigma {sigmas[best]:g}"
        if sigmas[best] in (min(sigmas), max(sigmas)):
            chosen += " at the end of its grid"
        notes = (BIAS, chosen, not_finite(centres, what))
        return average(
            name, parzen_log_prob(x, centres, sigmas[best : best + 1])[0], "nats", protocol, "; ".join(filter(None, notes))
        )


def _in_unit_range(x: Tensor, space: Real) -> Tensor:
    """Return data as vectors, of bounded data with the bounds at 0 and 1: (N, ...) -> (N, D)."""
    if space.low is None or space.high is None:
        return vectors(x, space)
    return (vectors(x, space) - space.low) / (space.high - space.low)
