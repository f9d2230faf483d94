"""The critic: any network with a head that gives scores."""

from __future__ import annotations

from torch import Tensor, nn

from genframe import Context, Real, ask

from .spectral import SpectralEncoder, normalised

__all__ = ["Critic"]


class Critic(nn.Module):
    """Scores of data by a network and a linear head: (N, data) -> (N, P), one for each place of spatial features.

    A network with a single feature gives the score itself. The features are projected on a context where its size is given
    (Miyato & Koyama 2018, eq. 3); else the network reads the context, if it can.

    :param network: any module that maps data to features.
    :param features: the space of its output: a vector, or channels and up to three spatial axes.
    :param projected: size of the flattened context on which features are projected; 0 for none.
    :param bias: whether the head has a bias; without one for games in which a constant changes nothing.

    >>> _ = torch.manual_seed(0)
    >>> critic = Critic(nn.Sequential(nn.Linear(2, 32), nn.ReLU()), features=Real((32,)))
    >>> critic(torch.randn(5, 2)).shape
    torch.Size([5, 1])
    """

    def __init__(self, network: nn.Module, features: Real, *, projected: int = 0, bias: bool = True) -> None:
        super().__init__()
        self.network = network
        channels = features.shape[0]
        self.head = nn.Linear(channels, 1, bias=bias) if features.shape != (1,) else None
        self.projection = nn.Linear(projected, channels, bias=False) if projected else None
        if isinstance(network, SpectralEncoder):
            for layer in (self.head, self.projection):
                if layer is not None:
                    normalised(layer, network.iterations)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Return the scores: (N, data), (N, context) -> (N, P)."""
        read = Context(context) if context is not None and self.projection is None else None
        features = ask(self.network, x, read)
        if self.head is None:
            return features.flatten(1)
        places = features if features.dim() == 2 else features.flatten(2).transpose(1, 2)  # (N, C, ...) -> (N, P, C)
        scores: Tensor = self.head(places)
        if self.projection is not None and context is not None:
            onto = self.projection(context.flatten(1)).reshape(len(features), *(1,) * (places.dim() - 2), -1)
            scores = scores + (places * onto).sum(-1, keepdim=True)
        return scores.flatten(1)
