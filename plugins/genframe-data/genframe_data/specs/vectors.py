"""Specs of vectors: points in the plane and tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Literal

from pydantic import Field, NonNegativeInt, model_validator

from genframe import Categorical, Real, Space
from genframe.types import Report

from ..bases import DataPath, DataSpec, Share, SplitBy

if TYPE_CHECKING:
    from genframe import Dataset

    from ..columns import TableFile


__all__ = ["Table", "Toy"]

SHOWN = 20


class Table(DataSpec):
    """A table of numbers and classes, a row a line: text (CSV, tabs, semicolons, blanks; plain or gzip), Parquet or Arrow.

    Columns are standardised by the training split's mean and standard deviation, which the protocol records, as it does the
    width of any noise. Noise as Theis et al. 2015, sec. 3.1, drawn anew at each reading. Parquet and Arrow need pyarrow.
    """

    type: Literal["data/table"] = "data/table"

    path: DataPath = Field(description="the file")
    columns: tuple[NonNegativeInt | str, ...] | None = Field(
        default=None, min_length=1, description="the columns to take, by name or counted from 0; all if left out"
    )
    categories: tuple[NonNegativeInt | str, ...] = Field(
        default=(), description="columns of classes: each class becomes a column of 0 and 1; a .csv of samples has the words"
    )
    label: NonNegativeInt | str | None = Field(default=None, description="a column of classes to give as the condition")
    heading: bool | None = Field(
        default=None,
        description="whether the first row of a text names the columns; if left out, it does where its cells are words",
    )
    decimal: Literal[".", ","] = Field(default=".", description="what stands before decimals")
    thousands: Literal[".", ",", " "] | None = Field(
        default=None, description="what stands between groups of three digits; nothing if left out"
    )
    missing: Literal["refuse", "drop", "mean"] = Field(
        default="refuse",
        description="refuse missing values (empty, NA, N/A, NaN, null, none, ?, -), leave their rows out, or fill them by the "
        "mean of the training rows",
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

    @model_validator(mode="after")
    def _notation(self) -> Table:
        if self.thousands == self.decimal:
            raise ValueError(f'decimal and thousands are both "{self.decimal}"; say another of them')
        return self

    def file(self) -> TableFile:
        """Return the table and how it is read, as plain values."""
        from ..columns import TableFile

        return TableFile(**{field.name: getattr(self, field.name) for field in fields(TableFile)})

    def data_space(self) -> Space:
        """Return the space of one row, by the first lines; where classes or constant columns decide, the file is read."""
        from ..tables import layout

        return Real((len(layout(self.file()).names),))

    def condition_space(self) -> Space | None:
        """Return the classes of the label; to know them, the file is read."""
        from ..tables import layout

        return None if self.label is None else Categorical((), len(layout(self.file()).classes))

    def attributes(self) -> Mapping[str, tuple[str, ...]]:
        """Return the classes of the label."""
        from ..tables import layout

        return {} if self.label is None else {"label": layout(self.file()).classes}

    def report(self) -> Report:
        """Return which columns are taken, by the first lines."""
        from ..columns import chosen
        from ..tables import opened_table

        table = opened_table(self.file())
        taken = [table.names[place] for place in chosen(self.file(), table.names)[0]]
        listed = ", ".join(taken[:SHOWN]) + (f" and {len(taken) - SHOWN} more" if len(taken) > SHOWN else "")
        return Report(f"{len(taken)} of {len(table.names)} columns: {listed}", notes=table.notes())

    def load(self) -> Dataset:
        """Read the table."""
        from ..vectors import load_table

        return load_table(
            self.file(),
            standardise=self.standardise,
            dequantise=self.dequantise,
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
