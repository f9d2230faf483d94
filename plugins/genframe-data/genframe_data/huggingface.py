"""Pictures of a dataset that Hugging Face's package ``datasets`` has saved, read by the package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from genframe import Categorical, DataError
from genframe.cache import cache_key
from genframe.types import Report

from .bases import SplitBy
from .decoding import Pictures
from .encoded import EncodedRows
from .files import existing_folder
from .preparation import Preparation

if TYPE_CHECKING:
    from genframe import Dataset

    from .splits import Part

__all__ = ["Saved", "SavedRows", "load_saved", "read_saved"]

HINT: Final = "give a folder that save_to_disk of a Dataset or a DatasetDict has written as 'path'"


@dataclass(frozen=True)
class Saved:
    """What a saved dataset holds: for each split its table, and the columns that are wanted.

    ``classes`` are the names of ``label``'s values; ``skipped`` the splits that nothing asked for.
    """

    folder: Path
    tables: Mapping[str, Any]
    picture: str
    label: str | None
    caption: str | None
    classes: tuple[str, ...]
    skipped: tuple[str, ...] = ()

    def report(self) -> Report:
        """Return what there is to read."""
        count = sum(map(len, self.tables.values()))
        beside = f" of {len(self.classes)} classes" if self.classes else " with captions" if self.caption else ""
        notes = (f"left out the split {', '.join(self.skipped)}",) if self.skipped else ()
        return Report(f"{count} pictures{beside}", notes=notes)


def read_saved(
    folder: Path, splits: Mapping[str, str | None], *, picture: str | None, label: bool | str, caption: bool | str
) -> Saved:
    """Open a saved dataset; reads its description, and no picture.

    ``splits`` has the name of the split in the folder for each that is wanted; those named ``None`` are taken where the folder
    has them under their own names. ``label`` and ``caption`` name a column; ``True`` is the only one that will do.

    :raises DataError: if ``datasets`` is not installed, the folder is none of its own, or a split or column is not there.
    """
    folder = existing_folder(folder, HINT)
    found = _opened(folder)
    tables = {}
    for split, name in splits.items():
        if name is not None and name not in found:
            raise DataError(f"{folder}: expected a split {name!r}, found {', '.join(found)}; name another as {split!r}")
        if (name or split) in found:
            tables[split] = found[name or split]
    features = tables["train"].features
    chosen = _column(folder, features, "Image", picture or True, "image")
    by_label = _column(folder, features, "ClassLabel", label, "labels") if label else None
    by_caption = _column(folder, features, "string", caption, "captions") if caption else None
    classes = tuple(features[by_label].names) if by_label else ()
    wanted = [name for name in (chosen, by_label, by_caption) if name]
    for split, table in tables.items():
        if missing := [name for name in wanted if name not in table.features]:
            raise DataError(f"{folder}: the split {split!r} has no column {missing[0]!r}")
    taken = {splits[split] or split for split in tables}
    return Saved(
        folder,
        {split: _plain(table, chosen, wanted) for split, table in tables.items()},
        chosen,
        by_label,
        by_caption,
        classes,
        tuple(name for name in found if name not in taken),
    )


def _opened(folder: Path) -> dict[str, Any]:
    """Return the tables of a folder by their splits; one without splits is all for training."""
    if find_spec("datasets") is None:
        raise DataError(
            f"{folder}: saved datasets need the package datasets, which is not installed; "
            "pip install 'genframe-data[huggingface]'"
        )
    from datasets import Dataset, load_from_disk

    try:
        found = load_from_disk(str(folder), keep_in_memory=False)
    except FileNotFoundError:
        raise DataError(f"{folder}: expected a saved dataset, found none; {HINT}") from None
    except Exception as error:  # damaged files fail in many ways
        said = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{folder}: cannot be opened: {said}; save the dataset again") from None
    return {"train": found} if isinstance(found, Dataset) else dict(found)


def _kind(feature: Any) -> str:
    return "string" if getattr(feature, "dtype", "") in ("string", "large_string") else type(feature).__name__


def _column(folder: Path, features: Mapping[str, Any], kind: str, name: bool | str, field: str) -> str:
    """Return the column of a kind that a field names, or the only one that there is."""
    there = [column for column, feature in features.items() if _kind(feature) == kind]
    if isinstance(name, str):
        if name not in there:
            found = f"a column of {_kind(features[name])}" if name in features else f"the columns {', '.join(features)}"
            raise DataError(f"{folder}: {field}: expected a column {name!r} of {kind}, found {found}")
        return name
    if len(there) != 1:
        found = f"{len(there)}: {', '.join(there)}" if there else f"none among {', '.join(features)}"
        raise DataError(f"{folder}: {field}: expected one column of {kind}, found {found}; name the column as {field!r}")
    return there[0]


def _plain(table: Any, picture: str, wanted: Sequence[str]) -> Any:
    """Return the wanted columns of a table, pictures as files that are not decoded."""
    from datasets import Image

    return table.with_format(None).select_columns([*wanted]).cast_column(picture, Image(decode=False))


class SavedRows(EncodedRows):
    """Pictures of a saved dataset, which lies mapped into memory."""

    def __init__(self, saved: Saved, split: str, how: Pictures) -> None:
        self.saved, self.split = saved, split
        self.table = saved.tables[split].select_columns([saved.picture])
        super().__init__(len(self.table), how)

    def content(self, index: int) -> bytes:
        """Return the file of a picture."""
        found = self.table[index][self.saved.picture]
        if found is None or found["bytes"] is None:
            what = "nothing" if found is None else f"only a path ({found['path']})"
            raise DataError(f"{self.called(index)}: expected the bytes of a picture, found {what}; save them in the dataset")
        return bytes(found["bytes"])

    def called(self, index: int) -> str:
        """Return the folder and the picture's number in its split."""
        return f"{self.saved.folder}: picture {index} of {self.split!r}"


