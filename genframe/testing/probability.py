"""Checks of densities against their draws and of bijections against autograd."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, cast

import torch
from torch import Generator, Tensor, nn
from torch.autograd.functional import jacobian

from ..roles.parts import Encoder, Prior
from ..roles.random import generator_for
from ..types.spaces import Categorical, Real, Space
from ..types.trait.decoders import Likelihood
from ..types.trait.encoders import Bijective, Posterior
from ..types.trait.priors import Density, GaussianExpectation, ProbabilityMass
from .drawing import every_value
from .parts import DecoderSetting, EncoderSetting, PriorSetting
from .setting import PartSetting

__all__ = ["bijection", "density", "expectation", "jacobians"]

DRAWS: Final = 8192
GRID: Final = {1: 2001, 2: 151}
MOST_DIMS: Final = 64
SIGMAS: Final = 6.0
LEAST_EFFECTIVE: Final = 0.05


@dataclass(frozen=True)
class Law:
    """A distribution under test: how it draws and its log-density, over values of ``space``; ``mass`` of probability."""

    name: str
    space: Space
    mass: bool
    draw: Callable[[int, Generator], Tensor]
    log_prob: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Nodes:
    """Points over which to integrate: each stands for ``exp(log_volume)``; ``random`` where they were drawn."""

    points: Tensor
    log_volume: Tensor
    random: bool


@torch.no_grad()
def density(setting: PartSetting) -> Iterator[str]:
    """It integrates (or sums) to one, and its draws have its moments and its entropy, where that can be computed."""
    for law in _laws(setting):
        drawn = law.draw(DRAWS, generator_for("cpu", 0))
        nodes = _nodes(law, drawn)
        if nodes is not None:
            yield from (f"{law.name} on {setting}: {problem}" for problem in _disagreements(law, drawn, nodes))
    if isinstance(setting, EncoderSetting) and setting.provides(Posterior):
        yield from _moments(setting)


def _laws(setting: PartSetting) -> Iterator[Law]:
    part, mass = setting.shaken(), setting.provides(ProbabilityMass)
    rows = setting.inputs(1).repeat
    if isinstance(setting, PriorSetting) and setting.provides(Density) and isinstance(part, Density):
        prior: Density = part
        yield Law(
            "log_prob",
            setting.code,
            mass,
            lambda n, generator: cast(Prior, part).sample(n, rows(n).context, generator),
            lambda code: prior.log_prob(code, rows(len(code)).context),
        )
    if isinstance(setting, DecoderSetting) and setting.provides(Likelihood) and isinstance(part, Likelihood):
        decoder: Likelihood = part
        yield Law(
            "likelihood",
            setting.data,
            mass,
            lambda n, generator: decoder.likelihood(rows(n).latent, rows(n).context).rsample(generator),
            lambda x: decoder.likelihood(rows(len(x)).latent, rows(len(x)).context).log_prob(x),
        )
    if isinstance(setting, EncoderSetting) and setting.provides(Posterior) and isinstance(part, Posterior):
        encoder: Posterior = part
        yield Law(
            "posterior",
            setting.spaces[1],
            False,
            lambda n, generator: encoder.posterior(rows(n).data, rows(n).context).rsample(generator),
            lambda latent: encoder.posterior(rows(len(latent)).data, rows(len(latent)).context).log_prob(latent),
        )


def _nodes(law: Law, drawn: Tensor) -> Nodes | None:
    """Return every value of a small discrete space, a grid in one or two dimensions, else draws from a wide normal."""
    if law.mass or isinstance(law.space, Categorical):
        values = every_value(law.space)
        return Nodes(values, torch.zeros(len(values)), False) if values is not None else None
    if law.space.dims in GRID:
        return _grid(law.space, drawn)
    return _wide_normal(drawn) if law.space.dims <= MOST_DIMS else None


def _grid(space: Real, drawn: Tensor) -> Nodes:
    """Return midpoints over the range of the draws and half as much around it, but not beyond the space's bounds."""
    flat, size = drawn.flatten(1), GRID[space.dims]
    low, high = flat.amin(0), flat.amax(0)
    low, high = low - (high - low) / 2, high + (high - low) / 2
    if space.low is not None and space.high is not None and bool((drawn >= space.low).all() & (drawn <= space.high).all()):
        low, high = low.clamp(min=space.low), high.clamp(max=space.high)
    cell = (high - low) / size
    axes = [start + (torch.arange(size) + 0.5) * width for start, width in zip(low, cell, strict=True)]
    points = torch.cartesian_prod(*axes).reshape(-1, *space.shape)
    return Nodes(points, cell.log().sum().expand(len(points)), False)


