"""Specs of vectors: points in the plane and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, NonNegativeInt

from genframe import Categorical, Real, Space
from genframe.types import Report

from ..bases import DataPath, DataSpec, Share, SplitBy

if TYPE_CHECKING:
    from genframe import Dataset

    from ..tables import TableFile


__all__ = ["Table", "Toy"]

SHOWN = 20


class Table(DataSpec):
    """A table of numbers as text, a row a line: between blanks, tabs, commas or semicolons, plain or gzip, UTF-8 or UTF-16.

    Columns are standardised by the training split's mean and standard deviation, which the protocol records, as it does the
    width of any noise. Noise as Theis et al. 2015, sec. 3.1, drawn anew at each reading.
    """

    type: Literal["data/table"] = "data/table"

    path: DataPath = Field(description="the file")
    columns: tuple[NonNegativeInt | str, ...] | None = Field(
        default=None, min_length=1, description="the columns to take, by name or counted from 0; all if left out"
    )
    heading: bool | None = Field(
        default=None,
        description="whether the first row names the columns; if left out, it does where none of its cells is a number",
    )
    decimal: Literal[".", ","] = Field(default=".", description="what stands before decimals")
    missing: Literal["refuse", "drop"] = Field(
        default="refuse", description="refuse missing values (empty, NA, NaN, null, none, ?, -), or leave their rows out"
    )
    drop_constant: bool = Field(default=False, description="leave out columns that do not change")
    standardise: bool = Field(default=True, description="give each column mean 0 and standard deviation 1")
    dequantise: bool = Field(
        default=False,
        description="add uniform noise as wide as the least difference between two of a column's values, so that densities of "
        "rounded or whole numbers have a bound",
    )
    test: Share = Field(default=0.1, description="what to hold out for testing: a share below 1, or a count")
    split: SplitBy = Field(default="random", description="hold out at random, or the end as a block (for sequences)")

    def file(self) -> TableFile:
        """Return the table and how it is read, as plain values."""
        from ..tables import TableFile

        return TableFile(self.path, self.columns, self.heading, self.decimal, self.missing)

    def data_space(self) -> Space:
        """Return the space of one row, by the first lines; with ``drop_constant`` the file is read."""
        from ..tables import chosen, heading

        if self.drop_constant:
            return self.load().space
        return Real((len(chosen(self.file(), heading(self.file()))),))

    def report(self) -> Report:
        """Return which columns are taken, by the first lines."""
        from ..tables import chosen, heading

        names = heading(self.file())
        taken = [names[place] for place in chosen(self.file(), names)]
        listed = ", ".join(taken[:SHOWN]) + (f" and {len(taken) - SHOWN} more" if len(taken) > SHOWN else "")
        return Report(f"{len(taken)} of {len(names)} columns: {listed}")

    def load(self) -> Dataset:
        """Read the table."""
        from ..vectors import load_table

        return load_table(
            self.file(),
            standardise=self.standardise,
            dequantise=self.dequantise,
            drop_constant=self.drop_constant,
            validation=self.validation,
            test=self.test,
            by=self.split,
            seed=self.seed,
            limit=self.limit,
        )


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
        from ..toys import TOYS

        return Categorical((), TOYS[self.name].classes)

    def load(self) -> Dataset:
        """Draw the points."""
        from ..vectors import load_toy

        return load_toy(
            self.name,
            self.n,
            self.noise,
            labels=self.labels,
            validation=self.validation,
            test=self.test,
            seed=self.seed,
            limit=self.limit,
        )
