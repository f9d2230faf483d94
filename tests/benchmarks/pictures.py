"""What a folder of photos costs: filling the cache, a second start, a step on cached rows; torch's ``DataLoader`` beside it.

``PICTURES=100000 python -m tests.benchmarks pictures`` makes so many JPEGs of 256x256 pixels, of about 20 KB each; 4,000 unless
said. They are kept in the folder that ``PICTURES_IN`` names, so that a second run need not make them again.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from genframe import Split
from genframe.roles import whole
from genframe.training.order import DataOrder
from genframe.training.source import RowSource
from genframe_data import Images

from .pairs import compare
from .setup import peak_memory

SIZE = 64
BATCH = 64
BATCHES = 60
STEPS = 20


def make(folder: Path, start: int, count: int) -> None:
    """Write photos of smooth colours with grain."""
    for number in range(start, start + count):
        random = np.random.default_rng(number)
        coarse = Image.fromarray(random.integers(0, 256, (12, 12, 3), dtype=np.uint8)).resize(
            (256, 256), Image.Resampling.BICUBIC
        )
        grain = random.normal(0, 11, (256, 256, 1)).astype(np.int16)
        pixels = (np.asarray(coarse).astype(np.int16) + grain).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:06}.jpg", quality=88)


def made(folder: Path, count: int) -> Path:
    """Return a folder with so many photos, made where they are missing."""
    folder = folder / str(count)
    folder.mkdir(parents=True, exist_ok=True)
    there = len(list(folder.iterdir()))
    starts = range(there // 250 * 250, count, 250)
    with get_context("fork").Pool(2) as pool:
        pool.starmap(make, [(folder, start, min(250, count - start)) for start in starts])
    return folder


def spec(folder: Path) -> Images:
    """Return the photos at 64x64."""
    return Images(path=folder, size=(SIZE, SIZE), validation=0, test=0)


def start(folder: Path, workers: int) -> None:
    """Load the photos in a process of its own, read one batch, and print the seconds and the memory of both."""
    from genframe_data.picture_cache import cached_pictures

    imported = peak_memory()
    begun = time.perf_counter()
    images = spec(folder)
    if workers:
        cached_pictures(images.folders().scans(), images.pictures(), skip=False, workers=workers)
    rows = images.load().split("train")
    RowSource(rows.to("cpu"), DataOrder(len(rows), BATCH, 0, torch.device("cpu")), 2).next()
    print(json.dumps({"seconds": time.perf_counter() - begun, "mib": peak_memory() - imported}))


def started(folder: Path, cache: Path, workers: int = 0) -> dict[str, float]:
    """Return what a start in a fresh process costs; with ``workers`` the cache is filled before, by so many processes."""
    if workers:
        shutil.rmtree(cache, ignore_errors=True)
    command = [sys.executable, "-m", "tests.benchmarks.pictures", str(folder), str(workers)]
    ran = subprocess.run(command, env={**os.environ, "GENFRAME_CACHE": str(cache)}, capture_output=True, text=True, check=True)
    return dict(json.loads(ran.stdout.splitlines()[-1]))


class Files(TorchDataset[Tensor]):
    """The same photos, decoded when they are asked for, as most trainings do it."""

    def __init__(self, folder: Path) -> None:
        self.paths = sorted(folder.iterdir())

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Tensor:
        with Image.open(self.paths[index]) as image:
            image.draft(None, (2 * SIZE, 2 * SIZE))
            small = ImageOps.fit(image, (SIZE, SIZE), Image.Resampling.BICUBIC)
        return torch.from_numpy(np.asarray(small).transpose(2, 0, 1).copy()).div(255)


class Step:
    """Steps of a small convolutional network on batches."""

    def __init__(self, following: Callable[[], Tensor]) -> None:
        torch.manual_seed(0)
        self.following = following
        self.network = nn.Sequential(
            nn.Conv2d(3, 32, 4, 2, 1), nn.SiLU(), nn.Conv2d(32, 64, 4, 2, 1), nn.SiLU(), nn.ConvTranspose2d(64, 3, 4, 4)
        )
        self.optimizer = torch.optim.AdamW(self.network.parameters(), fused=True)

    def seconds(self) -> float:
        """Return the seconds of a step, of several."""
        begun = time.perf_counter()
        for _ in range(STEPS):
            x = self.following()
            self.optimizer.zero_grad()
            (self.network(x) - x).square().mean().backward()
            self.optimizer.step()
        return (time.perf_counter() - begun) / STEPS


def source(split: Split) -> RowSource:
    """Return endless batches of a split."""
    split = split.to("cpu")
    return RowSource(split, DataOrder(len(split), BATCH, 0, torch.device("cpu")), 2)


def rate(batches: Iterator[Any], count: int) -> float:
    """Return the images a second of reading alone, after the first batch."""
    next(batches)
    begun = time.perf_counter()
    for _ in range(count):
        next(batches)
    return count * BATCH / (time.perf_counter() - begun)


def measure() -> dict[str, Any]:
    """Measure all of it, and print it."""
    count = int(os.environ.get("PICTURES", "4000"))
    with tempfile.TemporaryDirectory() as temporary:
        folder = made(Path(os.environ.get("PICTURES_IN", temporary)), count)
        size = sum(path.stat().st_size for path in folder.iterdir()) / count
        cache = Path(temporary) / "cache"
        one, two = started(folder, cache, 1), started(folder, cache, 2)
        again = min((started(folder, cache) for _ in range(3)), key=lambda found: found["seconds"])
        os.environ["GENFRAME_CACHE"] = str(cache)
        rows = spec(folder).load().split("train")
        memory = Split("train", whole(rows.subset(slice(0, 4000)).stored), prepare=rows.prepare)
        cached, held = (Step(lambda given=given: given.next().x) for given in (source(rows), source(memory)))  # type: ignore[misc]
        steps = compare({"cached rows": cached.seconds, "tensors in memory": held.seconds}, "tensors in memory")
        read = source(rows)
        fast = rate(iter(lambda: read.next().x, None), BATCHES)
        loader = DataLoader(Files(folder), BATCH, shuffle=True, num_workers=2)
        slow = rate(iter(loader), min(BATCHES, len(loader) - 2))
    results = {
        "pictures": count,
        "bytes_each": size,
        "built_by_one_a_second": count / one["seconds"],
        "built_by_two_a_second": count / two["seconds"],
        "two_beside_one": one["seconds"] / two["seconds"],
        "build_mib": two["mib"],
        "second_start_seconds": again["seconds"],
        "second_start_mib": again["mib"],
        "step": steps,
        "read_a_second": fast,
        "dataloader_a_second": slow,
        "read_beside_dataloader": fast / slow,
    }
    for name, value in results.items():
        print(f"{name}: {value}")
    return results


if __name__ == "__main__":
    start(Path(sys.argv[1]), int(sys.argv[2]))
