"""Latents as features: what a linear classifier can read from them, and how few bits they take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar, Final

import torch
from torch import Tensor
from torch.nn import functional as F

from genframe import DataError, Dataset, Metric, MetricResult, Model, Split, average, stamp
from genframe.types import require_categorical, require_real
from genframe_metrics.protocol import drawn, prepared

from .directions import Components
from .editing import distances
from .latents import Latents, latents_of

__all__ = ["CodeLengthMetric", "LinearProbeMetric", "logistic_regression"]

STEPS: Final = 500


def logistic_regression(x: Tensor, labels: Tensor, classes: int, l2: float) -> tuple[Tensor, Tensor]:
    """Return weights and biases that minimise the mean loss + l2 / 2 · |weights|²: (N, D), (N,) -> (D, K), (K,).

    By L-BFGS from zero, in double precision; the problem is convex.

    >>> x = torch.tensor([[-2.0], [-1.0], [1.0], [2.0]])
    >>> weights, biases = logistic_regression(x, torch.tensor([0, 0, 1, 1]), classes=2, l2=0.1)
    >>> (x @ weights.float() + biases).argmax(1)
    tensor([0, 0, 1, 1])
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
    """The share of held-out examples whose class a linear classifier finds from their latents. Alain & Bengio 2016.

    :param labelled: gives a dataset with labels, prepared like that of the model, such as ``Digits(labels=True).load``.
    :param l2: the weight of the penalty of the classifier.
    :param limit: use only this many examples of each split, drawn by the seed; all unless given.

    >>> x = torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
    >>> splits = {name: Split(name, x, (x[:, 0] > 0).long()) for name in ("train", "test")}
    >>> data = Dataset(Real((4,)), splits, Categorical((), 2))
    >>> spec = {"encoder": {"type": "nets/mlp", "dim": 3}, "decoder": "nets/mlp", "loss": "vae/reconstruction"}
    >>> model = compose(ModelSpec.model_validate(spec), Real((4,)))
    >>> (result,) = LinearProbeMetric(lambda: data).measure(model, data.split("test"), train=data.split("train"))
    >>> result.name, result.value > 0.7
    ('linear_probe', True)
    """

    type: ClassVar[str] = "latents/linear_probe"

    def __init__(self, labelled: Callable[[], Dataset], l2: float = 1e-3, limit: int | None = None) -> None:
        self.labelled, self.l2, self.limit = labelled, l2, limit

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return ``linear_probe``.

        :raises Mismatch: if the labels are not classes.
        :raises Unsupported: if the model has no latents.
        """
        data, latents = self.labelled(), latents_of(model, seed)
        training, held_out = (drawn(data.split(name).to(model.device), self.limit, seed) for name in ("train", split.name))
        (codes, labels), (own_codes, own) = (_labelled(latents, each, seed) for each in (training, held_out))
        deviation, mean = torch.std_mean(codes, 0)
        deviation = torch.where(deviation > 0, deviation, 1.0)
        weights, biases = logistic_regression((codes - mean) / deviation, labels, _classes(data), self.l2)
        right = ((own_codes - mean) / deviation @ weights + biases).argmax(1) == own
        protocol = stamp(self.type, held_out, seed, latent=latents.route, l2=self.l2, fitted_to=len(codes), data=len(own))
        return [average("linear_probe", right, "of data", protocol)]


def _classes(data: Dataset) -> int:
    if data.condition_space is None:
        raise DataError("a linear probe needs a dataset with labels")
    return require_categorical(data.condition_space, "a linear probe").size


def _labelled(latents: Latents, split: Split, seed: int) -> tuple[Tensor, Tensor]:
    """Return the latents of a split and their labels: (N, D), (N,)."""
    batch = prepared(split, seed, latents.model.device)
    return latents.encode(batch.x).flatten(1).double(), batch.condition


class CodeLengthMetric(Metric):
    """The bits of rounded latents, and the error of what is decoded from them.

    :param step: the distance of rounded values, in units of the deviation of the latents.
    :param limit: use only this many examples of each split, drawn by the seed; all unless given.

    >>> x = torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
    >>> spec = {"encoder": {"type": "nets/mlp", "dim": 2}, "decoder": "nets/mlp", "loss": "vae/reconstruction"}
    >>> model = compose(ModelSpec.model_validate(spec), Real((4,)))
    >>> coarse, fine = (
    ...     CodeLengthMetric(step).measure(model, Split("test", x), train=Split("train", x))[0] for step in (1.0, 0.1)
    ... )
    >>> coarse.name, coarse.value < fine.value
    ('code_bits', True)
    """

    type: ClassVar[str] = "latents/code_length"

    def __init__(self, step: float = 0.5, limit: int | None = None) -> None:
        self.step, self.limit = step, limit

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return ``code_bits`` per example, and ``code_rmse``, the root mean square error as a share of the range of values.

        :raises Mismatch: if the data is classes.
        :raises Unsupported: if the model has no latents.
        """
        latents, space = latents_of(model, seed), require_real(model.composition.data, self.type)
        conditional = model.composition.condition is not None
        batches = [prepared(drawn(each, self.limit, seed), seed, model.device) for each in (train, split)]
        fitted, held_out = (each if conditional else replace(each, condition=None) for each in batches)
        codes = latents.encode(fitted.x, fitted.condition)
        components = Components.of(codes)
        coder = _Coder(components, codes, self.step * float(components.deviations.square().mean().sqrt()))
        bits, rounded = coder.coded(latents.encode(held_out.x, held_out.condition))
        y = latents.decode(rounded, held_out.condition)
        protocol = stamp(
            self.type, split, seed, latent=latents.route, step=self.step, fitted_to=len(codes), data=len(held_out.x)
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
