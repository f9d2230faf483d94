"""A data set from tensors in memory."""

from __future__ import annotations

import torch
from torch import Tensor

from genframe import Categorical, DataError, Dataset, Real, Space, data_digest

from .prepare import Scaled
from .splits import Part, divided, plain_dataset

__all__ = ["from_tensors"]


def from_tensors(
    x: Tensor,
    labels: Tensor | None = None,
    *,
    space: Space | None = None,
    validation: float = 0.1,
    test: float = 0.0,
    seed: int = 0,
) -> Dataset:
    """Return a data set of your own tensors, ready for ``compose(spec, data.space, data.condition_space)`` and training.

    ``x`` (N, ...): floats are taken as they are; bytes are 256 levels, scaled to [0, 1] batch by batch. ``labels`` (N,)
    are whole numbers from 0. ``space`` says more about floats (bounds, levels), and must be given for int64 classes.
    ``validation`` and ``test`` are shares below 1, or counts, held out at random by ``seed``; 0 leaves the split out.

    :raises DataError: if the tensors do not fit each other or the space.

    >>> data = from_tensors(torch.zeros(100, 2), validation=0.2)
    >>> len(data.split("train")), data.space
    (80, Real(shape=(2,), low=None, high=None, levels=None, dequantised=False))
    """
    x = x.detach().float() if x.is_floating_point() else x.detach()
    space = space or _space(x)
    _check_fits(x, space)
    protocol = {"data": f"tensors@{data_digest(x.cpu())}", "seed": seed}
    parts = divided(Part(x, _classes(x, labels)), validation, test, by="random", seed=seed, limit=None)
    classes = Categorical((), int(labels.max()) + 1) if labels is not None else None
    return plain_dataset(parts, space, classes, protocol, _scaled(x, space))


def _space(x: Tensor) -> Space:
    if x.is_floating_point():
        return Real(tuple(x.shape[1:]))
    if x.dtype == torch.uint8:
        return Real(tuple(x.shape[1:]), 0.0, 1.0, levels=256)
    raise DataError(f"x: expected floats or uint8, found {x.dtype}; for classes give space=Categorical(shape, size)")


def _scaled(x: Tensor, space: Space) -> Scaled | None:
    if x.dtype != torch.uint8 or not isinstance(space, Real) or space.low is None or space.high is None:
        return None
    return Scaled(256, space.low, space.high)


def _check_fits(x: Tensor, space: Space) -> None:
    if len(x) == 0 or tuple(x.shape[1:]) != space.shape:
        raise DataError(f"x: expected the shape (N, {', '.join(map(str, space.shape))}), found {tuple(x.shape)}")
    if isinstance(space, Categorical):
        if x.dtype != torch.int64 or bool((x < 0).any()) or bool((x >= space.size).any()):
            raise DataError(f"x: expected int64 from 0 to {space.size - 1}, found {x.dtype} from {x.min()} to {x.max()}")
    elif x.dtype == torch.uint8:
        if space.levels != 256 or space.dequantised:
            raise DataError(f"x: uint8 has 256 levels, found {space}; leave 'space' out")
    elif not x.is_floating_point():
        raise DataError(f"x: expected floats for {space}, found {x.dtype}")
    elif not bool(x.isfinite().all()):
        raise DataError("x: expected finite numbers, found NaN or infinity")
    elif space.low is not None and space.high is not None and (float(x.min()) < space.low or float(x.max()) > space.high):
        raise DataError(f"x: expected values from {space.low:g} to {space.high:g}, found {x.min():g} to {x.max():g}")


def _classes(x: Tensor, labels: Tensor | None) -> Tensor | None:
    if labels is None:
        return None
    if labels.shape != x.shape[:1] or labels.is_floating_point() or bool((labels < 0).any()) or int(labels.max()) < 1:
        raise DataError(
            f"labels: expected {len(x)} whole numbers from 0, of at least 2 classes, found {tuple(labels.shape)} {labels.dtype}"
        )
    return labels.detach().long()
