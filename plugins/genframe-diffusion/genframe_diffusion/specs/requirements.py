"""What several specs of samplers require. No torch."""

from __future__ import annotations

from genframe import Mismatch, ModelSpec, at

from ..traits import Chain

__all__ = ["require_chain_of", "require_interval"]


def require_interval(name: str, interval: tuple[float, float]) -> None:
    """Check that an interval is of times.

    :raises ValueError: otherwise.
    """
    low, high = interval
    if not 0 <= low < high <= 1:
        raise ValueError(f"{name} is two times from 0 to 1, found {low:g} and {high:g}")


def require_chain_of(steps: int, model: ModelSpec) -> None:
    """Check that the field ``steps`` of a sampler is no more than the steps of the model's process, if it is a chain.

    :raises Mismatch: otherwise.
    """
    process = model.encoder
    if process is None or Chain not in process.provides:
        return
    chain: int = getattr(process, "steps")  # noqa: B009 - the field that the trait promises
    if steps > chain:
        with at("steps"):
            raise Mismatch(f"the chain of {process.type} has {chain} steps, found {steps}", "take fewer")
