"""Pictures from captions: the recipe in small, and the command line."""

from __future__ import annotations

import io
import shlex
from pathlib import Path

import pytest
from PIL import Image

from genframe import load
from genframe.cli import main
from genframe.output import picture
from genframe_report.pictures import Drawn, fresh

SMALL = [
    "data.n=60",
    "model.condition.dim=8",
    "model.prior={type: autoregressive/transformer, dim: 8, depth: 1, heads: 2}",
    "model.encoder={type: vq/quantizer, network: {type: nets/conv, channels: [4, 4, 4]}, size: 8, dim: 2}",
    "model.decoder={type: nets/conv, channels: [4, 4, 4]}",
    "train.stages=[{parts: [encoder, decoder], steps: 2}, {parts: [condition, prior], steps: 2}]",
    "train.batch_size=4",
    "train.threads=1",
    "evaluate.metrics=[{type: metrics/shapes, n: 3}]",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the recipe, a few steps long."""
    path = tmp_path_factory.mktemp("captions") / "run"
    assert main(["train", "dalle-shapes", *SMALL, "--run", str(path), "--json"]) == 0
    return path


def test_training_draws_held_out_captions(run: Path, tmp_path: Path) -> None:
    """The picture at the end carries the captions that it is of, and is drawn again by them."""
    (path,) = (run / "samples").glob("*.png")
    captions = picture.read_info(path)["captions"]
    assert len(captions) == 64
    assert all(caption.startswith("a ") for caption in captions)
    assert len({*captions}) > 3
    assert main(["sample", str(run), "--like", str(path), "--out", str(tmp_path / "again.png")]) == 0
    with Image.open(path) as drawn, Image.open(tmp_path / "again.png") as again:
        assert drawn.tobytes() == again.tobytes()
    assert picture.read_info(tmp_path / "again.png")["captions"] == captions


def test_a_caption_is_given_as_text(run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the file, and the picture carries it."""
    monkeypatch.chdir(run.parent)
    assert main(["sample", "run", "-n", "2", "--condition", "a red circle at the top"]) == 0
    path = capsys.readouterr().out.strip()
    assert path == "run/samples/step-00000004-seed-0-a-red-circle-at-the-top-n-2.png"
    assert picture.read_info(path)["captions"] == ["a red circle at the top"] * 2


def test_a_report_draws_held_out_captions(run: Path, tmp_path: Path) -> None:
    """Each caption has a picture of its own, and the command that draws it."""
    drawn = fresh(Drawn(load(run), seed=3)).pictures
    captions = [shlex.split(one.command)[-1] for one in drawn]
    assert len(captions) == 4
    assert all(caption.startswith("a ") and caption in one.caption for caption, one in zip(captions, drawn, strict=True))
    for one in drawn[:2]:
        assert main([*shlex.split(one.command)[1:], "--out", str(tmp_path / "again.png")]) == 0
        with Image.open(io.BytesIO(one.png)) as shown, Image.open(tmp_path / "again.png") as again:
            assert shown.convert("RGB").tobytes() == again.convert("RGB").tobytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "this model draws from a caption; say --condition TEXT, at most 81 bytes long"),
        (["--condition", "a " + "very " * 20 + "red circle"], "expected a caption of at most 81 bytes, found 112"),
    ],
)
def test_captions_that_cannot_be_read_are_refused(
    run: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    """In one line, with what would do."""
    with pytest.raises(SystemExit) as stopped:
        raise SystemExit(main(["sample", str(run), *words]))
    assert stopped.value.code == 4
    assert message in capsys.readouterr().err
