"""The pictures of a report, each with the command that draws it: samples of training, fresh samples, reconstructions, paths."""

from __future__ import annotations

import io
import math
import re
import shlex
import warnings
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from genframe import DataError, Dataset, GenframeError, Run
from genframe.experiment.run.reconstruction import reconstruct, reconstructs
from genframe.experiment.run.run import PICTURE_COUNT, default_condition
from genframe.output import picture
from genframe.types import caption_text, reads_captions
from genframe_latents import Search, between_pairs, latents_of
from genframe_metrics.protocol import prepared_for

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

__all__ = ["PICTURES", "Drawn", "Group", "Picture"]

MOST_STEPS: Final = 6  # pictures through training
MOST_BYTES: Final = 150_000  # of one picture, so that a page with nine stays far below 3 MB
SHOWN_PIXELS: Final = 2**21
MOST_PIXELS: Final = 2**26
MOST_FILE: Final = 2**26
SAVED: Final = re.compile(r"step-(\d{8,18})\.png")
RECONSTRUCTED: Final = 20
PATHS, ON_PATH = 6, 9
CAPTIONS, OF_EACH = 4, 16
TEXTS: Final = 6
POINTS: Final = 1024  # samples in a plane, where 64 would show no shape


@dataclass(frozen=True)
class Picture:
    """The content of a PNG file, what it shows in words, and the command that draws it again."""

    png: bytes
    width: int
    height: int
    alt: str
    caption: str
    command: str = ""

    @property
    def uri(self) -> str:
        """The picture as an address that loads nothing, RFC 2397."""
        return f"data:image/png;base64,{b64encode(self.png).decode()}"


@dataclass(frozen=True)
class Group:
    """A section of pictures; ``absent`` says why there is none, or why one is missing.

    ``again`` is the command that draws those pictures that have no command of their own. Samples of text are ``texts``.
    """

    name: str
    about: str
    pictures: tuple[Picture, ...] = ()
    absent: tuple[str, ...] = ()
    again: str = ""
    texts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Drawn:
    """What the pictures show: a run, the seed of fresh samples, and a dataset if one was given."""

    run: Run
    seed: int
    data: Dataset | None = None

    def command(self, name: str, *words: object) -> str:
        """Return a command on the run as a shell reads it, or an empty string for a run without a folder."""
        if self.run.folder is None:
            return ""
        return shlex.join(["genframe", name, *map(str, (self.run.folder, *words))])


def through_training(of: Drawn) -> Group:
    """Return up to six of the pictures that training drew, with the first and the last."""
    about = "What training drew, always by the same seed: from picture to picture only the weights differ."
    if of.run.of_text:
        return Group("Samples through training", about, absent=("samples of text are files of the run: samples/step-*.txt",))
    saved = _saved(of.run.folder)
    if not saved:
        return Group("Samples through training", about, absent=("the run has drawn none",))
    shown, absent = [], []
    for path in _spread(saved, MOST_STEPS):
        try:
            shown.append(_of_training(path, of))
        except DataError as error:
            absent.append(str(error))
    earlier = of.run.folder is not None and any(not drawn.command for drawn in shown)
    again = shlex.join(["genframe", "train", f"{of.run.folder}/experiment.yaml", "--run", "again"]) if earlier else ""
    return Group("Samples through training", about, tuple(shown), tuple(absent), again)


def _of_training(path: Path, of: Drawn) -> Picture:
    """Return a saved picture; if the run still has its weights, with the command that draws it again."""
    now = bool(of.run.checkpoint) and picture.read_info(path).get("checkpoint") == of.run.checkpoint
    command = of.command("sample", "--like", path) if now else ""
    return _picture(_opened(path), f"Samples at step {_step(path):,}", f"Step {_step(path):,}", command)


def fresh(of: Drawn) -> Group:
    """Return samples that training did not draw."""
    about = "Drawn for this report by a seed of their own. None was chosen."
    if of.run.of_text:
        samples = of.run.sample(TEXTS, default_condition(of.run.model, TEXTS), seed=of.seed)
        again = of.command("sample", "-n", TEXTS, "--seed", of.seed)
        return Group("Fresh samples", about, texts=tuple(of.run.texts(samples)), again=again)
    if reads_captions(of.run.model.composition.condition):
        return _of_captions(of, about)
    n = POINTS if of.run.model.composition.data.shape == (2,) else PICTURE_COUNT
    samples = of.run.sample(n, default_condition(of.run.model, n), seed=of.seed)
    what = f"{len(samples)} samples at step {of.run.step:,}, seed {of.seed}"
    in_turn = ", the classes in turn" if of.run.model.composition.condition is not None else ""
    command = of.command("sample", "-n", n, "--seed", of.seed)
    image = picture.grid(samples.x, samples.space)
    return Group("Fresh samples", about, (_picture(image, what, f"{_capital(what)}{in_turn}", command),))


