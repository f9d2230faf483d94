"""Traits: what a part can do beyond its role, as protocols that its implementation fulfils.

A spec class lists the traits it provides, a loss, sampler or tied part the traits it needs; ``check``
matches the two before anything is built, and the conformance kit checks that the built part has the
methods. Tensors have a batch in front; densities are in nats; ``context`` is the encoded condition or
``None``; ``generator`` is ``None`` for torch's global generator. A plugin may define traits of its own:
any protocol whose docstring's first sentence says what a part with it can do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Generator, Tensor

    from .values import Context, LossOutput

__all__ = [
    "TRAITS",
    "Bijective",
    "Conditional",
    "DataBound",
    "DataDensity",
    "DataDependent",
    "Denoiser",
    "Density",
    "DensityKind",
    "Distribution",
    "EncoderInverse",
    "Energy",
    "Fittable",
    "GaussianExpectation",
    "Identity",
    "Invertible",
    "Layered",
    "Likelihood",
    "MarkovKernel",
    "NoiseProcess",
    "NormalBase",
    "Posterior",
    "PosteriorDistribution",
    "Pretrainable",
    "ProbabilityMass",
    "Quantized",
    "ReadsSequence",
    "SamplingKind",
    "Tempered",
    "TimeConditioned",
    "Trait",
    "TraitSet",
    "Truncatable",
    "methods_of",
    "traits",
]

Trait: TypeAlias = type
TraitSet: TypeAlias = frozenset[Trait]
DensityKind: TypeAlias = Literal["exact", "lower bound", "unnormalised", "implicit"]
SamplingKind: TypeAlias = Literal["direct", "sequential", "Markov chain"]


def traits(*provided: Trait) -> TraitSet:
    """Return the set of ``provided`` traits, for a spec's ``provides``."""
    return frozenset(provided)


class Distribution(Protocol):
    """A batch of distributions over tensors."""

    @property
    def mean(self) -> Tensor:
        """Mean of each distribution: (B, ...)."""

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density or probability of each value, in nats: (B, ...) -> (B,)."""

    def rsample(self, generator: Generator | None = None) -> Tensor:
        """One draw each, differentiable where the distribution allows it: (B, ...)."""


class PosteriorDistribution(Distribution, Protocol):
    """A batch of approximate posteriors q(z|x) with closed-form entropy."""

    @property
    def variance(self) -> Tensor:
        """Marginal variance of each dimension: (B, ...)."""

    def entropy(self) -> Tensor:
        """Differential entropy in nats: (B,)."""

    def expand(self, samples: int) -> PosteriorDistribution:
        """Repeat each distribution ``samples`` times, neighbours together: batch B -> B * samples."""


class Conditional(Protocol):
    """Reads the condition's context: its vector, unless the part has ReadsSequence."""


class ReadsSequence(Protocol):
    """Reads the sequence of a condition's context, token by token, and its vector where there is one."""


@runtime_checkable
class DataDependent(Protocol):
    """Takes its first state from training data before its first step."""

    def initialise(self, x: Tensor, context: Context | None = None) -> None:
        """Set parameters and buffers in place from data (N, ...); from their codes where the part is a prior.

        A decoder may take its state from the encoder that it refers to, as trained as that is by then.
        """


@runtime_checkable
class Pretrainable(Protocol):
    """Has an objective of its own, by which it learns in a stage that trains it alone."""

    def objective(self, x: Tensor, context: Context | None = None) -> LossOutput:
        """What such a stage minimises, instead of the model's loss, on data (B, ...)."""


@runtime_checkable
class Posterior(Protocol):
    """Gives a distribution over latents for each datum, q(z|x)."""

    def posterior(self, x: Tensor, context: Context | None = None) -> PosteriorDistribution:
        """q(z|x): data (B, ...) -> distribution over latents (B, ...)."""


