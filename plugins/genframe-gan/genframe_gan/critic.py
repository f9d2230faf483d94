"""The critic: any encoder with a head that gives scores."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from genframe import ContextSpace, Encoder, Real, ask

from .specs import Game, Spectral
from .specs.game import packed
from .spectral import normalised

__all__ = ["Critic"]


class Critic(nn.Module):
    """Scores of packed data: (N, data), (N, context) -> (N, P), one for each place of the network's features.

    The network reads the context where ``reads`` says so; else the features are projected on it (Miyato & Koyama 2018,
    eq. 3). A head without bias is for games in which a constant changes nothing.
    """

    def __init__(self, spec: Game, data: Real, context: Real | None, *, reads: bool, bias: bool) -> None:
        super().__init__()
        self.reads = reads
        self.network: Encoder = spec.critic.build(
            spec.critic.spaces(packed(data, spec.packing), ContextSpace(context) if reads and context is not None else None)
        )
        features = spec.judge(data)
        channels = features.shape[0]
        projects = context is not None and not reads
        self.head = nn.Linear(channels, 1, bias=bias) if features.shape != (1,) else None
        self.projection = nn.Linear(cast(Real, context).dims, channels, bias=False) if projects else None
        if isinstance(spec.critic, Spectral):
            for layer in (self.head, self.projection):
                if layer is not None:
                    normalised(layer, spec.critic.iterations)

    def forward(self, x: Tensor, context: Tensor | None) -> Tensor:
        """Return the scores."""
        features = ask(self.network, x, context if self.reads else None)
        if self.head is None:
            return features.flatten(1)
        places = features if features.dim() == 2 else features.flatten(2).transpose(1, 2)  # (N, C, ...) -> (N, P, C)
        scores: Tensor = self.head(places)
        if self.projection is not None and context is not None:
            onto = self.projection(context.flatten(1)).reshape(len(features), *(1,) * (places.dim() - 2), -1)
            scores = scores + (places * onto).sum(-1, keepdim=True)
        return scores.flatten(1)