def _wide_normal(drawn: Tensor) -> Nodes:
    """Return draws from normals with the draws' moments and a little more, and, for one in five, three times the spread."""
    flat = drawn.flatten(1).double()
    centre = flat.mean(0)
    root = torch.linalg.cholesky(torch.cov(flat.T) + 1e-9 * torch.eye(flat.shape[1]))
    generator = generator_for("cpu", 1)
    scales = torch.where(torch.rand(DRAWS, 1, generator=generator) < 0.8, 1.1, 3.0).double()
    noise = scales * torch.randn(flat.shape, generator=generator, dtype=torch.float64)
    log_density = torch.logaddexp(_log_normal(noise, 1.1) + math.log(0.8), _log_normal(noise, 3.0) + math.log(0.2))
    points = centre + noise @ root.T
    log_volume = -(log_density - root.diagonal().log().sum()) - math.log(DRAWS)
    return Nodes(points.reshape(drawn.shape).to(drawn.dtype), log_volume, True)


def _log_normal(x: Tensor, scale: float) -> Tensor:
    """Return the log-density of N(0, scale² I): (N, D) -> (N,)."""
    return (-0.5 * (x / scale).square() - math.log(scale) - 0.5 * math.log(2 * math.pi)).sum(1)


def _disagreements(law: Law, drawn: Tensor, nodes: Nodes) -> Iterator[str]:
    log_prob = _in_chunks(law.log_prob, nodes.points)
    weights = (log_prob + nodes.log_volume).exp()
    total = weights.sum()
    if nodes.random and total.square() < LEAST_EFFECTIVE * len(weights) * weights.square().sum():
        return  # too few of the points count: nothing can be computed
    error = float((weights * len(weights)).std() / math.sqrt(len(weights))) if nodes.random else 0.0
    if not bool((total - 1).abs() <= max(0.01, SIGMAS * error)):
        verb = "integrates" if nodes.random or nodes.log_volume.any() else "sums"
        yield f"declared a density, it {verb} to {float(total):.4g}, not 1 (± {error:.2g})"
        return
    expected = _statistics(nodes.points, log_prob)
    found = _statistics(drawn, _in_chunks(law.log_prob, drawn))
    for (name, values), (_, samples) in zip(expected, found, strict=True):
        yield from _unequal(name, values, weights / total, samples, nodes.random)


def _statistics(points: Tensor, log_prob: Tensor) -> list[tuple[str, Tensor]]:
    """Return what is averaged, each (N, K): the log-density, the values and their squares."""
    flat = points.reshape(len(points), -1).double()
    return [("the log-density", log_prob[:, None]), ("a value", flat), ("a squared value", flat.square())]


def _unequal(name: str, values: Tensor, weights: Tensor, samples: Tensor, random: bool) -> Iterator[str]:
    """Yield a sentence where a mean over the draws is not the mean under the density."""
    values = torch.where(weights[:, None] > 0, values, 0.0)
    mean = (weights[:, None] * values).sum(0)
    variance = samples.var(0) / len(samples)
    if random:
        variance = variance + (weights[:, None] * (values - mean)).square().sum(0)
    slack = SIGMAS * variance.sqrt() + 1e-3 * (1 + mean.abs())
    excess = (samples.mean(0) - mean).abs() - slack
    worst = int(excess.nan_to_num(math.inf).argmax())
    if not bool(excess[worst] <= 0):
        yield (
            f"the mean of {name} is {float(mean[worst]):.4g} under the declared density, "
            f"{float(samples.mean(0)[worst]):.4g} over its draws (± {float(slack[worst]):.2g})"
        )


