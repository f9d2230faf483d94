"""The route by which a model gives its data latents, by the traits of its parts. Nothing is built; no torch."""

from __future__ import annotations

from typing import Literal, TypeAlias

from genframe import Composition, Real, SpecError, Unsupported, check
from genframe.checking import as_it_comes, fitting, has
from genframe.types import Bijective, Identity, Invertible, NoiseProcess, Posterior, Quantized

__all__ = ["Route", "route_of"]

Route: TypeAlias = Literal["posterior mean", "codebook vectors", "bijection", "probability flow", "encoder", "search"]


def route_of(composition: Composition) -> Route:
    """Return how the model turns an example into a latent, by its parts' traits.

    :raises Unsupported: if it cannot, with what could.
    """
    _require_real(composition)
    if composition.spec.encoder is None:
        return "search"
    if composition.has("encoder", Identity):
        prior = composition.spec.prior.type
        raise Unsupported(
            f"this model has no latent: its encoder returns the data unchanged, and {prior} models it directly; "
            "train one with an encoder, such as vae-digits, or name a run of one"
        )
    if composition.has("encoder", NoiseProcess):
        _require_invertible(composition)
        return "probability flow"
    if composition.has("encoder", Bijective):
        return "bijection"
    if composition.has("encoder", Quantized):
        return "codebook vectors"
    return "posterior mean" if composition.has("encoder", Posterior) else "encoder"


def _require_real(composition: Composition) -> None:
    if not isinstance(composition.latent, Real):
        raise Unsupported(
            f"the latent of this model is {composition.latent}, and classes cannot be averaged or moved; "
            "train one with real latents, such as those of vae/gaussian or vq/quantizer"
        )


def _require_invertible(composition: Composition) -> None:
    spec = composition.spec
    if Invertible not in spec.sampler.provides:
        others = _invertible_samplers(composition)
        hint = f"; name one that does not, such as --sampler {others[0]}; these fit: {', '.join(others)}" if others else ""
        raise Unsupported(f"{spec.sampler.type} draws noise at its steps, so it leads from no example back to a latent{hint}")


def _invertible_samplers(composition: Composition) -> list[str]:
    """Return the installed samplers with Invertible that can draw from the model, the most exact first."""
    names = []
    for component in fitting("sampler"):
        sampler = as_it_comes(component) if has(component, Invertible) else None
        if sampler is not None:
            try:
                check(
                    composition.spec.model_copy(update={"sampler": sampler}),
                    composition.data,
                    composition.condition,
                    None if composition.condition else composition.context,
                )
            except SpecError:
                continue
            names.append(sampler.type)
    return sorted(names, key=lambda name: (not name.endswith("/ode"), name))