@runtime_checkable
class Bijective(Protocol):
    """Maps data to latents one to one, with a known log-determinant."""

    def forward_and_log_det(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Latent (B, ...) and log |det dz/dx| (B,), in nats."""

    def inverse(self, latent: Tensor, context: Context | None = None) -> Tensor:
        """The datum whose latent it is: (B, ...) -> (B, ...)."""


class Identity(Protocol):
    """Leaves data as they are."""


class EncoderInverse(Protocol):
    """Decodes by the inverse of the model's encoder, so that density and samples are of one model."""


@runtime_checkable
class Layered(Protocol):
    """Tells what its layers make of data, from the first to the last."""

    def activations(self, x: Tensor, context: Context | None = None) -> list[Tensor]:
        """Data (B, ...) to the activations of each layer, channels first: (B, C, grid) each."""


@runtime_checkable
class Quantized(Protocol):
    """Turns latents into indices of a finite codebook."""

    def quantize(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """Quantised latent (B, ...) and int64 indices (B, ...)."""


@runtime_checkable
class NoiseProcess(Protocol):
    """Adds noise to data by a known schedule: y_t = alpha(t) y + sigma(t) noise, y the standardised data.

    Time runs from 0, the data, to 1, the most noise.
    """

    @property
    def steps(self) -> int | None:
        """The number of steps of a chain, the i-th at time i / steps; ``None`` in continuous time."""

    @property
    def least_time(self) -> float:
        """The least time at which a denoiser is asked; below it the noise is too little to matter."""

    @property
    def data_deviation(self) -> float:
        """The standard deviation of standardised data, as far as it is known."""

    def alpha_sigma(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Scale of the signal and of the noise at ``time`` (B,), in its precision: (B,), (B,)."""

    def time_at(self, log_snr: Tensor) -> Tensor:
        """The time at which log(alpha² / sigma²) has a value: (B,) -> (B,)."""

    def training_time(self, share: Tensor) -> Tensor:
        """The time below which a share of a uniform distribution over the process's times lies: (B,) -> (B,)."""

    def standardise(self, x: Tensor) -> Tensor:
        """Data in the units in which noise is added: (B, ...) -> (B, ...)."""

    def restore(self, y: Tensor) -> Tensor:
        """Standardised data in their own units, within their bounds: (B, ...) -> (B, ...)."""


@runtime_checkable
class Likelihood(Protocol):
    """Gives a distribution over data for each latent, p(x|z)."""

    def likelihood(self, latent: Tensor, context: Context | None = None) -> Distribution:
        """p(x|z): latents (B, ...) -> distribution over data (B, ...)."""


@runtime_checkable
class Denoiser(Protocol):
    """Predicts clean data from noisy data at a time, both standardised."""

    def denoise(self, noisy: Tensor, time: Tensor, context: Context | None = None) -> Tensor:
        """Predicted clean data, without the condition where there is no context: (B, ...), (B,) -> (B, ...)."""


class TimeConditioned(Protocol):
    """Is a network that reads a time (B,) beside its input: ``network(x, time=time)``."""


@runtime_checkable
class DataBound(Protocol):
    """Bounds the log-density of data from below, through the model's encoder and prior."""

    def data_log_prob(
        self, x: Tensor, prior: Any, context: Context | None = None, *, samples: int = 1, generator: Generator | None = None
    ) -> tuple[Tensor, str]:
        """Log density or probability of data in nats, and the name of its estimator: (B, ...) -> (B,)."""


@runtime_checkable
class DataDensity(Protocol):
    """Gives the log-density of data, exact but for a stated error, through the model's encoder and prior."""

    def data_log_prob(
        self, x: Tensor, prior: Any, context: Context | None = None, *, samples: int = 1, generator: Generator | None = None
    ) -> tuple[Tensor, str]:
        """Log density or probability of data in nats, and the name of its estimator: (B, ...) -> (B,)."""


@runtime_checkable
class Density(Protocol):
    """Has an exact log-density that can be computed."""

    def log_prob(self, code: Tensor, context: Context | None = None) -> Tensor:
        """Log density or probability in nats: (B, ...) -> (B,)."""


@runtime_checkable
class Tempered(Protocol):
    """Can be drawn from at a temperature."""

    def sample_at(
        self, temperature: float | Tensor, n: int, context: Context | None = None, generator: Generator | None = None
    ) -> Tensor:
        """``n`` codes (n, code) at a temperature: 1 is the prior as it is, near 0 its most likely codes alone.

        For normal priors, standard deviations are multiplied by it (Parmar et al. 2018; Kingma & Dhariwal 2018,
        sec. 6). A tensor of temperatures broadcasts over a code's shape.
        """


@runtime_checkable
class Truncatable(Protocol):
    """Can be drawn from with every dimension within a threshold."""

    def sample_within(
        self, threshold: float, n: int, context: Context | None = None, generator: Generator | None = None
    ) -> Tensor:
        """``n`` codes of the prior, given that no dimension is more than ``threshold`` from its centre: (n, code)."""


@runtime_checkable
class GaussianExpectation(Protocol):
    """Knows E_q[log p(z)] in closed form from the mean and variance of any q."""

    def expected_log_prob(self, mean: Tensor, variance: Tensor, context: Context | None = None) -> Tensor:
        """E_q[log p(z)] in nats: (B, ...), (B, ...) -> (B,)."""


@runtime_checkable
class Energy(Protocol):
    """Has an unnormalised log-density, log p(z) = -energy(z) - log Z."""

    def energy(self, code: Tensor, context: Context | None = None) -> Tensor:
        """Energy in nats: (B, ...) -> (B,)."""


@runtime_checkable
class MarkovKernel(Protocol):
    """Has a transition that leaves its distribution unchanged.

    Chains walk over states, which are codes, or hold hidden units beside them.
    """

    def transition(self, state: Tensor, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        """The next state of each chain: (B, state) -> (B, state)."""

    def states(self, code: Tensor, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        """States from which chains walk that begin at codes: (B, code) -> (B, state)."""

    def codes(self, state: Tensor) -> Tensor:
        """The codes that states hold: (B, state) -> (B, code)."""


class ProbabilityMass(Protocol):
    """Gives log-probabilities of discrete values, not log-densities of continuous ones."""


@runtime_checkable
class NormalBase(Protocol):
    """Maps its codes one to one to those of a standard normal distribution, its base."""

    def to_base(self, code: Tensor, context: Context | None = None) -> Tensor:
        """Codes in the base, where the prior is N(0, I): (B, code) -> (B, ...)."""

    def from_base(self, base: Tensor, context: Context | None = None) -> Tensor:
        """The codes of points of the base: (B, ...) -> (B, code)."""


@runtime_checkable
class Invertible(Protocol):
    """Walks from latents to data without drawing noise, and back."""

    def invert(self, model: Any, x: Tensor, context: Context | None = None) -> Tensor:
        """The latents that the walk would lead to the data: (B, data) -> (B, latent)."""

    def trajectory_from(
        self, model: Any, latent: Tensor, context: Context | None = None, generator: Generator | None = None
    ) -> Iterator[Any]:
        """The states of the walk from given latents; the last one holds the data."""


@runtime_checkable
class Fittable(Protocol):
    """Is fitted to codes at once, without gradients."""

    def fit(self, codes: Tensor, context: Context | None = None, generator: Generator | None = None) -> dict[str, Any]:
        """Fit to all codes (N, ...) and return figures about the fit, such as ``log_likelihood`` in nats."""


TRAITS: Final[Mapping[str, Trait]] = {
    name: value
    for name, value in list(globals().items())
    if getattr(value, "_is_protocol", False) and name not in ("Distribution", "PosteriorDistribution", "Protocol")
}
"""The traits of this module, by name."""


def methods_of(trait: Trait) -> list[str]:
    """Return the names of the methods that a part with the trait has, sorted; none for a trait that only says something."""
    return sorted(name for base in trait.__mro__ for name, value in vars(base).items() if callable(value) and name[0] != "_")
