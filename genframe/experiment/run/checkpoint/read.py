"""Reading checkpoints: nothing is believed before it is checked, and nothing is allocated before it is bounded."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from ....types.errors import CheckpointError
from .format import JSON, LIMITS, MANIFEST, STATE, STEP, TENSORS, Specs, Stored, code, parse, parse_manifest, quote, refusing


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


def latest(folder: Path, *, before: int | None = None) -> Found | None:
    """Return the newest checkpoint in ``folder`` whose every byte is as it was committed; None if there is none.

    With ``before`` only those of earlier steps count.

    :raises CheckpointError: if there are checkpoints, and all are damaged.
    """
    damaged: list[Damaged] = []
    with refusing(f"{folder} cannot be read"):
        paths = [path for path in newest_first(folder) if before is None or step_of(path) < before]
    for path in paths:
        try:
            found = verify(path, content=True)
            return Found(path, found.step, found.digest, tuple(damaged))
        except CheckpointError as error:
            damaged.append(Damaged(path, str(error)))
    if damaged:
        raise CheckpointError(f"{folder} has no valid checkpoint: " + "; ".join(each.reason for each in damaged))
    return None


@dataclass(frozen=True, eq=False)
class Reader(Stored):
    """A checkpoint that was found whole, and whose tensors are read one at a time."""

    state: dict[str, JSON]
    names: tuple[str, ...]
    file: Any = field(repr=False)

    def tensor(self, name: str) -> Tensor:
        """Return a tensor, on the CPU.

        :raises CheckpointError: if it cannot be read, or holds a truth value that is none.
        """
        with refusing(f"{self.path / TENSORS} cannot be read"):
            return _tensor(self.file, name)


def read(
    path: Path, *, expect: Specs | None = None, optional: Specs | None = None, prefixes: tuple[str, ...] = ()
) -> Checkpoint:
    """Return the checkpoint at ``path``, its tensors on the CPU; see :func:`reading`."""
    with reading(path, expect=expect, optional=optional, prefixes=prefixes) as found:
        tensors = {name: found.tensor(name) for name in found.names}
    return Checkpoint(path, found.step, found.digest, tensors, found.state)


@contextmanager
def reading(
    path: Path, *, expect: Specs | None = None, optional: Specs | None = None, prefixes: tuple[str, ...] = ()
) -> Iterator[Reader]:
    """Open the checkpoint at ``path``, so that its tensors can be read one at a time.

    With ``prefixes`` only the tensors whose name starts with one of them are loaded and compared. ``expect`` gives the
    shape and dtype of every tensor by name, ``optional`` those of tensors that may be there too; differences are found
    in the header, before a tensor is allocated. Without ``expect`` the size of the file bounds what is allocated.

    :raises CheckpointError: if the checkpoint is damaged, hostile, of another format or not what ``expect`` says.
    """
    stored, files = _manifest(path)
    state = _state(path, files)
    source = path / TENSORS
    _check(source, files[TENSORS], content=False)
    _check_header(source)
    with ExitStack() as opened:
        with refusing(f"{source} cannot be read"):
            file = opened.enter_context(safe_open(source, "pt", backend="pread"))
            names = [name for name in file.keys() if not prefixes or name.startswith(prefixes)]  # noqa: SIM118 - no mapping
            found = {name: (file.get_slice(name).get_shape(), file.get_slice(name).get_dtype()) for name in names}
            _compare(source, found, expect, optional or {})
            _check(source, files[TENSORS], content=True)
        yield Reader(path, stored.step, stored.digest, state, tuple(names), file)


def read_state(path: Path) -> dict[str, JSON]:
    """Return the state of the checkpoint at ``path``, without its tensors.

    :raises CheckpointError: if it is damaged or hostile.
    """
    return _state(path, _manifest(path)[1])


def _state(path: Path, files: Mapping[str, JSON]) -> dict[str, JSON]:
    text = _small(path / STATE)
    _check(path / STATE, files[STATE], content=True)
    return parse(text, path / STATE)


def entries(folder: Path) -> list[Path]:
    """Return what is in ``folder``; nothing if it does not exist."""
    try:
        return list(folder.iterdir())
    except FileNotFoundError:  # not exists(), which may also say False where the folder cannot be read
        return []


def step_of(path: Path) -> int:
    """Return the step that the name of a checkpoint's folder holds."""
    return int(path.name.removeprefix("step-").removesuffix(".old"))


