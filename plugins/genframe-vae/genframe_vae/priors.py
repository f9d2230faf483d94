"""Priors that learn: mixtures of normals, and mixtures of posteriors."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Generator, Tensor, nn

from genframe import Context, Prior, Real, into_space
from genframe.types import Posterior

from .choices import Covariance
from .distributions import scale_tril
from .mixture import Mixture, fit_mixture

__all__ = ["GaussianMixturePrior", "VampPrior"]


class GaussianMixturePrior(Prior):
    """A mixture of normals, learned by gradient with the rest or fitted by EM. Dempster et al. 1977.

    It starts at unit variance, with means drawn from N(0, I).

    :param code: the space of the codes, vectors.
    :param components: number of normals.
    :param steps: steps of EM at most.
    :param tolerance: gain in nats per code below which EM stops.
    :param floor: the least variance, or eigenvalue of a covariance, that EM gives.

    >>> _ = torch.manual_seed(0)
    >>> codes = torch.cat((torch.randn(200, 2) - 4, torch.randn(200, 2) + 4))
    >>> prior = GaussianMixturePrior(Real((2,)), components=2)
    >>> prior.fit(codes)["converged"]
    True
    >>> prior.log_prob(codes).shape, prior.sample(3).shape
    (torch.Size([400]), torch.Size([3, 2]))
    """

    def __init__(
        self,
        code: Real,
        components: int = 10,
        *,
        covariance: Covariance = "full",
        steps: int = 200,
        tolerance: float = 1e-4,
        floor: float = 1e-6,
    ) -> None:
        super().__init__()
        (dim,) = code.shape
        self.steps, self.tolerance, self.floor = steps, tolerance, floor
        self.logits = nn.Parameter(torch.zeros(components))
        self.means = nn.Parameter(torch.randn(components, dim))
        self.log_diagonal = nn.Parameter(torch.zeros(components, dim))
        below = dim * (dim - 1) // 2 if covariance == "full" else 0
        self.lower = nn.Parameter(torch.zeros(components, below)) if below else None

    @property
    def mixture(self) -> Mixture:
        """The mixture that the parameters describe."""
        factor = self.log_diagonal.exp() if self.lower is None else scale_tril(self.log_diagonal, self.lower)
        return Mixture(self.logits.log_softmax(0), self.means, factor)

    def log_prob(self, code: Tensor, context: Context | None = None) -> Tensor:
        """Return the log-density in nats, whatever the context: (B, D) -> (B,)."""
        return self.mixture.log_joint(code).logsumexp(1)

    @torch.no_grad()
    def sample(self, n: int, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        """Return ``n`` draws, whatever the context: (n, D)."""
        return self.mixture.sample(n, generator)

    @torch.no_grad()
    def fit(self, codes: Tensor, context: Context | None = None, generator: Generator | None = None) -> dict[str, Any]:
        """Fit to codes (N, D) by EM.

        Return the mean log-likelihood of a code in nats, the number of steps, and whether they converged.

        :raises ValueError: if there are fewer codes than components, or a code is not finite.
        """
        fitted = fit_mixture(
            codes,
            len(self.means),
            full=self.lower is not None,
            steps=self.steps,
            tolerance=self.tolerance,
            floor=self.floor,
            generator=generator,
        )
        self._take(fitted.mixture)
        history = fitted.log_likelihoods
        return {"log_likelihood": history[-1], "steps": len(history) - 1, "converged": fitted.converged}

    def _take(self, mixture: Mixture) -> None:
        """Copy a mixture into the parameters."""
        self.logits.copy_(mixture.log_weights)
        self.means.copy_(mixture.means)
        if self.lower is None:
            self.log_diagonal.copy_(mixture.factor.log())
            return
        dim = mixture.factor.shape[1]
        rows, columns = torch.tril_indices(dim, dim, -1, device=mixture.factor.device)
        self.log_diagonal.copy_(mixture.factor.diagonal(dim1=1, dim2=2).log())
        self.lower.copy_(mixture.factor[:, rows, columns])


class VampPrior(Prior):
    """1/K sum_k q(z|u_k): the posteriors of K learned pseudo-inputs. Tomczak & Welling 2018, eq. 9.

    :param encoder: the encoder that gives the posteriors; it is not registered as a submodule.
    :param data: the space of the encoder's data, and of the pseudo-inputs.
    :param components: number of pseudo-inputs.

    >>> _ = torch.manual_seed(0)
    >>> encoder = GaussianEncoder(nn.Linear(64, 32), features=Real((32,)), dim=8)
    >>> prior = VampPrior(encoder, Real((64,)), components=10)
    >>> prior.log_prob(prior.sample(5)).shape
    torch.Size([5])
    """

    def __init__(self, encoder: Posterior, data: Real, components: int = 500) -> None:
        super().__init__()
        self._encoder = (encoder,)  # in a tuple, so that torch does not register it a second time
        self.data = data
        self.raw_inputs = nn.Parameter(torch.randn(components, *data.shape))

    @property
    def pseudo_inputs(self) -> Tensor:
        """The pseudo-inputs, within the data's bounds: (K, data)."""
        return into_space(self.raw_inputs, self.data)

    def log_prob(self, code: Tensor, context: Context | None = None) -> Tensor:
        """Return the log-density in nats: (B, code) -> (B,).

        With a context it is the mixture under each row's own context, which encodes every pair of a row and a pseudo-input.
        """
        inputs, n = self.pseudo_inputs, len(code)
        if context is None:
            mixture = self._encoder[0].posterior(inputs).expand(n)  # (K * B, ...)
        else:
            tiled = context.repeat(len(inputs))
            mixture = self._encoder[0].posterior(inputs.repeat_interleave(n, 0), tiled)
        log_each = mixture.log_prob(code.repeat(len(inputs), *[1] * (code.ndim - 1)))
        return log_each.view(len(inputs), n).logsumexp(0) - math.log(len(inputs))

    @torch.no_grad()
    def sample(self, n: int, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        """Return ``n`` draws, each from the posterior of a pseudo-input drawn with equal odds: (n, code)."""
        inputs = self.pseudo_inputs
        index = torch.randint(len(inputs), (n,), generator=generator, device=inputs.device)
        return self._encoder[0].posterior(inputs[index], context).rsample(generator)