def load_saved(
    saved: Saved,
    how: Pictures,
    prepared: Preparation,
    *,
    caption_length: int,
    shares: Mapping[str, float],
    by: SplitBy,
    limit: int | None,
) -> Dataset:
    """Return the dataset; ``shares`` are held out where the folder has no split for them.

    :raises DataError: if an example has no class, or a caption is too long.
    """
    from genframe.roles import select

    from .splits import divided, image_dataset

    own = {split: _part(saved, split, how, caption_length) for split in saved.tables}
    held_out = (own.get(split, shares[split]) for split in ("validation", "test"))
    parts = divided(own["train"], *held_out, by=by, seed=prepared.seed, limit=limit)
    space = Categorical((caption_length,), 256) if saved.caption else None
    if saved.label:
        space = Categorical((), len(saved.classes))
    tables = saved.tables.items()
    digest = cache_key([(split, table._fingerprint, len(table)) for split, table in tables], asdict(how))
    data = image_dataset("data/huggingface", parts, 256, space, (select(own["train"].x, slice(0, 1)),), prepared, digest)
    return replace(data, report=saved.report(), classes=saved.classes)


def _part(saved: Saved, split: str, how: Pictures, caption_length: int) -> Part:
    from .pictures import values_as_tensor
    from .splits import Part

    table = saved.tables[split]
    values: Any = None
    if saved.label:
        values = table[saved.label][:]
        if bad := [place for place, value in enumerate(values) if value is None or value < 0]:
            raise DataError(f"{saved.folder}: {len(bad)} examples of {split!r} have no class, the first is number {bad[0]}")
    elif saved.caption:
        values = [(text or "").encode() for text in table[saved.caption]]
        longest = max(map(len, values))
        if longest > caption_length:
            raise DataError(f"{saved.folder}: a caption has {longest} bytes; say caption_length: {longest}")
        values = [value.ljust(caption_length, b"\0") for value in values]
    return Part(SavedRows(saved, split, how), values_as_tensor(values) if values else None)
