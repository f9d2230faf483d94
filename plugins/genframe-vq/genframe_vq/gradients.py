"""Gradients past a quantisation: the value is the codebook's, the gradient goes to the features."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from torch import Tensor
from torch.nn import functional as F

__all__ = ["ESTIMATORS", "Estimator", "rotation", "straight_through"]

Estimator: TypeAlias = Callable[[Tensor, Tensor], Tensor]
LEAST_NORM: Final = 1e-6


def with_gradient_of(value: Tensor, carrier: Tensor) -> Tensor:
    """Return ``value``, to the last bit, with the gradient of ``carrier``."""
    return value.detach() + (carrier - carrier.detach())


def straight_through(features: Tensor, vectors: Tensor) -> Tensor:
    """Return ``vectors`` with the gradient of the identity: (N, D), (N, D) -> (N, D). Bengio et al. 2013."""
    return with_gradient_of(vectors, features)


def rotation(features: Tensor, vectors: Tensor) -> Tensor:
    """Return ``vectors`` with the gradient of the rotation and scaling that take features there. Fifty et al. 2024, sec. 4.2.

    (N, D), (N, D) -> (N, D); the angle between a gradient and a vector is that between the feature and its gradient.
    """
    e, q = features.detach(), vectors.detach()
    start, end = F.normalize(e, dim=1), F.normalize(q, dim=1)
    between = F.normalize(start + end, dim=1)
    scale = q.norm(dim=1, keepdim=True) / e.norm(dim=1, keepdim=True).clamp(min=LEAST_NORM)
    reflected = features - 2 * (features * between).sum(1, keepdim=True) * between
    return with_gradient_of(q, scale * (reflected + 2 * (features * start).sum(1, keepdim=True) * end))


ESTIMATORS: Final[Mapping[str, Estimator]] = {"straight_through": straight_through, "rotation": rotation}
