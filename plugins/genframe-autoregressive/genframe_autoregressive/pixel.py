"""Output layers: from the features of a pixel to probabilities of its channels, each given those before it.

Features are (..., F) and depend on the pixels before; ``pixel`` (..., C) holds places in the alphabet.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genframe_nets.initialisation import initialised, zeroed

from .alphabet import Alphabet
from .logistic import LEAST_LOG_SCALE, log_mass

__all__ = ["LogisticPixel", "Pixel", "SoftmaxPixel"]


class Pixel(nn.Module, ABC):
    """The distribution of a pixel's channels given the features of its place."""

    @abstractmethod
    def log_prob(self, features: Tensor, pixel: Tensor) -> Tensor:
        """Return the log-probability of each pixel in nats: (..., F), (..., C) -> (...)."""

    @abstractmethod
    def logits(self, features: Tensor, pixel: Tensor) -> Tensor:
        """Return the logits of each channel given those before it: (..., F), (..., C) -> (..., C, values)."""

    @abstractmethod
    def next(self, features: Tensor, before: Tensor) -> Tensor:
        """Return the logits of the channel behind the ``before`` (n, c): (n, F) -> (n, values)."""


class SoftmaxPixel(Pixel):
    """A logit for each value: features through a hidden layer, which the channels before join as learned vectors."""

    def __init__(self, features: int, alphabet: Alphabet) -> None:
        super().__init__()
        self.size, channels = alphabet.size, alphabet.channels
        self.hidden = initialised(nn.Linear(features, features), "relu")
        chain = [nn.Embedding(c * self.size, features) for c in range(1, channels)]
        for table in chain:
            nn.init.normal_(table.weight, std=0.1)
        self.chain = nn.ModuleList(chain)
        self.out = nn.ModuleList(zeroed(nn.Linear(features, self.size)) for _ in range(channels))

    def _joined(self, hidden: Tensor, before: Tensor) -> Tensor:
        """Return the hidden layer of the channel behind ``before``: (..., F), (..., c) -> (..., F)."""
        count = before.shape[-1]
        if count:
            offset = torch.arange(count, device=before.device) * self.size
            hidden = hidden + self.chain[count - 1](before + offset).sum(-2)
        return F.relu(hidden)

    def logits(self, features: Tensor, pixel: Tensor) -> Tensor:
        """Return the logits of each channel given those before it."""
        hidden = self.hidden(F.relu(features))
        return torch.stack([layer(self._joined(hidden, pixel[..., :c])) for c, layer in enumerate(self.out)], -2)

    def log_prob(self, features: Tensor, pixel: Tensor) -> Tensor:
        """Return the log-probability of each pixel in nats."""
        logits = self.logits(features, pixel)
        nll = F.cross_entropy(logits.flatten(0, -2), pixel.flatten(), reduction="none")
        return -nll.reshape(pixel.shape).sum(-1)

    def next(self, features: Tensor, before: Tensor) -> Tensor:
        """Return the logits of the next channel."""
        logits: Tensor = self.out[before.shape[-1]](self._joined(self.hidden(F.relu(features)), before))
        return logits


class LogisticPixel(Pixel):
    """A mixture of discretised logistics with locations linear in the channels before. Salimans et al. 2017, eq. 2 and 3."""

    def __init__(self, features: int, alphabet: Alphabet, mixture: int) -> None:
        super().__init__()
        self.alphabet, self.channels, self.mixture = alphabet, alphabet.channels, mixture
        pairs = self.channels * (self.channels - 1) // 2
        self.hidden = initialised(nn.Linear(features, features), "relu")
        self.out = initialised(nn.Linear(features, mixture * (1 + 2 * self.channels + pairs)), "relu")
        with torch.no_grad():
            self.out.weight.mul_(0.1)
            _, locations, _, _ = self.out.bias.split(self._sizes)
            locations.copy_(torch.linspace(-1, 1, mixture + 2)[1:-1].repeat(self.channels))

    @property
    def _sizes(self) -> list[int]:
        """How many parameters there are of each sort: weights, locations, log-scales, coefficients."""
        per = self.mixture * self.channels
        return [self.mixture, per, per, per * (self.channels - 1) // 2]

    def _parameters_of(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return log-weights (..., k), locations and log-scales (..., C, k), coefficients (..., C (C - 1) / 2, k)."""
        out = self.out(F.relu(self.hidden(F.relu(features))))
        weights, locations, log_scales, coefficients = out.split(self._sizes, -1)
        locations = locations.unflatten(-1, (self.channels, self.mixture))
        log_scales = log_scales.unflatten(-1, (self.channels, self.mixture)).clamp(min=LEAST_LOG_SCALE)
        coefficients = coefficients.unflatten(-1, (self.channels * (self.channels - 1) // 2, self.mixture))
        return weights.log_softmax(-1), locations, log_scales, coefficients.tanh()

    def _location(self, channel: int, locations: Tensor, coefficients: Tensor, unit: Tensor) -> Tensor:
        """Return the locations of a channel, given the channels before it, ``unit`` (..., >= channel): (..., k)."""
        first = channel * (channel - 1) // 2
        shift = coefficients[..., first : first + channel, :] * unit[..., :channel, None]
        return locations[..., channel, :] + shift.sum(-2)

    def log_prob(self, features: Tensor, pixel: Tensor) -> Tensor:
        """Return the log-probability of each pixel in nats."""
        log_weights, locations, log_scales, coefficients = self._parameters_of(features)
        unit = self.alphabet.unit(pixel)
        for c in range(self.channels):
            location = self._location(c, locations, coefficients, unit)
            log_weights = log_weights + log_mass(unit[..., c, None], location, log_scales[..., c, :], self.alphabet.size)
        return log_weights.logsumexp(-1)

    def logits(self, features: Tensor, pixel: Tensor) -> Tensor:
        """Return the log-probabilities of each channel given those before it."""
        return torch.stack([self.next(features, pixel[..., :c]) for c in range(self.channels)], -2)

    def next(self, features: Tensor, before: Tensor) -> Tensor:
        """Return the log-probabilities of the next channel's values, by weights given the channels before."""
        log_weights, locations, log_scales, coefficients = self._parameters_of(features)
        unit, levels = self.alphabet.unit(before), self.alphabet.size
        count = before.shape[-1]
        for c in range(count):
            location = self._location(c, locations, coefficients, unit)
            log_weights = log_weights + log_mass(unit[..., c, None], location, log_scales[..., c, :], levels)
        location = self._location(count, locations, coefficients, unit)[..., None, :]
        values = self.alphabet.unit(torch.arange(levels, device=features.device))[:, None]
        mass = log_mass(values, location, log_scales[..., count, None, :], levels)  # (..., values, k)
        return (log_weights.log_softmax(-1)[..., None, :] + mass).logsumexp(-1)
