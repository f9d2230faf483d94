"""What kind of model parts make that were put together by hand: spaces by a trial with two rows, traits by methods."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor

from ..checking import check
from ..roles import Encoder
from ..specs import Composition, ModelSpec, ModuleDecoder, ModuleEncoder, ModuleLoss, ModulePrior, ModuleSampler
from ..types import TRAITS, Categorical, Real, Space, SpecError, Trait

__all__ = ["described"]


def described(
    data: Space,
    parts: Mapping[str, Any],
    *,
    latent: Space | None = None,
    code: Space | None = None,
    provides: Mapping[str, Collection[Trait]] | None = None,
) -> Composition:
    """Return the composition of parts made by hand, given by their places: ``decoder`` and ``loss`` at least.

    :raises SpecError: if they do not fit, or a space has to be said.
    """
    encoder, prior = parts.get("encoder"), parts.get("prior")
    if encoder is not None and (latent is None or code is None):
        latent, code = _spaces(encoder, data, latent, code)
    if encoder is None and latent is None and prior is not None:
        latent = _space_of(_tried(lambda: prior.sample(2)), "latent")
    out, codes = (space.to_dict() if space is not None else None for space in (latent, code or latent))
    fields = {place: _fields(part, (provides or {}).get(place, ())) for place, part in parts.items()}
    spec: dict[str, Any] = {
        "decoder": ModuleDecoder(**fields["decoder"]),
        "loss": ModuleLoss(**fields["loss"], names=parts["loss"].players),
    }
    if encoder is not None:
        spec["encoder"] = ModuleEncoder(**fields["encoder"], out=out, code=codes)
    if prior is not None:
        spec["prior"] = ModulePrior(**fields["prior"], out=out if encoder is None else None)
    if "sampler" in parts:
        spec["sampler"] = ModuleSampler(**fields["sampler"])
    return check(ModelSpec.model_validate(spec), data)


def _fields(part: object, named: Collection[Trait]) -> dict[str, Any]:
    """Return what a spec says of a part: its class, and the traits whose methods it has or that were named."""
    having = {
        name for name, trait in TRAITS.items() if getattr(trait, "_is_runtime_protocol", False) and isinstance(part, trait)
    }
    kind = type(part)
    return {"of": f"{kind.__module__}.{kind.__qualname__}", "has": tuple(sorted(having | {trait.__name__ for trait in named}))}


def _spaces(encoder: Encoder, data: Space, latent: Space | None, code: Space | None) -> tuple[Space, Space]:
    """Return the spaces of latent and code, where they were not said, by encoding two rows."""
    x = torch.zeros(2, *data.shape, dtype=torch.int64 if isinstance(data, Categorical) else torch.float32)
    encoded = _tried(lambda: encoder.encode(x))
    if latent is None:
        latent = data if encoded is x else _space_of(encoded, "latent")
    return latent, code or _space_of(_tried(lambda: encoder.code(encoded)), "code", alike=(encoded, latent))


@torch.no_grad()
def _tried(call: Any) -> Tensor:
    with torch.random.fork_rng(devices=[]):
        tried: Tensor = call()
    return tried


def _space_of(tensor: Tensor, name: str, alike: tuple[Tensor, Space] | None = None) -> Space:
    if alike is not None and tensor is alike[0]:
        return alike[1]
    if not tensor.is_floating_point():
        raise SpecError(f"the {name} is of classes; say how many there are: {name}=Categorical(shape, size)")
    return Real(tuple(tensor.shape[1:]))
