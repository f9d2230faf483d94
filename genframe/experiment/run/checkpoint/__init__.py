"""Checkpoints on disk: a crash loses no acknowledged checkpoint, and reading a hostile file does no harm.

    checkpoints/step-00000200/
        tensors.safetensors     all tensors, by name
        state.json              everything else
        MANIFEST.json           format version, step, size and sha256 of the two files; written last

A commit writes a temporary folder on the same volume, syncs each file and the folder, renames it, syncs the parent,
and only then returns and prunes.
"""

from .commit import commit, discard_from, free_space, needed_bytes, sweep
from .format import JSON, Stored, TensorSpec
from .read import Checkpoint, Damaged, Found, Reader, latest, read, read_state, reading

__all__ = [
    "JSON",
    "Checkpoint",
    "Damaged",
    "Found",
    "Reader",
    "Stored",
    "TensorSpec",
    "commit",
    "discard_from",
    "free_space",
    "latest",
    "needed_bytes",
    "read",
    "read_state",
    "reading",
    "sweep",
]
