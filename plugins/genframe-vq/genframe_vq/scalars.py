"""Quantisers without a codebook: finite scalars and signs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F

from .gradients import straight_through
from .quantisers import Quantiser, squared_distance
from .traits import Quantisation

__all__ = ["ScalarQuantiser", "SignQuantiser"]

MARGIN: Final = 1e-3  # on each side, so that no bounded value rounds to beyond the levels


class ScalarQuantiser(Quantiser):
    """Each channel rounded to one of its ``levels``, between -1 and 1 (FSQ). Mentzer et al. 2023, sec. 3.1 and app. A.1.

    >>> import torch
    >>> found = ScalarQuantiser((3, 5, 4))(torch.tensor([[0.25, 0.6, -7.0]]))
    >>> found.latent, found.indices
    (tensor([[ 0.0000,  0.5000, -1.0000]]), tensor([[10]]))
    """

    places: Tensor
    levels: Tensor
    reach: Tensor
    offset: Tensor
    shift: Tensor

    def __init__(self, levels: Sequence[int] = (8, 5, 5, 5)) -> None:
        super().__init__(len(levels), math.prod(levels))
        even = [number % 2 == 0 for number in levels]
        reach = [(number - 1) * (1 - MARGIN) / 2 for number in levels]
        offset = [0.5 if each else 0.0 for each in even]
        shift = [math.tan(half / most) for half, most in zip(offset, reach, strict=True)]
        places = [math.prod(levels[:channel]) for channel in range(len(levels))]
        for name, values in {"reach": reach, "offset": offset, "shift": shift}.items():
            self.register_buffer(name, torch.tensor(values), persistent=False)
        for name, numbers in {"levels": list(levels), "places": places}.items():
            self.register_buffer(name, torch.tensor(numbers), persistent=False)

    def bound(self, rows: Tensor) -> Tensor:
        """Return rows squashed so that rounding gives as many whole numbers as there are levels: (N, D) -> (N, D)."""
        return torch.tanh(rows + self.shift) * self.reach - self.offset

    def quantise(self, rows: Tensor) -> Quantisation:
        """Return the levels as vectors, with the gradient of the bounded rows."""
        bounded = self.bound(rows)
        rounded = bounded.round()
        vectors = straight_through(bounded, rounded) / (self.levels // 2)
        nothing = rows.new_zeros(())
        return Quantisation(vectors, self._indices(rounded), nothing, nothing, nothing)

    def _indices(self, rounded: Tensor) -> Tensor:
        """Return the index of whole numbers around 0 in the list of all codes: (N, D) -> (N, 1)."""
        return ((rounded.long() + self.levels // 2) * self.places).sum(1, keepdim=True)

    def vectors(self, indices: Tensor) -> Tensor:
        """Return the levels of each channel, between -1 and 1."""
        half = self.levels // 2
        return (indices // self.places % self.levels - half) / half

    def search(self, vectors: Tensor) -> Tensor:
        """Return the indices of levels; values beyond the last level count as the last."""
        half = self.levels // 2
        whole = (vectors * half).round()
        return self._indices(torch.minimum(torch.maximum(whole, -half), self.levels - 1 - half))


class SignQuantiser(Quantiser):
    """Each channel's sign, a bit of the index (lookup-free quantisation). Yu et al. 2023, sec. 3.1.

    ``temperature`` is that of the distribution over codes in the entropy term, in squared units of features.

    >>> import torch
    >>> found = SignQuantiser(bits=3)(torch.tensor([[0.2, -5.0, 1.0]]))
    >>> found.latent, found.indices
    (tensor([[ 1., -1.,  1.]]), tensor([[5]]))
    """

    places: Tensor

    def __init__(self, bits: int = 9, *, temperature: float = 1.0) -> None:
        super().__init__(bits, 1 << bits)
        self.temperature = temperature
        self.register_buffer("places", 2 ** torch.arange(bits), persistent=False)

    def quantise(self, rows: Tensor) -> Quantisation:
        """Return the signs, with the gradient of the rows."""
        signs = torch.where(rows > 0, 1.0, -1.0)
        nothing = rows.new_zeros(())
        latent, commitment = straight_through(rows, signs), squared_distance(rows, signs)
        return Quantisation(latent, self.search(rows), commitment, nothing, self.entropy(rows))

    def entropy(self, rows: Tensor) -> Tensor:
        """Return the mean entropy of a row's code minus that of the mean distribution over codes, in nats: (N, D) -> ().

        A row's distribution is a softmax of minus the squared distances over the temperature, so that its bits are
        independent. The mean over rows is exact: one product of the distributions of the two halves of the bits.
        """
        logits = 4 * rows / self.temperature
        ones = torch.sigmoid(logits)
        own = (F.softplus(logits) - ones * logits).sum(1).mean()
        first, second = (joint(half) for half in ones.tensor_split(2, 1))
        mean = first.T @ second / len(rows)
        return own + torch.xlogy(mean, mean).sum()

    def vectors(self, indices: Tensor) -> Tensor:
        """Return the signs."""
        return 2.0 * (indices // self.places % 2) - 1

    def search(self, vectors: Tensor) -> Tensor:
        """Return the index whose bits are the positive channels."""
        return ((vectors > 0) * self.places).sum(1, keepdim=True)


def joint(ones: Tensor) -> Tensor:
    """Return the distribution over all values of independent bits, from each one's probability: (N, D) -> (N, 2^D)."""
    together = ones.new_ones(len(ones), 1)
    for one in ones.unbind(1):
        together = torch.cat((together * (1 - one[:, None]), together * one[:, None]), 1)
    return together
