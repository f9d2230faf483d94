"""genframe plugin: work on latents. Names are loaded when they are first used, so importing this imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genframe.lazy import loaded_when_used

if TYPE_CHECKING:
    from .attributes import Attribute, find_attribute, labels_of
    from .directions import Components, Direction, attribute_direction, read_tensors, write_tensors
    from .editing import Average, Moved, distances, manifold_distance, measured, spread_of, with_residual
    from .interpolation import between_pairs, interpolated, linear, spherical
    from .latents import Latents, Search, base_of, from_base, latents_of, to_base
    from .metrics import CodeLengthMetric, LinearProbeMetric, logistic_regression
    from .route import Route, route_of
    from .specs import CodeLength, LinearProbe

__all__ = [
    "Attribute",
    "Average",
    "CodeLength",
    "CodeLengthMetric",
    "Components",
    "Direction",
    "Latents",
    "LinearProbe",
    "LinearProbeMetric",
    "Moved",
    "Route",
    "Search",
    "attribute_direction",
    "base_of",
    "between_pairs",
    "distances",
    "find_attribute",
    "from_base",
    "interpolated",
    "labels_of",
    "latents_of",
    "linear",
    "logistic_regression",
    "manifold_distance",
    "measured",
    "read_tensors",
    "route_of",
    "spherical",
    "spread_of",
    "to_base",
    "with_residual",
    "write_tensors",
]

_LOADED_WHEN_USED = {
    "attributes": ("Attribute", "find_attribute", "labels_of"),
    "directions": ("Components", "Direction", "attribute_direction", "read_tensors", "write_tensors"),
    "editing": ("Average", "Moved", "distances", "manifold_distance", "measured", "spread_of", "with_residual"),
    "interpolation": ("between_pairs", "interpolated", "linear", "spherical"),
    "latents": ("Latents", "Search", "base_of", "from_base", "latents_of", "to_base"),
    "metrics": ("CodeLengthMetric", "LinearProbeMetric", "logistic_regression"),
    "route": ("Route", "route_of"),
    "specs": ("CodeLength", "LinearProbe"),
}
_MODULE_OF = {name: module for module, names in _LOADED_WHEN_USED.items() for name in names}


__getattr__, __dir__ = loaded_when_used(__name__, _MODULE_OF)
