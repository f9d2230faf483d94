"""A folder of 596 pictures as people have them, from films and CIFAR-10: ``python -m tests.recipes.photos DATA FOLDER``.

``DATA`` holds ``video-clips/clips.npz`` and ``cifar10-subset/cifar10_subset.npz``. The folder gets 502 frames of three films,
90 pictures of CIFAR-10, and four that cannot be read; 32x32 to 384x216 pixels, six formats, six modes, two subfolders.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

KINDS = [
    (".jpg", "RGB"),
    (".png", "RGB"),
    (".webp", "RGB"),
    (".jpeg", "CMYK"),
    (".png", "P"),
    (".gif", "P"),
    (".png", "RGBA"),
    (".tif", "RGB"),
    (".bmp", "RGB"),
    (".png", "L"),
]
SCALES = [1, 1, 1.5, 2, 3]


def save(pixels: np.ndarray, folder: Path, name: str, random: np.random.Generator) -> None:
    """Write one picture; most are JPEGs in colour, the others of a format and a mode drawn at random."""
    suffix, mode = KINDS[0] if random.random() < 0.6 else KINDS[random.integers(len(KINDS))]
    image = Image.fromarray(pixels)
    scale = SCALES[random.integers(len(SCALES))]
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
    image.convert(mode).save(folder / f"{name}{suffix}")


def make(data: Path, folder: Path) -> None:
    """Write the folder."""
    random = np.random.default_rng(0)
    films = np.load(data / "video-clips" / "clips.npz")
    small = np.load(data / "cifar10-subset" / "cifar10_subset.npz")["train_images"]
    for part in ("films", "small"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for film in films.files:
        for number, frame in enumerate(films[film]):
            save(frame, folder / "films", f"{film}-{number:03}", random)
    for number in range(90):
        save(small[number], folder / "small", f"{number:03}", random)
    whole = next((folder / "films").glob("bikes-*.jpg")).read_bytes()
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 3])
    (folder / "text.png").write_text("not a picture")
    (folder / "zeros.webp").write_bytes(bytes(4096))


if __name__ == "__main__":
    make(Path(sys.argv[1]), Path(sys.argv[2]))
