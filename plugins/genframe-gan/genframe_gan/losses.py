"""Adversarial losses of models: on data, on latents, on pairs of both."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from genframe import Batch, Context, Encoder, Loss, LossOutput, Model, drawn_latent
from genframe.roles import eager

from .critic import Critic
from .diagnostics import PATIENCE, Collapse
from .game import AdversarialTerms, Evidence
from .rules import DEFAULT, Augmentation, Fakes, Rules

__all__ = ["AdversarialLoss", "BidirectionalLoss", "GameLoss", "LatentAdversarialLoss"]


class GameLoss(AdversarialTerms, Loss):
    """The game of :class:`AdversarialTerms` on real and fake evidence that a subclass takes from the model."""

    component: ClassVar[str]

    def __init__(self, critic: Critic | nn.Module, rules: Rules = DEFAULT, *, augment: Sequence[Augmentation] = ()) -> None:
        super().__init__(critic, rules, augment=augment)
        self._collapse = Collapse(rules)
        self.period = rules.penalty_every

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
        if player == "critic":
            return self._eager_critic_loss(model, batch) if self.rules.penalised else self._critic_loss(model, batch)
        context = model.context(batch.condition)
        return self._generator_terms(self.fake(model, batch, context), lambda: self.real(model, batch, context))

    @eager  # torch.compile does not differentiate a gradient
    def _eager_critic_loss(self, model: Model, batch: Batch) -> LossOutput:
        return self._critic_loss(model, batch)

    def _critic_loss(self, model: Model, batch: Batch) -> LossOutput:
        with torch.no_grad():
            context = model.context(batch.condition)
            real, fake = (each(model, batch, context) for each in (self.real, self.fake))
        return self.critic_terms(real, fake)

    def remarks(self, figures: Mapping[str, float]) -> Iterator[str]:
        """Say when fakes have lain close together for some lines of the log, with the likely cause and what to change."""
        share = figures.get(self.prefix + "spread", 1.0)
        why = self._collapse.remark(share, figures.get(self.prefix + "critic_accuracy", 0.5))
        if why:
            yield f"{self.component}: for {PATIENCE} lines fakes lay {share:.2g} times as far apart as what is real; {why}"


class AdversarialLoss(GameLoss):
    """Data against decoded draws of the prior, or against reconstructions. Goodfellow et al. 2014.

    :param critic: the critic of data; of packs of data where the rules have packing.
    :param fakes: decode draws of the prior (``samples``), or the latents of data (``reconstructions``).
    :param augment: differentiable changes of all images that the critic sees.

    >>> _ = torch.manual_seed(0)
    >>> loss = AdversarialLoss(Critic(nn.Linear(2, 32), features=Real((32,))), Rules("hinge", r1=0.1))
    >>> sorted(loss.critic_terms(torch.randn(8, 2), torch.randn(8, 2)).metrics)
    ['critic_accuracy', 'critic_fake', 'critic_real', 'penalty', 'spread']
    """

    component = "gan/adversarial"

    def __init__(
        self,
        critic: Critic | nn.Module,
        rules: Rules = DEFAULT,
        *,
        fakes: Fakes = "samples",
        augment: Sequence[Augmentation] = (),
    ) -> None:
        super().__init__(critic, rules, augment=augment)
        self.reconstructs = fakes == "reconstructions"

    def real(self, model: Model, batch: Batch, context: Context | None) -> Evidence:
        """Return the data."""
        return Evidence(batch.x, _vector(context))

    def fake(self, model: Model, batch: Batch, context: Context | None) -> Evidence:
        """Return as many decoded latents."""
        if self.reconstructs:
            latent = drawn_latent(model.part("encoder", Encoder), batch.x, context)
        else:
            latent = model.latents(model.prior.sample(len(batch.x), context))
        return Evidence(model.decoder.decode(latent, context), _vector(context))


class LatentAdversarialLoss(GameLoss):
    """Draws of the prior against latents of data. Makhzani et al. 2016, sec. 2.

    >>> _ = torch.manual_seed(0)
    >>> loss = LatentAdversarialLoss(Critic(nn.Linear(3, 32), features=Real((32,))), Rules("non_saturating"))
    >>> list(loss.generator_terms(torch.randn(8, 3, requires_grad=True)).metrics)
    ['latent_generator_gradient']
    """

    component = "gan/latent_adversarial"
    prefix = "latent_"

    def real(self, model: Model, batch: Batch, context: Context | None) -> Evidence:
        """Return latents of draws."""
        return Evidence(model.latents(model.prior.sample(len(batch.x), context)))

    def fake(self, model: Model, batch: Batch, context: Context | None) -> Evidence:
        """Return latents of data."""
        return Evidence(drawn_latent(model.part("encoder", Encoder), batch.x, context))


class BidirectionalLoss(GameLoss):
    """Data with their latents against decoded draws with theirs. Donahue et al. 2017, eq. 2 (BiGAN).

    :param critic: the critic of data, whose network reads the latent as its context.

    >>> _ = torch.manual_seed(0)
    >>> network = PerceptronEncoder(Real((2,)), ContextSpace(Real((3,))), hidden=(32,))
    >>> loss = BidirectionalLoss(Critic(network, features=Real((32,))))
    >>> real, fake = (Evidence(torch.randn(8, 2), torch.randn(8, 3)) for _ in range(2))
    >>> loss.generator_terms(fake, real).total.shape
    torch.Size([])
    """

    component = "gan/bidirectional"
    prefix = "pair_"
    joint = True

    def real(self, model: Model, batch: Batch, context: Context | None) -> Evidence:
        """Return the data, and their latents."""
        return Evidence(batch.x, _beside(drawn_latent(model.part("encoder", Encoder), batch.x, context), context))

    def fake(self, model: Model, batch: Batch, context: Context | None) -> Evidence:
        """Return decoded draws, and the latents they are of."""
        latent = model.latents(model.prior.sample(len(batch.x), context))
        return Evidence(model.decoder.decode(latent, context), _beside(latent, context))


def _beside(latent: Tensor, context: Context | None) -> Tensor:
    """Return what a critic of pairs reads beside the data: (B, latent), (B, context) -> (B, D)."""
    vector = _vector(context)
    return latent.flatten(1) if vector is None else torch.cat((latent.flatten(1), vector.flatten(1)), 1)


def _vector(context: Context | None) -> Tensor | None:
    """Return the context's vector without its graph: the adversarial game does not train the condition's encoder."""
    return context.vector.detach() if context is not None and context.vector is not None else None
