"""Specs of the priors. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from genframe import (
    Categorical,
    ContextSpace,
    EncoderSpec,
    Mismatch,
    PriorSpec,
    Real,
    Space,
    Spaces,
    at,
    conditional_if,
    require_real,
    traits,
)
from genframe.types import DataDependent, Energy, MarkovKernel, TraitSet
from genframe_nets import MLP

from ..traits import Annealed, HiddenUnits, MeanField, Variance

if TYPE_CHECKING:
    from genframe import Encoder, Prior

__all__ = ["Dbm", "Neural", "Rbm"]


def visible_kind(code: Space) -> Literal["Bernoulli", "softmax", "Gaussian"]:
    """Return which visible units the codes of this space need.

    :raises Mismatch: if there are none for it.
    """
    if isinstance(code, Categorical):
        return "Bernoulli" if code.size == 2 else "softmax"
    if not code.bounded:
        return "Gaussian"
    if code.levels == 2 and (code.low, code.high) == (0, 1) and not code.dequantised:
        return "Bernoulli"
    raise Mismatch(
        f"a Boltzmann machine has units of 0 and 1, of classes, or of unbounded real values, found {code}",
        "set binarise: dynamic (or static, or threshold) in the data",
    )


def continuous(code: Space, who: str) -> Real:
    """Return ``code`` if its energy has a gradient.

    :raises Mismatch: otherwise.
    """
    space = require_real(code, who)
    if space.discrete:
        raise Mismatch(f"{who} follows a gradient, and values lie on a grid, found {space}", "set dequantise: true in the data")
    return space


class Rbm(PriorSpec):
    """A restricted Boltzmann machine: visible units that are the code, hidden bits, no weights within either. Smolensky 1986.

    The visible units follow the codes: Bernoulli for bits, softmax for more classes, Gaussian for unbounded real values.
    Its energy is the free energy: hidden units are summed over (Hinton 2012, sec. 16.1).
    """

    type: Literal["energy/rbm"] = "energy/rbm"
    provides: ClassVar[TraitSet] = traits(Energy, MarkovKernel, DataDependent, Annealed, HiddenUnits)
    sampling = "Markov chain"

    hidden: PositiveInt = Field(default=64, description="number of hidden units")
    variance: Variance = Field(
        default="unit", description="of Gaussian visible units given the hidden ones; learned for each (Cho et al. 2011)"
    )
    centred: bool = Field(
        default=False,
        description="subtract the data's means from visible units and 1/2 from hidden ones before they meet the weights: "
        "the same models, with gradients that allow larger learning rates (Montavon & Müller 2012; Melchior et al. 2016)",
    )
    sweeps: PositiveInt = Field(
        default=1000, description="block Gibbs sweeps from a random state to a sample, unless a sampler says otherwise"
    )

    def accepts(self, code: Space, context: ContextSpace | None = None) -> None:
        """Accept bits, classes and unbounded real values."""
        kind = visible_kind(code)
        if self.variance == "learned" and kind != "Gaussian":
            with at("variance"):
                raise Mismatch(f"{kind} units have no variance, and the codes are {code}", "leave 'variance' out")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Prior:
        """Make the RBM."""
        from ..rbm import RestrictedBoltzmannMachine

        return RestrictedBoltzmannMachine(
            spaces.code, self.hidden, variance=self.variance, centred=self.centred, sweeps=self.sweeps
        )


class Dbm(PriorSpec):
    """A deep Boltzmann machine: layers of bits with weights between neighbours, centred. Salakhutdinov & Hinton 2009.

    Its energy is an upper bound of the free energy, by mean field, so that log-likelihoods are lower bounds. Chains walk over
    all layers: odd ones given even ones, and back. It is centred (Montavon & Müller 2012) and needs no pretraining.
    """

    type: Literal["energy/dbm"] = "energy/dbm"
    provides: ClassVar[TraitSet] = traits(Energy, MarkovKernel, DataDependent, Annealed, MeanField)
    sampling = "Markov chain"

    hidden: tuple[PositiveInt, ...] = Field(
        default=(64, 32), min_length=2, description="sizes of the hidden layers, from below"
    )
    mean_field: PositiveInt = Field(le=1000, default=10, description="iterations of mean field, each over all hidden layers")
    sweeps: PositiveInt = Field(
        default=1000, description="block Gibbs sweeps from a random state to a sample, unless a sampler says otherwise"
    )

    def accepts(self, code: Space, context: ContextSpace | None = None) -> None:
        """Accept bits."""
        if visible_kind(code) != "Bernoulli":
            raise Mismatch(f"a deep Boltzmann machine has layers of bits, found {code}", "say energy/rbm, or binarise the data")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Prior:
        """Make the Boltzmann machine."""
        from ..dbm import DeepBoltzmannMachine

        return DeepBoltzmannMachine(spaces.code, self.hidden, mean_field=self.mean_field, sweeps=self.sweeps)


class Neural(PriorSpec):
    """A network's scalar as energy: log p(x) = -f(x) - |x|² / 2 base² - log Z. LeCun et al. 2006; Xie et al. 2016, eq. 2.

    The network is any encoder of the codes: its features get a linear head, summed over positions; one feature is f itself.
    Its transition is a step of Metropolis-adjusted Langevin dynamics (Roberts & Tweedie 1996).
    """

    type: Literal["energy/neural"] = "energy/neural"
    sampling = "Markov chain"

    network: EncoderSpec = Field(default=MLP(), description="the network that gives the energy")
    base: PositiveFloat | None = Field(
        default=None, description="standard deviation of a normal density that the network reweighs; none if left out"
    )
    step_size: PositiveFloat = Field(default=0.1, description="standard deviation of the noise of a transition")
    sweeps: PositiveInt = Field(
        default=1000, description="transitions from a random state to a sample, unless a sampler says otherwise"
    )

    @property
    def provides(self) -> TraitSet:
        """Read the condition if the network does."""
        return traits(Energy, MarkovKernel) | conditional_if(self.network)

    def accepts(self, code: Space, context: ContextSpace | None = None) -> None:
        """Accept continuous real codes of which the network makes real features."""
        space = continuous(code, self.type)
        with at("network"):
            features = self.network.latent_space(space)
            if not isinstance(features, Real) or not features.shape:
                message = f"an energy is of real features with axes; {self.network.type} of {code} gives {features}"
                raise Mismatch(message, "choose a network such as nets/mlp or nets/conv")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Prior:
        """Make the network with its head."""
        from ..neural import NeuralEnergy

        code = require_real(spaces.code, self.type)
        network = self.network.build(self.network.spaces(code, spaces.context))
        features = require_real(self.network.latent_space(code), self.type)
        return NeuralEnergy(network, code, features=features, base=self.base, step_size=self.step_size, sweeps=self.sweeps)
