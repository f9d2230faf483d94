"""The rules of a game between a critic and a generator, as one value. No torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from genframe import Mismatch, Real

__all__ = ["DEFAULT", "Augmentation", "Conditioning", "Fakes", "ObjectiveName", "Rules", "packed"]

Augmentation: TypeAlias = Literal["translation", "cutout", "brightness"]
Conditioning: TypeAlias = Literal["projection", "input"]
Fakes: TypeAlias = Literal["samples", "reconstructions"]
ObjectiveName: TypeAlias = Literal["minimax", "non_saturating", "least_squares", "hinge", "wasserstein", "relativistic"]


@dataclass(frozen=True)
class Rules:
    """What critic and generator minimise, and what keeps the critic in check.

    :param objective: what both minimise.
    :param r1: weight of half the squared gradient at real data. Mescheder et al. 2018, eq. 9.
    :param r2: weight of half the squared gradient at fakes. Ibid., eq. 10.
    :param gradient_penalty: weight of (|gradient| - 1)² between real data and fakes. Gulrajani et al. 2017, eq. 3.
    :param penalty_every: penalise every so many critic steps, at as many times the weight. Karras et al. 2020, sec. 2.4.
    :param penalty_end: share of their weight to which penalties fall geometrically over ``anneal_steps``.
    :param clip_weights: keep the critic's weights within ± this. Arjovsky et al. 2017, algorithm 1.
    :param noise: standard deviation of noise on all that the critic sees. Sønderby et al. 2017.
    :param anneal_steps: critic steps over which noise falls to zero and penalties to ``penalty_end``; 0 for neither.
    :param packing: examples that the critic judges together. Lin et al. 2018.
    :raises ValueError: if two of these do not go together.
    """

    objective: ObjectiveName = "relativistic"
    r1: float = 0.0
    r2: float = 0.0
    gradient_penalty: float = 0.0
    penalty_every: int = 1
    penalty_end: float = 1.0
    clip_weights: float | None = None
    noise: float = 0.0
    anneal_steps: int = 0
    packing: int = 1

    def __post_init__(self) -> None:
        if self.clip_weights is not None:
            if self.gradient_penalty:
                raise ValueError("clip_weights and gradient_penalty both bound the critic's gradient; leave clip_weights out")
            if self.objective != "wasserstein":
                raise ValueError(f"clip_weights is for objective: wasserstein, found {self.objective}; leave it out, or use r1")
        if self.penalty_every > 1 and not self.penalised:
            raise ValueError("penalty_every needs a penalty; give r1, r2 or gradient_penalty, or leave it out")
        if self.anneal_steps and not self.noise and self.penalty_end == 1:
            raise ValueError("anneal_steps has nothing to anneal; give noise or penalty_end, or leave it out")
        if self.penalty_end < 1 and not (self.anneal_steps and self.penalised):
            raise ValueError("penalty_end needs anneal_steps and a penalty; give both, or leave it out")

    @property
    def penalised(self) -> bool:
        """Whether the critic pays for its gradient."""
        return bool(self.r1 or self.r2 or self.gradient_penalty)


DEFAULT: Final = Rules()


def packed(space: Real, count: int) -> Real:
    """Return the space of ``count`` examples as one, concatenated along the first axis. Lin et al. 2018, sec. 3.

    :raises Mismatch: if the space has no axis.
    """
    if count == 1:
        return space
    if not space.shape:
        raise Mismatch(f"packing concatenates along the first axis, found {space}", "say packing: 1")
    first, *others = space.shape
    return replace(space, shape=(count * first, *others))
