"""What a checkpoint consists of: its names, its limits, and the bytes of its three files."""

from __future__ import annotations

import hashlib
import json
import re
import reprlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from ....types.errors import CheckpointError

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"
TensorSpec: TypeAlias = tuple[tuple[int, ...], torch.dtype]
Specs: TypeAlias = Mapping[str, TensorSpec]

FORMAT = 1
TENSORS, STATE, MANIFEST = "tensors.safetensors", "state.json", "MANIFEST.json"
LIMITS = {MANIFEST: 1 << 12, STATE: 1 << 22, TENSORS: 1 << 23}  # bytes; of the tensor file's header
_DEPTH_LIMIT = 32
ALIGNMENT = 8  # of the first tensor in the tensor file
STEP = re.compile(r"step-([0-9]{8}|[1-9][0-9]{8,17})(\.old)?")
# What torch, safetensors and the system raise at content that they cannot take.
_REFUSALS = (SafetensorError, ArithmeticError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError)
_quoting = reprlib.Repr()
_quoting.maxstring = 120
quote = _quoting.repr


@dataclass(frozen=True)
class Stored:
    """A checkpoint on disk; ``digest`` is the sha256 of its manifest, so it names the exact content."""

    path: Path
    step: int
    digest: str


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """Turn whatever content is refused with into one :class:`CheckpointError` that starts with ``what``."""
    try:
        yield
    except _REFUSALS as error:
        raise CheckpointError(f"{what}: {getattr(error, 'strerror', None) or quote(str(error))}") from error


@dataclass(frozen=True)
class TensorFile:
    """The content of the tensor file, made a tensor at a time, so that no second copy of them all is in memory."""

    header: bytes
    tensors: tuple[Tensor, ...]

    @staticmethod
    def of(tensors: Mapping[str, Tensor]) -> TensorFile:
        """Lay out a file; the names stand in the order in which the safetensors library writes them.

        :raises CheckpointError: if one of the tensors cannot be stored.
        """
        empty = {}
        for name, tensor in tensors.items():
            with refusing(f"tensor {quote(name)}, {tensor.dtype} and {tensor.layout}, cannot be stored"):
                if code(tensor.dtype) == "F4":
                    raise ValueError("safetensors writes pairs of 4 bits and cannot read them into torch")
                if tensor.is_meta or tensor.layout != torch.strided:
                    raise ValueError("it is on the device meta, without values" if tensor.is_meta else "it is not dense")
                empty[name] = torch.empty(0, dtype=tensor.dtype)
        with refusing("the tensors cannot be stored"):
            ordered = [*_header(safetensors.torch.save(empty))]
            described, end = {}, 0
            for name in ordered:
                tensor = tensors[name]
                start, end = end, end + tensor.numel() * tensor.element_size()
                described[name] = {"dtype": code(tensor.dtype), "shape": [*tensor.shape], "data_offsets": [start, end]}
            text = _render(described, "the header")
            text += b" " * (-len(text) % ALIGNMENT)
            if len(text) > LIMITS[TENSORS] or "__metadata__" in tensors:
                raise ValueError(f"their names are reserved or take {len(text)} bytes, more than {LIMITS[TENSORS]}")
        return TensorFile(len(text).to_bytes(8, "little") + text, tuple(tensors[name] for name in ordered))

    def pieces(self) -> Iterator[bytes | memoryview]:
        """Yield the file's content.

        :raises CheckpointError: if a tensor turns out to have no values.
        """
        yield self.header
        for tensor in self.tensors:
            with refusing(f"a tensor, {tensor.dtype} and {tensor.layout}, cannot be stored"):
                plain = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
                piece = plain.flatten().view(torch.uint8).numpy().data
            yield piece


def _header(data: bytes) -> dict[str, JSON]:
    length = int.from_bytes(data[:8], "little")
    found: dict[str, JSON] = json.loads(data[8 : 8 + length])
    return found


def code(dtype: torch.dtype) -> str:
    """Return what the header of a tensor file calls ``dtype``."""
    name = str(dtype).removeprefix("torch.")
    return safetensors.TensorSpec(dtype=name, shape=[], data_ptr=0, data_len=dtype.itemsize).dtype


def state_bytes(state: Mapping[str, JSON]) -> bytes:
    """Return the content of the state file."""
    text = _render(dict(state), "the state")
    if len(text) > LIMITS[STATE]:
        raise CheckpointError(f"the state takes {len(text)} bytes, more than {LIMITS[STATE]}; store arrays as tensors")
    if parse(text, "the state") != state:
        raise CheckpointError("the state would be read back as another one: use str keys and lists, not tuples")
    return text


def manifest_bytes(step: int, files: JSON) -> bytes:
    """Return the content of the manifest; ``files`` are the size and the sha256 of each file, by its name."""
    return _render({"format": FORMAT, "step": step, "files": files}, MANIFEST)


def parse_manifest(path: Path, step: int, text: bytes) -> tuple[Stored, dict[str, JSON]]:
    """Return what the manifest of the checkpoint at ``path`` says, and what it says of each file."""
    where = path / MANIFEST
    manifest = parse(text, where)
    version, files = manifest.get("format"), manifest.get("files")
    if version != FORMAT:
        raise CheckpointError(f"{where} has format {quote(version)}; this genframe reads format {FORMAT}")
    if not isinstance(files, dict) or files.keys() != {TENSORS, STATE} or text != manifest_bytes(step, files):
        raise CheckpointError(f"{where} is not the manifest of step {step}, as genframe writes it")
    return Stored(path, step, sha256(text)), files


def _render(value: object, where: object) -> bytes:
    with refusing(f"{where} is not JSON"):
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def parse(text: bytes, where: object) -> dict[str, JSON]:
    """Return a JSON object without duplicate keys, NaN or infinity, that is not nested too deeply."""
    with refusing(f"{where} is not JSON"):
        value = json.loads(text.decode(), object_pairs_hook=_unique)
        if not isinstance(value, dict) or _depth(value) > _DEPTH_LIMIT:
            raise ValueError(f"not an object of at most {_DEPTH_LIMIT} levels")
    _render(value, where)  # refuses what json reads although it is not JSON: NaN, infinity and half surrogates
    return value


def _unique(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("duplicate keys")
    return value


def _depth(value: JSON) -> int:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, children), default=0)


def sha256(data: bytes) -> str:
    """Return the digest in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
