"""Writing checkpoints so that a crash at any moment leaves the earlier ones whole."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from torch import Tensor

from ....output.files import storing
from ....types.errors import CheckpointError, StorageError
from .format import JSON, MANIFEST, STATE, STEP, TENSORS, Stored, TensorFile, manifest_bytes, sha256, state_bytes
from .read import entries, newest_first, step_of, verify


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
    if not STEP.fullmatch(final.name):
        raise ValueError(f"a step is a whole number of at most 18 digits, not {step}")
    contents = {TENSORS: TensorFile.of(tensors).pieces(), STATE: [state_bytes(state)]}
    with storing(final, f"cannot be stored; it needs {needed_bytes(tensors)} bytes"):
        if not folder.is_dir():
            folder.mkdir()
            _sync(folder.parent)
        digest = _store(folder / f".tmp-{final.name}-{secrets.token_hex(4)}", final, step, contents)
    with storing(final, "is stored, but an older checkpoint cannot be removed"):
        _prune(folder, keep, final)
    return Stored(final, step, digest)


def discard_from(folder: Path, step: int) -> None:
    """Remove the checkpoints of ``step`` and later, the newest first.

    :raises StorageError: if the volume refused.
    """
    with storing(folder, "still holds checkpoints from which training is not to go on"):
        for path in newest_first(folder):
            if step_of(path) >= step:
                _discard(path)


def sweep(folder: Path) -> None:
    """Finish what a killed process began in ``folder``; call it under the run's lock, before anything else.

    :raises StorageError: if the volume refused.
    """
    with storing(folder, "cannot be swept"):
        for path in entries(folder):
            if path.name.startswith((".tmp-", ".del-")):
                _remove(path)
            elif path.suffix == ".old" and STEP.fullmatch(path.name):
                _settle(path)


def needed_bytes(tensors: Mapping[str, Tensor]) -> int:
    """Return an upper bound of the bytes that one commit of ``tensors`` writes, with a state below 1 MiB."""
    described = sum(100 + 6 * len(name) + 20 * tensor.ndim for name, tensor in tensors.items())
    return described + sum(tensor.nbytes for tensor in tensors.values()) + (1 << 20)


def free_space(folder: Path, needed: int) -> None:
    """Check that the volume of ``folder``, which need not exist yet, has ``needed`` bytes free.

    :raises StorageError: if it has fewer.
    """
    with storing(folder, "does not tell its free space"):
        place = next(each for each in (folder, *folder.parents) if each.exists())
        available = shutil.disk_usage(place).free
    if available < needed:
        raise StorageError(
            f"{folder} needs {needed} bytes and its volume has {available} available; "
            f"free {needed - available} bytes or put the run on another volume"
        )


def _store(temporary: Path, final: Path, step: int, contents: Mapping[str, Iterable[bytes | memoryview]]) -> str:
    try:
        temporary.mkdir()
        written = {name: _write(temporary / name, pieces) for name, pieces in contents.items()}
        manifest = manifest_bytes(step, written)
        _write(temporary / MANIFEST, [manifest])
        _sync(temporary)
        _publish(temporary, final)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return sha256(manifest)


def _write(path: Path, pieces: Iterable[bytes | memoryview]) -> JSON:
    """Write a file and return its size and its digest, computed on the way."""
    # Not safetensors' own writing: it does not sync, and its errors have no errno.
    digest, size = hashlib.sha256(), 0
    with path.open("xb") as file:
        for piece in pieces:
            file.write(piece)
            digest.update(piece)
            size += len(piece)
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
    if os.path.lexists(aside) and os.path.lexists(final):
        _discard(aside)
    elif os.path.lexists(aside):
        aside.rename(final)


def _prune(folder: Path, keep: int, newest: Path) -> None:
    whole = 0
    for path in newest_first(folder):
        if whole >= keep and path != newest:
            _discard(path)
            continue
        with suppress(CheckpointError):
            verify(path, content=False)
            whole += 1


def _discard(path: Path) -> None:
    _remove(path.rename(path.with_name(f".del-{path.name}-{secrets.token_hex(4)}")))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _sync(folder: Path) -> None:
    if sys.platform == "win32":  # which cannot open a folder
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
