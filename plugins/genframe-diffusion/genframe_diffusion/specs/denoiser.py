"""Spec of the denoiser."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias, cast

from pydantic import Field

from genframe import ContextSpace, DecoderSpec, Mismatch, Needs, Real, Space, Spaces, at, conditional_if, require_real, traits
from genframe.traits import DataBound, DataDensity, Denoiser, NoiseProcess, TimeConditioned, TraitSet

if TYPE_CHECKING:
    from genframe import Decoder, Encoder

__all__ = ["DenoiserDecoder", "Prediction", "require_timed"]

Prediction: TypeAlias = Literal["noise", "data", "v", "velocity", "edm"]


def require_timed(network: DecoderSpec, space: Real, context: ContextSpace | None) -> None:
    """Return if the field ``network`` maps a space to itself and reads a time.

    :raises Mismatch: otherwise.
    """
    with at("network"):
        if TimeConditioned not in network.provides:
            mend = "say time: true" if "time" in type(network).model_fields else ""
            raise Mismatch(f"a denoiser's network reads a time, and {network.type} does not", mend)
        network.accepts(space, space, context)


class DenoiserDecoder(DecoderSpec):
    """Clean data predicted from noisy data, c_skip y_t + c_out F(c_in y_t, t), F a network. Karras et al. 2022, eq. 7.

    What F predicts sets c_skip and c_out: the noise (Ho et al. 2020, eq. 11), the data, v = alpha noise - sigma data
    (Salimans & Ho 2022, sec. 4), the velocity noise - data of a straight path (Lipman et al. 2023), or EDM's mixture
    of data and noise (Karras et al. 2022, table 1). c_in always brings the input to unit scale.
    """

    type: Literal["diffusion/denoiser"] = "diffusion/denoiser"
    needs: ClassVar[Needs] = {"encoder": NoiseProcess}

    network: DecoderSpec = Field(
        default=cast(DecoderSpec, "nets/unet"), validate_default=True, description="the network F, which must read a time"
    )
    prediction: Prediction = Field(default="v", description="what the network predicts")
    likelihood: Literal["bound", "flow"] = Field(
        default="bound",
        description="how log p(x) is computed: by the variational bound, or along the probability-flow equation, exact "
        "but for its solver's tolerance",
    )

    @property
    def provides(self) -> TraitSet:
        """Provide Denoiser and a likelihood; read the condition if the network does."""
        density: TraitSet = traits(DataBound if self.likelihood == "bound" else DataDensity)
        return traits(Denoiser) | density | conditional_if(self.network)

    def accepts(self, latent: Space, data: Space, context: ContextSpace | None = None) -> None:
        """Accept real data of any levels, if the network keeps their shape and reads a time."""
        space = Real(require_real(data, self.type).shape)
        if self.likelihood == "flow" and data.discrete:
            with at("likelihood"):
                mend = "set dequantise: true in the data, or say likelihood: bound"
                raise Mismatch(f"a density of values on a grid has no meaning, found {data}", mend)
        require_timed(self.network, space, context)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Decoder:
        """Make the denoiser of the process ``encoder``."""
        from ..denoiser import DenoisingDecoder

        return DenoisingDecoder(self, require_real(spaces.data, self.type), spaces.context, encoder)
