"""Specs of the data sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from genframe import Categorical, DataError, Real, Space

from .bases import DataPath, DataSpec, ImageSpec, Layout, Share, SplitBy

if TYPE_CHECKING:
    from genframe import Dataset

__all__ = ["Digits", "Idx", "Images", "Npz", "Table", "Toy"]


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
        from .digits import load

        return load(self)


class Toy(DataSpec):
    """Points in the plane from a known distribution: shapes of Grathwohl et al. 2019 and modes of Lin et al. 2018 (PacGAN)."""

    type: Literal["data/toy"] = "data/toy"

    name: Literal["moons", "rings", "checkerboard", "spirals", "pinwheel", "eight_gaussians", "grid25", "ring8"] = Field(
        default="moons", description="the distribution; grid25 and ring8 are PacGAN's"
    )
    n: int = Field(default=10_000, ge=2, description="points in all splits together")
    noise: float | None = Field(
        default=None, ge=0, allow_inf_nan=False, description="standard deviation of the added noise; the usual one if left out"
    )
    test: Share = Field(default=0.1, description="what to hold out for testing: a share below 1, or a count")
    labels: bool = Field(default=False, description="give the mode, arm or ring as the condition")

    def data_space(self) -> Space:
        """Return the plane."""
        return Real((2,))

    def condition_space(self) -> Space | None:
        """Return the modes, arms or rings."""
        if not self.labels:
            return None
        from .toys import TOYS

        return Categorical((), TOYS[self.name].classes)

    def load(self) -> Dataset:
        """Draw the points."""
        from .vectors import load_toy

        return load_toy(self)


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
        from .idx import IMAGES, LABELS, find, sizes

        for prefix in self.prefixes():
            found = [find(self.path, prefix, kind) for kind in ((IMAGES, LABELS) if self.labels else (IMAGES,))]
            if prefix == self.train:
                shape = sizes(found[0], 3)
        return self.prepared_space((1, *shape[1:]), 256)

    def condition_space(self) -> Space | None:
        """Return as many classes as the labels need; their files are read whole, a byte an image."""
        from .idx import LABELS, find, read

        if not self.labels:
            return None
        files = [find(self.path, prefix, LABELS) for prefix in self.prefixes()]
        highest = max(max(read(file, 1)[1]) for file in files)
        if highest < 1:
            raise DataError(f"{files[0]}: expected labels of at least two classes, found only 0; leave 'labels' out")
        return Categorical((), highest + 1)

    def load(self) -> Dataset:
        """Read the files."""
        from .arrays import load_idx

        return load_idx(self)


class Npz(ImageSpec):
    """Arrays in a numpy archive: bytes are 256 levels, bools 2, floats are continuous and taken as they are.

    Labels are whole numbers from 0, or names. Pickled objects are refused.
    """

    type: Literal["data/npz"] = "data/npz"

    path: DataPath = Field(description="the npz file")
    array: str = Field(default="x", description="name of the array of the data")
    label_array: str = Field(default="labels", description="name of the array of the labels")
    layout: Layout = Field(default="NCHW", description="what the axes mean; 'vector' flattens each datum")
    validation: Share | str = Field(  # type: ignore[assignment]  # wider than the base: a name will do too
        default=0.1, description="what to hold out for validation: a share below 1, a count, or the name of an array"
    )
    validation_labels: str | None = Field(default=None, description="name of the validation array's labels")
    test: Share | str = Field(
        default=0.1, description="what to hold out for testing: a share below 1, a count, or the name of an array"
    )
    test_labels: str | None = Field(default=None, description="name of the test array's labels")
    split: SplitBy = Field(default="random", description="hold out at random, or the end as a block (for sequences)")
    group_array: str | None = Field(
        default=None,
        description="name of an array of names or numbers, such as persons: data alike in it stay in one split, and shares and "
        "counts of what is held out are of groups",
    )
    downscale: PositiveInt = Field(default=1, description="average images over squares of so many pixels a side")

    @model_validator(mode="after")
    def _images_where_downscaled(self) -> Npz:
        if self.downscale > 1 and self.layout not in ("NHW", "NCHW", "NHWC"):
            raise ValueError(f"downscale is of images, found layout: {self.layout}; say NHW, NCHW or NHWC, or leave it out")
        return self

    @model_validator(mode="after")
    def _groups_where_shares(self) -> Npz:
        named = [split for split in ("validation", "test") if isinstance(getattr(self, split), str)]
        if self.group_array is not None and named:
            raise ValueError(f"group_array divides one array, and {named[0]} has its own; leave one of them out")
        return self

    @model_validator(mode="after")
    def _images_where_moved(self) -> Npz:
        if self.augment is not None and self.layout not in ("NHW", "NCHW", "NHWC"):
            raise ValueError(f"augment moves images, found layout: {self.layout}; say NHW, NCHW or NHWC, or leave augment out")
        return self

    @model_validator(mode="after")
    def _labels_where_arrays(self) -> Npz:
        for split, array, labels in (
            ("validation", self.validation, self.validation_labels),
            ("test", self.test, self.test_labels),
        ):
            if isinstance(array, str) and self.labels and labels is None:
                raise ValueError(f"labels of {split}: {array} are missing; name their array as {split}_labels")
            if not isinstance(array, str) and labels is not None:
                raise ValueError(f"{split}_labels: {labels} has no data; name their array as {split}, or leave it out")
        return self

    def arrays(self) -> dict[str, tuple[str, str | None]]:
        """Return the names of the arrays of each split that has its own, and of its labels."""
        held_out = {"validation": (self.validation, self.validation_labels), "test": (self.test, self.test_labels)}
        named = {split: (array, labels) for split, (array, labels) in held_out.items() if isinstance(array, str)}
        return {"train": (self.array, self.label_array), **named}

    def data_space(self) -> Space:
        """Return the space of one datum, by the array's header."""
        from .npz import space

        return space(self)

    def condition_space(self) -> Space | None:
        """Return the classes; the arrays of labels are read."""
        from .npz import labels

        return Categorical((), labels(self)[1]) if self.labels else None

    def attributes(self) -> Mapping[str, tuple[str, ...]]:
        """Return the arrays of names or whole numbers, one a datum; ``label_array`` alone where splits have their own."""
        from .npz import attributes

        return attributes(self)

    def label_name(self) -> str | None:
        """Return ``label_array``, where labels are given."""
        return self.label_array if self.labels else None

    def labelled(self, attribute: str) -> Npz:
        """Return the data with the array of this name as their labels."""
        return self.model_copy(update={"labels": True, "label_array": attribute})

    def load(self) -> Dataset:
        """Read the arrays."""
        from .arrays import load_npz

        return load_npz(self)


