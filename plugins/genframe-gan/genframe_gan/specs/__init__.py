"""Specs of the components. No torch."""

from __future__ import annotations

from .game import Game, ObjectiveName
from .losses import Adversarial, Augmentation, Bidirectional, LatentAdversarial
from .spectral import Spectral

__all__ = ["Adversarial", "Augmentation", "Bidirectional", "Game", "LatentAdversarial", "ObjectiveName", "Spectral"]
