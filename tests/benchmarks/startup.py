"""How long light commands take, as a user waits for them: medians of ten fresh processes."""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median
from typing import Any

COMMANDS = (["list"], ["plugins"], ["--help"], ["check", "vae-digits"], ["schema"])


def measure() -> dict[str, Any]:
    """Time each command."""
    table = {}
    for words in COMMANDS:
        table[" ".join(words)] = median(_seconds(words) for _ in range(10))
        print(f"genframe {' '.join(words):<20} {table[' '.join(words)]:.3f} s")
    return table


def _seconds(words: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "genframe.cli", *words], check=True, capture_output=True)
    return time.perf_counter() - start
