"""Checkpoints on disk: no crash loses an acknowledged one, no file can do harm when it is read.

    checkpoints/step-00000200/
        tensors.safetensors     all tensors, by name
        state.json              everything else
        MANIFEST.json           format version, step, size and sha256 of the two files; written last

A commit writes a temporary folder on the same volume, syncs each file and the folder, renames it, syncs
the parent, and only then returns and prunes. The tensor file is written and read here rather than by
``safetensors``: its header must be judged before anything is allocated, each byte is hashed in the pass
that moves it, and an I/O error keeps its ``errno``. For the same tensors the bytes are those of the
library, which the tests use as the oracle.

Each of the three files has exactly one spelling for its content. A reader renders what it understood and
compares the bytes, so duplicate keys, NaN, odd offsets, gaps and padding need no rule of their own.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import reprlib
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor

from ..errors import CheckpointError, StorageError

__all__ = [
    "JSON",
    "Checkpoint",
    "Damaged",
    "Found",
    "Stored",
    "TensorSpec",
    "commit",
    "free_space",
    "latest",
    "needed_bytes",
    "read",
    "sweep",
]

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"
TensorSpec: TypeAlias = tuple[tuple[int, ...], torch.dtype]

_FORMAT = 1
_TENSORS, _STATE, _MANIFEST = "tensors.safetensors", "state.json", "MANIFEST.json"
_MANIFEST_LIMIT, _STATE_LIMIT, _HEADER_LIMIT = 1 << 12, 1 << 22, 1 << 23
_DEPTH_LIMIT = 32
_STEP = re.compile(r"step-([0-9]{8}|[1-9][0-9]{8,17})(\.old)?")
_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U64": torch.uint64,
    "U32": torch.uint32,
    "U16": torch.uint16,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_CODES = {dtype: code for code, dtype in _DTYPES.items()}
_quoting = reprlib.Repr()
_quoting.maxstring = 120
_quote = _quoting.repr


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What one commit stored; ``digest`` is the sha256 of its manifest, and so names its exact content."""

    path: Path
    step: int
    digest: str
    tensors: dict[str, Tensor]
    state: dict[str, JSON]