class Images(ImageSpec):
    """A folder of pictures, each cut centrally to the shape of ``size`` and resized; subfolders are classes.

    Files are taken in the order of their names. PNG, JPEG, BMP, GIF, PPM, TIFF and WebP are read, as 8 bits.
    """

    type: Literal["data/images"] = "data/images"

    path: DataPath = Field(description="the folder")
    size: tuple[PositiveInt, PositiveInt] = Field(default=(32, 32), description="height and width in pixels")
    colour: Literal["grey", "rgb"] = Field(default="rgb", description="one channel or three")
    test: Share = Field(default=0.1, description="what to hold out for testing: a share below 1, or a count")
    split: SplitBy = Field(default="random", description="hold out at random, or the end as a block (for sequences)")

    def data_space(self) -> Space:
        """Return the space of one picture; looks whether there are any."""
        from .images import list_images

        list_images(self.path)
        return self.prepared_space((1 if self.colour == "grey" else 3, *self.size), 256)

    def condition_space(self) -> Space | None:
        """Return the subfolders as classes."""
        from .images import class_names

        return Categorical((), len(class_names(self.path))) if self.labels else None

    def attributes(self) -> Mapping[str, tuple[str, ...]]:
        """Return the classes by the names of their folders."""
        from .images import class_names

        return {"label": tuple(class_names(self.path))}

    def load(self) -> Dataset:
        """Read the pictures."""
        from .arrays import load_images

        return load_images(self)


class Table(DataSpec):
    """A table of numbers as text, one datum a line: between blanks, commas or semicolons, plain or gzip.

    Columns are standardised by the training split's mean and standard deviation, which the protocol records, as it does the
    width of any noise. Noise as Theis et al. 2015, sec. 3.1, drawn anew at each reading.
    """

    type: Literal["data/table"] = "data/table"

    path: DataPath = Field(description="the file")
    columns: tuple[NonNegativeInt, ...] | None = Field(
        default=None, min_length=1, description="the columns to take, counted from 0; all if left out"
    )
    standardise: bool = Field(default=True, description="give each column mean 0 and standard deviation 1")
    dequantise: bool = Field(
        default=False,
        description="add uniform noise as wide as the least difference between two of a column's values, so that densities of "
        "rounded or whole numbers have a bound",
    )
    test: Share = Field(default=0.1, description="what to hold out for testing: a share below 1, or a count")
    split: SplitBy = Field(default="random", description="hold out at random, or the end as a block (for sequences)")

    def data_space(self) -> Space:
        """Return the space of one row, by the first line."""
        from .files import existing_file
        from .tables import width

        path = existing_file(self.path, "give a table of numbers as 'path'")
        return Real((len(self.chosen(width(path))),))

    def chosen(self, width: int) -> tuple[int, ...]:
        """Return the columns to take of ``width``.

        :raises DataError: if there are not so many.
        """
        columns = self.columns if self.columns is not None else tuple(range(width))
        if max(columns) >= width:
            raise DataError(f"{self.path}: expected columns from 0 to {width - 1}, found {max(columns)} in 'columns'")
        return columns

    def load(self) -> Dataset:
        """Read the table."""
        from .vectors import load_table

        return load_table(self)
