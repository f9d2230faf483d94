"""Memory that is freed and wanted again."""

from __future__ import annotations

import subprocess
import sys

import pytest

from genframe.training.allocation import keep_freed_memory

FAULTS = """
import resource, sys, torch
from genframe.training.allocation import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
def step():
    return [torch.ones(2**20) for _ in range(8)]
step(), step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(way: str) -> int:
    """Return the page faults of ten steps, each of eight times 4 MiB, in a process of its own."""
    done = subprocess.run([sys.executable, "-c", FAULTS, way], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not keep_freed_memory(), reason="this C library has no mallopt")
def test_a_step_finds_the_memory_of_the_last_one() -> None:
    """Without it each step fetches its 32 MiB, 8192 pages, anew."""
    assert faults("keep") < faults("leave") / 10
