"""Where NaN begins is found in whatever a layer returns, and named by the innermost layer that returned it first."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import pytest
import torch
from torch import Tensor, nn

from genframe import Batch, Context, Encoder, EncoderSpec, LossOutput, ModelSpec, Real, Space, Spaces, compose
from genframe.training.nonfinite import diagnosis
from genframe.training.objective import Objective
from genframe.types import Bijective, TraitSet, traits


@dataclass
class Mapped:
    """A layer's result as a dataclass."""

    y: Tensor
    log_abs_det: Tensor


SHAPES: dict[str, tuple[Callable[[Tensor, Tensor], Any], Callable[[Any], tuple[Tensor, Tensor]]]] = {
    "tuple": (lambda y, d: (y, d), lambda out: out),
    "list within a tuple": (lambda y, d: ([y], d), lambda out: (out[0][0], out[1])),
    "mapping": (lambda y, d: {"y": y, "d": d}, lambda out: (out["y"], out["d"])),
    "dataclass": (Mapped, lambda out: (out.y, out.log_abs_det)),
}


class Layer(nn.Module):
    """y = scale x, by an inner module that returns one tensor; the log-determinant may blow."""

    def __init__(self, pack: Callable[[Tensor, Tensor], Any], fault: float) -> None:
        super().__init__()
        self.net, self.pack, self.fault = nn.Linear(2, 2), pack, fault

    def forward(self, x: Tensor) -> Any:
        """Return the pair, in the shape under test."""
        return self.pack(x + 0 * self.net(x), self.fault + torch.zeros(len(x)))


class Stack(Encoder):
    """Four layers, the third of which blows."""

    def __init__(self, shape: str) -> None:
        super().__init__()
        pack, self.unpack = SHAPES[shape]
        self.layers = nn.ModuleList(Layer(pack, math.nan if number == 2 else 0.0) for number in range(4))

    def forward_and_log_det(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return the latent and the sum of the log-determinants."""
        total = torch.zeros(len(x))
        for layer in self.layers:
            x, log_abs_det = self.unpack(layer(x))
            total = total + log_abs_det
        return x, total

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return the latent."""
        return self.forward_and_log_det(x)[0]

    def inverse(self, latent: Tensor, context: Context | None = None) -> Tensor:
        """Return the latent."""
        return latent


class Stacked(EncoderSpec):
    """A flow of four layers."""

    type: Literal["test/stacked"] = "test/stacked"
    provides: ClassVar[TraitSet] = traits(Bijective)

    shape: str

    def latent_space(self, data: Space) -> Space:
        """Return the data's space."""
        return data

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make the encoder."""
        return Stack(self.shape)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_layer_of_several_results_is_named(shape: str) -> None:
    """A log-determinant that is NaN names its layer, though the layer's own modules and its first result are finite."""
    spec = ModelSpec.model_validate({"encoder": Stacked(shape=shape), "decoder": "core/inverse", "loss": "core/nll"})
    objective = Objective(compose(spec, Real((2,))), ("encoder",))
    output = LossOutput(torch.tensor(math.nan))
    said = diagnosis(objective, Batch(torch.ones(3, 2)), "model", output)
    assert said == "the loss of player 'model' is nan; it begins in 'encoder.layers.2'"
