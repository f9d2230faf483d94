"""Specs of priors that learn. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from genframe import ContextSpace, Needs, PriorSpec, Real, Space, Spaces, Unsupported, require_real, traits
from genframe.types import Density, Fittable, Posterior, TraitSet

from ..choices import Covariance

if TYPE_CHECKING:
    from genframe import Encoder, Prior

__all__ = ["GaussianMixture", "Vamp"]


def continuous_vector(code: Space, who: str) -> Real:
    """Return ``code`` if it is a real vector off any grid.

    :raises Mismatch: otherwise.
    """
    return require_real(code, who, rank=1, continuous=True, hint="")


class GaussianMixture(PriorSpec):
    """A mixture of normals over vector codes. Dempster et al. 1977.

    Fitted by EM in a stage of its own, or learned by gradient with the rest. EM runs in float64 from k-means++ seeds; its
    log-likelihood never falls.
    """

    type: Literal["vae/gmm"] = "vae/gmm"
    provides: ClassVar[TraitSet] = traits(Density, Fittable)

    components: PositiveInt = Field(default=10, description="number of normals")
    covariance: Covariance = Field(default="full", description="the form of each covariance")
    steps: PositiveInt = Field(default=200, description="steps of EM at most")
    tolerance: NonNegativeFloat = Field(default=1e-4, description="gain in nats per code below which EM stops")
    floor: PositiveFloat = Field(default=1e-6, description="the least variance, or eigenvalue of a covariance, that EM gives")

    def accepts(self, code: Space, context: ContextSpace | None = None) -> None:
        """Accept real vectors."""
        continuous_vector(code, "a mixture of normals")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Prior:
        """Make the prior."""
        from ..priors import GaussianMixturePrior

        return GaussianMixturePrior(
            continuous_vector(spaces.code, "a mixture of normals"),
            self.components,
            covariance=self.covariance,
            steps=self.steps,
            tolerance=self.tolerance,
            floor=self.floor,
        )


class Vamp(PriorSpec):
    """The VampPrior: an equal mixture of the encoder's own posteriors at learned pseudo-inputs. Tomczak & Welling 2018, eq. 9.

    Of a conditional model it is the mixture under the given condition, at the cost of encoding every pair of the two.
    """

    type: Literal["vae/vamp"] = "vae/vamp"
    provides: ClassVar[TraitSet] = traits(Density)
    needs: ClassVar[Needs] = {"encoder": Posterior}

    components: PositiveInt = Field(default=500, description="number of pseudo-inputs")

    def accepts(self, code: Space, context: ContextSpace | None = None) -> None:
        """Accept real codes."""
        require_real(code, "the VampPrior")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Prior:
        """Make the prior, tied to ``encoder``.

        :raises Unsupported: if there is no encoder of real data with Posterior.
        """
        from ..priors import VampPrior

        if not (isinstance(encoder, Posterior) and isinstance(spaces.data, Real)):
            raise Unsupported("vae/vamp needs an encoder of real data with Posterior, such as vae/gaussian")
        return VampPrior(encoder, spaces.data, self.components)
