"""Priors that learn: mixtures of normals, and mixtures of posteriors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Generator, Tensor, nn

from genframe import Context, Encoder, Prior, Real, Space, Unsupported, into_space
from genframe.traits import Posterior

from .distributions import scale_tril
from .mixture import Mixture, fit_mixture

if TYPE_CHECKING:
    from .specs import GaussianMixture, Vamp

__all__ = ["GaussianMixturePrior", "VampPrior"]


class GaussianMixturePrior(Prior):
    """A mixture of normals, learned by gradient with the rest or fitted by EM. Starts at unit variance, means ~ N(0, I)."""

    def __init__(self, spec: GaussianMixture, code: Space) -> None:
        super().__init__()
        (dim,) = code.shape
        self.spec = spec
        self.logits = nn.Parameter(torch.zeros(spec.components))
        self.means = nn.Parameter(torch.randn(spec.components, dim))
        self.log_diagonal = nn.Parameter(torch.zeros(spec.components, dim))
        below = dim * (dim - 1) // 2 if spec.covariance == "full" else 0
        self.lower = nn.Parameter(torch.zeros(spec.components, below)) if below else None

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
        """Fit to codes (N, D) by EM; return the mean log-likelihood of a code in nats, the steps, and if they converged."""
        spec = self.spec
        fitted = fit_mixture(
            codes,
            spec.components,
            full=self.lower is not None,
            steps=spec.steps,
            tolerance=spec.tolerance,
            floor=spec.floor,
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
    """1/K sum_k q(z|u_k): the posteriors of K learned pseudo-inputs, by an encoder that the model owns."""

    def __init__(self, spec: Vamp, encoder: Encoder | None) -> None:
        super().__init__()
        part: object = encoder
        data = getattr(encoder, "data", None)
        if not (isinstance(part, Posterior) and isinstance(data, Real)):
            raise Unsupported(
                "vae/vamp needs an encoder of real data with Posterior that keeps its data's space, such as vae/gaussian"
            )
        self._encoder: tuple[Posterior] = (part,)  # in a tuple, so that torch does not register it a second time
        self.data = data
        self.raw_inputs = nn.Parameter(torch.randn(spec.components, *data.shape))

    @property
    def pseudo_inputs(self) -> Tensor:
        """The pseudo-inputs, within the data's bounds: (K, data)."""
        return into_space(self.raw_inputs, self.data)

    def log_prob(self, code: Tensor, context: Context | None = None) -> Tensor:
        """Return the log-density in nats; with a context, under the posteriors of every pair of it and a pseudo-input."""
        inputs, n = self.pseudo_inputs, len(code)
        if context is None:
            mixture = self._encoder[0].posterior(inputs).expand(n)  # (K * B, ...)
        else:
            tiled = context.repeat(len(inputs))
            mixture = self._encoder[0].posterior(inputs.repeat_interleave(n, 0), tiled)
        log_each: Tensor = mixture.log_prob(code.repeat(len(inputs), *[1] * (code.ndim - 1)))
        return log_each.view(len(inputs), n).logsumexp(0) - math.log(len(inputs))

    @torch.no_grad()
    def sample(self, n: int, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        """Return ``n`` draws, each from the posterior of a pseudo-input drawn with equal odds."""
        inputs = self.pseudo_inputs
        index = torch.randint(len(inputs), (n,), generator=generator, device=inputs.device)
        return self._encoder[0].posterior(inputs[index], context).rsample(generator)
