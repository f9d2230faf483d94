"""The choices that specs and implementations share. No torch."""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = ["LogScale", "MaskedOrder", "Memory", "Order"]

LogScale: TypeAlias = Literal["exp", "tanh", "sigmoid"]
"""How an affine layer turns the network's value into a scale."""
Memory: TypeAlias = Literal["ordinary", "constant"]
"""Whether activations are kept for the backward pass, or found again by the inverse."""
Order: TypeAlias = Literal["halves", "even_odd", "shuffled", "linear"]
"""What couplings divide, and what mixes values between layers."""
MaskedOrder: TypeAlias = Literal["reversed", "shuffled", "linear"]
"""The order of the values in autoregressive layers."""
