"""``genframe sample``."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast, get_args

from ..types.captions import caption_bytes, reads_captions
from ..types.errors import DataError, RunError, SpecError
from ..types.spaces import Categorical
from ..types.text import listed
from ..types.values import Precision
from .runs import add_arguments, make_room, opened
from .values import LARGEST, count, natural, samples_file

if TYPE_CHECKING:
    from torch import Tensor

    from ..experiment.run.run import Run
    from ..model.sampling import Samples

LARGEST_PICTURE = 2**20
PRECISIONS: Final[tuple[Precision, ...]] = get_args(Precision)
FRAMES = 100
LONGEST_NAME = 80
SHOWN_CLASSES = 20


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_arguments(parser, optional=True)
    parser.add_argument("-n", type=count, default=64, help="how many samples")
    parser.add_argument("--seed", type=natural, default=0, help="seed; the i-th sample depends on it alone")
    parser.add_argument(
        "--condition",
        metavar="CLASS_OR_TEXT",
        help="class of every sample, its name or number, all in turn if left out; or the caption, for a model that reads text",
    )
    parser.add_argument(
        "--out",
        type=samples_file,
        metavar="FILE",
        help="a .png picture, a .gif of the way to the samples, a .npz file with the samples as its array x, a .csv table, "
        "a .txt file of text, or a folder (FOLDER/) for a file of each sample",
    )
    parser.add_argument("--prompt", metavar="TEXT", help="the text with which every sample begins, for a model of text")
    parser.add_argument(
        "--states",
        type=count,
        metavar="COUNT",
        help="show so many states of each sample's way, a row each in a picture; 100 in a .gif if left out",
    )
    parser.add_argument("--like", type=Path, metavar="PICTURE", help="draw a sample picture again, from what it carries")
    parser.add_argument("--compile", action="store_true", help="compile first: slow to begin, faster for thousands of samples")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32", help="bfloat16 runs networks under autocast")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")


def run(options: argparse.Namespace) -> None:
    """Draw samples and say where they are."""
    from .output import print_json

    if options.like:
        trained, wanted = _like(options)
    elif options.run:
        trained = opened(options.run, options.device)
        asked = _asked(trained, options.condition)
        wanted = _Wanted(options.n, options.seed, *asked, options.precision, options.states, options.prompt)
    else:
        raise SpecError("name a run, or a picture with --like")
    from ..output.picture import is_clip  # behind the refusals: it needs numpy

    path = options.out or _default_path(trained, wanted)
    make_room(path)
    moves = path.suffix == ".gif" and not is_clip(trained.model.composition.data)
    (_save_states if wanted.states or moves else _save_samples)(path, trained, wanted, compile=options.compile)
    if options.json:
        print_json({"out": str(path), "n": wanted.n, "seed": wanted.seed, "checkpoint": trained.checkpoint})
    else:
        print(path)
        if path.suffix == ".txt" and not options.out:
            print(path.read_text(encoding="utf-8"), end="")


@dataclass(frozen=True)
class _Wanted:
    """Which samples: how many, by which seed, of which class, captions or beginning if any, in which precision and states."""

    n: int
    seed: int
    of_class: int | None
    captions: tuple[str, ...]
    precision: Precision
    states: int | None = None
    prompt: str | None = None

    @property
    def numbers(self) -> dict[str, int]:
        """What a picture carries, and its name tells, beside the seed and the number of samples."""
        fields = {"class": self.of_class, "states": self.states}
        return {name: value for name, value in fields.items() if value is not None}


def _asked(trained: Run, condition: str | None) -> tuple[int | None, tuple[str, ...]]:
    """Return the class or the captions that ``--condition`` names.

    :raises DataError: if the model reads text and there is none, or if it reads classes and it is none.
    """
    space = trained.model.composition.condition
    if reads_captions(space):
        if condition is None:
            longest = cast(Categorical, space).shape[0]
            raise DataError(f"this model draws from a caption; say --condition TEXT, at most {longest} bytes long")
        return None, (condition,)
    if condition is None:
        return None, ()
    names = trained.class_names()
    if condition in names:
        return names.index(condition), ()
    numbered = names == [*map(str, range(len(names)))] or not all(name.isdigit() for name in names)
    if not (numbered and condition.isascii() and condition.isdigit() and int(condition) <= LARGEST):
        raise DataError(f"there is no class {condition!r}: {_has(trained)}")
    return int(condition), ()


def _has(trained: Run) -> str:
    space = trained.model.composition.condition
    if space is None:
        return "this model is not conditional"
    names = trained.class_names()
    if names == [*map(str, range(len(names)))]:
        return f"this model has the classes 0 to {getattr(space, 'size', 0) - 1}"
    shown = [name if name.isprintable() else repr(name) for name in names[:SHOWN_CLASSES]]
    more = f" and {len(names) - SHOWN_CLASSES} more" if len(names) > SHOWN_CLASSES else ""
    return f"this model has the classes {', '.join(shown)}{more}"


def _like(options: argparse.Namespace) -> tuple[Run, _Wanted]:
    """Return the run and the samples of a picture.

    :raises DataError: if the picture does not say them.
    :raises RunError: if the run is not there any more, or was trained on.
    """
    from ..output.picture import read_info

    info, picture = read_info(options.like), options.like
    of_class, states = (None if info.get(name) is None else _carried(info, name, picture) for name in ("class", "states"))
    wanted = _Wanted(
        _carried(info, "n", picture, 1),
        _carried(info, "seed", picture),
        of_class,
        _carried_captions(info, picture),
        _carried_precision(info, picture),
        states,
    )
    if wanted.n * (wanted.states or 1) > LARGEST_PICTURE:
        raise DataError(f"{picture} says it is of {wanted.n} samples, more than any picture shows")
    folder = options.run or Path(str(info.get("run")))
    if not (folder / "experiment.yaml").is_file():
        raise RunError(f"the run of {picture} is not in {folder}; say where it is: genframe sample RUN --like {picture}")
    drawn_on = "cuda" if info.get("device") == "cuda" else "cpu"  # their random numbers differ
    trained = opened(folder, drawn_on if options.device == "auto" else options.device)
    if trained.checkpoint != info.get("checkpoint"):
        raise RunError(
            f"{picture} was drawn at step {info.get('step')} from another checkpoint than {folder} now has, "
            f"which is of step {trained.step}"
        )
    return trained, wanted


def _carried(info: dict[str, Any], name: str, picture: Path, low: int = 0) -> int:
    value = info.get(name)
    if type(value) is not int or not low <= value <= LARGEST:
        raise DataError(f"{picture} is not a picture of samples: it does not say their {name!r}")
    return value


def _carried_precision(info: dict[str, Any], picture: Path) -> Precision:
    precision = info.get("precision", "float32")
    if precision not in PRECISIONS:
        raise DataError(f"{picture} is of samples in {precision!r}, of which this version knows nothing")
    return PRECISIONS[PRECISIONS.index(precision)]


def _carried_captions(info: dict[str, Any], picture: Path) -> tuple[str, ...]:
    captions = info.get("captions", [])
    if not (isinstance(captions, list) and all(isinstance(caption, str) for caption in captions)):
        raise DataError(f"{picture} is not a picture of samples: it does not say their 'captions'")
    return tuple(captions)


def _condition(trained: Run, wanted: _Wanted) -> Tensor | None:
    """Return the condition of each sample: one class for all, the classes in turn, or the captions in turn.

    :raises DataError: for a class that the model does not have, or a caption that it cannot read.
    """
    import torch

    from ..experiment.run.run import default_condition

    space = trained.model.composition.condition
    if wanted.captions and reads_captions(space):
        known = torch.tensor([caption_bytes(text, cast(Categorical, space)) for text in wanted.captions])
        return known[torch.arange(wanted.n) % len(known)].to(trained.model.device)
    turns = default_condition(trained.model, wanted.n)
    if wanted.of_class is None:
        return turns
    if turns is None or wanted.of_class >= getattr(space, "size", 0):
        raise DataError(f"there is no class {wanted.of_class}: {_has(trained)}")
    return torch.full_like(turns, wanted.of_class)


def _default_path(trained: Run, wanted: _Wanted) -> Path:
    folder = trained.folder or Path()
    of = "".join(f"-{name}-{value}" for name, value in wanted.numbers.items())
    words = [*wanted.captions[:1], *([wanted.prompt] if wanted.prompt is not None else [])]
    if len(wanted.captions) <= 1 and words:
        of = "-" + "-".join(re.findall("[a-z0-9]+", " ".join(words).lower()))[:LONGEST_NAME] + of
    suffix = ".txt" if trained.of_text and not wanted.states else ".png"
    return folder / "samples" / f"step-{trained.step:08d}-seed-{wanted.seed}{of}-n-{wanted.n}{suffix}"


def _save_samples(path: Path, trained: Run, wanted: _Wanted, *, compile: bool) -> None:
    """Draw samples, and write them as a picture, an array, a table or text."""
    from ..output.files import write_whole
    from ..output.picture import play, save
    from .rows import write_rows
    from .singles import write_singles

    if compile and wanted.prompt is not None:
        raise SpecError("a prompt is not continued by compiled parts; leave out --compile")
    condition = _condition(trained, wanted)
    samples = trained.sample(
        wanted.n, condition, seed=wanted.seed, compile=compile, precision=wanted.precision, prompt=wanted.prompt
    )
    if path.suffix == ".txt":
        write_whole(path, listed(trained.texts(samples)).encode())
    elif path.suffix == "":
        write_singles(path, trained, samples, condition, _info(trained, samples, condition, wanted))
    elif path.suffix == ".npz":
        _archive(path, samples.x)
    elif path.suffix == ".gif":
        play(path, samples.x, samples.space, _info(trained, samples, condition, wanted))
    elif path.suffix == ".csv":
        write_rows(path, trained, samples.x, condition)
    else:
        save(path, samples.x, samples.space, _info(trained, samples, condition, wanted))


def _save_states(path: Path, trained: Run, wanted: _Wanted, *, compile: bool) -> None:
    """Draw the way to the samples: a row of states each, an animation, or an array of (n, states, data)."""
    import torch

    from ..output.picture import animate, save

    if path.suffix in ("", ".csv", ".txt"):
        kind = {"": "single files", ".csv": "a table", ".txt": "text"}[path.suffix]
        raise SpecError(f"states on the way are not written as {kind}; name a .npz file")
    if wanted.prompt is not None:
        raise SpecError("states on the way are drawn from nothing; leave out --prompt or --states")
    if compile:
        raise SpecError("states on the way are not drawn by compiled parts; leave out --compile")
    condition, count = _condition(trained, wanted), wanted.states or FRAMES
    shown = trained.states(wanted.n, condition, seed=wanted.seed, count=count, precision=wanted.precision)
    last = shown[-1]
    by_sample = torch.stack([samples.x for samples in shown], 1)
    info = _info(trained, last, condition, wanted)
    if path.suffix == ".gif":
        animate(path, [samples.x for samples in shown], last.space, info)
    elif path.suffix == ".npz":
        _archive(path, by_sample)
    else:
        save(path, by_sample.flatten(0, 1), last.space, info, columns=len(shown))


def _info(trained: Run, samples: Samples, condition: Tensor | None, wanted: _Wanted) -> dict[str, Any]:
    begun = {} if wanted.prompt is None else {"prompt": wanted.prompt}
    return trained.picture_info(samples, condition) | wanted.numbers | begun | {"precision": wanted.precision}


def _archive(path: Path, x: Tensor) -> None:
    import numpy as np

    from ..output.files import storing

    with storing(path):
        np.savez_compressed(path, x=x.cpu().numpy())
