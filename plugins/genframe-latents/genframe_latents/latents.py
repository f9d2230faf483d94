"""The latent of an example and the way back, in one vocabulary for every family.

The route follows from the parts' traits, never from the name of a family: the mean of a posterior, the vectors of a codebook, a
bijection, the probability flow of a noise process, the output of a plain encoder. A model without an encoder gets a search for
the code whose decoded data is nearest. Of a model in two stages it is the first stage's latent; :func:`to_base` continues to
the base of its prior.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Final, TypeAlias

import torch
from torch import Tensor

from genframe import Composition, Context, Model, Real, Unsupported, evaluating, generator_for
from genframe.checking import fitting, has
from genframe.types import Invertible, NormalBase, Posterior, Role, require_real

from .route import Route, route_of

__all__ = ["ROWS", "Latents", "Search", "base_of", "from_base", "latents_of", "to_base"]

Rows: TypeAlias = Callable[[Tensor, Context | None], Tensor]
ROWS: Final = 250  # encoded or decoded at once; bounds memory


class Latents(ABC):
    """Encodes data to latents and decodes latents to data, without gradients. Made by :func:`latents_of`.

    A condition is required if one of the ``readers`` reads it.
    """

    readers: ClassVar[tuple[Role, ...]] = ("encoder", "decoder")

    def __init__(self, model: Model, seed: int = 0) -> None:
        self.model, self.seed = model, seed
        self.route = route_of(model.composition)

    @property
    def space(self) -> Real:
        """The space of a latent."""
        return require_real(self.model.composition.latent, "work on latents")

    def encode(self, x: Tensor, condition: Any = None) -> Tensor:
        """Return the latent of each example, a function of the example and the seed: (N, data) -> (N, latent)."""
        return self._by_rows(self._encoded, x, condition)

    def decode(self, latent: Tensor, condition: Any = None) -> Tensor:
        """Return the data of each latent, its mean if the decoder is a likelihood: (N, latent) -> (N, data)."""
        return self._by_rows(self._decoded, latent, condition)

    def decode_each(self, latents: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return the data of ``S`` latents per condition: (N, S, latent) -> (N, S, data)."""
        repeated = None if condition is None else condition.repeat_interleave(latents.shape[1], 0)
        x = self.decode(latents.flatten(0, 1), repeated)
        return x.reshape(*latents.shape[:2], *x.shape[1:])

    def _by_rows(self, call: Rows, rows: Tensor, condition: Any) -> Tensor:
        done = []
        with evaluating(self.model):
            for start in range(0, max(1, len(rows)), ROWS):
                torch.manual_seed(self.seed)  # for encoders that draw; evaluating restores the generators
                part = slice(start, start + ROWS)
                context = self.model.context(None if condition is None else condition[part], *self.readers)
                done.append(call(rows[part], context))
        return torch.cat(done)

    @abstractmethod
    def _encoded(self, x: Tensor, context: Context | None) -> Tensor: ...

    def _decoded(self, latent: Tensor, context: Context | None) -> Tensor:
        return self.model.decoder.decode(latent, context)


class _Encoded(Latents):
    """Latents by the model's own encoder."""

    def _encoded(self, x: Tensor, context: Context | None) -> Tensor:
        encoder = self.model.encoder
        assert encoder is not None
        if self.route == "posterior mean" and isinstance(encoder, Posterior):
            return encoder.posterior(x, context).mean
        return encoder.encode(x, context)


class _Flowing(Latents):
    """Latents by the sampler's walk in reverse: the noise to which the probability flow leads."""

    def _encoded(self, x: Tensor, context: Context | None) -> Tensor:
        sampler = self.model.sampler
        assert isinstance(sampler, Invertible)
        return sampler.invert(self.model, x, context)

    def _decoded(self, latent: Tensor, context: Context | None) -> Tensor:
        sampler = self.model.sampler
        assert isinstance(sampler, Invertible)
        return sampler.last(sampler.trajectory_from(self.model, latent, context))


