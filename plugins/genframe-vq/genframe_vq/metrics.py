"""How a split's codes are used, and how many bits a two-part code of it takes."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from genframe import (
    Batch,
    Encoder,
    LogProb,
    Metric,
    MetricResult,
    Model,
    Split,
    average,
    blocks,
    evaluating,
    require_categorical,
    stamp,
)
from genframe.types import Density, Likelihood

from .counting import code_counts, columns_of, perplexity, usage
from .traits import VectorQuantised

__all__ = ["CodeLengthMetric", "CodebookMetric"]


class CodebookMetric(Metric):
    """Perplexity and usage of the codes of a split.

    >>> CodebookMetric().type
    'vq/codebook'
    """

    type: ClassVar[str] = "vq/codebook"

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return ``perplexity`` and ``usage``, averaged over codebooks."""
        space = require_categorical(model.composition.code, "the use of a codebook")
        columns = columns_of(model.composition.latent, space)
        counts = torch.zeros(columns, space.size, dtype=torch.int64, device=model.device)
        encoder = model.part("encoder", VectorQuantised)
        with evaluating(model):
            for batch in blocks(split, seed, model.device):
                counts += code_counts(encoder.quantised(batch.x, model.context(batch.condition)).indices, columns, space.size)
        protocol = stamp(self.type, split, seed, data=len(split), codebooks=columns, size=space.size)
        note = f"mean over {columns} codebooks" if columns > 1 else ""
        return [
            MetricResult("perplexity", float(perplexity(counts)), f"of {space.size} codes", protocol, note=note),
            MetricResult("usage", float(usage(counts)), "share of codes", protocol, note=note),
        ]


class CodeLengthMetric(Metric):
    """Bits per dimension of a two-part code: the indices, then the data given them.

    ``limit`` is the number of examples to use; all if ``None``.

    >>> CodeLengthMetric(limit=100).limit
    100
    """

    type: ClassVar[str] = "vq/code_length"

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return ``code_length``, and its parts ``prior_code_length`` and ``decoder_code_length``."""
        used = split.subset(slice(self.limit))
        with evaluating(model):
            parts = [self._nats(model, batch) for batch in blocks(used, seed, model.device)]
        indices, data = (torch.cat(part).double() for part in zip(*parts, strict=True))
        protocol = stamp(self.type, split, seed, data=len(used), code="two parts: indices, then data given them")
        composition = model.composition
        bin_bits = LogProb(torch.zeros(1), "lower bound", composition.data, composition.mass, "two-part code").bits_per_dim
        bits_a_nat = 1 / (composition.data.dims * math.log(2))
        of_indices, of_data = indices * bits_a_nat, data * bits_a_nat + bin_bits
        return [
            average("code_length", of_indices + of_data, "bits/dim", protocol, "two-part code, an upper bound of -log2 p(x)"),
            average("prior_code_length", of_indices, "bits/dim", protocol, "of the indices"),
            average("decoder_code_length", of_data, "bits/dim", protocol, "of data given the indices"),
        ]

    @staticmethod
    def _nats(model: Model, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return -log p(indices) and -log p(x | indices) of each example in nats: (B,), (B,)."""
        context = model.context(batch.condition)
        indices = model.part("encoder", VectorQuantised).quantised(batch.x, context).indices
        likelihood = model.part("decoder", Likelihood).likelihood(model.part("encoder", Encoder).latent(indices), context)
        return -model.part("prior", Density).log_prob(indices, context), -likelihood.log_prob(batch.x)
