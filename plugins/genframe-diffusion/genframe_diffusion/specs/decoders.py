"""Specs of the denoiser and of consistency functions. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, cast

from pydantic import Field

from genframe import ContextSpace, DecoderSpec, Mismatch, Needs, Real, Space, Spaces, at, conditional_if, require_real, traits
from genframe.types import DataBound, DataDensity, Denoiser, NoiseProcess, TimeConditioned, TraitSet

from ..choices import Prediction
from ..traits import Consistent, Preconditioned, PredictsNoise

if TYPE_CHECKING:
    from torch import nn

    from genframe import Decoder, Encoder

    from ..processes import NoisingProcess

__all__ = ["ConsistencyFunction", "DenoiserDecoder", "TimedDecoder"]


class TimedDecoder(DecoderSpec):
    """A network that reads a time, behind the coefficients of a process; abstract."""

    needs: ClassVar[Needs] = {"encoder": NoiseProcess}

    network: DecoderSpec = Field(
        default=cast(DecoderSpec, "nets/unet"), validate_default=True, description="the network, which must read a time"
    )

    def accepts(self, latent: Space, data: Space, context: ContextSpace | None = None) -> None:
        """Accept real data of any levels, if the network keeps their shape and reads a time."""
        space = Real(require_real(data, self.type).shape)
        with at("network"):
            if TimeConditioned not in self.network.provides:
                hint = "say time: true" if "time" in type(self.network).model_fields else ""
                raise Mismatch(f"a denoiser's network reads a time, and {self.network.type} does not", hint)
            self.network.accepts(space, space, context)

    def built_network(self, spaces: Spaces) -> nn.Module:
        """Return the network, from noisy data to as many predictions."""
        space = Real(require_real(spaces.data, self.type).shape)
        return self.network.build(spaces.between(space, space))


class DenoiserDecoder(TimedDecoder):
    """Clean data predicted from noisy data, c_skip y_t + c_out F(c_in y_t, t), F a network. Karras et al. 2022, eq. 7.

    What F predicts sets c_skip and c_out: the noise (Ho et al. 2020, eq. 11), the data, v = alpha noise - sigma data
    (Salimans & Ho 2022, sec. 4), the velocity noise - data of a straight path (Lipman et al. 2023), or EDM's mixture
    of data and noise (Karras et al. 2022, table 1). c_in always brings the input to unit scale.
    """

    type: Literal["diffusion/denoiser"] = "diffusion/denoiser"

    prediction: Prediction = Field(default="v", description="what the network predicts")
    likelihood: Literal["bound", "flow"] = Field(
        default="bound",
        description="how log p(x) is computed: by the variational bound, or along the probability-flow equation, exact "
        "but for its solver's tolerance",
    )

    @property
    def provides(self) -> TraitSet:
        """Provide Denoiser, its coefficients and a likelihood; read the condition if the network does."""
        density = DataBound if self.likelihood == "bound" else DataDensity
        noise = traits(PredictsNoise) if self.prediction == "noise" else traits()
        return traits(Denoiser, Preconditioned, density) | noise | conditional_if(self.network)

    def accepts(self, latent: Space, data: Space, context: ContextSpace | None = None) -> None:
        """Accept real data of any levels, if the network keeps their shape and reads a time."""
        if self.likelihood == "flow" and data.discrete:
            with at("likelihood"):
                hint = "set dequantise: true in the data, or say likelihood: bound"
                raise Mismatch(f"a density of values on a grid has no meaning, found {data}", hint)
        super().accepts(latent, data, context)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Decoder:
        """Build the denoiser of the process ``encoder``."""
        from ..denoiser import DenoisingDecoder

        network = self.built_network(spaces)
        return DenoisingDecoder(network, _process(encoder), self.prediction, spaces.context, self.likelihood)


class ConsistencyFunction(TimedDecoder):
    """Clean data to which the probability flow leads from noisy data, in one step. Song et al. 2023, sec. 3.

    A network behind EDM's coefficients, shifted so that data at the least time stay as they are (ibid., app. C). A denoiser
    with prediction: edm has the same weights, from which training can start.
    """

    type: Literal["diffusion/consistency_function"] = "diffusion/consistency_function"

    @property
    def provides(self) -> TraitSet:
        """Provide Consistent; read the condition if the network does."""
        return traits(Consistent) | conditional_if(self.network)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Decoder:
        """Build the function of the process ``encoder``."""
        from ..consistency import ConsistencyDecoder

        return ConsistencyDecoder(self.built_network(spaces), _process(encoder), spaces.context)


def _process(encoder: Encoder | None) -> NoisingProcess:
    """Return the process that ``check`` has found the encoder to be."""
    return cast("NoisingProcess", encoder)
