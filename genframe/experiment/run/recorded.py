"""What a run was trained on: recorded when training starts, and compared whenever the data is read again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from ...roles.data import Dataset, Split
from ...roles.rows import data_digest
from ...specs.dataset import DatasetSpec
from ...training.machine import is_out_of_memory
from ...types.errors import DataError, Unsupported
from .folder import RunFolder

__all__ = ["DataRecord", "change_of", "load_data", "read_again"]

FILE = "data.json"
SOME = 256


@dataclass(frozen=True)
class DataRecord:
    """For each split what it consists of: its digest, the number of its examples, and how they were split and prepared.

    ``handed_in`` says that the data came from Python (``data=``), so that the experiment cannot read it.
    ``earlier`` holds what training read before the data was changed, with the step of the change.
    """

    splits: Mapping[str, Mapping[str, Any]]
    handed_in: bool = False
    earlier: tuple[Mapping[str, Any], ...] = ()

    @staticmethod
    def of(data: Dataset, *, handed_in: bool) -> DataRecord:
        """Return the record of a dataset."""
        return DataRecord({name: _content(split) for name, split in data.splits.items()}, handed_in)

    @staticmethod
    def of_run(files: RunFolder) -> DataRecord | None:
        """Return what a run recorded; ``None`` where it says nothing that can be read."""
        found = files.read_json(FILE)
        if isinstance(found, dict) and isinstance(found.get("splits"), dict):
            earlier = found.get("earlier")
            kept = tuple(earlier) if isinstance(earlier, list) else ()
            return DataRecord(_splits(found["splits"]), found.get("handed_in") is True, kept)
        described = files.read_json("environment.json")  # of a run from before there was data.json
        splits = _splits(described.get("data")) if isinstance(described, dict) else {}
        return DataRecord(splits) if splits else None

    def write(self, files: RunFolder) -> None:
        """Keep the record in the run's folder."""
        files.write_json(FILE, {"handed_in": self.handed_in, "splits": dict(self.splits), "earlier": list(self.earlier)})

    def difference(self, now: DataRecord) -> str:
        """Return in one line how the data ``now`` differs, or an empty string."""
        for name in [*self.splits, *(name for name in now.splits if name not in self.splits)]:
            before, after = self.splits.get(name), now.splits.get(name)
            if before is None or after is None:
                return f"the split {name!r} is {'new' if before is None else 'gone'}"
            fields = [field for field in before if field in after and before[field] != after[field]]
            if fields:
                told = "; ".join(f"{field} was {before[field]!r} and is {after[field]!r}" for field in fields)
                return f"the split {name!r} has changed: {told}"
        return ""

    def changed_to(self, now: DataRecord, step: int) -> DataRecord:
        """Return the record of a training that continues on other data from ``step`` on; it keeps this one's too."""
        return DataRecord(now.splits, now.handed_in, (*self.earlier, {"until_step": step, "splits": dict(self.splits)}))


def _splits(found: Any) -> dict[str, dict[str, Any]]:
    return {name: split for name, split in found.items() if isinstance(split, dict)} if isinstance(found, dict) else {}


def _content(split: Split) -> dict[str, Any]:
    protocol = dict(split.protocol)
    digest = protocol.pop("data", None)
    if not digest:
        digest = _digest(split)
    return {"data": digest, "count": len(split), **protocol}


def _digest(split: Split) -> str:
    """Return a digest of the examples: of all of them in memory, of some from elsewhere, which may take long to read."""
    if split.in_memory or len(split) <= SOME:
        return f"tensors@{data_digest(split.stored, split.condition)}"
    some = split.subset(torch.linspace(0, len(split) - 1, SOME, dtype=torch.float64).long())
    return f"{SOME} rows@{data_digest(some.stored, some.condition)}"


def load_data(spec: DatasetSpec) -> Dataset:
    """Read a dataset.

    :raises DataError: if it is missing or not what the spec says.
    :raises Unsupported: if it does not fit into memory.
    """
    try:
        return spec.load()
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise Unsupported(f"the dataset does not fit into memory ({error}); take less of it, such as by data.limit") from error


def read_again(files: RunFolder, spec: DatasetSpec, record: DataRecord | None) -> Dataset:
    """Read the dataset of a run from where its experiment says.

    :raises DataError: if it cannot be read, or was handed in from Python at the time.
    """
    if record is not None and record.handed_in:
        raise DataError(f"{files.path} was trained on data that was handed in from Python; hand it in again, as data=...")
    return load_data(spec)


def change_of(files: RunFolder, record: DataRecord | None, now: DataRecord, *, allowed: bool) -> str:
    """Return how the data ``now`` differs from what the run recorded, or an empty string.

    :raises DataError: if it differs, and that is not allowed.
    """
    change = record.difference(now) if record is not None else ""
    if change and not allowed:
        raise DataError(
            f"{files.path} was trained on other data: {change}; restore it, or continue with --allow-changed-data "
            "(allow_changed_data=True in Python)"
        )
    return change
