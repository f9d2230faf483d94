"""What is measured while a game is played: the generator's gradient, how far apart fakes lie, and when they collapse."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from genframe.roles import eager

from .rules import Rules

__all__ = ["COLLAPSE", "PATIENCE", "Collapse", "gradient_norm", "spread"]

COLLAPSE: Final = 0.3  # the spread below which fakes are said to collapse
PATIENCE: Final = 5  # lines of the log
SURE: Final = 0.95  # the accuracy above which a critic wins


@eager  # a hook is not compiled
def gradient_norm(x: Tensor) -> Tensor:
    """Return what the backward pass fills: the norm of the loss's gradient by each row of ``x`` (N, ...), summed over rows.

    Of a loss that is a mean over rows this is the average norm of the gradient of a row's own loss.
    """
    norm = torch.zeros((), device=x.device)

    def fill(gradient: Tensor) -> None:
        norm.copy_(torch.linalg.vector_norm(gradient.flatten(1), dim=1).sum())

    x.register_hook(fill)
    return norm


def spread(fake: Tensor, real: Tensor) -> Tensor:
    """Return the mean distance of two fakes divided by that of two real examples: (N, ...), (N, ...) -> ().

    >>> x = torch.randn(8, 2)
    >>> spread(x / 4, x)
    tensor(0.2500)
    """
    return _distance(fake) / _distance(real).clamp_min(torch.finfo(real.dtype).tiny)


def _distance(x: Tensor) -> Tensor:
    """Return the mean distance between a row of the first half and one of the second."""
    half = len(x) // 2
    distances: Tensor = torch.linalg.vector_norm((x[:half] - x[half : 2 * half]).flatten(1), dim=1)
    return distances.mean()


class Collapse:
    """Notices when fakes have lain close together for some lines of the log, and says what to change.

    >>> collapse = Collapse(Rules())
    >>> [collapse.remark(share=0.1, accuracy=0.99) for _ in range(5)][-1]
    'the critic is right on 99%, so that the generator learns little from it: give it r1'
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._lines = 0  # of the log, in a row

    def remark(self, share: float, accuracy: float) -> str:
        """Return the likely cause of a collapse, once, given the spread and the critic's accuracy of a line; else nothing."""
        self._lines = self._lines + 1 if share < COLLAPSE else 0
        if self._lines != PATIENCE:
            return ""
        if accuracy > SURE:
            fix = "raise it, or lower train.players.critic.lr" if self.rules.penalised else "give it r1"
            return f"the critic is right on {accuracy:.0%}, so that the generator learns little from it: {fix}"
        return f"the critic does not see that fakes are alike: let it judge more at once, packing: {2 * self.rules.packing}"
