"""idx files small enough for a test."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


def idx_bytes(array: np.ndarray) -> bytes:
    """Return an array of bytes in the idx format."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


@pytest.fixture
def idx() -> Callable[[np.ndarray], bytes]:
    """The idx format."""
    return idx_bytes


@pytest.fixture
def mnist(tmp_path: Path) -> Path:
    """A folder with 50 training and 10 test images of 4×3 pixels and five classes; two files are gzip."""
    stream = np.random.RandomState(0)
    for name, n, packed in (("train", 50, True), ("t10k", 10, False)):
        images = stream.randint(0, 256, (n, 4, 3)).astype(np.uint8)
        labels = (np.arange(n) % 5).astype(np.uint8)
        for kind, array in (("images-idx3-ubyte", images), ("labels-idx1-ubyte", labels)):
            content = idx_bytes(array)
            path = tmp_path / (f"{name}-{kind}" + (".gz" if packed else ""))
            path.write_bytes(gzip.compress(content) if packed else content)
    return tmp_path
