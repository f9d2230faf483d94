"""The spec of a metric."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from ..types.spaces import Spaces
from .base import ComponentSpec, Kind

if TYPE_CHECKING:
    from ..roles.metric import Metric
    from ..roles.parts import Encoder
    from .composition import Composition

__all__ = ["MetricSpec"]


class MetricSpec(ComponentSpec):
    """A figure about a trained model, with the protocol by which it was measured."""

    kind: ClassVar[Kind] = "metric"
    least_held_out: ClassVar[int] = 1  # examples without which it cannot be measured
    least_training: ClassVar[int] = 0
    reproducible: ClassVar[bool] = True  # false where one seed gives two figures, as a measurement of time does

    @classmethod
    def bounded(cls) -> Self:
        """Return the metric as it is measured where nobody names its settings; override to bound its cost."""
        return cls.model_validate({})

    def refusal(self, composition: Composition) -> str:
        """Return why this metric has no meaning for a model of this composition, or an empty string."""
        return ""

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Make the metric."""
        raise NotImplementedError(f"{type(self).__name__}.build")
