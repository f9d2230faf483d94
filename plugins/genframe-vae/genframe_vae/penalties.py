"""Penalties on what an autoencoder encodes to: sparsity and contraction."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from genframe import Real, Space

__all__ = ["jacobian_penalty", "sparsity_penalty"]


def sparsity_penalty(latent: Tensor, space: Space | None = None, target: float | None = None) -> Tensor:
    """Return how far latents (B, ...) are from sparse.

    Without a target: their absolute values, summed over units, averaged over the batch. With one: the sum over units of
    KL(Bernoulli(target) || Bernoulli(mean activation over the batch)), in nats; the activation is the latent where its
    space is bounded to [0, 1], its sigmoid elsewhere. Lee et al. 2007; Ng 2011, CS294A notes, p. 15.

    >>> sparsity_penalty(torch.tensor([[0.5, -1.0], [0.0, 0.5]]))
    tensor(1.)
    """
    if target is None:
        return latent.abs().flatten(1).sum(1).mean()
    rates = isinstance(space, Real) and (space.low, space.high) == (0, 1)
    rate = (latent if rates else torch.sigmoid(latent)).flatten(1).mean(0).clamp(1e-6, 1 - 1e-6)
    divergence = target * torch.log(target / rate) + (1 - target) * torch.log((1 - target) / (1 - rate))
    return divergence.sum()


def jacobian_penalty(encode: Callable[[Tensor], Tensor], x: Tensor, probes: int = 0) -> tuple[Tensor, Tensor]:
    """Return latents, and the squared Frobenius norm of d latent / d x for each example: (B, ...) -> (B, ...), (B,).

    Without ``probes`` it is exact, from one row of the Jacobian for each latent dimension. With them it is an estimate by so
    many random signs v, for which E |vᵀJ|² = |J|² (Hutchinson 1989). Both are differentiable. Rifai et al. 2011, eq. 4.

    >>> _, penalty = jacobian_penalty(lambda x: 2 * x, torch.ones(1, 3))
    >>> penalty
    tensor([12.])
    """
    latent: Tensor
    latent, pull_back = torch.func.vjp(encode, x)  # type: ignore[misc]  # three values only with has_aux
    dims = latent[0].numel()
    if probes:
        vectors = torch.randint(0, 2, (probes, *latent.shape), device=x.device).to(latent) * 2 - 1
    else:
        rows = torch.eye(dims, device=x.device, dtype=latent.dtype).view(dims, 1, *latent.shape[1:])
        vectors = rows.expand(dims, *latent.shape)
    (gradients,) = torch.func.vmap(pull_back)(vectors)  # (probes or dims, B, data)
    return latent, gradients.square().flatten(2).sum(2).sum(0) / (probes or 1)
