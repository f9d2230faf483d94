"""How a split's codes are used, and how many bits a two-part code of it takes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, cast

import torch
from torch import Tensor

from genframe import (
    Batch,
    Categorical,
    Encoder,
    LogProb,
    Metric,
    MetricResult,
    MetricSpec,
    Model,
    Split,
    data_digest,
    evaluating,
    generator_for,
)
from genframe.traits import Density, Likelihood

from .counting import code_counts, codebooks_of, perplexity, usage
from .traits import VectorQuantised

if TYPE_CHECKING:
    from .specs import CodebookUse, CodeLength

__all__ = ["CodeLengthMetric", "CodebookMetric"]

BATCH: Final = 250


def batches(split: Split, seed: int, device: torch.device) -> Iterator[Batch]:
    """Yield the prepared split, each batch with noise of its own seed where it needs any."""
    for number, start in enumerate(range(0, len(split), BATCH)):
        batch = split.batch(slice(start, start + BATCH), generator_for(split.stored.device, seed, number))
        yield Batch(batch.x.to(device), batch.condition.to(device) if batch.condition is not None else None)


def stamp(spec: MetricSpec, split: Split, used: Split, seed: int) -> dict[str, Any]:
    """Return the protocol of a figure."""
    return {
        "metric": spec.type,
        "versions": {name: version(name) for name in ("genframe", "genframe-vq")},
        "split": split.name,
        "digest": data_digest(split.stored.cpu(), split.condition.cpu() if split.condition is not None else None),
        "protocol": dict(split.protocol),
        "data": len(used),
        "of": len(split),
        "seed": seed,
    }


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
            for batch in batches(split, seed, model.device):
                found = cast(VectorQuantised, model.encoder).quantised(batch.x, model.context(batch.condition))
                counts += code_counts(found.indices, space, codebooks)
        protocol = {**stamp(self.spec, split, split, seed), "codebooks": codebooks, "size": space.size}
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
        limit = self.spec.limit
        condition = split.condition[:limit] if split.condition is not None else None
        used = replace(split, stored=split.stored[:limit], condition=condition)
        with evaluating(model):
            parts = [self._nats(model, batch) for batch in batches(used, seed, model.device)]
        indices, data = (torch.cat(part).double() for part in zip(*parts, strict=True))
        protocol = {**stamp(self.spec, split, used, seed), "code": "two parts: indices, then data given them"}
        composition = model.composition
        bin_bits = LogProb(torch.zeros(1), "lower bound", composition.data, composition.mass, "two-part code").bits_per_dim
        bits_a_nat = 1 / (composition.data.dims * math.log(2))
        of_indices, of_data = indices * bits_a_nat, data * bits_a_nat + bin_bits
        return [
            _result("code_length", of_indices + of_data, protocol, "two-part code, an upper bound of -log2 p(x)"),
            _result("prior_code_length", of_indices, protocol, "of the indices"),
            _result("decoder_code_length", of_data, protocol, "of data given the indices"),
        ]

    @staticmethod
    def _nats(model: Model, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return -log p(indices) and -log p(x | indices) of each datum: (B,), (B,)."""
        context = model.context(batch.condition)
        found = cast(VectorQuantised, model.encoder).quantised(batch.x, context)
        latent = cast(Encoder, model.encoder).latent(found.indices)
        prior, decoder = cast(Density, model.prior), cast(Likelihood, model.decoder)
        return -prior.log_prob(found.indices, context), -decoder.likelihood(latent, context).log_prob(batch.x)


def _result(name: str, bits: Tensor, protocol: dict[str, Any], note: str) -> MetricResult:
    error = float(bits.std() / math.sqrt(len(bits))) if len(bits) > 1 else None
    return MetricResult(name, float(bits.mean()), "bits/dim", protocol, error, note)
