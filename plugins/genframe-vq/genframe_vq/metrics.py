"""How a split's codes are used, and how many bits a two-part code of it takes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from genframe import (
    Batch,
    Categorical,
    Encoder,
    LogProb,
    Metric,
    MetricResult,
    Model,
    Split,
    average,
    blocks,
    evaluating,
    stamp,
)
from genframe.traits import Density, Likelihood

from .counting import code_counts, codebooks_of, perplexity, usage
from .traits import VectorQuantised

if TYPE_CHECKING:
    from .specs import CodebookUse, CodeLength

__all__ = ["CodeLengthMetric", "CodebookMetric"]


class CodebookMetric(Metric):
    """Perplexity and usage of the codes of a split."""

    def __init__(self, spec: CodebookUse) -> None:
        self.spec = spec

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return ``perplexity`` and ``usage``."""
        space = cast(Categorical, model.composition.code)
        codebooks = codebooks_of(model.composition.latent, space)
        counts = torch.zeros(codebooks, space.size, dtype=torch.int64, device=model.device)
        with evaluating(model):
            for batch in blocks(split, seed, model.device):
                found = cast(VectorQuantised, model.encoder).quantised(batch.x, model.context(batch.condition))
                counts += code_counts(found.indices, space, codebooks)
        protocol = stamp(self.spec, split, seed, data=len(split), codebooks=codebooks, size=space.size)
        note = f"mean over {codebooks} codebooks" if codebooks > 1 else ""
        return [
            MetricResult("perplexity", float(perplexity(counts)), f"of {space.size} codes", protocol, note=note),
            MetricResult("usage", float(usage(counts)), "share of codes", protocol, note=note),
        ]


class CodeLengthMetric(Metric):
    """Bits per dimension of a two-part code."""

    def __init__(self, spec: CodeLength) -> None:
        self.spec = spec

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return ``code_length``, and its parts ``prior_code_length`` and ``decoder_code_length``."""
        used = split.subset(slice(self.spec.limit))
        with evaluating(model):
            parts = [self._nats(model, batch) for batch in blocks(used, seed, model.device)]
        indices, data = (torch.cat(part).double() for part in zip(*parts, strict=True))
        protocol = stamp(self.spec, split, seed, data=len(used), code="two parts: indices, then data given them")
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
        """Return -log p(indices) and -log p(x | indices) of each datum: (B,), (B,)."""
        context = model.context(batch.condition)
        found = cast(VectorQuantised, model.encoder).quantised(batch.x, context)
        latent = cast(Encoder, model.encoder).latent(found.indices)
        prior, decoder = cast(Density, model.prior), cast(Likelihood, model.decoder)
        return -prior.log_prob(found.indices, context), -decoder.likelihood(latent, context).log_prob(batch.x)
