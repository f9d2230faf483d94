"""What critic and generator minimise, as functions of the critic's scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from torch import Tensor
from torch.nn import functional as F

from .rules import ObjectiveName

__all__ = ["OBJECTIVES", "Objective"]


@dataclass(frozen=True)
class Objective:
    """A game by the losses of a single score.

    ``judge``: the critic's loss at the score of real data; at a fake's it is that of the mirrored score. ``fool``: the
    generator's loss at the score of a fake. ``middle``: the score that says neither. A ``paired`` game is played on the
    differences of scores, real minus fake. ``shifted`` means that adding a constant to all scores changes nothing.

    >>> OBJECTIVES["hinge"].critic(real=torch.tensor([[0.5]]), fake=torch.tensor([[-2.0]]))
    tensor(0.5000)
    """

    judge: Callable[[Tensor], Tensor]
    fool: Callable[[Tensor], Tensor]
    middle: float = 0.0
    paired: bool = False
    shifted: bool = False

    def _mirrored(self, score: Tensor) -> Tensor:
        return 2 * self.middle - score

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the critic's loss, averaged: scores (N, P), (N, P) -> ()."""
        if self.paired:
            return self.judge(real - fake).mean()
        return self.judge(real).mean() + self.judge(self._mirrored(fake)).mean()

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """Return the generator's loss, averaged; ``real`` are the scores it can change or is compared with."""
        if self.paired and real is not None:
            return self.fool(fake - real).mean()
        loss = self.fool(fake).mean()
        return loss if real is None else loss + self.fool(self._mirrored(real)).mean()

    def accuracy(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the share of scores on their side of the middle, or of pairs in order where there is no middle."""
        if self.shifted:
            return (real > fake).float().mean()
        return 0.5 * ((real > self.middle).float().mean() + (fake < self.middle).float().mean())


def _accept(score: Tensor) -> Tensor:
    """Return -log sigmoid(score)."""
    return F.softplus(-score)


OBJECTIVES: Final[dict[ObjectiveName, Objective]] = {
    "minimax": Objective(_accept, lambda score: -F.softplus(score)),  # Goodfellow et al. 2014, eq. 1
    "non_saturating": Objective(_accept, _accept),  # ibid., sec. 3
    "least_squares": Objective(  # Mao et al. 2017, eq. 2 with a = 0, b = c = 1
        lambda score: 0.5 * (score - 1).square(), lambda score: 0.5 * (score - 1).square(), middle=0.5
    ),
    "hinge": Objective(lambda score: F.relu(1 - score), lambda score: -score),  # Lim & Ye 2017, eq. 11 to 13
    "wasserstein": Objective(lambda score: -score, lambda score: -score, shifted=True),  # Arjovsky et al. 2017, eq. 2
    "relativistic": Objective(_accept, _accept, paired=True, shifted=True),  # Jolicoeur-Martineau 2019, eq. 5 and 6
}
