"""Directions in a model's latent space, from labelled codes or principal components, and the files that hold them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import torch
from torch import Tensor

from genframe import DataError
from genframe.output.files import write_whole

__all__ = ["Components", "Direction", "attribute_direction", "read_tensors", "write_tensors"]

KEY: Final = "genframe"
LARGEST: Final = 1 << 30


@dataclass(frozen=True)
class Direction:
    """A direction along which latents move: ``vector`` (latent), and a stamp that names its model and what it was made from."""

    vector: Tensor
    stamp: Mapping[str, Any]

    def moved(self, latent: Tensor, strengths: Tensor, along: Literal["linear", "spherical"] = "linear") -> Tensor:
        """Return each latent moved by each multiple: (N, latent), (S,) -> (N, S, latent).

        ``spherical`` keeps the length of each latent. Under N(0, I) in many dimensions all lengths are nearly equal, so longer
        latents belong to no example (White 2016, sec. 2).
        """
        shape = (1, -1, *(1,) * self.vector.ndim)
        made = latent.unsqueeze(1) + strengths.to(latent).view(shape) * self.vector.to(latent)
        if along == "linear":
            return made
        before, after = (each.reshape(*each.shape[:2], -1).double().norm(dim=2) for each in (latent.unsqueeze(1), made))
        factor: Tensor = (before / after.clamp_min(1e-30)).to(latent)  # (N, S)
        return made * factor.view(*factor.shape, *(1,) * self.vector.ndim)

    def save(self, path: Path | str) -> None:
        """Write a safetensors file with the stamp as its metadata.

        :raises StorageError: if the volume refuses.
        """
        write_tensors(path, {"direction": self.vector}, {"kind": "direction", **self.stamp})

    @classmethod
    def load(cls, path: Path | str, stamp: Mapping[str, Any]) -> Direction:
        """Read a direction that belongs to the model with this ``stamp``, as the commands write it.

        :raises DataError: if the file holds no direction, or one of another model or another kind of latent.
        """
        tensors, found = read_tensors(path)
        if found.get("kind") != "direction" or set(tensors) != {"direction"}:
            raise DataError(f"{path} holds no direction; make one with genframe edit RUN --attribute NAME --save FILE")
        for name, what in (("weights", "model"), ("latent", "kind of latent"), ("sampler", "sampler")):
            if found.get(name) != stamp.get(name):
                raise DataError(
                    f"{path} belongs to another {what}: {name} is {found.get(name)!r} there, {stamp.get(name)!r} here; "
                    "make one for this run with genframe edit RUN --attribute NAME --save FILE"
                )
        vector = tensors["direction"]
        if list(vector.shape) != found.get("shape") or not vector.is_floating_point() or not bool(vector.isfinite().all()):
            raise DataError(
                f"{path} is damaged: expected finite floats of the shape {found.get('shape')}, found {vector.shape}"
            )
        return cls(vector, {name: value for name, value in found.items() if name != "kind"})


def attribute_direction(codes: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """Return the mean code of the positives minus that of the negatives: (N, latent), (N,) and (N,) of bool -> (latent).

    White 2016, sec. 3.2; Larsen et al. 2016, sec. 4.1.

    :raises DataError: if there are no positives or no negatives.
    """
    for rows, what in ((positive, "positives"), (negative, "negatives")):
        if not bool(rows.any()):
            raise DataError(f"expected {what} to average, found none among {len(codes)} labels; choose another class or split")
    return (codes[positive].double().mean(0) - codes[negative].double().mean(0)).to(codes.dtype)


@dataclass(frozen=True)
class Components:
    """Principal components of codes: ``mean`` (D,), ``axes`` (K, D) of length 1, and ``deviations`` (K,), largest first.

    The largest entry of each axis is positive, so that the axis does not depend on the solver.
    """

    mean: Tensor
    axes: Tensor
    deviations: Tensor

    @classmethod
    def of(cls, codes: Tensor) -> Components:
        """Return the components along which codes (N, latent) vary: at most N - 1, in double precision.

        :raises DataError: if there are fewer than two codes, or all codes are equal.
        """
        flat = codes.detach().flatten(1).double()
        if len(flat) < 2:
            raise DataError(f"expected at least 2 codes to find directions, found {len(flat)}")
        mean = flat.mean(0)
        _, values, axes = torch.linalg.svd(flat - mean, full_matrices=False)
        deviations = values / math.sqrt(len(flat) - 1)
        kept = int((deviations > 1e-7 * deviations[0]).sum())
        if not float(deviations[0]) > 0:
            raise DataError("expected codes that vary, found equal codes")
        axes, deviations = axes[:kept], deviations[:kept]
        largest = axes.gather(1, axes.abs().argmax(1, keepdim=True))
        return cls(mean, axes * largest.sign(), deviations)

    def whiten(self, codes: Tensor, *, zca: bool = False) -> Tensor:
        """Return codes of covariance I: (N, latent) -> (N, K). With ``zca`` (N, D), as near as possible to the codes before.

        Bell & Sejnowski 1997. With fewer components than dimensions, ``zca`` leaves the other dimensions at zero.
        """
        white = (codes.flatten(1).double() - self.mean) @ self.axes.T / self.deviations
        return white @ self.axes if zca else white

    def colour(self, white: Tensor, *, zca: bool = False) -> Tensor:
        """Undo :meth:`whiten`, except for what the components leave out: (N, K), or (N, D) with ``zca`` -> (N, D)."""
        values = white @ self.axes.T if zca else white
        return (values * self.deviations) @ self.axes + self.mean


def write_tensors(path: Path | str, tensors: Mapping[str, Tensor], stamp: Mapping[str, Any]) -> None:
    """Write tensors and their stamp as a safetensors file, whole or not at all.

    :raises StorageError: if the volume refuses.
    """
    from safetensors.torch import save

    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_whole(Path(path), save(plain, {KEY: json.dumps(dict(stamp), allow_nan=False)}))


def read_tensors(path: Path | str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and the stamp of a file that :func:`write_tensors` wrote.

    :raises DataError: if the file is something else, is damaged, or is larger than 1 GiB.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    try:
        if not path.is_file():
            raise DataError(f"{path} is not a file")
        if path.stat().st_size > LARGEST:
            raise DataError(f"{path} is larger than {LARGEST} bytes")
        with safe_open(path, "pt") as file:
            stamp = json.loads((file.metadata() or {}).get(KEY, "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, ValueError, RecursionError) as error:
        raise DataError(f"{path} is not a readable safetensors file: {error}") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
    if not isinstance(stamp, dict):
        raise DataError(f"{path} was not written by genframe: it has no stamp")
    return tensors, stamp
