"""Settings of encoders, decoders and priors: what each is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import torch
from torch import Generator, Tensor, nn

from ..roles.parts import Decoder, Encoder, Prior, ask
from ..specs.parts import DecoderSpec, EncoderSpec, PriorSpec
from ..types.spaces import Space
from ..types.trait.decoders import Denoiser, Likelihood
from ..types.trait.encoders import Bijective, NoiseProcess, Posterior, Quantized
from ..types.trait.parts import TimeConditioned
from ..types.trait.priors import Density, Energy, GaussianExpectation, MarkovKernel, ProbabilityMass, Tempered
from ..types.values import Context
from .drawing import SCALAR, arrow, support, unbounded
from .part import part
from .setting import Inputs, Output, PartSetting, seeded

__all__ = ["DecoderSetting", "EncoderSetting", "PriorSetting"]


@dataclass(frozen=True)
class EncoderSetting(PartSetting):
    """An encoder of ``data``."""

    spec: EncoderSpec
    data: Space

    def make(self, companion: Encoder | None) -> Encoder:
        """Build the encoder."""
        return part(self.spec, data=self.data, context=self.context)

    @property
    def spaces(self) -> tuple[Space, Space]:
        """Data and latent."""
        return self.data, self.spec.latent_space(self.data)

    def outputs(self, part: nn.Module, inputs: Inputs) -> Iterator[Output]:
        """Yield the latent, the code, and what the traits add."""
        encoder = cast(Encoder, part)
        _, space = self.spaces
        code_space = self.spec.code_space(self.data)
        latent = encoder.encode(inputs.data, inputs.context)
        yield Output("encode", latent, space)
        yield Output("code", encoder.code(latent), code_space)
        yield Output("latent", encoder.latent(encoder.code(latent)), space)
        if isinstance(encoder, Posterior):
            posterior = encoder.posterior(inputs.data, inputs.context)
            yield Output("posterior.mean", posterior.mean, space)
            yield Output("posterior.variance", posterior.variance, unbounded(space))
            yield Output("posterior.entropy", posterior.entropy(), SCALAR)
            yield Output("posterior.log_prob", posterior.log_prob(inputs.latent), SCALAR)
        if isinstance(encoder, Bijective):
            latent, log_abs_det = encoder.forward_and_log_det(inputs.data, inputs.context)
            yield Output("forward_and_log_det (latent)", latent, space)
            yield Output("forward_and_log_det (log-determinant)", log_abs_det, SCALAR)
            yield Output("inverse", encoder.inverse(latent, inputs.context), unbounded(self.data))
        if isinstance(encoder, Quantized):
            quantized, indices = encoder.quantize(latent)
            yield Output("quantize (latent)", quantized, space)
            yield Output("quantize (indices)", indices, code_space)
        yield from _over_time(self, encoder, inputs.data, inputs.context, space)

    def draws(self, part: nn.Module, inputs: Inputs, generator: Generator | None) -> Iterator[Output]:
        """Yield a draw of the posterior."""
        if isinstance(part, Posterior):
            yield Output(
                "posterior.rsample", part.posterior(inputs.data, inputs.context).rsample(generator), support(self.spaces[1])
            )


@dataclass(frozen=True)
class TiedSetting(PartSetting):
    """A part that may be tied to an ``encoder`` of ``data``."""

    data: Space
    encoder: EncoderSpec | None

    def companion(self) -> Encoder | None:
        """Build the encoder, if there is one."""
        if self.encoder is None:
            return None
        with seeded(0):
            return part(self.encoder, data=self.data, context=self.context).eval()


@dataclass(frozen=True)
class DecoderSetting(TiedSetting):
    """A decoder of ``latent`` to ``data``."""

    spec: DecoderSpec
    latent: Space

    def make(self, companion: Encoder | None) -> Decoder:
        """Build the decoder."""
        return part(self.spec, data=self.data, latent=self.latent, context=self.context, encoder=companion)

    @property
    def spaces(self) -> tuple[Space, Space]:
        """Data and latent."""
        return self.data, self.latent

    def __str__(self) -> str:
        return arrow(self.latent, self.data) + self.suffix

    def outputs(self, part: nn.Module, inputs: Inputs) -> Iterator[Output]:
        """Yield the example, and what the traits add."""
        decoder = cast(Decoder, part)
        yield Output("decode", decoder.decode(inputs.latent, inputs.context), unbounded(self.data))
        if isinstance(decoder, Likelihood):
            likelihood = decoder.likelihood(inputs.latent, inputs.context)
            yield Output("likelihood.mean", likelihood.mean, unbounded(self.data))
            yield Output("likelihood.log_prob", likelihood.log_prob(inputs.data), SCALAR)
        if isinstance(decoder, Denoiser):
            time = torch.full((len(inputs.data),), 0.3)
            yield Output("denoise", decoder.denoise(inputs.data, time, inputs.context), unbounded(self.data))
            if inputs.context is not None:
                yield Output("denoise (without context)", decoder.denoise(inputs.data, time), unbounded(self.data))
        yield from _over_time(self, decoder, inputs.latent, inputs.context, self.data)

    def draws(self, part: nn.Module, inputs: Inputs, generator: Generator | None) -> Iterator[Output]:
        """Yield a draw of the likelihood, unless all are of probability 1: then nothing is random."""
        if not isinstance(part, Likelihood):
            return
        likelihood, mass = part.likelihood(inputs.latent, inputs.context), self.provides(ProbabilityMass)
        drawn = likelihood.rsample(generator)
        if not mass or bool(likelihood.log_prob(drawn).any()):
            yield Output("likelihood.rsample", drawn, self.data if mass else unbounded(self.data))


def _over_time(setting: PartSetting, part: nn.Module, x: Tensor, context: Context | None, space: Space) -> Iterator[Output]:
    """Yield what a part does that reads a time, halfway."""
    time = torch.full((len(x),), 0.5)
    if isinstance(part, NoiseProcess):
        for name, tensor in zip(("alpha", "sigma"), part.alpha_sigma(time), strict=True):
            yield Output(f"alpha_sigma ({name})", tensor, SCALAR)
    if setting.provides(TimeConditioned):
        yield Output("forward (at a time)", ask(part, x, context, time=time), unbounded(space))


@dataclass(frozen=True)
class PriorSetting(TiedSetting):
    """A prior of ``code``."""

    spec: PriorSpec
    code: Space

    def make(self, companion: Encoder | None) -> Prior:
        """Build the prior."""
        return part(self.spec, code=self.code, data=self.data, context=self.context, encoder=companion)

    @property
    def spaces(self) -> tuple[Space, Space]:
        """The code's space, twice."""
        return self.code, self.code

    def outputs(self, part: nn.Module, inputs: Inputs) -> Iterator[Output]:
        """Yield what the prior says of codes."""
        if isinstance(part, Density):
            yield Output("log_prob", part.log_prob(inputs.latent, inputs.context), SCALAR)
        if isinstance(part, GaussianExpectation):
            expected = part.expected_log_prob(inputs.latent, inputs.data.square() + 0.1, inputs.context)
            yield Output("expected_log_prob", expected, SCALAR)
        if isinstance(part, Energy):
            yield Output("energy", part.energy(inputs.latent, inputs.context), SCALAR)

    def draws(self, part: nn.Module, inputs: Inputs, generator: Generator | None) -> Iterator[Output]:
        """Yield codes, and a step of the chain where there is one."""
        prior = cast(Prior, part)
        space = support(self.code)
        yield Output("sample", prior.sample(len(inputs.latent), inputs.context, generator), space)
        if isinstance(prior, Tempered):
            yield Output("sample_at", prior.sample_at(0.7, len(inputs.latent), inputs.context, generator), space)
        if isinstance(prior, MarkovKernel):
            states = prior.states(inputs.latent, inputs.context, generator)
            yield Output("transition", prior.codes(prior.transition(states, inputs.context, generator)), space)
