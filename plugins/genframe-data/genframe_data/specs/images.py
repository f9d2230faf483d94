"""Specs of images: digits, idx files, folders of pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt, model_validator

from genframe import Categorical, DataError, Space

from ..bases import DataPath, ImageSpec, Share, SplitBy
from .fields import PictureSpec

if TYPE_CHECKING:
    from genframe import Dataset
    from genframe.types import Report

    from ..annotations import Condition
    from ..folders import Folders
    from ..packing import Sample

LIST = ".txt"

__all__ = ["Digits", "Idx", "Images"]


class Digits(ImageSpec):
    """1,797 handwritten digits of 8×8 pixels and 17 levels, shipped with scikit-learn. Alpaydin & Kaynak 1998 (UCI).

    A fixed fifth is the test split; validation is cut at random from the rest.
    """

    type: Literal["data/digits"] = "data/digits"

    def data_space(self) -> Space:
        """Return the space of an 8×8 picture."""
        return self.prepared_space((1, 8, 8), 17)

    def condition_space(self) -> Space | None:
        """Return the ten classes."""
        return Categorical((), 10) if self.labels else None

    def load(self) -> Dataset:
        """Read the digits."""
        from ..digits import load

        return load(self.preparation, labels=self.labels, validation=self.validation, limit=self.limit)


class Idx(ImageSpec):
    """Grey images in idx files as MNIST has them, with the published test set. LeCun et al. 1998.

    The files are ``<train>-images-idx3-ubyte`` and ``<train>-labels-idx1-ubyte``, plain or ``.gz``. What is held out
    of the training data is cut from their end.
    """

    type: Literal["data/idx"] = "data/idx"

    path: DataPath = Field(description="the folder of the idx files")
    train: str = Field(default="train", description="what the names of the training files begin with")
    test: Share | str = Field(
        default="t10k", description="what the names of the test files begin with; or a share or count of the training data"
    )

    def prefixes(self) -> tuple[str, ...]:
        """Return what the names of the files begin with, training data first."""
        return (self.train, self.test) if isinstance(self.test, str) else (self.train,)

    def data_space(self) -> Space:
        """Return the space of one image, by the header of the training images."""
        from ..idx import IMAGES, LABELS, find, sizes

        for prefix in self.prefixes():
            found = [find(self.path, prefix, kind) for kind in ((IMAGES, LABELS) if self.labels else (IMAGES,))]
            if prefix == self.train:
                shape = sizes(found[0], 3)
        return self.prepared_space((1, *shape[1:]), 256)

    def condition_space(self) -> Space | None:
        """Return as many classes as the labels need; their files are read whole, a byte an image."""
        from ..idx import LABELS, find, read

        if not self.labels:
            return None
        files = [find(self.path, prefix, LABELS) for prefix in self.prefixes()]
        highest = max(max(read(file, 1)[1]) for file in files)
        if highest < 1:
            raise DataError(f"{files[0]}: expected labels of at least two classes, found only 0; leave 'labels' out")
        return Categorical((), highest + 1)

    def report(self) -> Report:
        """Return how many images there are, by the headers of their files."""
        from genframe.types import Report

        from ..idx import IMAGES, find, sizes

        found = [sizes(find(self.path, prefix, IMAGES), 3) for prefix in self.prefixes()]
        of_test = f", and {found[1][0]} to test on" if len(found) > 1 else ""
        return Report(f"{found[0][0]} images of {found[0][1]}×{found[0][2]}{of_test}")

    def load(self) -> Dataset:
        """Read the files."""
        from ..arrays import load_idx

        data = load_idx(
            self.path,
            self.prefixes(),
            self.preparation,
            self.condition_space(),
            validation=self.validation,
            test=0 if isinstance(self.test, str) else self.test,
            limit=self.limit,
        )
        return replace(data, report=self.report())


class Images(PictureSpec):
    """A folder of pictures, each cut centrally to the shape of ``size`` and resized; subfolders are classes.

    Files are taken in the order of their names; links are followed. PNG, JPEG, BMP, GIF, PPM, TIFF and WebP are read, as 8
    bits; greys of more bits are scaled from the range of all pictures. Transparency lies over ``background``.
    """

    type: Literal["data/images"] = "data/images"

    path: DataPath = Field(description="the folder")
    labels: bool | str = Field(  # type: ignore[assignment]  # wider than the base: a name will do too
        default=False, description="give classes as the condition: true for the subfolders, or a column of metadata.csv"
    )
    captions: bool = Field(
        default=False,
        description="give captions as the condition: NAME.txt beside a picture, or the text in metadata.csv, metadata.jsonl or "
        "captions.jsonl",
    )
    caption_length: PositiveInt = Field(default=128, le=8192, description="bytes of the longest caption")
    train: str | None = Field(
        default=None, description="the subfolder of the training pictures, where splits have folders of their own; . for all"
    )
    validation: Share | str = Field(  # type: ignore[assignment]  # wider than the base: a name will do too
        default=0.1,
        description="what to hold out for validation: a share below 1, a count, a subfolder, or a list of names (.txt)",
    )
    test: Share | str = Field(
        default=0.1,
        description="what to hold out for testing: a share below 1, a count, a subfolder, or a list of names (.txt)",
    )
    split: SplitBy = Field(default="random", description="hold out at random, or the end as a block (for sequences)")
    compare: Literal["times", "contents"] = Field(
        default="times",
        description="how a changed file is noticed: by its name, size and time, or by its content, which takes longer",
    )
    on_error: Literal["refuse", "skip"] = Field(
        default="refuse", description="refuse pictures that cannot be read, all at once, or leave them out"
    )

    @model_validator(mode="after")
    def _training_where_folders(self) -> Images:
        named = [split for split, name in self._named().items() if not name.endswith(LIST)]
        if named and self.train is None:
            raise ValueError(f"{named[0]} has a subfolder; name the one of the training pictures as 'train' too")
        if self.train is not None and len(named) < len(self._named()):
            raise ValueError("lists name pictures of one folder; leave 'train' out, or give subfolders")
        if self.captions and self.labels is not False:
            raise ValueError("captions and labels are two conditions; leave one out")
        return self

    def _named(self) -> dict[str, str]:
        """Return the names that stand for held-out splits."""
        given = {"validation": self.validation, "test": self.test}
        return {split: name for split, name in given.items() if isinstance(name, str)}

    def folders(self) -> Folders:
        """Return where the pictures of each split lie, as plain values."""
        from ..folders import Folders

        named = self._named()
        lists = {split: self.path / name for split, name in named.items() if name.endswith(LIST)}
        own = {split: name for split, name in named.items() if split not in lists}
        return Folders(self.path, self.train, own.get("validation"), own.get("test"), lists)

    def condition(self) -> Condition:
        """Return where the condition comes from, as plain values."""
        from ..annotations import Condition

        if self.captions:
            return Condition("captions", length=self.caption_length)
        if isinstance(self.labels, str):
            return Condition("column", self.labels)
        return Condition("folders" if self.labels else "nothing")

    def data_space(self) -> Space:
        """Return the space of one picture; looks whether there are any."""
        self.folders().scans()
        return self.prepared_space((1 if self.colour == "grey" else 3, *self.size), 256)

    def condition_space(self) -> Space | None:
        """Return the classes, or the space of captions."""
        condition = self.condition()
        return condition.space(self.folders().scans()) if condition.by in ("folders", "column") else condition.space({})

    def attributes(self) -> Mapping[str, tuple[str, ...]]:
        """Return the classes by their names."""
        condition = self.condition()
        if condition.by == "nothing":
            condition = type(condition)("folders")
        return {"label": classes} if (classes := condition.classes(self.folders().scans())) else {}

    def labelled(self, attribute: str) -> Images:
        """Return the pictures with their classes."""
        return self.model_copy(update={"captions": False, "labels": self.labels or True})

    def report(self) -> Report:
        """Return how many pictures there are, and what is skipped; whether they can be read is found when they are."""
        from ..folders import report

        scans, condition = self.folders().scans(), self.condition()
        if condition.by == "captions":
            for found in scans.values():
                condition.values(found, ())
        return report(scans, condition.told(condition.classes(scans)))

    def samples(self) -> tuple[list[Sample], tuple[str, ...]]:
        """Return the pictures with their splits and conditions, to pack them, and the names of their classes."""
        from ..gathering import samples_of

        validation, test = (0 if isinstance(share, str) else share for share in (self.validation, self.test))
        return samples_of(
            self.folders(),
            self.condition(),
            validation=validation,
            test=test,
            by=self.split,
            seed=self.seed,
            limit=self.limit,
        )

    def load(self) -> Dataset:
        """Read the pictures."""
        from ..pictures import load_images

        validation, test = (0 if isinstance(share, str) else share for share in (self.validation, self.test))
        return load_images(
            self.folders(),
            self.pictures(),
            self.preparation,
            self.condition(),
            skip=self.on_error == "skip",
            contents=self.compare == "contents",
            validation=validation,
            test=test,
            by=self.split,
            limit=self.limit,
        )
