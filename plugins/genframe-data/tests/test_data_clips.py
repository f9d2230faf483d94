"""Clips: folders of frames, films and arrays, cut into windows that never share a clip between splits."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from genframe import Categorical, DataError, Real, SpecError, load, train
from genframe.cache import entries
from genframe.roles import generator_for, whole
from genframe_data import Clips
from genframe_data.films import cached_films
from genframe_data.footage import footage

COUNTS = (9, 4, 12, 2, 8)  # frames of each clip


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a cache of its own."""
    monkeypatch.setenv("GENFRAME_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def frames(clip: int, count: int) -> NDArray[np.uint8]:
    """Return frames (T, 8, 8, 3) whose red tells the clip and whose green tells the frame."""
    found = np.zeros((count, 8, 8, 3), np.uint8)
    found[..., 0], found[..., 1] = 20 * clip + 10, 10 * np.arange(count)[:, None, None]
    found[..., 4:, 2] = 200  # the right half is blue
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five clips as folders of frames in two classes; their names are in order by number alone."""
    for clip, count in enumerate(COUNTS):
        inner = tmp_path / "clips" / ("run", "walk")[clip % 2] / f"c{clip}"
        inner.mkdir(parents=True)
        for number, pixels in enumerate(frames(clip, count)):
            Image.fromarray(pixels).save(inner / f"{number + 1}.png")
    return tmp_path / "clips"


def spec(path: Path, **fields: Any) -> Clips:
    """Return the clips at their own size, all for training, in order."""
    return Clips(**{"path": path, "size": 8, "frames": 4, "validation": 0, "test": 0, "split": "block", **fields})


def expected(stride: int = 1, step: int = 4) -> list[NDArray[np.uint8]]:
    """Return all examples of four frames, (C, T, H, W), in the order of the clips' names."""
    by_name = sorted(range(len(COUNTS)), key=lambda clip: (("run", "walk")[clip % 2], clip))
    found = []
    for clip in by_name:
        whole_clip = frames(clip, COUNTS[clip])
        for start in range(0, COUNTS[clip] - 3 * stride, step):
            found.append(whole_clip[start : start + 3 * stride + 1 : stride].transpose(3, 0, 1, 2))
    return found


@pytest.mark.parametrize(("stride", "step"), [(1, None), (1, 1), (2, None), (2, 3)])
def test_examples_are_windows_of_frames_in_order(folder: Path, stride: int, step: int | None) -> None:
    """Colours before frames, as convolutions over three axes have it; side by side unless ``step`` says otherwise."""
    data = spec(folder, stride=stride, step=step).load()
    want = np.stack(expected(stride, step or 4 * stride))
    assert data.space == spec(folder).data_space() == Real((3, 4, 8, 8), 0.0, 1.0, 256)
    assert torch.equal(whole(data.split("train").stored), torch.from_numpy(want))


def test_what_was_read_is_said(folder: Path) -> None:
    """How many clips and examples, and which clips were too short."""
    assert str(spec(folder).report()) == "took 5 clips"
    told = "took 4 clips of 2 classes, 8 windows of 4 frames; left out 1 shorter than 4 frames"
    assert str(spec(folder, labels=True).load().report) == told
    with pytest.raises(DataError, match="expected clips of at least 13 frames, found none longer than 12"):
        spec(folder, frames=13).load()


def test_classes_are_folders_of_clips(folder: Path, tmp_path: Path) -> None:
    """Every window has the class of its clip."""
    data = spec(folder, labels=True).load()
    assert data.condition_space == spec(folder, labels=True).condition_space() == Categorical((), 2)
    assert data.classes == ("run", "walk")
    train_split = data.split("train")
    red = whole(train_split.stored)[:, 0, 0, 0, 0]
    assert train_split.condition.tolist() == [int(level - 10) // 20 % 2 for level in red]  # type: ignore[union-attr]
    (tmp_path / "clips" / "stray").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "clips" / "stray" / "1.png")
    with pytest.raises(DataError, match="stray: expected clips in a subfolder for each class, found one beside them"):
        spec(folder, labels=True).load()


def test_no_clip_is_in_two_splits(folder: Path) -> None:
    """Shares and counts are of clips: windows of one clip are near duplicates."""
    for seed in range(5):
        data = spec(folder, step=1, split="random", validation=1, test=1, seed=seed).load()
        clips = {name: set(whole(part.stored)[:, 0, 0, 0, 0].tolist()) for name, part in data.splits.items()}
        assert sum(map(len, clips.values())) == len(set().union(*clips.values())) == 4


def test_all_frames_of_a_clip_vary_alike(folder: Path) -> None:
    """A clip is mirrored, cut and recoloured as one; held-out clips are seen as they are."""
    data = spec(
        folder,
        flip="horizontal",
        crop="random",
        size=6,
        jitter={"brightness": 0.5, "contrast": 0, "saturation": 0},
        step=1,
        test=1,
    ).load()
    x = data.split("train").training_batch(torch.arange(16) % len(data.split("train")), generator_for("cpu", 0)).x
    assert x.shape == (16, 3, 4, 6, 6)
    assert bool((x[:, 0] == x[:, 0, :1]).all())  # red is the same in all frames, so brightness is
    blue = x[:, 2]
    assert bool((blue == blue[:, :1]).all())
    assert 0 < int((blue[:, 0, 0, 0] > blue[:, 0, 0, -1]).sum()) < 16
    held_out = data.split("test").batch(slice(None)).x
    assert bool((held_out[:, 2, :, :, -1] > held_out[:, 2, :, :, 0]).all())


def films(folder: Path) -> Path:
    """Write the clips as GIFs."""
    folder.mkdir()
    for clip, count in enumerate(COUNTS):
        first, *others = [Image.fromarray(pixels) for pixels in frames(clip, count)]
        first.save(folder / f"{clip}.gif", save_all=True, append_images=others, duration=40)
    return folder


def test_films_give_what_folders_give(tmp_path: Path) -> None:
    """GIFs have 256 colours, which are enough here; a second start decodes nothing."""
    path = films(tmp_path / "films")
    data = spec(path).load()
    want = np.stack(
        [frames(clip, COUNTS[clip])[start : start + 4] for clip in (0, 1, 2, 4) for start in range(0, COUNTS[clip] - 3, 4)]
    )
    found = whole(data.split("train").stored)
    assert found.shape == (8, 3, 4, 8, 8)
    assert int((found.int() - torch.from_numpy(want).permute(0, 4, 1, 2, 3).int()).abs().max()) <= 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("genframe_data.films.pixels_of", None)
        assert torch.equal(whole(spec(path).load().split("train").stored), found)


def test_videos_are_decoded(tmp_path: Path) -> None:
    """A lossless one gives the frames that were written."""
    import av

    (tmp_path / "films").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), dtype=np.uint8)
    with av.open(str(tmp_path / "films" / "a.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "bgr0"
        for pixels in noise:
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                container.mux(packet)
        container.mux(list(stream.encode()))
    data = spec(tmp_path / "films", size=16).load()
    want = torch.from_numpy(noise).view(2, 4, 16, 16, 3).permute(0, 4, 1, 2, 3)
    assert torch.equal(whole(data.split("train").stored), want)


def test_a_video_leads_nowhere_else(tmp_path: Path) -> None:
    """Its name says how it is read: a list of other files under the name of a video is damaged."""
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "a.mp4").write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n")
    (tmp_path / "films" / "b.mkv").write_text("ffconcat version 1.0\nfile /etc/passwd\n")
    with pytest.raises(DataError, match="2 of 2 films cannot be read; repair or remove them, or say on_error: skip"):
        spec(tmp_path / "films").load()


def test_arrays_of_an_archive_are_clips(tmp_path: Path) -> None:
    """In colour or grey; anything else is named by its array."""
    np.savez(tmp_path / "a.npz", one=frames(0, 9), two=frames(1, 4)[..., 0])
    data = spec(tmp_path / "a.npz").load()
    found = whole(data.split("train").stored)
    assert torch.equal(found[:2], torch.from_numpy(frames(0, 8)).view(2, 4, 8, 8, 3).permute(0, 4, 1, 2, 3))
    assert bool((found[2] == 30).all())
    np.savez(tmp_path / "b.npz", bad=np.zeros((4, 8, 8, 3), np.float32))
    with pytest.raises(DataError, match=r"bad: expected bytes of the shape \(frames, height, width\)"):
        spec(tmp_path / "b.npz").load()


def test_clips_that_cannot_be_read_are_left_out_whole(folder: Path, tmp_path: Path) -> None:
    """A clip without one of its frames would jump; they are named, or skipped and counted."""
    (folder / "run" / "c2" / "5.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"run/c2/5\.png: expected a picture"):
        spec(folder).load()
    data = spec(folder, on_error="skip").load()
    assert "3 clips, 5 windows" in str(data.report)
    assert "1 damaged" in str(data.report)
    assert data.split("train").protocol["skipped"] == {"count": 1, "clips": ["run/c2"]}
    path = films(tmp_path / "films")
    (path / "2.gif").write_bytes((path / "2.gif").read_bytes()[:40])
    with pytest.raises(DataError, match=r"1 of 5 films cannot be read.*\n  2\.gif: "):
        spec(path).load()
    assert "3 clips, 5 windows" in str(spec(path, on_error="skip").load().report)


def test_frames_beside_films_are_refused(folder: Path) -> None:
    """Nobody knows which of them are the clips."""
    Image.new("RGB", (8, 8)).save(folder / "film.gif")
    with pytest.raises(DataError, match=r"found 5 of the first beside 1 of the second, such as film\.gif"):
        spec(folder).data_space()


def test_a_film_that_changes_is_decoded_again(tmp_path: Path) -> None:
    """By its size and time."""
    path = films(tmp_path / "films")
    before = spec(path).load().split("train").protocol["data"]
    first, *others = [Image.fromarray(255 - pixels) for pixels in frames(0, 9)]
    first.save(path / "0.gif", save_all=True, append_images=others)
    assert spec(path).load().split("train").protocol["data"] != before


def test_what_a_killed_build_has_decoded_is_kept(tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R1: after kill -9 the next start decodes the films that are missing."""
    path = films(tmp_path / "films")
    program = (
        "import time\nfrom genframe_data import Clips, films\n"
        "decode = films._decode\n"
        "def slow(under_way, found, name, *rest):\n"
        "    if name == '2.gif':\n        time.sleep(60)\n"
        "    return decode(under_way, found, name, *rest)\n"
        "films._decode = slow\n"
        f"Clips(path={str(path)!r}, size=8, frames=4, validation=0, test=0).load()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], env=dict(os.environ)) as process:
        until = time.monotonic() + 60
        while not [journal for journal in place.glob("*/*.partial/journal.jsonl") if journal.read_text().count("\n") == 2]:
            assert time.monotonic() < until
            time.sleep(0.02)
        process.kill()
    heard = []
    from genframe_data import films as module

    pixels_of = module.pixels_of
    monkeypatch.setattr(module, "pixels_of", lambda *given: heard.append(1) or pixels_of(*given))
    found = whole(spec(path).load().split("train").stored)
    assert len(heard) == sum(COUNTS[2:])
    monkeypatch.setenv("GENFRAME_CACHE", str(tmp_path / "fresh"))
    assert torch.equal(found, whole(spec(path).load().split("train").stored))


def test_other_preparations_are_other_entries(tmp_path: Path) -> None:
    """Frames of another size are decoded anew; another window is not."""
    path = films(tmp_path / "films")
    for fields in ({}, {"frames": 2}, {"size": 4}):
        spec(path, **fields).load()
    assert len(list(entries("clips"))) == 2
    assert cached_films(footage(path), spec(path).pictures(), skip=False).counts["2.gif"] == 12


def test_fields_that_mean_nothing_here_are_refused(folder: Path) -> None:
    """Affine maps are for single pictures."""
    with pytest.raises(SpecError, match="augment turns and shears single pictures"):
        spec(folder, augment={"rotate": 0.1})


def test_a_model_of_clips_is_trained_and_shown(folder: Path, tmp_path: Path, genframe: Callable[..., Any]) -> None:
    """A row of frames for each sample, or an animation of all."""
    network = {"type": "nets/mlp", "hidden": [8]}
    data = {"type": "data/clips", "path": str(folder), "size": 8, "frames": 4, "step": 1, "validation": 0, "test": 0}
    model = {
        "encoder": {"type": "vae/gaussian", "dim": 2, "network": network},
        "decoder": {"type": "vae/normal", "network": network},
    }
    train(
        {"name": "clips", "data": data, "model": {**model, "loss": "vae/elbo"}, "train": {"steps": 2, "batch_size": 4}},
        folder=tmp_path / "run",
    )
    assert load(tmp_path / "run").sample(3).x.shape == (3, 3, 4, 8, 8)
    genframe("sample", tmp_path / "run", "-n", "3", "--out", tmp_path / "x.png")
    genframe("sample", tmp_path / "run", "-n", "3", "--out", tmp_path / "x.gif")
    with Image.open(tmp_path / "x.png") as sheet, Image.open(tmp_path / "x.gif") as film:
        assert sheet.width == 4 * 8 + 2  # a row of four frames for each sample
        assert film.n_frames == 4  # type: ignore[attr-defined]
