"""Reading shapes off samples: a model that draws what captions say is right, one that paints in other colours half so."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from genframe import (
    Categorical,
    Context,
    Encoder,
    Model,
    ModelSpec,
    Prior,
    PriorSpec,
    Real,
    Space,
    Spaces,
    Split,
    check,
    compose,
    traits,
)
from genframe.core import IdentityDecoder, IdentityEncoder, OneHot
from genframe.testing import part
from genframe.types import Conditional, TraitSet
from genframe_data import Shapes, read_captions
from genframe_data.drawing import pictures
from genframe_metrics import ShapesRead

DATA = Shapes(n=600, labels=True).load()
CAPTIONS = DATA.condition_space


class Painter(Prior):
    """Draws the picture of a caption given as one-hot vectors, its colours moved on; without one a red circle."""

    def __init__(self, colours: int) -> None:
        super().__init__()
        self.colours = colours

    def sample(self, n: int, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        """Return the pictures."""
        if context is None:
            drawn = np.repeat(pictures(np.array([[0]]), np.array([[4]])), n, 0)
        else:
            assert context.vector is not None
            one_hot = context.vector.unflatten(1, (*CAPTIONS.shape, -1))  # (n, words, classes)
            words = read_captions(one_hot.argmax(2)).numpy()
            drawn = np.concatenate([self.paint(row[row[:, 0] >= 0]) for row in words])
        return torch.from_numpy(drawn).float() / 255

    def paint(self, words: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Draw one picture of objects (K, 3)."""
        number = (words[:, 2] * 4 + words[:, 1]) * 7 + (words[:, 0] + self.colours) % 7
        return pictures(number[None], np.zeros_like(number)[None])


class PainterSpec(PriorSpec):
    """Draws what captions say."""

    type: Literal["test/painter"] = "test/painter"
    provides: ClassVar[TraitSet] = traits(Conditional)
    colours: int = 0

    def accepts(self, code: Space, context: Space | None = None) -> None:
        """Accept all."""

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Prior:
        """Make the prior."""
        return Painter(self.colours)


def spec(colours: int = 0, **parts: Any) -> ModelSpec:
    """Return a model that draws what captions say."""
    prior, loss = PainterSpec(colours=colours), {"type": "vae/reconstruction"}
    return ModelSpec(**{"encoder": IdentityEncoder(), "decoder": IdentityDecoder(), "prior": prior, "loss": loss, **parts})


def figures(model: Model, split: Split) -> dict[str, float]:
    """Return the metric's figures by name."""
    results = part(ShapesRead(n=50)).measure(model, split, train=split)
    assert all(result.stamp["samples"] == 50 for result in results)
    return {result.name: result.value for result in results}


def test_what_captions_say_is_read() -> None:
    """A model that draws each held-out caption has everything right, as the data have."""
    found = figures(compose(spec(condition=OneHot()), DATA.space, CAPTIONS), DATA.split("test"))
    names = ["attributes_right", "colour_right", "shape_right", "place_right", "captions_right", "explained"]
    assert found == pytest.approx({f"{prefix}{name}": 1.0 for prefix in ("", "data_") for name in names}, abs=1e-4)


def test_wrong_colours_are_seen() -> None:
    """With every colour another one, shapes and places are right, and two thirds of all attributes."""
    found = figures(compose(spec(3, condition=OneHot()), DATA.space, CAPTIONS), DATA.split("test"))
    assert found["colour_right"] < 0.2
    assert (found["shape_right"], found["place_right"]) == pytest.approx((1, 1), abs=0.1)
    assert found["attributes_right"] == pytest.approx(2 / 3, abs=0.06)
    assert found["captions_right"] == 0
    assert found["data_captions_right"] == 1


def test_captions_repeat_in_turn() -> None:
    """With fewer captions than samples they are asked for again, and the reading follows."""
    split = DATA.split("test")
    few = Split("few", split.stored[:7], split.condition[:7], split.prepare)
    assert figures(compose(spec(condition=OneHot()), DATA.space, CAPTIONS), few)["captions_right"] == 1


def test_without_captions_only_shapes_are_read() -> None:
    """Pictures of shapes are explained wholly; there is nothing to compare with. The data's range does not matter."""
    model = compose(spec(), DATA.space)
    assert figures(model, DATA.split("test")) == pytest.approx({"explained": 1.0, "data_explained": 1.0}, abs=1e-4)
    wide = Shapes(n=600, range="-1..1").load()
    found = figures(compose(spec(), wide.space), wide.split("test"))
    assert found["data_explained"] == pytest.approx(1, abs=1e-4)
    assert found["explained"] < 0.1


def test_other_pictures_and_conditions_are_refused() -> None:
    """Shapes are read off pictures of data/shapes, under its captions or none."""
    other = check(spec(), Real((1, 8, 8), 0, 1))
    assert "read off pictures of data/shapes, and the data is Real(1×8×8, 0 to 1)" in ShapesRead().refusal(other)
    classes = check(spec(condition=OneHot()), DATA.space, Categorical((), 10))
    assert "not a caption of data/shapes" in ShapesRead().refusal(classes)
    assert ShapesRead().refusal(check(spec(condition=OneHot()), DATA.space, CAPTIONS)) == ""
