"""Drawn shapes: pictures are what their captions say, and can be read again."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from genframe import Categorical, DataError, Real
from genframe_data import Shapes, attributes_right, explained_share, read_captions, read_shapes
from genframe_data.drawing import captions, pictures, scenes, signed_distance, stencils
from genframe_data.shapes import COLOURS, KINDS, PLACES


def caption(*texts: str) -> Tensor:
    """Return captions as bytes."""
    return torch.tensor([list(text.encode().ljust(81, b"\0")) for text in texts])


def test_spaces_and_sizes() -> None:
    """Pictures are 8-bit colour, captions bytes; splits have their shares; the same seed draws the same."""
    spec = Shapes(n=500, labels=True)
    data, again = spec.load(), spec.load()
    assert data.space == Real((3, 32, 32), 0, 1, levels=256)
    assert data.condition_space == Categorical((81,), 256)
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 400, "validation": 50, "test": 50}
    assert torch.equal(data.split("test").stored, again.split("test").stored)
    assert not torch.equal(data.split("test").stored, Shapes(n=500, seed=1).load().split("test").stored)


def test_captions_are_of_one_split() -> None:
    """No caption of a held-out picture is one of training."""
    data = Shapes(n=4000, labels=True).load()
    named = [{bytes(row) for row in split.condition.tolist()} for split in data.splits.values()]
    assert len(named[0] | named[1] | named[2]) == sum(map(len, named))


def test_every_scene_is_counted_once() -> None:
    """One object: 7 · 4 · 9; two in different places: half of 252 · 224; no two are captioned alike."""
    assert len(scenes(1)) == 252
    two = scenes(2)
    assert len(two) == 252 * 224 // 2
    assert len(np.unique(captions(two, 81), axis=0)) == len(two)


def test_captions_say_what_is_drawn() -> None:
    """The colours of a picture's pixels, counted by hand in the cells that the caption names, are its colours."""
    scene = np.array([[0, 4 * 28 + 2]])  # a red circle at the top left and a blue circle in the middle
    assert bytes(captions(scene, 81)[0]).rstrip(b"\0") == b"a red circle at the top left and a blue circle in the middle"
    picture = pictures(scene, np.array([[0, 0]]))[0] / 255
    red, green, blue = picture[:, :11, :11].sum((1, 2))
    assert (green, blue) == (0, 0)
    assert red == pytest.approx(np.pi * 3.25**2, rel=0.02)
    assert picture[2].sum() == pytest.approx(np.pi * 3.25**2, rel=0.02)
    assert picture[1].sum() == 0


@pytest.mark.parametrize(
    ("kind", "area"), [("circle", np.pi), ("square", 4 * 0.85**2), ("triangle", 1.75**2 / 2), ("cross", 20 / 9)]
)
def test_areas(kind: str, area: float) -> None:
    """The inside of each shape has the area of its definition, in units of the squared radius."""
    axis = (np.arange(600) + 0.5) / 300 - 1
    inside = signed_distance(kind, axis[None, :] * 1.0, axis[:, None] * 1.0, 1.0) < 0
    assert inside.mean() * 4 == pytest.approx(area, rel=5e-3)


def test_objects_do_not_touch() -> None:
    """No pixel is covered by stencils of two places."""
    covered = (stencils() > 0).any(axis=(1, 2))
    assert covered.sum(0).max() == 1


def test_all_that_can_be_drawn_is_read() -> None:
    """Each kind in each colour and place is read off its picture, each in some variant."""
    scene = scenes(1)
    x = torch.from_numpy(pictures(scene, np.arange(252)[:, None] % 18)).float() / 255
    found = read_shapes(x, torch.ones(len(x)))
    words = torch.stack([found[:, 0, 0], found[:, 0, 1], found[:, 0, 2]])
    number = torch.from_numpy(scene[:, 0])
    assert torch.equal(words, torch.stack([number % 7, number // 7 % 4, number // 28]))
    assert bool((found[:, 1] == -1).all())
    assert torch.allclose(explained_share(x), torch.ones(len(x)), atol=1e-5)


def test_held_out_pictures_are_read() -> None:
    """Of true pictures of held-out captions all attributes are right, and with noise at least 99 in 100."""
    data = Shapes(n=3000, labels=True).load()
    batch = data.split("test").batch(slice(0, 300))
    assert bool((attributes_right(batch.x, batch.condition) == 1).all())
    noise = 0.2 * torch.randn(batch.x.shape, generator=torch.Generator().manual_seed(0))
    assert float(attributes_right(batch.x + noise, batch.condition).mean()) > 0.99


def test_wrong_attributes_count() -> None:
    """A picture of a red circle at the top has two of three attributes of a red cross there; order does not matter."""
    number = (1 * 4 + 0) * 7 + 0
    x = torch.from_numpy(pictures(np.array([[number]]), np.array([[4]]))).float() / 255
    right = attributes_right(x.expand(2, 3, 32, 32), caption("a red cross at the top", "a blue square in the middle"))
    assert right.tolist() == [[1, 0, 1], [0, 0, 0]]
    pair = torch.from_numpy(pictures(np.array([[number, 8 * 28 + 7 + 1]]), np.array([[4, 4]]))).float() / 255
    swapped = attributes_right(pair, caption("a green square at the bottom right and a red circle at the left"))
    assert swapped.tolist() == [[1, 1, 0.5]]


def test_nothing_is_explained_by_a_black_picture() -> None:
    """Its share is 0, and that of noise is small."""
    assert float(explained_share(torch.zeros(1, 3, 32, 32))) == 0
    assert float(explained_share(torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)))) < 0.2


def test_captions_are_parsed() -> None:
    """Words are found by their places in the lists; what is no caption is refused."""
    words = read_captions(caption("a white cross at the bottom and a red circle at the top left", "a cyan square at the right"))
    assert words[0, 0].tolist() == [COLOURS.index("white"), KINDS.index("cross"), PLACES.index("at the bottom")]
    assert words[0, 1].tolist() == [0, 0, 0]
    assert words[1, 1].tolist() == [-1, -1, -1]
    with pytest.raises(DataError, match="expected a caption of data/shapes, found 'a purple house'"):
        read_captions(caption("a purple house"))


def test_too_much_held_out_is_refused() -> None:
    """Something must be left for training."""
    with pytest.raises(DataError, match="hold out 95% of the captions; ask for at most 90 %"):
        Shapes(n=100, test=0.85).load()