def _in_chunks(function: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
    return torch.cat([function(chunk) for chunk in points.split(DRAWS)]).double()


def _moments(setting: EncoderSetting) -> Iterator[str]:
    """Yield a sentence where the posterior's draws have not its mean, variance, entropy, or ``expand`` mixes data up."""
    part = cast(Posterior, setting.shaken())
    inputs = setting.inputs(2)
    posterior = part.posterior(inputs.data, inputs.context)
    drawn = posterior.expand(DRAWS).rsample(generator_for("cpu", 0)).double()
    log_prob = posterior.expand(DRAWS).log_prob(drawn.float()).double().unflatten(0, (2, DRAWS))
    draws = drawn.unflatten(0, (2, DRAWS)).flatten(2)
    mean = posterior.mean.flatten(1).double()
    claims = {
        "mean": (mean, draws),
        "variance": (posterior.variance.flatten(1).double(), (draws - mean[:, None]).square()),
        "entropy": (posterior.entropy()[:, None].double(), -log_prob[..., None]),
    }
    for name, (claimed, samples) in claims.items():
        slack = SIGMAS * samples.std(1) / math.sqrt(DRAWS) + 1e-4 * (1 + claimed.abs())
        if not bool(((samples.mean(1) - claimed).abs() <= slack).all()):
            off = float((samples.mean(1) - claimed).abs().max())
            yield f"posterior.{name} on {setting} is not that of its draws, they differ by {off:.3g}"


@torch.no_grad()
def expectation(setting: PartSetting) -> Iterator[str]:
    """E_q[log p] in closed form is what drawing from a Gaussian q gives."""
    part = setting.shaken()
    if not (isinstance(part, GaussianExpectation) and isinstance(part, Density)):
        return
    inputs = setting.inputs(2)
    mean, variance = inputs.latent, inputs.data.square() + 0.1
    noise = torch.randn(DRAWS, *mean.shape, generator=generator_for("cpu", 0))
    codes = (mean + variance.sqrt() * noise).flatten(0, 1)
    contexts = inputs.context.repeat(DRAWS) if inputs.context is not None else None
    sampled = part.log_prob(codes, contexts).double().unflatten(0, (DRAWS, 2))
    claimed = part.expected_log_prob(mean, variance, inputs.context).double()
    slack = SIGMAS * sampled.std(0) / math.sqrt(DRAWS) + 1e-4 * (1 + claimed.abs())
    for row in range(2):
        if not bool((claimed[row] - sampled.mean(0)[row]).abs() <= slack[row]):
            yield (
                f"expected_log_prob on {setting} is {float(claimed[row]):.4g}, "
                f"drawing gives {float(sampled.mean(0)[row]):.4g} ± {float(slack[row]):.2g}"
            )


def bijection(setting: PartSetting) -> Iterator[str]:
    """In float64, the log-determinant is that of autograd's Jacobian, and the inverse leads back."""
    yield from jacobians(setting, setting.shaken())


def jacobians(setting: PartSetting, module: nn.Module) -> Iterator[str]:
    """Yield a sentence where the log-determinant of ``module`` is not its Jacobian's, or its inverse does not lead back."""
    part = module.double()
    if not isinstance(part, Bijective) or setting.spaces[0].dims > MOST_DIMS or isinstance(setting.spaces[0], Categorical):
        return
    inputs = setting.inputs(2)
    x, context = inputs.data.double(), None if inputs.context is None else inputs.context.map(torch.Tensor.double)

    def forward(values: Tensor) -> Tensor:
        latent, _ = part.forward_and_log_det(values, context)
        return latent.flatten(1).sum(0)

    matrices = cast(Tensor, jacobian(forward, x)).flatten(2).transpose(0, 1)  # (B, D latent, D data)
    latent, log_abs_det = (tensor.detach() for tensor in part.forward_and_log_det(x, context))
    truth = torch.linalg.slogdet(matrices).logabsdet
    if not bool(((log_abs_det - truth).abs() <= 1e-9 * (1 + truth.abs())).all()):
        yield f"forward_and_log_det on {setting} gives {log_abs_det.tolist()}, the Jacobian's is {truth.tolist()}"
    off = (part.inverse(latent, context) - x).detach().abs().max()
    if not bool(off <= 1e-7):
        yield f"inverse on {setting} does not lead back: it is off by {float(off):.3g}"
    if not bool((cast(Encoder, part).encode(x, context) - latent).abs().max() <= 1e-7):
        yield f"encode on {setting} is not the latent of forward_and_log_det"
