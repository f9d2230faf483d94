"""Log-likelihood under Gaussian Parzen windows around samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Final

import torch
from torch import Tensor

from genframe import DataError, Metric, MetricResult, Model, Real, Split, average, stamp
from genframe.model import not_finite
from genframe.types import require_real

from .choices import SIGMAS
from .features import vectors
from .protocol import drawn, prepared, samples_in_turn

__all__ = ["ParzenMetric", "parzen_log_prob"]

MOST_PAIRS: Final = 1 << 22  # distances at once; bounds memory
BIAS: Final = "biased, and does not rank models as their log-likelihood does: Theis et al. 2016"


def parzen_log_prob(x: Tensor, centres: Tensor, sigmas: Sequence[float]) -> Tensor:
    """Return log 1/N sum_i N(x; c_i, sigma² I) in nats for each sigma: (B, D), (N, D) -> (S, B).

    >>> x, centres = torch.zeros(1, 2), torch.zeros(5, 2)
    >>> parzen_log_prob(x, centres, [1.0])  # -log 2 pi
    tensor([[-1.8379]])
    """
    blocks = []
    for rows in x.split(max(1, MOST_PAIRS // len(centres))):
        squares = torch.cdist(rows, centres).square()  # (block, N)
        blocks.append(torch.stack([(squares / (-2 * sigma**2)).logsumexp(1) for sigma in sigmas]))
    scale = torch.tensor(sigmas, dtype=x.dtype, device=x.device) * math.sqrt(2 * math.pi)
    return torch.cat(blocks, 1) - centres.shape[1] * scale.log()[:, None] - math.log(len(centres))


class ParzenMetric(Metric):
    """Mean log-likelihood of data under Gaussian windows around samples, and around training data. Breuleux et al. 2011.

    :param n: how many samples, and how many training examples if there are as many.
    :param sigmas: the standard deviations of the windows to choose from.
    :param validation: how many training examples choose the deviation, at most half of them.
    :param limit: use only this many examples, drawn by the seed; all unless given.

    >>> found, of_data = ParzenMetric(n=100).measure(model, test, train=train)
    >>> found.name, found.unit
    ('parzen', 'nats')
    """

    type: ClassVar[str] = "metrics/parzen"

    def __init__(
        self, n: int = 10_000, sigmas: Sequence[float] = SIGMAS, validation: int = 1000, limit: int | None = None
    ) -> None:
        self.n, self.sigmas, self.validation, self.limit = n, sigmas, validation, limit

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return ``parzen`` and ``parzen_of_data`` in nats; the standard error takes the windows as given.

        :raises DataError: if there are no examples, or fewer than two for training.
        :raises Mismatch: if the data is classes.
        """
        space = require_real(model.composition.data, self.type)
        used, training = drawn(split, self.limit, seed), drawn(train, self.validation + self.n, seed)
        if len(training) < 2:
            raise DataError(f"the deviation of windows is chosen by training data, and there are {len(training)}")
        data = prepared(used, seed, model.device)
        known = _in_unit_range(prepared(training, seed, model.device).x, space)
        samples = _in_unit_range(samples_in_turn(model, self.n, data, seed), space)
        held_out, known = known.tensor_split([min(self.validation, len(known) // 2)])
        settings = {"samples": self.n, "sigmas": list(self.sigmas), "validation": len(held_out)}
        protocol = stamp(self.type, split, seed, data=len(used), **settings)
        x = _in_unit_range(data.x, space)
        return [
            self._result("parzen", x, samples, "samples", held_out, protocol),
            self._result("parzen_of_data", x, known, "training data", held_out, protocol),
        ]

    def _result(
        self, name: str, x: Tensor, centres: Tensor, what: str, held_out: Tensor, protocol: dict[str, Any]
    ) -> MetricResult:
        sigmas = self.sigmas
        best = int(parzen_log_prob(held_out, centres, sigmas).mean(1).argmax())
        chosen = f"{len(centres)} {what}, sigma {sigmas[best]:g}"
        if sigmas[best] in (min(sigmas), max(sigmas)):
            chosen += " at the end of its grid"
        notes = (BIAS, chosen, not_finite(centres, what))
        return average(
            name, parzen_log_prob(x, centres, sigmas[best : best + 1])[0], "nats", protocol, "; ".join(filter(None, notes))
        )


def _in_unit_range(x: Tensor, space: Real) -> Tensor:
    """Return data as vectors, with the bounds of bounded data at 0 and 1: (N, ...) -> (N, D)."""
    if space.low is None or space.high is None:
        return vectors(x, space)
    return (vectors(x, space) - space.low) / (space.high - space.low)
