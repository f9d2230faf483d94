"""Which way data become latents, by the traits of a model's parts alone. Nothing is built and torch is not imported."""

from __future__ import annotations

from typing import Literal, TypeAlias

from .composition import Composition, check
from .errors import SpecError, Unsupported
from .spaces import Real
from .suggestions import as_it_comes, fitting, has
from .traits import Bijective, Identity, Invertible, NoiseProcess, Posterior, Quantized

__all__ = ["Way", "way_of"]

Way: TypeAlias = Literal["posterior mean", "codebook vectors", "bijection", "probability flow", "encoder", "search"]


def way_of(composition: Composition) -> Way:
    """Return how data of a model become latents, by its parts' traits.

    :raises Unsupported: if they do not, with what would.
    """
    _require_real(composition)
    if composition.spec.encoder is None:
        return "search"
    if composition.has("encoder", Identity):
        prior = composition.spec.prior.type
        raise Unsupported(
            f"this model has no latent: its encoder leaves data as they are, and {prior} models them directly; "
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
            "train one with real latents, such as vae/gaussian or vq/quantizer gives"
        )


def _require_invertible(composition: Composition) -> None:
    spec = composition.spec
    if Invertible not in spec.sampler.provides:
        others = _invertible_samplers(composition)
        mend = f"name one that does not, such as --sampler {others[0]}; these fit: {', '.join(others)}" if others else ""
        raise Unsupported(f"{spec.sampler.type} draws noise on its way, so data have no latent by it; {mend}".rstrip("; "))


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