def newest_first(folder: Path) -> list[Path]:
    """Return what has the name of a checkpoint, valid or not."""
    named = [(match, path) for path in entries(folder) if (match := STEP.fullmatch(path.name))]
    return [path for _, path in sorted(named, key=lambda pair: (int(pair[0][1]), pair[0][2] is None), reverse=True)]


def verify(path: Path, *, content: bool) -> Stored:
    """Check that the manifest, the size of each file and, with ``content``, its digest are as they were committed."""
    stored, files = _manifest(path)
    for name, record in files.items():
        _check(path / name, record, content=content)
    return stored


def _manifest(path: Path) -> tuple[Stored, dict[str, JSON]]:
    name = STEP.fullmatch(path.name)
    if not name or path.is_symlink() or not path.is_dir():
        raise CheckpointError(f"{path} is not a checkpoint, a folder with a name like step-00000200")
    return parse_manifest(path, int(name[1]), _small(path / MANIFEST))


def _check(path: Path, record: JSON, *, content: bool) -> None:
    size, recorded = _size(path), record.get("size") if isinstance(record, dict) else None
    if size != recorded:
        raise CheckpointError(f"{path} has {size} bytes, {MANIFEST} says {quote(recorded)}")
    if content:
        with refusing(f"{path} cannot be read"), path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if record != {"size": size, "sha256": digest}:
            raise CheckpointError(f"{path} is damaged: its sha256 differs from {MANIFEST}")


def _size(path: Path) -> int:
    with refusing(f"{path} cannot be read"):
        status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise CheckpointError(f"{path} is not a regular file")
    return status.st_size


def _small(path: Path) -> bytes:
    if (size := _size(path)) > LIMITS[path.name]:
        raise CheckpointError(f"{path} has {size} bytes, more than {LIMITS[path.name]}")
    with refusing(f"{path} cannot be read"), path.open("rb") as file:
        return file.read(size)


def _check_header(path: Path) -> None:
    # The library takes headers of up to 100 MB, and the last of two tensors of one name.
    with refusing(f"{path} cannot be read"), path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > LIMITS[TENSORS]:
            raise ValueError(f"claims a header of {length} bytes")
        parse(file.read(length), f"the header of {path}")


def _compare(path: Path, found: Mapping[str, tuple[list[int], str]], expect: Specs | None, optional: Specs) -> None:
    if many := [name for name, (shape, _) in found.items() if len(shape) > 64]:
        raise CheckpointError(f"{path} has tensors of too many dimensions: {quote(many)}")
    if expect is None:
        return
    if missing := sorted(expect.keys() - found.keys()):
        raise CheckpointError(f"{path} lacks {len(missing)} tensors that are expected: {quote(missing)}")
    if strange := sorted(found.keys() - expect.keys() - optional.keys()):
        raise CheckpointError(f"{path} has {len(strange)} tensors that nothing expects: {quote(strange)}")
    for name, (shape, dtype) in found.items():
        size, expected = expect.get(name) or optional[name]
        if (shape, dtype) != (list(size), code(expected)):
            raise CheckpointError(f"{path}: tensor {quote(name)} is {shape} {dtype}, expected {list(size)} {code(expected)}")


def _tensor(file: Any, name: str) -> Tensor:
    tensor: Tensor = file.get_tensor(name)
    # A bool with another byte than 0 and 1 is undefined behaviour in the kernels that meet it.
    if tensor.dtype == torch.bool and tensor.numel() and int(tensor.view(torch.uint8).max()) > 1:
        raise ValueError(f"tensor {quote(name)} has a truth value that is neither true nor false")
    return tensor
