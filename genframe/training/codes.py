"""Codes of a frozen encoder, computed once and kept in the cache, for a stage that trains the prior alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import torch
from torch import Generator, Tensor, nn

from ..cache import Building, Entry, building, cache_key, find_entry, progress
from ..model import Model
from ..roles import Prepare, Rows, Split, data_digest, full_precision, generator_for, whole
from ..types import Batch, Problem, SpecError
from .source import RowSource

__all__ = ["CodeSource"]

KIND: Final = "codes"
VERSION: Final = 1
BLOCK: Final = 256
IN_MEMORY: Final = 1 << 28
"""Codes of up to so many bytes are read into memory."""

NAMES: Final = {torch.float32: "float32", torch.int64: "int64", torch.uint8: "uint8", torch.bfloat16: "bfloat16"}


@dataclass(frozen=True)
class Drawn:
    """Takes one of the variants of each example at random: (B, V, ...) -> (B, ...)."""

    def __call__(self, stored: Tensor, generator: Generator | None) -> Tensor:
        """Return a variant of each, all equally likely."""
        count = stored.shape[1]
        if count == 1:
            return stored[:, 0]
        chosen = torch.randint(count, (len(stored),), generator=generator, device=stored.device)
        return stored[torch.arange(len(stored), device=stored.device), chosen]


class CodeSource(RowSource):
    """Batches of codes, in the order of the examples; first states and fits still read the examples.

    The cache's entry has for each example one code for each of its variants, such as itself and its mirror image. Its key is
    made of the encoder's weights, the data and the preparation.

    :raises SpecError: if an example is prepared or encoded differently each time.
    """

    encoded = True

    def __init__(self, data: RowSource, model: Model, where: str) -> None:
        super().__init__(data.rows, data.order, 0)
        self.data, self.model, self.where = data, model, where
        self.workers = data.workers

    def open(self) -> None:
        """Compute the codes, or find them in the cache."""
        stored = _placed(self._entry(), self.data.rows.device)
        codes = replace(self.data.rows, stored=stored, prepare=Drawn(), augment=None)
        order = self.order
        if not codes.in_memory:
            order = replace(order, device=torch.device("cpu"))
        super().__init__(codes, order, self.workers)

    def first(self, n: int, seed: int) -> Batch:
        """Return examples, from which parts take their first state."""
        return self.data.first(n, seed)

    def each(self, size: int) -> Iterator[Batch]:
        """Yield all examples."""
        return self.data.each(size)

    def _entry(self) -> Entry:
        variants = self._variants()
        model, rows = self.model, self.data.rows
        weights = [_digest_of(part) for part in (model.encoder, model.condition) if part is not None]
        made_by = [torch.__version__, model.device.type, str(model.composition.spec.encoder), str(model.composition.data)]
        key = cache_key(VERSION, made_by, weights, self._identity(), len(variants))
        found = find_entry(KIND, key)
        return found if found is not None else _built(key, model, rows, variants)

    def _identity(self) -> Any:
        """Return what tells the examples and their preparation apart from others."""
        rows = self.data.rows
        known = "data" in rows.protocol
        return [dict(rows.protocol), len(rows), "" if known else data_digest(rows.stored, rows.condition)]

    def _variants(self) -> tuple[Prepare, ...]:
        """Return the preparations of an example, one of which is drawn for each batch."""
        rows = self.data.rows
        variants = rows.variants or (() if rows.augment is not None else (rows.prepare,))
        for prepare in variants:
            two = [self._tried(prepare, seed) for seed in (0, 1)]
            if not torch.equal(*two):
                variants = ()
                break
        if not variants:
            raise SpecError(
                Problem(
                    self.where,
                    "codes can be kept where an example is prepared and encoded in the same way each time, or mirrored; "
                    "here something else is drawn for each batch (noise, windows, colours)",
                    "leave cache out, or what is drawn",
                )
            )
        return variants

    def _tried(self, prepare: Prepare, seed: int) -> Tensor:
        rows = self.data.rows
        batch = replace(rows, prepare=prepare).batch(slice(0, 4), generator_for(rows.device, seed))
        return _encoded(self.model, batch)


def _digest_of(part: nn.Module) -> str:
    """Return the digest of a part's weights."""
    return data_digest(*(tensor.detach().cpu() for tensor in part.state_dict().values()))


@torch.no_grad()
def _encoded(model: Model, batch: Batch) -> Tensor:
    with full_precision(batch.x):
        return model.codes(batch.x, batch.condition)


def _built(key: str, model: Model, rows: Split, variants: tuple[Prepare, ...]) -> Entry:
    code = _encoded(model, rows.batch(slice(0, 1)))
    shape = (len(rows), len(variants), *code.shape[1:])
    with building(KIND, key, shape, NAMES[code.dtype], code.nbytes * len(variants)) as under_way:
        if isinstance(under_way, Building):
            _fill(under_way, model, rows, variants)
            return under_way.commit(
                {"of": f"the encoder of {model.composition.spec.encoder.type if model.composition.spec.encoder else ''}"}
            )
        return under_way


def _fill(under_way: Building, model: Model, rows: Split, variants: tuple[Prepare, ...]) -> None:
    """Encode the blocks that are missing."""
    shown = progress()
    shown.begin("encode", len(rows), 0, "example")
    views = [replace(rows, prepare=prepare) for prepare in variants]
    for start in range(0, len(rows), BLOCK):
        if start not in under_way.notes:
            batches = [view.batch(slice(start, start + BLOCK)) for view in views]
            codes = torch.stack([_encoded(model, batch) for batch in batches], 1)
            under_way.write(start, codes.cpu().contiguous().view(torch.uint8).numpy())
        shown.advance(min(start + BLOCK, len(rows)))


def _placed(entry: Entry, device: torch.device) -> Rows:
    """Return the codes in memory on the device, or where they lie if there are many."""
    rows = entry.rows()
    return whole(rows).to(device) if len(rows) * rows.size <= IN_MEMORY else rows
