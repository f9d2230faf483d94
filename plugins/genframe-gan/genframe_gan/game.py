"""The game that every adversarial loss plays, over plain tensors: the critic's terms and the generator's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from genframe import LossOutput
from genframe.roles import eager

from .augmentation import AUGMENTATIONS
from .counting import Counter
from .critic import Critic
from .diagnostics import gradient_norm, spread
from .objectives import OBJECTIVES
from .penalties import gradient_penalty, gradients, zero_centred
from .rules import DEFAULT, Augmentation, Rules

__all__ = ["AdversarialTerms", "Evidence"]


@dataclass(frozen=True)
class Evidence:
    """What the critic judges: ``x`` (N, ...), and what it is judged with (N, ...) where there is anything.

    >>> Evidence(torch.zeros(5, 2), context=torch.zeros(5, 3)).watched
    []
    """

    x: Tensor
    context: Tensor | None = None

    @property
    def watched(self) -> list[Tensor]:
        """Those of its tensors that require gradients; penalties differentiate the score by them."""
        return [tensor for tensor in (self.x, self.context) if tensor is not None and tensor.requires_grad]

    def detach(self) -> Evidence:
        """Return it without its graph."""
        return Evidence(self.x.detach(), self.context.detach() if self.context is not None else None)


@contextmanager
def frozen(parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    """Record no gradients of ``parameters`` inside: a backward pass goes through what they make to its input only."""
    for parameter in parameters:
        parameter.requires_grad = False
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad = True


class AdversarialTerms(nn.Module):
    """What a critic and a generator minimise, as functions of real data and fakes. Goodfellow et al. 2014.

    It owns the critic. Penalties are of the gradient of the score's mean over places with respect to the critic's input,
    averaged over the batch. ``joint`` says that critic and generator also learn by what the data is judged with.

    :param critic: the critic, or any module ``forward(x, context)`` that gives scores (N, P).
    :param rules: the objective, and what keeps the critic in check.
    :param augment: differentiable changes of all images that the critic sees. Zhao et al. 2020, sec. 3.3.

    >>> _ = torch.manual_seed(0)
    >>> generator = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
    >>> critic = Critic(nn.Sequential(nn.Linear(2, 32), nn.ReLU()), features=Real((32,)))
    >>> game = AdversarialTerms(critic, Rules(r1=1.0))
    >>> x, fakes = torch.randn(8, 2), generator(torch.randn(8, 4))
    >>> game.critic_terms(x, fakes).total.backward()  # reaches the critic alone
    >>> game.generator_terms(fakes, x).total.backward()  # reaches the generator alone
    """

    prefix: ClassVar[str] = ""
    joint: ClassVar[bool] = False

    def __init__(self, critic: Critic | nn.Module, rules: Rules = DEFAULT, *, augment: Sequence[Augmentation] = ()) -> None:
        super().__init__()
        self.rules, self.objective = rules, OBJECTIVES[rules.objective]
        self.critic = critic
        self._weights = tuple(critic.parameters())  # walking through the modules for them takes longer than a layer
        self._counts = rules.penalty_every > 1 or rules.anneal_steps > 0
        self.augmentations = tuple(AUGMENTATIONS[name] for name in augment)
        self.steps = Counter(persistent=self._counts)

    def critic_terms(self, real: Tensor | Evidence, fake: Tensor | Evidence) -> LossOutput:
        """Return the critic's loss on as many real examples as fakes (N, ...); no gradient reaches either of them.

        The metrics are the critic's mean scores, its accuracy, the penalty, and how far apart fakes lie. In training it counts
        the steps by which penalties are lazy and fall.
        """
        self._clip()
        terms = self._eager_critic_terms if self.rules.penalised else self._critic_terms
        return terms(_evidence(real).detach(), _evidence(fake).detach())

    def generator_terms(self, fake: Tensor | Evidence, real: Tensor | Evidence | None = None) -> LossOutput:
        """Return the generator's loss on fakes (N, ...); no gradient reaches the critic.

        ``real`` is needed where the objective compares pairs (``relativistic``), and read nowhere else.

        :raises ValueError: if it is missing there.
        """
        return self._generator_terms(_evidence(fake), None if real is None else lambda: _evidence(real))

    def _generator_terms(self, made: Evidence, real: Callable[[], Evidence] | None) -> LossOutput:
        """Return the generator's loss; ``real`` is asked after the fakes were shown, which keeps the order of random draws."""
        self._clip()
        norm = gradient_norm(made.x) if made.x.requires_grad else None
        fake, shown = self._seen(made), None
        if self.joint or self.objective.paired:
            if real is None:
                raise ValueError("this objective compares fakes with real data: give generator_terms both")
            shown = self._seen(real())
        with frozen(self._weights):
            score = self.critic(fake.x, fake.context)
            against = self.critic(shown.x, shown.context) if shown is not None else None
        metrics = {} if norm is None else {self.prefix + "generator_gradient": norm}
        return LossOutput(self.objective.generator(score, against), metrics)

    @eager  # torch.compile does not differentiate a gradient
    def _eager_critic_terms(self, data: Evidence, made: Evidence) -> LossOutput:
        return self._critic_terms(data, made)

    def _critic_terms(self, data: Evidence, made: Evidence) -> LossOutput:
        with torch.no_grad():
            real, fake = self._seen(data), self._seen(made)
        factor = self._penalty_factor()
        with nullcontext() if factor is None else torch.enable_grad():
            if factor is not None:
                real, fake = self._watched(real, self.rules.r1), self._watched(fake, self.rules.r2)
            scores = self.critic(real.x, real.context), self.critic(fake.x, fake.context)
            total = self.objective.critic(*scores)
            penalty = factor * self._penalty(real, fake, scores) if factor is not None else torch.zeros_like(total)
        metrics = {"critic_real": scores[0].mean(), "critic_fake": scores[1].mean()}
        metrics["critic_accuracy"] = self.objective.accuracy(*scores)
        if len(data.x) > 1:
            metrics["spread"] = spread(made.x, data.x)
        if self.rules.penalised:
            metrics["penalty"] = penalty
            total = total + penalty
        return LossOutput(total, {self.prefix + name: value.detach() for name, value in metrics.items()})

    def _watched(self, evidence: Evidence, weight: float) -> Evidence:
        """Return evidence by which the score can be differentiated, where its gradient is penalised."""
        if not weight:
            return evidence
        context = evidence.context
        if self.joint and context is not None:
            context = context.detach().requires_grad_()
        return Evidence(evidence.x.detach().requires_grad_(), context)

    def _penalty(self, real: Evidence, fake: Evidence, scores: tuple[Tensor, Tensor]) -> Tensor:
        """Return the weighted penalties of one step."""
        rules = self.rules
        penalties: list[Tensor] = []
        if rules.r1 or rules.r2:
            both = iter(gradients(scores[0] + scores[1], [*real.watched, *fake.watched]))
            for weight, evidence in ((rules.r1, real), (rules.r2, fake)):
                if weight:
                    penalties.append(weight * zero_centred([next(both) for _ in evidence.watched]))
        if rules.gradient_penalty:
            between = self._watched(self._between(real, fake), rules.gradient_penalty)
            gradient = gradients(self.critic(between.x, between.context), between.watched)
            penalties.append(rules.gradient_penalty * gradient_penalty(gradient))
        return sum(penalties[1:], start=penalties[0])

    def _between(self, real: Evidence, fake: Evidence) -> Evidence:
        """Return evidence at random places between real and fake, another place for each pair."""
        share = torch.rand(len(real.x), device=real.x.device)

        def between(one: Tensor, other: Tensor) -> Tensor:
            return torch.lerp(one.detach(), other.detach(), share.reshape(-1, *(1,) * (one.dim() - 1)))

        if real.context is None or fake.context is None or not self.joint:
            return Evidence(between(real.x, fake.x), real.context)
        return Evidence(between(real.x, fake.x), between(real.context, fake.context))

    def _penalty_factor(self) -> Tensor | float | None:
        """Return by how much this step's penalty counts, ``None`` where it is left out."""
        rules, factor = self.rules, 1.0
        if self.training and self._counts:
            factor = rules.penalty_every
            if self.steps.next() % rules.penalty_every:
                return None
        if not rules.penalised:
            return None
        return factor if rules.penalty_end == 1 else factor * torch.pow(rules.penalty_end, self._progress())

    def _progress(self) -> Tensor:
        """Return how much of the annealing is done: () from 0 to 1."""
        return (self.steps.batches / self.rules.anneal_steps).clamp(max=1)

    def _seen(self, evidence: Evidence) -> Evidence:
        """Return evidence as the critic sees it: augmented, with noise, in packs."""
        x = evidence.x
        for augment in self.augmentations:
            x = augment(x)
        if self.rules.noise:
            x = x + self._noise() * torch.randn_like(x)
        return Evidence(self._pack(x), None if evidence.context is None else self._pack(evidence.context))

    def _noise(self) -> Tensor | float:
        """Return the noise's present standard deviation."""
        return self.rules.noise * (1 - self._progress()) if self.rules.anneal_steps else self.rules.noise

    def _pack(self, x: Tensor) -> Tensor:
        """Return rows together in packs: (B, C, ...) -> (B / m, m C, ...), the first again where B is no multiple of m."""
        size = self.rules.packing
        if size == 1:
            return x
        if len(x) % size:
            x = x[torch.arange(-(-len(x) // size) * size, device=x.device) % len(x)]
        return x.reshape(len(x) // size, size * x.shape[1], *x.shape[2:])

    @torch.no_grad()
    def _clip(self) -> None:
        """Keep the critic's weights within their bounds before it is used, which equals doing so after each of its steps."""
        bound = self.rules.clip_weights
        if bound is not None and self.training:
            weights: list[Tensor] = list(self._weights)
            torch._foreach_clamp_min_(weights, -bound)
            torch._foreach_clamp_max_(weights, bound)


def _evidence(given: Tensor | Evidence) -> Evidence:
    return given if isinstance(given, Evidence) else Evidence(given)
