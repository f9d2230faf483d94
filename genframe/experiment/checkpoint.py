"""Checkpoints on disk: no crash loses an acknowledged one, no file can do harm when it is read.

    checkpoints/step-00000200/
        tensors.safetensors     all tensors, by name
        state.json              everything else
        MANIFEST.json           format version, step, size and sha256 of the two files; written last

A commit writes a temporary folder on the same volume, syncs each file and the folder, renames it, syncs
the parent, and only then returns and prunes. The ``safetensors`` library makes and reads the content of the
tensor file; its bytes are written here, so that they are synced and an I/O error keeps its ``errno``.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import reprlib
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
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
_Specs: TypeAlias = Mapping[str, TensorSpec]

_FORMAT = 1
_TENSORS, _STATE, _MANIFEST = "tensors.safetensors", "state.json", "MANIFEST.json"
_MANIFEST_LIMIT, _STATE_LIMIT, _HEADER_LIMIT = 1 << 12, 1 << 22, 1 << 23
_DEPTH_LIMIT = 32
_STEP = re.compile(r"step-([0-9]{8}|[1-9][0-9]{8,17})(\.old)?")
# What torch, the library and the system raise at content that they cannot take.
_REFUSALS = (SafetensorError, ArithmeticError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError)
_quoting = reprlib.Repr()
_quoting.maxstring = 120
_quote = _quoting.repr


@dataclass(frozen=True)
class Stored:
    """A checkpoint on disk; ``digest`` is the sha256 of its manifest, and so names its exact content."""

    path: Path
    step: int
    digest: str


@dataclass(frozen=True, eq=False)
class Checkpoint(Stored):
    """What one commit stored."""

    tensors: dict[str, Tensor]
    state: dict[str, JSON]


@dataclass(frozen=True)
class Damaged:
    """A checkpoint that was passed over, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Found(Stored):
    """The newest valid checkpoint, and the newer ones that are ``damaged``."""

    damaged: tuple[Damaged, ...]


def commit(folder: Path, step: int, tensors: Mapping[str, Tensor], state: Mapping[str, JSON], *, keep: int = 2) -> Stored:
    """Store a checkpoint in ``folder`` and return where it is once it is durable.

    A checkpoint of the same step is replaced. Afterwards only the ``keep`` newest whole checkpoints and this one
    remain. The tensors may share memory, be strided or lie on any device, and must not change meanwhile.

    :raises CheckpointError: if a tensor or the state cannot be stored; nothing was written.
    :raises StorageError: if the volume refused; all earlier checkpoints are as they were, or the message says that
        the new one is stored and only the pruning failed.
    """
    if keep < 2:
        raise ValueError(f"keep must be at least 2, so that one checkpoint can be damaged, not {keep}")
    final = folder / f"step-{step:08d}"
    if not _STEP.fullmatch(final.name):
        raise ValueError(f"a step is a whole number of at most 18 digits, not {step}")
    contents = {_TENSORS: _tensor_bytes(tensors), _STATE: _state_bytes(state)}
    with _storing(f"cannot store {final}, which needs {needed_bytes(tensors)} bytes"):
        if not folder.is_dir():
            folder.mkdir()
            _sync(folder.parent)
        digest = _store(folder / f".tmp-{final.name}-{secrets.token_hex(4)}", final, step, contents)
    with _storing(f"{final} is stored, but an older checkpoint cannot be removed"):
        _prune(folder, keep, final)
    return Stored(final, step, digest)


def latest(folder: Path) -> Found | None:
    """Return the newest checkpoint in ``folder`` whose every byte is as it was committed; None if there is none.

    :raises CheckpointError: if there are checkpoints, and all are damaged.
    """
    damaged: list[Damaged] = []
    with _refusing(f"{folder} cannot be read"):
        paths = _newest_first(folder)
    for path in paths:
        try:
            found = _verify(path, content=True)
            return Found(path, found.step, found.digest, tuple(damaged))
        except CheckpointError as error:
            damaged.append(Damaged(path, str(error)))
    if damaged:
        raise CheckpointError(f"{folder} has no valid checkpoint: " + "; ".join(each.reason for each in damaged))
    return None


