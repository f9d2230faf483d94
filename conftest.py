"""Settings of every test: one thread a process, and the same random numbers whatever ran before.

Tests run side by side and some fork. A process whose OpenMP threads are running cannot be forked safely;
with one thread there are none.
"""

import os
import random
import sys

import pytest

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Start every test from the same state of the global generators; torch and numpy are not imported for it."""
    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)
