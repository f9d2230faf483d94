"""Kinds of density and of sampling: entries of tables that the traits of a model's parts are looked up in.

Plugins bring the entries by the hook ``genframe_kinds``; the built-in ones are those of the plugin ``core``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ..types.trait.base import TraitSet
from ..types.trait.decoders import EncoderInverse, Likelihood
from ..types.trait.encoders import Bijective, Posterior
from ..types.trait.priors import Density
from ..types.values import Role
from .base import Needs, each_needed

__all__ = ["INVERTIBLE", "VARIATIONAL", "DensityKind", "SamplingKind", "met"]

INVERTIBLE: Final[Needs] = {"encoder": Bijective, "decoder": EncoderInverse, "prior": Density}
"""The traits by which a log-likelihood is computed by the change of variables."""

VARIATIONAL: Final[Needs] = {"encoder": Posterior, "decoder": Likelihood, "prior": Density}
"""The traits by which a log-likelihood is bounded by importance weights."""


@dataclass(frozen=True)
class DensityKind:
    """What can be said of log p(x) under a model.

    A model has the kind of the lowest ``order`` that its parts' traits give: the built-in orders are 10 for exact, 20 for lower
    bound, 30 for unnormalised and 40 for implicit. ``given_by`` lists the sets of traits, by role, any of which gives the kind.
    A decoder's trait with a method ``data_log_prob``, such as :class:`genframe.types.DataBound`, makes ``Model.log_prob`` ask
    the decoder; without one it needs the traits of ``INVERTIBLE`` or ``VARIATIONAL``.

    ``relation`` is the sign between log p(x) and what ``log_prob`` returns: ``=``, ``≥``, ``≤`` or ``∝``; it is empty where
    nothing is known. ``refusal`` says why there is no ``log_prob``; it is empty where there is one.
    """

    name: str
    order: int
    given_by: tuple[Needs, ...] = field(repr=False, hash=False)
    relation: str = ""
    refusal: str = ""


@dataclass(frozen=True)
class SamplingKind:
    """How a model draws data. It has the kind of the highest ``order`` of its sampler's and its prior's.

    The built-in orders are 10 for direct, 20 for sequential and 30 for Markov chain.
    """

    name: str
    order: int


def met(needs: Needs, provided: Mapping[Role, TraitSet]) -> bool:
    """Return whether the parts, by their traits, have all that ``needs`` asks of them."""
    return all(trait in provided[role] for role in needs for trait in each_needed(needs, role))