def _of_captions(of: Drawn, about: str) -> Group:
    """Return samples of the first held-out captions, one picture per caption."""
    name, model = "Fresh samples", of.run.model
    try:
        _, conditions = _held_out(of, CAPTIONS)
    except GenframeError as error:
        return Group(name, about, absent=(str(error),))
    shown = []
    for condition in [] if conditions is None else conditions:
        text = caption_text(condition.tolist())
        samples = of.run.sample(OF_EACH, condition.expand(OF_EACH, -1), seed=of.seed)
        what = f"{OF_EACH} samples of “{text}” at step {of.run.step:,}, seed {of.seed}"
        command = of.command("sample", "-n", OF_EACH, "--seed", of.seed, "--condition", text)
        shown.append(_picture(picture.grid(samples.x, model.composition.data), what, what, command))
    return Group(name, about, tuple(shown))


def reconstructions(of: Drawn) -> Group:
    """Return the first held-out examples, each above its reconstruction."""
    about = "The first held-out examples, each with its reconstruction below it."
    if not reconstructs(of.run):
        return Group("Reconstructions", about, absent=("the model has no latent from which to reconstruct",))
    try:
        found = reconstruct(of.run, RECONSTRUCTED, data=of.data)
    except GenframeError as error:
        return Group("Reconstructions", about, absent=(str(error),))
    what = f"{len(found.x)} examples of the {found.split} split, each above its reconstruction"
    image = picture.pairs(found.x, found.y, of.run.model.composition.data)
    caption = f"{_capital(what)}; {found.error_name} {found.error:.4g} on average"
    return Group("Reconstructions", about, (_picture(image, what, caption, of.command("reconstruct")),))


def interpolations(of: Drawn) -> Group:
    """Return paths between the latents of held-out examples, one per row, each between its two examples."""
    name = "Interpolations"
    about = "From one held-out example to another, on a straight line between their latents. The examples are at the ends."
    try:
        latents = latents_of(of.run.model)
        if isinstance(latents, Search):
            absent = f"the model has no encoder, so latents need a search, {latents.cost()}"
            return Group(name, about, absent=(absent,), again=of.command("interpolate", "-n", PATHS))
        x, condition = _held_out(of, 2 * PATHS)
    except GenframeError as error:
        return Group(name, about, absent=(str(error),))
    _, rows = between_pairs(latents, x, condition, ON_PATH)
    image = picture.grid(rows.flatten(0, 1), of.run.model.composition.data, columns=rows.shape[1])
    what = f"{len(rows)} paths between held-out examples, by the {latents.route} and back"
    return Group(name, about, (_picture(image, what, _capital(what), of.command("interpolate", "-n", PATHS)),))


def _held_out(of: Drawn, n: int) -> tuple[Tensor, Tensor | None]:
    """Return the first ``n`` examples that the experiment is evaluated on, an even number of them, and their conditions."""
    split = of.run.dataset(of.data).split(of.run.experiment.evaluate.split)
    return prepared_for(of.run.model, split.subset(slice(0, min(n, len(split) // 2 * 2))), 0)


PICTURES: Final[tuple[Callable[[Drawn], Group], ...]] = (through_training, fresh, reconstructions, interpolations)
"""The sections of pictures, in their order on the page."""


def _saved(folder: Path | None) -> list[Path]:
    """Return the pictures that training drew, in the order of their steps."""
    found = (folder / "samples").glob("step-*.png") if folder is not None else ()
    return sorted((path for path in found if SAVED.fullmatch(path.name)), key=_step)


def _step(path: Path) -> int:
    return int(path.stem.partition("-")[2])


def _spread(paths: list[Path], most: int) -> list[Path]:
    """Return ``most`` of the paths at even distances, with the first and the last."""
    if len(paths) <= most:
        return paths
    return [paths[round(number * (len(paths) - 1) / (most - 1))] for number in range(most)]


def _opened(path: Path) -> Image:
    """Return the pixels of a picture.

    :raises DataError: if it is not a picture, or larger than any that genframe draws.
    """
    from PIL import Image

    try:
        if path.stat().st_size > MOST_FILE:
            raise DataError(f"{path} is too large for a picture of samples")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # its limit is above ours
            with Image.open(path, formats=("PNG",)) as image:
                if math.prod(image.size) > MOST_PIXELS:
                    raise DataError(f"{path} is too large for a picture of samples")
                return image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} cannot be shown: {error}") from None


def _picture(image: Image, alt: str, caption: str, command: str) -> Picture:
    png, size = _small(image)
    note = "" if size == image.size else f" (shown at {size[0]} of {image.width} pixels across)"
    return Picture(png, *size, alt, caption + note, command)


def _small(image: Image) -> tuple[bytes, tuple[int, int]]:
    """Return the picture as a PNG without metadata, halved until it is small enough, and its size in pixels."""
    while math.prod(image.size) > SHOWN_PIXELS:
        image = _halved(image)
    while len(png := _png(_plain(image))) > MOST_BYTES:
        image = _halved(image)
    return png, image.size


def _halved(image: Image) -> Image:
    from PIL import Image

    return image.resize((max(1, image.width // 2), max(1, image.height // 2)), Image.Resampling.BOX)


def _png(image: Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _plain(image: Image) -> Image:
    """Return a picture of few colours with a palette, if that is the same picture: it takes a third of the bytes."""
    from PIL import Image, ImageChops

    colours = image.getcolors(256)
    if colours is None:
        return image
    small = image.quantize(len(colours), dither=Image.Dither.NONE)
    return image if ImageChops.difference(small.convert("RGB"), image).getbbox() else small


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
