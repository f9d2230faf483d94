"""The classifier two-sample test: can samples be told from data?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from genframe import normal_like

from .choices import C2stClassifier
from .estimates import Estimate
from .features import Extractor
from .pairs import FeatureComparison

__all__ = ["TwoSampleMetric", "by_neighbours", "by_network", "p_value", "two_sample"]

FOLDS: Final = 5
HIDDEN: Final = 32
STEPS: Final = 100


def by_neighbours(x: Tensor, labels: Tensor, fold: Tensor) -> Tensor:
    """Return for each row how right its neighbours in the other folds vote: (N, D), (N,), (N,) -> (N,).

    A tie is half right. There are ⌊√n⌋ neighbours, n rows being in the other folds. Lopez-Paz & Oquab 2017, sec. 5.
    """
    right = torch.empty(len(x), dtype=torch.double, device=x.device)
    for number in range(FOLDS):
        held_out = fold == number
        known = ~held_out
        distances = torch.cdist(x[held_out], x[known])
        nearest = distances.topk(math.isqrt(int(known.sum())), largest=False).indices
        share = labels[known].double()[nearest].mean(1)
        right[held_out] = 0.5 + 0.5 * (share - 0.5).sign() * (2 * labels[held_out] - 1)
    return right


def by_network(x: Tensor, labels: Tensor, fold: Tensor, generator: Generator | None = None) -> Tensor:
    """Return for each row whether a perceptron that is trained on the other folds is right: (N, D), (N,), (N,) -> (N,).

    One for each fold, trained side by side: a hidden layer of 32 rectified units, 100 steps of Adam on all rows of the
    other folds.
    """
    x = ((x - x.mean(0)) / x.std(0).clamp(min=1e-6)).float()
    y = labels.to(x)
    first = normal_like(x.new_empty(FOLDS, x.shape[1], HIDDEN), generator) * math.sqrt(2 / x.shape[1])
    second = normal_like(x.new_empty(FOLDS, HIDDEN, 1), generator) * math.sqrt(1 / HIDDEN)
    biases = [x.new_zeros(FOLDS, 1, HIDDEN), x.new_zeros(FOLDS, 1, 1)]
    weights = [tensor.requires_grad_() for tensor in (first, second, *biases)]
    known = fold[None] != torch.arange(FOLDS, device=x.device)[:, None]  # (folds, N)
    optimizer = torch.optim.Adam(weights, lr=1e-2, weight_decay=1e-3)

    def logits() -> Tensor:
        hidden = torch.relu(x @ first + biases[0])  # (folds, N, hidden)
        return (hidden @ second + biases[1]).squeeze(2)

    with torch.enable_grad():
        for _ in range(STEPS):
            optimizer.zero_grad()
            losses = F.binary_cross_entropy_with_logits(logits(), y.expand(FOLDS, -1), reduction="none")
            ((losses * known).sum() / len(x)).backward()
            optimizer.step()
    with torch.no_grad():
        own = logits().gather(0, fold[None])[0]  # (N,), each by the network that has not seen it
    return ((own > 0) == labels.bool()).double()


def p_value(accuracy: float, n: int) -> float:
    """Return the probability of at least this accuracy on ``n`` rows by chance, as of a normal (ibid., sec. 3.1)."""
    return 0.5 * math.erfc((accuracy - 0.5) * math.sqrt(2 * n))


def two_sample(
    data: Tensor,
    other: Tensor,
    classifier: C2stClassifier = "network",
    generator: Generator | None = None,
) -> Estimate:
    """Return how often a classifier tells (n, D) from (m, D) on rows that it has not seen, with its binomial error.

    It is 1/2 where the two are alike. The larger set is cut to the size of the smaller.

    >>> x, y = torch.randn(2, 200, 3, generator=torch.Generator().manual_seed(0))
    >>> two_sample(x, y, "neighbours").value < 0.6 < 0.9 < two_sample(x, y + 3, "neighbours").value
    True
    """
    n = min(len(data), len(other))
    x = torch.cat([data[:n], other[:n]])
    labels = (torch.arange(2 * n, device=x.device) >= n).long()
    fold = torch.arange(n, device=x.device).repeat(2) % FOLDS
    right = by_network(x, labels, fold, generator) if classifier == "network" else by_neighbours(x, labels, fold)
    accuracy = float(right.mean())
    chance = f"by chance with p = {p_value(accuracy, 2 * n):.2g}"
    return Estimate(accuracy, math.sqrt(accuracy * (1 - accuracy) / (2 * n)), chance)


class TwoSampleMetric(FeatureComparison):
    """``c2st(...)``, the accuracy of a classifier of samples against data, on rows that it has not seen.

    :param features: a function from data to features, the folder of a run that gives them, or the values themselves.
    :param n: how many samples, and how many examples if there are as many; at least 20.
    :param classifier: a perceptron with one hidden layer, or the vote of the √n nearest neighbours.

    >>> found, of_data = TwoSampleMetric(n=100, classifier="neighbours").measure(model, test, train=train)
    >>> found.name, 0.3 < found.value < 0.7
    ('c2st(values)', True)
    """

    type = "metrics/two_sample"
    names = ("c2st",)
    unit = "accuracy"

    def __init__(
        self,
        features: Path | Extractor | None = None,
        n: int = 2048,
        classifier: C2stClassifier = "network",
    ) -> None:
        super().__init__(features, n)
        self.classifier = classifier

    def compare(self, data: Tensor, other: Tensor, generator: Generator) -> Mapping[str, Estimate]:
        """Return the accuracy over all folds, with its binomial error."""
        return {"c2st": two_sample(data, other, self.classifier, generator)}

    def protocol(self) -> Mapping[str, Any]:
        """Return the classifier, how it is validated, and how the error is estimated."""
        return {"classifier": self.classifier, "folds": FOLDS, "error": "binomial"}
