"""Latents as features: what a linear classifier can read from them, and how few bits they take."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from genframe import Categorical, Metric, MetricResult, Model, Real, Split, average, stamp
from genframe_metrics.protocol import drawn, prepared

from .directions import Components
from .editing import distances
from .latents import Latents, latents_of
from .specs import CodeLength, LinearProbe

__all__ = ["CodeLengthMetric", "LinearProbeMetric", "logistic_regression"]

STEPS: Final = 500


def logistic_regression(x: Tensor, labels: Tensor, classes: int, l2: float) -> tuple[Tensor, Tensor]:
    """Return weights and biases that minimise the mean loss + l2 / 2 · |weights|²: (N, D), (N,) -> (D, K), (K,).

    By L-BFGS from zero, in double precision; the problem is convex.
    """
    x = x.double()
    weights = torch.zeros(x.shape[1], classes, dtype=torch.float64, device=x.device, requires_grad=True)
    biases = torch.zeros(classes, dtype=torch.float64, device=x.device, requires_grad=True)
    solver = torch.optim.LBFGS(
        [weights, biases], max_iter=STEPS, tolerance_grad=1e-9, tolerance_change=1e-15, line_search_fn="strong_wolfe"
    )

    def objective() -> Tensor:
        loss = F.cross_entropy(x @ weights + biases, labels) + 0.5 * l2 * weights.square().sum()
        weights.grad, biases.grad = torch.autograd.grad(loss, (weights, biases))
        return loss

    with torch.enable_grad():
        solver.step(objective)
    return weights.detach(), biases.detach()


class LinearProbeMetric(Metric):
    """The share of held-out examples whose class a linear classifier finds from their latents."""

    def __init__(self, spec: LinearProbe) -> None:
        self.spec = spec

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return ``linear_probe``."""
        data, latents = self.spec.of.load(), latents_of(model, seed)
        training, held_out = (drawn(data.split(name).to(model.device), self.spec.limit, seed) for name in ("train", split.name))
        (codes, labels), (own_codes, own) = (_labelled(latents, each, seed) for each in (training, held_out))
        deviation, mean = torch.std_mean(codes, 0)
        deviation = torch.where(deviation > 0, deviation, 1.0)
        classes = cast(Categorical, data.condition_space).size
        weights, biases = logistic_regression((codes - mean) / deviation, labels, classes, self.spec.l2)
        right = ((own_codes - mean) / deviation @ weights + biases).argmax(1) == own
        protocol = stamp(self.spec, held_out, seed, latent=latents.route, l2=self.spec.l2, fitted_to=len(codes), data=len(own))
        return [average("linear_probe", right, "of data", protocol)]


def _labelled(latents: Latents, split: Split, seed: int) -> tuple[Tensor, Tensor]:
    """Return the latents of a split and their labels: (N, D), (N,)."""
    batch = prepared(split, seed, latents.model.device)
    return latents.encode(batch.x).flatten(1).double(), cast(Tensor, batch.condition)


class CodeLengthMetric(Metric):
    """The bits of rounded latents, and the error of what is decoded from them."""

    def __init__(self, spec: CodeLength) -> None:
        self.spec = spec

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return ``code_bits`` per example, and ``code_rmse``, the root mean square error as a share of the range of values."""
        latents, space = latents_of(model, seed), cast(Real, model.composition.data)
        conditional = model.composition.condition is not None
        batches = [prepared(drawn(each, self.spec.limit, seed), seed, model.device) for each in (train, split)]
        fitted, held_out = (each if conditional else replace(each, condition=None) for each in batches)
        codes = latents.encode(fitted.x, fitted.condition)
        components = Components.of(codes)
        coder = _Coder(components, codes, self.spec.step * float(components.deviations.square().mean().sqrt()))
        bits, rounded = coder.coded(latents.encode(held_out.x, held_out.condition))
        y = latents.decode(rounded, held_out.condition)
        protocol = stamp(
            self.spec, split, seed, latent=latents.route, step=self.spec.step, fitted_to=len(codes), data=len(held_out.x)
        )
        return [
            average("code_bits", bits, "bits per example", protocol),
            average("code_rmse", distances(held_out.x, y, space), "of the range", protocol),
        ]


class _Coder:
    """Frequencies of the rounded components of codes."""

    def __init__(self, components: Components, codes: Tensor, step: float) -> None:
        self.components, self.step = components, step
        values = self._rounded(codes)
        self.low, self.high = values.amin(0), values.amax(0)
        sizes = self.high - self.low + 1
        self.bits = []
        for column, low, size in zip(values.T, self.low, sizes.tolist(), strict=True):
            counts = torch.bincount(column - low, minlength=size).double() + 0.5
            self.bits.append(-(counts / counts.sum()).log2())

    def _rounded(self, codes: Tensor) -> Tensor:
        white = self.components.whiten(codes) * self.components.deviations
        return (white / self.step).round().long()

    def coded(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Return the bits of each code, and the code that they decode to: (N, latent) -> (N,), (N, latent)."""
        values = torch.minimum(torch.maximum(self._rounded(codes), self.low), self.high)
        columns = zip(values.T, self.low, self.bits, strict=True)
        bits = torch.stack([table[column - low] for column, low, table in columns]).sum(0)
        white = values * self.step / self.components.deviations
        return bits, self.components.colour(white).to(codes.dtype).view(codes.shape)
