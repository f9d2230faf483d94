"""What genframe costs: ``make bench`` prints the tables and writes them to docs/benchmarks.json."""

from __future__ import annotations

import argparse
import json
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from . import (
    autoregressive,
    diffusion,
    diffusion_losses,
    diffusion_sampling,
    diffusion_steps,
    flows,
    gan,
    loop,
    memory,
    pictures,
    rbm,
    startup,
    tiny,
    toys,
    vae,
)

BENCHMARKS = {
    "startup": startup.measure,
    "loop": loop.measure,
    "tiny loops": tiny.measure,
    "vae": vae.measure,
    "flows": flows.measure,
    "gan": gan.measure,
    "autoregressive": autoregressive.measure,
    "rbm": rbm.measure,
    "diffusion": diffusion.measure,
    "diffusion losses": diffusion_losses.measure,
    "diffusion sampling": diffusion_sampling.measure,
    "diffusion steps": diffusion_steps.measure,
    "memory": memory.measure,
    "pictures": pictures.measure,
    "toys": toys.measure,
}


def main() -> None:
    """Run all benchmarks, or those that are named."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], help="which ones; all if left out")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="CPU threads")
    parser.add_argument("--out", type=Path, help="write the results as JSON")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    results: dict[str, Any] = {
        "date": datetime.now(UTC).date().isoformat(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "processor": _processor(),
        "threads": options.threads,
    }
    for name in options.names or BENCHMARKS:
        print(f"== {name}")
        results[name] = BENCHMARKS[name]()
    if options.out is not None:
        options.out.write_text(json.dumps(results, indent=1) + "\n")


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} × {names[0]}" if names else platform.processor()


if __name__ == "__main__":
    main()
