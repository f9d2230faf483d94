"""The spec of the core sampler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, PositiveFloat, ValidationError, ValidatorFunctionWrapHandler, field_validator, model_validator

from ...specs.base import Needs
from ...specs.parts import ModelSpec, SamplerSpec
from ...types.errors import Mismatch, at
from ...types.spaces import Spaces
from ...types.trait.decoders import Denoiser
from ...types.trait.priors import Tempered, Truncatable

if TYPE_CHECKING:
    from ...roles.parts import Encoder, Sampler

__all__ = ["Ancestral"]


class Ancestral(SamplerSpec):
    """Draw a code from the prior, then decode it."""

    type: Literal["core/ancestral"] = "core/ancestral"

    draw: Literal["mean", "sample"] = Field(
        default="mean", description="take the decoder's mean, or draw from its likelihood where it has one"
    )
    temperature: PositiveFloat | tuple[PositiveFloat, ...] = Field(
        default=1.0,
        description="how widely codes are drawn; 1 is the prior as it is. One, or one for each level of a code, fine to coarse",
    )
    truncation: PositiveFloat | None = Field(
        default=None,
        description="threshold within which every dimension of a code is drawn (Brock et al. 2019, sec. 3.1)",
    )

    @field_validator("temperature", mode="wrap")
    @classmethod
    def _say_once(cls, value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        try:
            return handler(value)
        except ValidationError:  # one error for each kind of value, at paths that no file has
            raise ValueError("should be a number greater than 0, or a list of them") from None

    @property
    def temperatures(self) -> tuple[float, ...]:
        """The temperature of each level; a single one is of all."""
        return self.temperature if isinstance(self.temperature, tuple) else (self.temperature,)

    @model_validator(mode="after")
    def _one_way_to_narrow(self) -> Ancestral:
        if self.truncation is not None and self.tempered:
            raise ValueError("temperature and truncation both narrow the codes; leave one of them out")
        return self

    @property
    def tempered(self) -> bool:
        """Whether any temperature is not 1."""
        return any(temperature != 1 for temperature in self.temperatures)

    @property
    def needs(self) -> Needs:
        """Return Tempered of the prior for any temperature but 1, Truncatable for a threshold."""
        if self.truncation is not None:
            return {"prior": Truncatable}
        return {"prior": Tempered} if self.tempered else {}

    def accepts(self, model: ModelSpec, spaces: Spaces) -> None:
        """Accept a decoder that needs one step, and one temperature, or one for each level of the model's code."""
        if Denoiser in model.decoder.provides:
            raise Mismatch(f"{model.decoder.type} removes noise step by step, and {self.type} would take a single step")
        if not isinstance(self.temperature, tuple):
            return
        levels = len(model.encoder.levels(spaces.data)) if model.encoder is not None else 1
        if len(self.temperature) != levels:
            with at("temperature"):
                raise Mismatch(
                    f"this model's code has {levels} level{'s' * (levels > 1)}, found {len(self.temperature)} temperatures",
                    "give a single temperature, or one for each level, from fine to coarse",
                )

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Sampler:
        """Make the sampler."""
        from ..parts import AncestralSampler

        return AncestralSampler(self.draw, self.temperatures, self.truncation)
