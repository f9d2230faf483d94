"""How codes are used: counts over many examples, perplexity and usage."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from genframe import Space

__all__ = ["UseWindow", "code_counts", "columns_of", "perplexity", "usage"]


def columns_of(latent: Space, code: Space) -> int:
    """Return how many indices a position has: the first axis of a code that has one axis more than the latent's grid."""
    return code.shape[0] if len(code.shape) == len(latent.shape) else 1


def code_counts(codes: Tensor, columns: int, size: int) -> Tensor:
    """Return how often each index occurs in each column, that is codebook: (B, code) -> (columns, size).

    >>> code_counts(torch.tensor([[0, 1], [1, 1]]), columns=1, size=3)
    tensor([[1, 3, 0]])
    """
    split = codes.reshape(len(codes), columns, -1)  # (B, columns, positions)
    places = split + size * torch.arange(columns, device=codes.device)[:, None]
    counts = torch.zeros(columns * size, dtype=torch.int64, device=codes.device)
    return counts.scatter_add_(0, places.flatten(), torch.ones_like(places.flatten())).reshape(columns, size)


def perplexity(counts: Tensor) -> Tensor:
    """Return the exponential of the entropy of the codes' frequencies, averaged over columns: (columns, size) -> ().

    >>> perplexity(torch.tensor([[5, 5, 0, 0]]))
    tensor(2.)
    """
    shares = counts / counts.sum(1, keepdim=True)
    return (-torch.xlogy(shares, shares).sum(1)).exp().mean()


def usage(counts: Tensor) -> Tensor:
    """Return the share of codes that occur: (columns, size) -> ().

    >>> usage(torch.tensor([[5, 5, 0, 0]]))
    tensor(0.5000)
    """
    return (counts > 0).float().mean()


class UseWindow(nn.Module):
    """Counts over windows of ``window`` examples: those of the last full window, or of the first one while it fills.

    >>> use = UseWindow(columns=1, size=2, window=10)
    >>> use.add(torch.tensor([[4, 0]]), 4)
    tensor([[4, 0]])
    """

    present: Tensor
    last: Tensor
    seen: Tensor

    def __init__(self, columns: int, size: int, window: int) -> None:
        super().__init__()
        self.window = window
        for name in ("present", "last"):
            self.register_buffer(name, torch.zeros(columns, size, dtype=torch.int64))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def add(self, counts: Tensor, examples: int) -> Tensor:
        """Add the counts of a batch of ``examples``, and return those to report: (columns, size), both."""
        self.present.add_(counts)
        self.seen.add_(examples)
        full = self.seen >= self.window
        self.last.copy_(torch.where(full, self.present, self.last))
        reported = torch.where(self.last.any(), self.last, self.present)
        self.present.masked_fill_(full, 0)
        self.seen.masked_fill_(full, 0)
        return reported
