"""Settings: a part between small spaces, so that it can be built, fed and asked for all it can do."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn

from ..model.model import Model, build
from ..roles.parts import Encoder
from ..specs.base import ComponentSpec
from ..specs.composition import Composition
from ..types.spaces import ContextSpace, Space
from ..types.trait.base import Trait
from ..types.values import Batch, Context
from .drawing import arrow, draw, draw_context

__all__ = ["Inputs", "ModelSetting", "Output", "PartSetting", "seeded"]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's global generator inside, and give it back its state after."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


@dataclass(frozen=True)
class Inputs:
    """A batch of all that a part may be asked about; ``latent`` is the code where the part is a prior."""

    data: Tensor
    latent: Tensor
    context: Context | None

    def first(self, n: int) -> Inputs:
        """Return the first ``n`` rows."""
        return Inputs(self.data[:n], self.latent[:n], None if self.context is None else self.context[:n])

    def repeat(self, n: int) -> Inputs:
        """Return the first row ``n`` times."""
        row = self.first(1)
        context = row.context.repeat(n) if row.context is not None else None
        return Inputs(row.data.expand(n, *row.data.shape[1:]), row.latent.expand(n, *row.latent.shape[1:]), context)


@dataclass(frozen=True)
class Output:
    """A result by the name of the method that gave it, and the space it is declared to be of."""

    name: str
    tensor: Tensor
    space: Space


@dataclass(frozen=True)
class PartSetting(ABC):
    """A part's spec with the spaces around it."""

    spec: ComponentSpec
    context: ContextSpace | None

    @abstractmethod
    def make(self, companion: Encoder | None) -> nn.Module:
        """Build the part, tied to ``companion`` where it needs one; what it draws comes from torch's global generator."""

    def companion(self) -> Encoder | None:
        """Return the encoder that the part is tied to: always the same, so that only the part is under test."""
        return None

    @property
    @abstractmethod
    def spaces(self) -> tuple[Space, Space]:
        """The spaces of ``Inputs.data`` and ``Inputs.latent``."""

    @abstractmethod
    def outputs(self, part: nn.Module, inputs: Inputs) -> Iterator[Output]:
        """Yield what is a function of the inputs, row by row."""

    @abstractmethod
    def draws(self, part: nn.Module, inputs: Inputs, generator: Generator | None) -> Iterator[Output]:
        """Yield what is random."""

    def build(self, seed: int = 0) -> nn.Module:
        """Return the part in evaluation mode, built under ``seed``."""
        with seeded(seed):
            return self.make(self.companion()).eval()

    def shaken(self, seed: int = 0) -> nn.Module:
        """Return the part with noise on every parameter, so that none has the special value it starts from."""
        part = self.build(seed)
        with torch.no_grad(), seeded(seed + 1):
            for parameter in part.parameters():
                fan_in = parameter.numel() / len(parameter) if parameter.dim() > 1 else 1.0
                parameter.add_(0.1 / math.sqrt(fan_in) * torch.randn_like(parameter))
        return part

    def inputs(self, n: int, seed: int = 0) -> Inputs:
        """Return a random batch."""
        data, latent = self.spaces
        return Inputs(draw(data, n, seed), draw(latent, n, seed + 1), draw_context(self.context, n, seed + 2))

    def provides(self, trait: Trait) -> bool:
        """Return whether the spec declares ``trait``."""
        return trait in self.spec.provides

    def __str__(self) -> str:
        return arrow(*self.spaces) + self.suffix

    @property
    def suffix(self) -> str:
        """How messages name the context."""
        return f" with context {self.context}" if self.context is not None else ""


@dataclass(frozen=True)
class ModelSetting:
    """A loss, sampler or metric in a small model."""

    spec: Any
    composition: Composition

    def model(self, seed: int = 0) -> Model:
        """Return the model in evaluation mode, built under ``seed``."""
        return build(self.composition, seed=seed).eval()

    def batch(self, n: int, seed: int = 0) -> Batch:
        """Return random data and, for a conditional model, random labels."""
        labels = self.composition.condition
        return Batch(draw(self.composition.data, n, seed), draw(labels, n, seed + 1) if labels is not None else None)

    @property
    def context(self) -> ContextSpace | None:
        """The space of the encoded condition, where there is one."""
        return self.composition.context

    def __str__(self) -> str:
        model = self.composition.spec
        encoder = model.encoder.type if model.encoder is not None else "no encoder"
        return f"{encoder}, {model.decoder.type}, {model.prior.type} on {self.composition.data}" + (
            f" with labels {self.composition.condition}" if self.composition.condition is not None else ""
        )