class Search(Latents):
    """Latents by a search, for models without an encoder: the code whose decoded data is nearest. Zhu et al. 2016, eq. 5.

    Adam minimises |x - G(z)|² / 2 σ² + |z|² / 2 in the base of the prior; a prior without a base gets no second term. σ is
    ``deviation`` times the range of the data. The result is the most likely code of x, if x is what the generator makes plus
    noise. It starts from the best ``restarts`` of ``draws`` draws of the prior. The draws are the same for every example, so
    the latent of an example does not depend on others. It costs ``draws`` + 3 · ``restarts`` · ``steps`` decodings per example,
    with a gradient counted as two.

    >>> spec = {"decoder": "nets/mlp", "prior": {"type": "core/normal", "shape": [2]}, "loss": "gan/adversarial"}
    >>> search = Search(compose(ModelSpec.model_validate(spec), Real((4,))), restarts=2, steps=5, draws=16)
    >>> search.encode(torch.zeros(3, 4)).shape, search.cost()
    (torch.Size([3, 2]), '46 decodings per example')
    """

    readers = ("decoder", "prior")

    def __init__(
        self,
        model: Model,
        seed: int = 0,
        *,
        restarts: int = 4,
        steps: int = 200,
        draws: int = 256,
        lr: float = 0.05,
        deviation: float = 0.1,
    ) -> None:
        super().__init__(model, seed)
        self.restarts, self.steps, self.draws, self.lr, self.deviation = restarts, steps, draws, lr, deviation

    def cost(self) -> str:
        """Return what the search costs, for a person to read."""
        return f"{self.draws + 3 * self.restarts * self.steps:,} decodings per example"

    def _encoded(self, x: Tensor, context: Context | None) -> Tensor:
        starts = self._starts(x, context)
        repeated = None if context is None else context.repeat_interleave(self.restarts)
        z, error = self._descended(starts.flatten(0, 1), x.repeat_interleave(self.restarts, 0), repeated)
        best = error.view(len(x), -1).argmin(1)
        return z.view(starts.shape)[torch.arange(len(x), device=x.device), best]

    def _starts(self, x: Tensor, context: Context | None) -> Tensor:
        """Return the draws whose decoded data is nearest: (n, data) -> (n, restarts, latent)."""
        generator = generator_for(x.device, self.seed)
        if context is not None:  # a draw depends on the context, and so does its data
            each = [context[row : row + 1] for row in range(len(x))]
            rows = [self._starts_of(row, self._drawn(one, generator), one) for row, one in zip(x, each, strict=True)]
            return torch.stack(rows)
        drawn = self._drawn(None, generator)
        data = self.model.decoder.decode(self.model.latents(drawn), None).flatten(1)
        nearest = torch.cdist(x.flatten(1), data).topk(self.restarts, largest=False).indices
        return drawn[nearest]

    def _starts_of(self, x: Tensor, drawn: Tensor, context: Context) -> Tensor:
        data = self.model.decoder.decode(self.model.latents(drawn), context.repeat(len(drawn)))
        return drawn[(data - x).flatten(1).square().sum(1).topk(self.restarts, largest=False).indices]

    def _drawn(self, context: Context | None, generator: torch.Generator) -> Tensor:
        repeated = None if context is None else context.repeat(self.draws)
        return self.model.prior.sample(self.draws, repeated, generator.manual_seed(generator.initial_seed()))

    def _descended(self, z: Tensor, x: Tensor, context: Context | None) -> tuple[Tensor, Tensor]:
        """Return what the search reaches, and the objective there: (M, latent), (M, data) -> (M, latent), (M,)."""
        scale = 2 * (self.deviation * _range(self.model.composition, x)) ** 2
        with torch.enable_grad():
            z = z.clone().requires_grad_()
            adam = torch.optim.Adam([z], lr=self.lr)
            for _ in range(self.steps):
                z.grad = torch.autograd.grad(self._objective(z, x, context, scale).sum(), z)[0]
                adam.step()
        z = z.detach()
        return z, self._objective(z, x, context, scale)

    def _objective(self, z: Tensor, x: Tensor, context: Context | None, scale: float) -> Tensor:
        error = (self.model.decoder.decode(z, context) - x).flatten(1).square().sum(1) / scale
        if not self.model.composition.has("prior", NormalBase):
            return error
        return error + 0.5 * to_base(self.model, z, context).flatten(1).square().sum(1)


def _range(composition: Composition, x: Tensor) -> float:
    """Return the range of the data: that of its space, else four standard deviations of ``x``."""
    data = composition.data
    if isinstance(data, Real) and data.low is not None and data.high is not None:
        return data.high - data.low
    return 4 * float(x.std()) or 1.0


def latents_of(model: Model, seed: int = 0) -> Latents:
    """Return what encodes a model's data to latents and back.

    :raises Unsupported: if the model has no latents, with the reason and what has.
    """
    route = route_of(model.composition)
    makes: dict[Route, type[Latents]] = {"probability flow": _Flowing, "search": Search}
    if route == "search" and not isinstance(model.composition.data, Real):
        raise Unsupported(
            f"without an encoder the search for a latent needs gradients, and {model.composition.data} has none; "
            "train a model with an encoder"
        )
    return makes.get(route, _Encoded)(model, seed)


def base_of(model: Model) -> NormalBase | None:
    """Return the model's prior if it maps to a normal base."""
    prior = model.prior
    return prior if isinstance(prior, NormalBase) and model.composition.has("prior", NormalBase) else None


def to_base(model: Model, latent: Tensor, context: Context | None = None) -> Tensor:
    """Return latents in the base of the prior, where it is N(0, I): (N, latent) -> (N, ...).

    :raises Unsupported: if the prior has no such base.
    """
    code = model.encoder.code(latent) if model.encoder is not None else latent
    return _required_base(model).to_base(code, context)


def from_base(model: Model, base: Tensor, context: Context | None = None) -> Tensor:
    """Return the latents of points of the prior's base: (N, ...) -> (N, latent).

    :raises Unsupported: if the prior has no such base.
    """
    return model.latents(_required_base(model).from_base(base, context))


def _required_base(model: Model) -> NormalBase:
    prior = base_of(model)
    if prior is None:
        having = ", ".join(component.type_name() for component in fitting("prior") if has(component, NormalBase))
        raise Unsupported(
            f"{model.composition.spec.prior.type} has no map to a normal base, so there is no geometry to follow; "
            f"say linear or spherical (priors with a base: {having}, or a flow as core/model)"
        )
    return prior
