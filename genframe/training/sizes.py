"""How large a model is, counted on torch's meta device, which has shapes and no memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from ..model.model import Model
from ..specs.composition import Composition
from ..types.spaces import Categorical, Space
from ..types.values import Batch
from .settings import TrainSpec

__all__ = ["sizes"]


def sizes(train: TrainSpec, composition: Composition, *, operations: bool = False) -> dict[str, Any]:
    """Return parameters by part, and bytes: in training, of a checkpoint, of activations (``None`` if unknown).

    With ``operations`` also the floating-point operations of a step of all players, ``None`` where they cannot be told.
    """
    with torch.device("meta"):
        model = Model(composition)
    counts = {role: sum(p.numel() for p in part.parameters()) for role, part in {**model.parts(), "loss": model.loss}.items()}
    copies = 2 + (1 if train.optimizer == "sgd" else 2) + (train.ema is not None)  # weight, gradient, moments, average
    found = {
        "parameters": {role: count for role, count in counts.items() if count},
        "weights_bytes": 4 * copies * sum(counts.values()),
        "checkpoint_bytes": 4 * (copies - 1) * sum(counts.values()),  # gradients are not stored
        "activations_bytes": _activations(model, train.batch_size),
    }
    return found | ({"operations": _operations(model, train.batch_size)} if operations else {})


def _operations(model: Model, batch_size: int) -> int | None:
    """Count once more: torch's counter refuses some losses whose activations can be told, such as adversarial ones."""
    from torch.utils.flop_counter import FlopCounterMode  # not cheap to import, and only asked for by a person

    with FlopCounterMode(display=False) as counter:
        told = _activations(model, batch_size)
    return 3 * counter.get_total_flops() if told is not None else None  # a backward pass costs two forward ones


def _activations(model: Model, batch_size: int) -> int | None:
    """Return the bytes that autograd keeps for the backward pass of the player that needs most."""
    composition = model.composition
    condition = None if composition.condition is None else _batch(composition.condition, batch_size)
    batch = Batch(_batch(composition.data, batch_size), condition)
    try:
        return max(_kept(model, batch, player) for player in dict.fromkeys(composition.players))
    except (RuntimeError, NotImplementedError, ValueError):  # a part that looks at values, of which there are none
        return None


def _kept(model: Model, batch: Batch, player: str) -> int:
    weights = {parameter.untyped_storage()._cdata for parameter in model.parameters()}
    kept: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage()._cdata not in weights:
            kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    with torch.device("meta"), saved_tensors_hooks(pack, lambda tensor: tensor):
        model.loss(model, batch, player)
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


def _batch(space: Space, size: int) -> Tensor:
    dtype = torch.int64 if isinstance(space, Categorical) else torch.float32
    return torch.empty(size, *space.shape, dtype=dtype, device="meta")
