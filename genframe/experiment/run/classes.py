"""The names of the classes that a model is conditioned on."""

from __future__ import annotations

from ...specs.dataset import DatasetSpec
from ...types.errors import DataError
from ...types.spaces import Categorical, Space

__all__ = ["class_names", "class_numbers", "listed"]

LISTED = 20


def class_numbers(condition: Space | None) -> tuple[str, ...]:
    """Return the numbers of the classes as names; none where the condition is not one class."""
    return tuple(map(str, range(condition.size))) if isinstance(condition, Categorical) and not condition.shape else ()


def class_names(data: DatasetSpec, condition: Space | None) -> tuple[str, ...]:
    """Return the names of the classes as the dataset has them; none where they are numbers only, or where it cannot be read."""
    numbers = class_numbers(condition)
    if not numbers:
        return ()
    try:
        names = data.attributes().get(data.label_name() or "", ())
    except DataError:
        return ()
    return names if len(names) == len(numbers) and names != numbers else ()


def listed(names: tuple[str, ...]) -> str:
    """Return the names in one line, up to 20 of them."""
    return ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED:,} more" if len(names) > LISTED else "")