def read(
    path: Path,
    *,
    expect: Mapping[str, TensorSpec] | None = None,
    optional: Mapping[str, TensorSpec] | None = None,
    prefixes: tuple[str, ...] = (),
) -> Checkpoint:
    """Return the checkpoint at ``path``, its tensors on the CPU.

    With ``prefixes`` only the tensors whose name starts with one of them are loaded, and what follows is of these.
    ``expect`` gives the shape and dtype of every tensor by name, ``optional`` those of tensors that may be there
    besides; any difference is found in the file's header, before a tensor is allocated. Without ``expect`` the size
    of the file bounds what is allocated.

    :raises CheckpointError: if the checkpoint is damaged, hostile, of another format or not what ``expect`` says.
    """
    stored, files = _manifest(path)
    text = _small(path / _STATE, _STATE_LIMIT)
    _check(path / _STATE, files[_STATE], content=True)
    state = _parse(text, path / _STATE)
    source = path / _TENSORS
    _check(source, files[_TENSORS], content=False)
    _check_header(source)
    with _refusing(f"{source} cannot be read"), safe_open(source, "pt", backend="pread") as file:
        names = [name for name in file.keys() if not prefixes or name.startswith(prefixes)]  # noqa: SIM118 - no mapping
        found = {name: (file.get_slice(name).get_shape(), file.get_slice(name).get_dtype()) for name in names}
        _compare(source, found, expect, optional or {})
        _check(source, files[_TENSORS], content=True)
        tensors = {name: _tensor(file, name) for name in names}
    return Checkpoint(path, stored.step, stored.digest, tensors, state)


def sweep(folder: Path) -> None:
    """Finish what a killed process began in ``folder``; call it under the run's lock, before anything else.

    :raises StorageError: if the volume refused.
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
    described = sum(100 + 6 * len(name) + 20 * tensor.ndim for name, tensor in tensors.items())
    return described + sum(tensor.nbytes for tensor in tensors.values()) + (1 << 20)


def free_space(folder: Path, needed: int) -> None:
    """Check that the volume of ``folder``, which need not exist yet, has ``needed`` bytes to give.

    :raises StorageError: if it has fewer.
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


def _tensor_bytes(tensors: Mapping[str, Tensor]) -> bytes:
    copies = {}
    for name, tensor in tensors.items():
        with _refusing(f"tensor {_quote(name)}, {tensor.dtype} and {tensor.layout}, cannot be stored"):
            if _code(tensor.dtype) == "F4":
                raise ValueError("safetensors writes pairs of 4 bits and cannot read them into torch")
            copies[name] = tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
    with _refusing("the tensors cannot be stored"):
        data = safetensors.torch.save(copies)
        length = int.from_bytes(data[:8], "little")
        if length > _HEADER_LIMIT or "__metadata__" in tensors:
            raise ValueError(f"their names are reserved or take {length} bytes, more than {_HEADER_LIMIT}")
    return data


def _code(dtype: torch.dtype) -> str:
    name = str(dtype).removeprefix("torch.")
    return safetensors.TensorSpec(dtype=name, shape=[], data_ptr=0, data_len=dtype.itemsize).dtype


def _state_bytes(state: Mapping[str, JSON]) -> bytes:
    text = _render(dict(state), "the state")
    if len(text) > _STATE_LIMIT:
        raise CheckpointError(f"the state takes {len(text)} bytes, more than {_STATE_LIMIT}; store arrays as tensors")
    if _parse(text, "the state") != state:
        raise CheckpointError("the state would be read back as another one: use str keys and lists, not tuples")
    return text


def _render(value: object, where: object) -> bytes:
    with _refusing(f"{where} is not JSON"):
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _parse(text: bytes, where: object) -> dict[str, JSON]:
    with _refusing(f"{where} is not JSON"):
        value = json.loads(text.decode(), object_pairs_hook=_unique)
        if not isinstance(value, dict) or _depth(value) > _DEPTH_LIMIT:
            raise ValueError(f"not an object of at most {_DEPTH_LIMIT} levels")
    _render(value, where)  # refuses what json reads and JSON has not: NaN, infinity and half surrogates
    return value


def _unique(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("duplicate keys")
    return value


def _depth(value: JSON) -> int:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, children), default=0)


# Writing


def _store(temporary: Path, final: Path, step: int, contents: Mapping[str, bytes]) -> str:
    files: JSON = {name: {"size": len(data), "sha256": _sha256(data)} for name, data in contents.items()}
    manifest = _render({"format": _FORMAT, "step": step, "files": files}, _MANIFEST)
    try:
        temporary.mkdir()
        for name, data in {**contents, _MANIFEST: manifest}.items():
            _write(temporary / name, data)
        _sync(temporary)
        _publish(temporary, final)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return _sha256(manifest)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


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
    if os.path.lexists(aside) and os.path.lexists(final):
        _discard(aside)
    elif os.path.lexists(aside):
        aside.rename(final)


