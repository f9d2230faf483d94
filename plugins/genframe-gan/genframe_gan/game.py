"""The game that every adversarial loss plays: a critic's step and a generator's step on evidence."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import ClassVar, Final, cast

import torch
from torch import Tensor, nn

from genframe import Batch, Context, Loss, LossOutput, Model, Real
from genframe.execution import eager

from .counting import Counter
from .critic import Critic
from .objectives import OBJECTIVES
from .penalties import gradient_penalty, gradients, zero_centred
from .specs import Game
from .specs.game import packed

__all__ = ["Evidence", "GameLoss"]

COLLAPSE: Final = 0.3  # the spread below which fakes are said to collapse
PATIENCE: Final = 5  # lines of the log
SURE: Final = 0.95  # the accuracy above which a critic wins


@dataclass(frozen=True)
class Evidence:
    """What the critic judges: ``x`` (N, ...), and what it is judged with (N, ...) where there is anything."""

    x: Tensor
    context: Tensor | None = None

    @property
    def watched(self) -> list[Tensor]:
        """What of it the score is differentiated by."""
        return [tensor for tensor in (self.x, self.context) if tensor is not None and tensor.requires_grad]


@contextmanager
def frozen(parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    """Record no gradients of ``parameters`` inside, so that a backward pass goes through what they make to its input only."""
    for parameter in parameters:
        parameter.requires_grad = False
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad = True


@eager  # a hook is not compiled
def gradient_norm(x: Tensor) -> Tensor:
    """Return what the backward pass fills: the norm of the loss's gradient by each row of ``x`` (N, ...), summed over rows.

    Of a loss that is a mean over rows this is the average norm of the gradient of a row's own loss.
    """
    norm = torch.zeros((), device=x.device)

    def fill(gradient: Tensor) -> None:
        norm.copy_(torch.linalg.vector_norm(gradient.flatten(1), dim=1).sum())

    x.register_hook(fill)
    return norm


def spread(fake: Tensor, real: Tensor) -> Tensor:
    """Return how many times as far apart two fakes lie as two real data, on average over pairs: (N, ...), (N, ...) -> ()."""
    return _distance(fake) / _distance(real).clamp_min(torch.finfo(real.dtype).tiny)


def _distance(x: Tensor) -> Tensor:
    """Return the mean distance between a row of the first half and one of the second."""
    half = len(x) // 2
    distances: Tensor = torch.linalg.vector_norm((x[:half] - x[half : 2 * half]).flatten(1), dim=1)
    return distances.mean()


class GameLoss(Loss):
    """A game on evidence that subclasses give; the critic is the loss's own."""

    prefix: ClassVar[str] = ""
    joint: ClassVar[bool] = False

    def __init__(self, spec: Game, data: Real, context: Real | None, *, reads: bool) -> None:
        super().__init__()
        self.spec, self.objective = spec, OBJECTIVES[spec.objective]
        beside = packed(context, spec.packing) if context is not None else None
        self.critic = Critic(spec, data, beside, reads=reads, bias=not self.objective.shifted)
        self._weights = tuple(self.critic.parameters())  # walking through the modules for them takes longer than a layer
        self._counts = spec.penalty_every > 1 or spec.anneal_steps > 0
        self.augmentations: tuple[Callable[[Tensor], Tensor], ...] = ()
        self.steps = Counter(persistent=self._counts)
        self._collapsed = 0  # lines of the log in a row

    @abstractmethod
    def real(self, model: Model, batch: Batch, context: Context | None) -> Evidence:
        """Return what the critic should say is real."""

    @abstractmethod
    def fake(self, model: Model, batch: Batch, context: Context | None) -> Evidence:
        """Return what the generator made."""

    def player_parameters(self, model: Model, player: str) -> Iterable[nn.Parameter]:
        """Return the critic's own parameters, or those of all the model's parts."""
        return self._weights if player == "critic" else model.part_parameters()

    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return the player's loss; the critic's with its mean scores and accuracy."""
        self._clip()
        if player != "critic":
            return self._generator_loss(model, batch)
        return self._eager_critic_loss(model, batch) if self.spec.penalised else self._critic_loss(model, batch)

    def _generator_loss(self, model: Model, batch: Batch) -> LossOutput:
        context = model.context(batch.condition)
        made = self.fake(model, batch, context)
        norm = gradient_norm(made.x) if made.x.requires_grad else None
        fake = self._seen(made)
        real = self._seen(self.real(model, batch, context)) if self.joint or self.objective.paired else None
        with frozen(self._weights):
            score = self.critic(fake.x, fake.context)
            against = self.critic(real.x, real.context) if real is not None else None
        metrics = {} if norm is None else {self.prefix + "generator_gradient": norm}
        return LossOutput(self.objective.generator(score, against), metrics)

    @eager  # torch.compile does not differentiate a gradient
    def _eager_critic_loss(self, model: Model, batch: Batch) -> LossOutput:
        return self._critic_loss(model, batch)

    def _critic_loss(self, model: Model, batch: Batch) -> LossOutput:
        with torch.no_grad():
            context = model.context(batch.condition)
            data, made = (each(model, batch, context) for each in (self.real, self.fake))
            real, fake = self._seen(data), self._seen(made)
        factor = self._penalty_factor()
        with nullcontext() if factor is None else torch.enable_grad():
            if factor is not None:
                real, fake = self._watched(real, self.spec.r1), self._watched(fake, self.spec.r2)
            scores = self.critic(real.x, real.context), self.critic(fake.x, fake.context)
            total = self.objective.critic(*scores)
            penalty = factor * self._penalty(real, fake, scores) if factor is not None else torch.zeros_like(total)
        metrics = {"critic_real": scores[0].mean(), "critic_fake": scores[1].mean()}
        metrics["critic_accuracy"] = self.objective.accuracy(*scores)
        if len(data.x) > 1:
            metrics["spread"] = spread(made.x, data.x)
        if self.spec.penalised:
            metrics["penalty"] = penalty
            total = total + penalty
        return LossOutput(total, {self.prefix + name: value.detach() for name, value in metrics.items()})

    def remarks(self, figures: Mapping[str, float]) -> Iterator[str]:
        """Say when fakes have lain close together for some lines of the log, with the likely cause and what to change."""
        share = figures.get(self.prefix + "spread", 1.0)
        self._collapsed = self._collapsed + 1 if share < COLLAPSE else 0
        if self._collapsed == PATIENCE:
            why = self._cause(figures.get(self.prefix + "critic_accuracy", 0.5))
            yield f"{self.spec.type}: for {PATIENCE} lines fakes lay {share:.2g} times as far apart as what is real; {why}"

    def _cause(self, accuracy: float) -> str:
        """Return why fakes probably collapse under a critic of this accuracy, and the field to change."""
        if accuracy > SURE:
            mend = "raise it, or lower train.players.critic.lr" if self.spec.penalised else "give it r1"
            return f"the critic is right on {accuracy:.0%}, so that the generator learns little from it: {mend}"
        return f"the critic does not see that fakes are alike: let it judge more at once, packing: {2 * self.spec.packing}"

    def _watched(self, evidence: Evidence, weight: float) -> Evidence:
        """Return evidence by which the score can be differentiated, where the critic's gradient costs something."""
        if not weight:
            return evidence
        context = (
            evidence.context.detach().requires_grad_() if self.joint and evidence.context is not None else evidence.context
        )
        return Evidence(evidence.x.detach().requires_grad_(), context)

    def _penalty(self, real: Evidence, fake: Evidence, scores: tuple[Tensor, Tensor]) -> Tensor:
        """Return the weighted penalties of one step."""
        spec = self.spec
        penalties: list[Tensor] = []
        if spec.r1 or spec.r2:
            both = iter(gradients(scores[0] + scores[1], [*real.watched, *fake.watched]))
            for weight, evidence in ((spec.r1, real), (spec.r2, fake)):
                if weight:
                    penalties.append(weight * zero_centred([next(both) for _ in evidence.watched]))
        if spec.gradient_penalty:
            between = self._watched(self._between(real, fake), spec.gradient_penalty)
            gradient = gradients(self.critic(between.x, between.context), between.watched)
            penalties.append(spec.gradient_penalty * gradient_penalty(gradient))
        return sum(penalties[1:], start=penalties[0])

    def _between(self, real: Evidence, fake: Evidence) -> Evidence:
        """Return evidence at random places between real and fake, each pair's own."""
        share = torch.rand(len(real.x), device=real.x.device)

        def between(one: Tensor, other: Tensor) -> Tensor:
            return torch.lerp(one.detach(), other.detach(), share.reshape(-1, *(1,) * (one.dim() - 1)))

        if real.context is None or fake.context is None or not self.joint:
            return Evidence(between(real.x, fake.x), real.context)
        return Evidence(between(real.x, fake.x), between(real.context, fake.context))

    def _penalty_factor(self) -> Tensor | float | None:
        """Return by how much this step's penalty counts, or nothing where it is left out."""
        spec, factor = self.spec, 1.0
        if self.training and self._counts:
            factor = spec.penalty_every
            if self.steps.next() % spec.penalty_every:
                return None
        if not spec.penalised:
            return None
        return factor if spec.penalty_end == 1 else factor * torch.pow(spec.penalty_end, self._progress())

    def _progress(self) -> Tensor:
        """Return how much of the annealing is done: () from 0 to 1."""
        return (cast(Tensor, self.steps.batches) / self.spec.anneal_steps).clamp(max=1)

    def _seen(self, evidence: Evidence) -> Evidence:
        """Return evidence as the critic sees it: augmented, with noise, in packs."""
        x = evidence.x
        for augment in self.augmentations:
            x = augment(x)
        if self.spec.noise:
            x = x + self._noise() * torch.randn_like(x)
        return Evidence(self._pack(x), None if evidence.context is None else self._pack(evidence.context))

    def _noise(self) -> Tensor | float:
        """Return the noise's present standard deviation."""
        return self.spec.noise * (1 - self._progress()) if self.spec.anneal_steps else self.spec.noise

    def _pack(self, x: Tensor) -> Tensor:
        """Return rows together in packs: (B, C, ...) -> (B / m, m C, ...), the first again where B is no multiple of m."""
        size = self.spec.packing
        if size == 1:
            return x
        if len(x) % size:
            x = x[torch.arange(-(-len(x) // size) * size, device=x.device) % len(x)]
        return x.reshape(len(x) // size, size * x.shape[1], *x.shape[2:])

    @torch.no_grad()
    def _clip(self) -> None:
        """Keep the critic's weights within their bounds before it is used: the same as after each of its steps."""
        bound = self.spec.clip_weights
        if bound is not None and self.training:
            weights: list[Tensor] = list(self._weights)
            torch._foreach_clamp_min_(weights, -bound)
            torch._foreach_clamp_max_(weights, bound)