@dataclass(frozen=True)
class Damaged:
    """A checkpoint that was passed over, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Stored:
    """A valid checkpoint on disk; ``digest`` is the one that :func:`read` will give."""

    path: Path
    step: int
    digest: str


@dataclass(frozen=True)
class Found(Stored):
    """The newest valid checkpoint, and the newer ones that are ``damaged``."""

    damaged: tuple[Damaged, ...]


def commit(folder: Path, step: int, tensors: Mapping[str, Tensor], state: Mapping[str, JSON], *, keep: int = 2) -> Stored:
    """Store a checkpoint in ``folder`` and return where it is once it is durable.

    A checkpoint of the same step is replaced. Afterwards only the ``keep`` newest whole checkpoints and this one
    remain. The tensors may share memory, be strided or lie on any device, and must not change meanwhile.

    :raises CheckpointError: a tensor or the state cannot be stored; nothing was written.
    :raises StorageError: the volume refused; all earlier checkpoints are as they were, or the message says that
        the new one is stored and only the pruning failed.
    """
    if keep < 2:
        raise ValueError(f"keep must be at least 2, so that one checkpoint can be damaged, not {keep}")
    contents = _contents(tensors, state)
    final = folder / f"step-{step:08d}"
    if not _STEP.fullmatch(final.name):
        raise ValueError(f"a step is a whole number of at most 18 digits, not {step}")
    with _storing(f"cannot store {final}, which needs {needed_bytes(tensors)} bytes"):
        _make(folder)
        digest = _store(folder / f".tmp-{final.name}-{secrets.token_hex(4)}", final, step, contents)
    with _storing(f"{final} is stored, but an older checkpoint cannot be removed"):
        _prune(folder, keep, final)
    return Stored(final, step, digest)


def latest(folder: Path) -> Found | None:
    """Return the newest checkpoint in ``folder`` whose every byte is as it was committed; None if there is none.

    :raises CheckpointError: there are checkpoints, and all are damaged.
    """
    damaged: list[Damaged] = []
    try:
        paths = _newest_first(folder)
    except OSError as error:
        raise CheckpointError(f"{folder} cannot be read: {error.strerror}") from error
    for path in paths:
        try:
            manifest = _verify(path)
            return Found(path, manifest.step, manifest.digest, tuple(damaged))
        except CheckpointError as error:
            damaged.append(Damaged(path, str(error)))
    if damaged:
        raise CheckpointError(f"{folder} has no valid checkpoint: " + "; ".join(each.reason for each in damaged))
    return None


def read(path: Path, *, expect: Mapping[str, TensorSpec] | None = None) -> Checkpoint:
    """Return the checkpoint at ``path``, its tensors on the CPU.

    ``expect`` gives the shape and dtype of every tensor by name; any difference is found in the file's header,
    before a tensor is allocated. Without it the size of the file bounds what is allocated.

    :raises CheckpointError: the checkpoint is damaged, hostile, of another format or not what ``expect`` says.
    """
    manifest = _manifest(path)
    with _verified(path / _STATE, manifest.files[_STATE]) as source:
        if source.left > _STATE_LIMIT:
            raise CheckpointError(f"{path / _STATE} has {source.left} bytes, more than {_STATE_LIMIT}")
        text = source.take(source.left)
    state = _parse(text, path / _STATE)
    with _verified(path / _TENSORS, manifest.files[_TENSORS]) as source:
        specs = _specs(source)
        if expect is not None:
            _compare(source.path, specs, {name: (tuple(shape), dtype) for name, (shape, dtype) in expect.items()})
        tensors = {name: _tensor(source, *spec) for name, spec in specs.items()}
    return Checkpoint(path, manifest.step, manifest.digest, tensors, state)


def sweep(folder: Path) -> None:
    """Finish what a killed process began in ``folder``; call it under the run's lock, before anything else.

    :raises StorageError: the volume refused.
    """
    with _storing(f"cannot sweep {folder}"):
        for path in _entries(folder):
            if path.name.startswith((".tmp-", ".del-")):
                _remove(path)
            elif path.suffix == ".old" and _STEP.fullmatch(path.name):
                _settle(path)


def needed_bytes(tensors: Mapping[str, Tensor]) -> int:
    """Return an upper bound of the bytes that a commit of ``tensors`` writes, with a state below 1 MiB.

    A run holds ``keep`` checkpoints and writes the next before it prunes.
    """
    return len(_header(_specs_of(tensors))) + sum(tensor.nbytes for tensor in tensors.values()) + (1 << 20)


def free_space(folder: Path, needed: int) -> None:
    """Check that the volume of ``folder``, which need not exist yet, has ``needed`` bytes to give.

    :raises StorageError: it has fewer.
    """
    with _storing(f"cannot ask for the free space of {folder}"):
        place = next(each for each in (folder, *folder.parents) if each.exists())
        available = shutil.disk_usage(place).free
    if available < needed:
        raise StorageError(
            f"{folder} needs {needed} bytes and its volume has {available} available; "
            f"free {needed - available} bytes or put the run on another volume"
        )


# What a checkpoint consists of


def _contents(tensors: Mapping[str, Tensor], state: Mapping[str, JSON]) -> dict[str, Iterable[bytes | memoryview]]:
    header = _header(_specs_of(tensors))
    if len(header) > _HEADER_LIMIT:
        raise CheckpointError(f"{len(tensors)} tensor names take {len(header)} bytes, more than {_HEADER_LIMIT}")
    text = _render(dict(state), "the state")
    if len(text) > _STATE_LIMIT:
        raise CheckpointError(f"the state takes {len(text)} bytes, more than {_STATE_LIMIT}; store arrays as tensors")
    if _parse(text, "the state") != state:
        raise CheckpointError("the state would be read back as another one: use str keys and lists, not tuples")
    return {_TENSORS: _chunks(header, tensors), _STATE: [text]}


def _chunks(header: bytes, tensors: Mapping[str, Tensor]) -> Iterator[bytes | memoryview]:
    yield header
    for name in _ordered(_specs_of(tensors)):
        flat = tensors[name].detach().cpu().contiguous().reshape(-1)
        yield flat.view(torch.uint8).numpy().data


def _specs_of(tensors: Mapping[str, Tensor]) -> dict[str, TensorSpec]:
    for name, tensor in tensors.items():
        if tensor.dtype not in _CODES or tensor.layout != torch.strided:
            raise CheckpointError(f"tensor {_quote(name)} cannot be stored: it is {tensor.dtype}, {tensor.layout}")
    return {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in tensors.items()}


def _ordered(specs: Mapping[str, TensorSpec]) -> list[str]:
    # Wide items first keep every tensor aligned.
    return sorted(specs, key=lambda name: (-specs[name][1].itemsize, name))


def _nbytes(spec: TensorSpec) -> int:
    shape, dtype = spec
    return math.prod(shape) * dtype.itemsize


def _header(specs: Mapping[str, TensorSpec]) -> bytes:
    table, end = {}, 0
    for name in _ordered(specs):
        shape, dtype = specs[name]
        begin, end = end, end + _nbytes(specs[name])
        table[name] = {"dtype": _CODES[dtype], "shape": list(shape), "data_offsets": [begin, end]}
    text = _render(table, "the header")
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _render(value: object, where: object) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{where} is not JSON: {error}") from error


def _parse(text: bytes, where: object) -> dict[str, JSON]:
    try:
        value = json.loads(text.decode())
        depth = _depth(value)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{where} is not JSON: {error}") from error
    if not isinstance(value, dict) or depth > _DEPTH_LIMIT:
        raise CheckpointError(f"{where} is not a JSON object of at most {_DEPTH_LIMIT} levels")
    if _render(value, where) != text:
        raise CheckpointError(f"{where} is not JSON as genframe writes it (duplicate keys, spaces, other spellings)")
    return value


def _depth(value: JSON) -> int:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, children), default=0)


# Writing


def _make(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir()
        _sync(folder.parent)


def _store(temporary: Path, final: Path, step: int, contents: Mapping[str, Iterable[bytes | memoryview]]) -> str:
    try:
        temporary.mkdir()
        files = {name: _write(temporary / name, chunks) for name, chunks in contents.items()}
        manifest = _write(temporary / _MANIFEST, [_render({"format": _FORMAT, "step": step, "files": files}, _MANIFEST)])
        _sync(temporary)
        _publish(temporary, final)
        return str(manifest["sha256"])
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _write(path: Path, chunks: Iterable[bytes | memoryview]) -> dict[str, int | str]:
    size, digest = 0, hashlib.sha256()
    with path.open("xb") as file:
        for chunk in chunks:
            file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
        file.flush()
        os.fsync(file.fileno())
    return {"size": size, "sha256": digest.hexdigest()}


def _publish(temporary: Path, final: Path) -> None:
    # A folder cannot be renamed over another; between the two renames the old one is found under its name with .old.
    aside = final.with_suffix(".old")
    if os.path.lexists(final):
        _settle(aside)
        final.rename(aside)
    temporary.rename(final)
    _sync(final.parent)
    _settle(aside)


def _settle(aside: Path) -> None:
    final = aside.with_suffix("")
    if not os.path.lexists(aside):
        return
    if os.path.lexists(final):
        _discard(aside)
    else:
        aside.rename(final)


def _prune(folder: Path, keep: int, newest: Path) -> None:
    whole = 0
    for path in _newest_first(folder):
        if whole >= keep and path != newest:
            _discard(path)
        else:
            whole += _is_whole(path)


def _is_whole(path: Path) -> bool:
    try:
        files = _manifest(path).files
        return all(_lstat(path / name).st_size == _size(record) for name, record in files.items())
    except CheckpointError:
        return False


def _discard(path: Path) -> None:
    doomed = path.with_name(f".del-{path.name}-{secrets.token_hex(4)}")
    path.rename(doomed)
    _remove(doomed)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _storing(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"{what}: {error.strerror or error}") from error


# Reading


@dataclass(frozen=True)
class _Manifest:
    step: int
    digest: str
    files: dict[str, JSON]


class _Source:
    """The bytes of one file, hashed as they are read; ``left`` counts those still to come."""

    def __init__(self, file: BufferedReader, size: int, path: Path) -> None:
        self.path = path
        self.left = size
        self.digest = hashlib.sha256()
        self._file = file

    def fill(self, buffer: memoryview) -> None:
        if len(buffer) > self.left or self._file.readinto(buffer) != len(buffer):
            raise CheckpointError(f"{self.path} ends early")
        self.left -= len(buffer)
        self.digest.update(buffer)

    def take(self, count: int) -> bytes:
        buffer = bytearray(min(count, self.left + 1))
        self.fill(memoryview(buffer))
        return bytes(buffer)


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []


def _newest_first(folder: Path) -> list[Path]:
    named = [(match, path) for path in _entries(folder) if (match := _STEP.fullmatch(path.name))]
    return [path for _, path in sorted(named, key=lambda pair: (int(pair[0][1]), pair[0][2] is None), reverse=True)]


def _lstat(path: Path) -> os.stat_result:
    try:
        return path.lstat()
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _size(record: JSON) -> JSON:
    return record.get("size") if isinstance(record, dict) else None


def _manifest(path: Path) -> _Manifest:
    name = _STEP.fullmatch(path.name)
    if not name or not stat.S_ISDIR(_lstat(path).st_mode):
        raise CheckpointError(f"{path} is not a checkpoint, a folder with a name like step-00000200")
    with _opened(path / _MANIFEST) as source:
        text = source.take(min(source.left, _MANIFEST_LIMIT + 1))
    if len(text) > _MANIFEST_LIMIT:
        raise CheckpointError(f"{path / _MANIFEST} has more than {_MANIFEST_LIMIT} bytes")
    files = _files(_parse(text, path / _MANIFEST), int(name[1]), path / _MANIFEST)
    return _Manifest(int(name[1]), hashlib.sha256(text).hexdigest(), files)


def _files(manifest: dict[str, JSON], step: int, where: Path) -> dict[str, JSON]:
    version, files = manifest.get("format"), manifest.get("files")
    if version != _FORMAT:
        raise CheckpointError(f"{where} has format {_quote(version)}; this genframe reads format {_FORMAT}")
    if not isinstance(files, dict) or set(files) != {_TENSORS, _STATE}:
        raise CheckpointError(f"{where} must list {_TENSORS} and {_STATE}, not {_quote(files)}")
    if manifest != {"format": version, "step": step, "files": files}:
        raise CheckpointError(f"{where} is not the manifest of step {step}")
    return files


def _verify(path: Path) -> _Manifest:
    manifest = _manifest(path)
    for name, record in manifest.files.items():
        with _verified(path / name, record) as source:
            while source.left:
                source.take(min(source.left, 1 << 20))
    return manifest


@contextmanager
def _opened(path: Path) -> Iterator[_Source]:
    status = _lstat(path)
    if not stat.S_ISREG(status.st_mode):
        raise CheckpointError(f"{path} is not a regular file")
    try:
        with path.open("rb") as file:
            yield _Source(file, status.st_size, path)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error


@contextmanager
def _verified(path: Path, record: JSON) -> Iterator[_Source]:
    """Yield a file of the recorded size; once it is read, its sha256 must be the recorded one too."""
    with _opened(path) as source:
        size = source.left
        if size != _size(record):
            raise CheckpointError(f"{path} has {size} bytes, {_MANIFEST} says {_quote(_size(record))}")
        yield source
    if record != {"size": size, "sha256": source.digest.hexdigest()}:
        raise CheckpointError(f"{path} is damaged: its sha256 differs from {_MANIFEST}")


def _specs(source: _Source) -> dict[str, TensorSpec]:
    """Read the header; return what the rest of the file holds, in the file's order."""
    prefix = source.take(8)
    length = int.from_bytes(prefix, "little")
    if length > _HEADER_LIMIT:
        raise CheckpointError(f"{source.path} claims a header of {length} bytes")
    text = source.take(length)
    specs = {name: _spec(entry, name, source.path) for name, entry in _parse(text.rstrip(b" "), source.path).items()}
    if _header(specs) != prefix + text or sum(map(_nbytes, specs.values())) != source.left:
        raise CheckpointError(f"{source.path} has a header that does not fit its data")
    return specs