def _prune(folder: Path, keep: int, newest: Path) -> None:
    whole = 0
    for path in _newest_first(folder):
        if whole >= keep and path != newest:
            _discard(path)
            continue
        with suppress(CheckpointError):
            _verify(path, content=False)
            whole += 1


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


@contextmanager
def _refusing(what: str) -> Iterator[None]:
    try:
        yield
    except _REFUSALS as error:
        raise CheckpointError(f"{what}: {getattr(error, 'strerror', None) or _quote(str(error))}") from error


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []


def _newest_first(folder: Path) -> list[Path]:
    named = [(match, path) for path in _entries(folder) if (match := _STEP.fullmatch(path.name))]
    return [path for _, path in sorted(named, key=lambda pair: (int(pair[0][1]), pair[0][2] is None), reverse=True)]


def _manifest(path: Path) -> tuple[Stored, dict[str, JSON]]:
    name, where = _STEP.fullmatch(path.name), path / _MANIFEST
    if not name or path.is_symlink() or not path.is_dir():
        raise CheckpointError(f"{path} is not a checkpoint, a folder with a name like step-00000200")
    text, step = _small(where, _MANIFEST_LIMIT), int(name[1])
    manifest = _parse(text, where)
    version, files = manifest.get("format"), manifest.get("files")
    if version != _FORMAT:
        raise CheckpointError(f"{where} has format {_quote(version)}; this genframe reads format {_FORMAT}")
    expected = _render({"format": _FORMAT, "step": step, "files": files}, where)
    if not isinstance(files, dict) or files.keys() != {_TENSORS, _STATE} or text != expected:
        raise CheckpointError(f"{where} is not the manifest of step {step}, as genframe writes it")
    return Stored(path, step, _sha256(text)), files


def _verify(path: Path, *, content: bool) -> Stored:
    stored, files = _manifest(path)
    for name, record in files.items():
        _check(path / name, record, content=content)
    return stored


def _check(path: Path, record: JSON, *, content: bool) -> None:
    size, recorded = _size(path), record.get("size") if isinstance(record, dict) else None
    if size != recorded:
        raise CheckpointError(f"{path} has {size} bytes, {_MANIFEST} says {_quote(recorded)}")
    if content:
        with _refusing(f"{path} cannot be read"), path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if record != {"size": size, "sha256": digest}:
            raise CheckpointError(f"{path} is damaged: its sha256 differs from {_MANIFEST}")


def _size(path: Path) -> int:
    with _refusing(f"{path} cannot be read"):
        status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise CheckpointError(f"{path} is not a regular file")
    return status.st_size


def _small(path: Path, limit: int) -> bytes:
    if (size := _size(path)) > limit:
        raise CheckpointError(f"{path} has {size} bytes, more than {limit}")
    with _refusing(f"{path} cannot be read"), path.open("rb") as file:
        return file.read(size)


def _check_header(path: Path) -> None:
    # The library takes headers up to 100 MB, and the last of two tensors of one name.
    with _refusing(f"{path} cannot be read"), path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > _HEADER_LIMIT:
            raise ValueError(f"claims a header of {length} bytes")
        _parse(file.read(length), f"the header of {path}")


def _compare(path: Path, found: Mapping[str, tuple[list[int], str]], expect: _Specs | None, optional: _Specs) -> None:
    if many := [name for name, (shape, _) in found.items() if len(shape) > 64]:
        raise CheckpointError(f"{path} has tensors of too many dimensions: {_quote(many)}")
    if expect is None:
        return
    if missing := sorted(expect.keys() - found.keys()):
        raise CheckpointError(f"{path} lacks {len(missing)} tensors that are expected: {_quote(missing)}")
    if strange := sorted(found.keys() - expect.keys() - optional.keys()):
        raise CheckpointError(f"{path} has {len(strange)} tensors that nothing expects: {_quote(strange)}")
    for name, (shape, code) in found.items():
        size, dtype = expect.get(name) or optional[name]
        if (shape, code) != (list(size), _code(dtype)):
            raise CheckpointError(f"{path}: tensor {_quote(name)} is {shape} {code}, expected {list(size)} {_code(dtype)}")


def _tensor(file: Any, name: str) -> Tensor:
    tensor: Tensor = file.get_tensor(name)
    # A bool with another byte than 0 and 1 is undefined behaviour in the kernels that meet it.
    if tensor.dtype == torch.bool and tensor.numel() and int(tensor.view(torch.uint8).max()) > 1:
        raise ValueError(f"tensor {_quote(name)} has a truth value that is neither true nor false")
    return tensor
