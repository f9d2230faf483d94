"""How codes are used: counts over many data, and what they say."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from genframe import Categorical, Space

__all__ = ["UseWindow", "code_counts", "codebooks_of", "perplexity", "usage"]


def codebooks_of(latent: Space, code: Space) -> int:
    """Return how many indices a position has: the first axis of a code that has an axis more than the latent's grid."""
    return code.shape[0] if len(code.shape) == len(latent.shape) else 1


def code_counts(codes: Tensor, space: Categorical, codebooks: int) -> Tensor:
    """Return how often each index occurs in each codebook: (B, code) -> (codebooks, size)."""
    columns = codes.reshape(len(codes), codebooks, -1)  # (B, codebooks, positions)
    places = columns + space.size * torch.arange(codebooks, device=codes.device)[:, None]
    counts = torch.zeros(codebooks * space.size, dtype=torch.int64, device=codes.device)
    return counts.scatter_add_(0, places.flatten(), torch.ones_like(places.flatten())).reshape(codebooks, space.size)


def perplexity(counts: Tensor) -> Tensor:
    """Return the exponential of the entropy of the codes' frequencies, averaged over codebooks: (codebooks, size) -> ()."""
    shares = counts / counts.sum(1, keepdim=True)
    return (-torch.xlogy(shares, shares).sum(1)).exp().mean()


def usage(counts: Tensor) -> Tensor:
    """Return the share of codes that occur: (codebooks, size) -> ()."""
    return (counts > 0).float().mean()


class UseWindow(nn.Module):
    """Counts over windows of so many data: those of the last full window, or of the first one while it fills."""

    present: Tensor
    last: Tensor
    seen: Tensor

    def __init__(self, codebooks: int, size: int, window: int) -> None:
        super().__init__()
        self.window = window
        for name in ("present", "last"):
            self.register_buffer(name, torch.zeros(codebooks, size, dtype=torch.int64))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def add(self, counts: Tensor, data: int) -> Tensor:
        """Take in the counts of a batch of ``data``, and return those to report: (codebooks, size), both."""
        self.present.add_(counts)
        self.seen.add_(data)
        full = self.seen >= self.window
        self.last.copy_(torch.where(full, self.present, self.last))
        reported = torch.where(self.last.any(), self.last, self.present)
        self.present.masked_fill_(full, 0)
        self.seen.masked_fill_(full, 0)
        return reported