def _spec(entry: JSON, name: str, where: Path) -> TensorSpec:
    match entry:
        case {"dtype": str(code), "shape": list(shape)} if code in _DTYPES and len(shape) <= 64:
            sizes = tuple(size for size in shape if type(size) is int and 0 <= size < 1 << 60)
            # Torch multiplies sizes in 64 bits even where one of them is 0.
            if len(sizes) == len(shape) and math.prod(max(size, 1) for size in sizes) < 1 << 60:
                return sizes, _DTYPES[code]
    raise CheckpointError(f"{where}: tensor {_quote(name)} needs a known dtype and a possible shape, not {_quote(entry)}")


def _compare(path: Path, found: Mapping[str, TensorSpec], expect: Mapping[str, TensorSpec]) -> None:
    if missing := sorted(expect.keys() - found.keys()):
        raise CheckpointError(f"{path} lacks {len(missing)} tensors that are expected: {_quote(missing)}")
    if strange := sorted(found.keys() - expect.keys()):
        raise CheckpointError(f"{path} has {len(strange)} tensors that nothing expects: {_quote(strange)}")
    for name, (shape, dtype) in expect.items():
        if found[name] != (shape, dtype):
            has = f"{list(found[name][0])} {found[name][1]}"
            raise CheckpointError(f"{path}: tensor {_quote(name)} is {has}, expected {list(shape)} {dtype}")


def _tensor(source: _Source, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    count = _nbytes((shape, dtype))
    try:
        flat = torch.empty(count, dtype=torch.uint8, device="cpu")
    except RuntimeError as error:
        raise CheckpointError(f"{source.path} has a tensor of {count} bytes, too large for memory") from error
    source.fill(flat.numpy().data)
    # A bool with another byte than 0 and 1 is undefined behaviour in the kernels that meet it.
    if dtype == torch.bool and count and int(flat.max()) > 1:
        raise CheckpointError(f"{source.path} has a truth value that is neither true nor false")
    return flat.view(dtype).reshape(shape)
