"""Commands on runs, as a user gives them: train, resume, sample, reconstruct, evaluate."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
import torch
from PIL import Image

from genframe import Real
from genframe import train as train_model
from genframe.cli import main, train
from genframe.output import picture
from genframe.training.reporter import Silent

Command: TypeAlias = Callable[..., Any]
SMALL = [
    "data.limit=80",
    "model.encoder.network.hidden=[8]",
    "model.decoder.network.hidden=[8]",
    "train.steps=6",
    "train.batch_size=16",
    "train.threads=1",
    "evaluate.metrics=[metrics/elbo, {type: metrics/nll, samples: 2}]",
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a conditional VAE, six steps long."""
    path = tmp_path_factory.mktemp("finished") / "run"
    assert main(["train", "cvae-digits", *SMALL, "--run", str(path), "--json"]) == 0
    return path


@pytest.fixture
def run(finished: Path, folder: Path) -> Path:
    """A copy of that run to do things to, with its own folder in its pictures."""
    shutil.copytree(finished, folder / "run")
    return Path("run")


def pixels(path: Path | str) -> list[Any]:
    """Return a picture's bytes."""
    return np.asarray(Image.open(path)).tolist()


def test_training_ends_with_picture_figures_and_three_commands(genframe: Command) -> None:
    """The last lines name the bits per dimension, the picture, and what to do next; the picture is there."""
    printed = genframe("train", "vae-digits", *SMALL, "--run", "runs/a")
    assert re.search(r"^bits_per_dim: \d+\.\d+ ± \S+ bits/dim", printed, re.MULTILINE)
    *_, shown, heading, first, second, third = printed.splitlines()
    assert shown == "picture: runs/a/samples/step-00000006.png"
    assert Path(shown.removeprefix("picture: ")).is_file()
    assert heading == "next:"
    assert [first, second, third] == [
        "  genframe sample runs/a -n 100 --seed 1",
        "  genframe reconstruct runs/a",
        "  genframe resume runs/a train.steps=12",
    ]
    for command in (first, second, third):
        assert main(command.split()[1:]) == 0


def test_a_run_without_a_folder_gets_a_free_one(genframe: Command) -> None:
    """runs/NAME, then runs/NAME-2: no run is ever written over."""
    words = ("train", "vae-digits", *SMALL, "train.steps=1", "evaluate.metrics=[]", "--json")
    outcomes = [genframe(*words) for _ in range(2)]
    assert [outcome["run"] for outcome in outcomes] == ["runs/vae-digits", "runs/vae-digits-2"]
    assert outcomes[0]["picture"] == "runs/vae-digits/samples/step-00000001.png"


def test_samples_go_into_a_folder_as_single_pictures(genframe: Command) -> None:
    """A pixel for a pixel, each with the recipe and its place, and a list of them; nothing there is written over."""
    genframe("train", "cvae-digits", *SMALL, "--run", "runs/c")
    genframe("sample", "runs/c", "-n", "12", "--seed", "3", "--out", "many/")
    genframe("sample", "runs/c", "-n", "12", "--seed", "3", "--out", "sheet.npz")
    listed = json.loads(Path("many/samples.json").read_text())
    assert [one["file"] for one in listed["samples"]] == [f"{number:02}.png" for number in range(12)]
    assert [one["condition"] for one in listed["samples"]][:3] == ["0", "1", "2"]
    assert (listed["seed"], picture.read_info("many/05.png")["sample"]) == (3, 5)
    x = np.load("sheet.npz")["x"][5, 0]
    assert np.array_equal(np.asarray(Image.open("many/05.png"))[..., 0], np.rint(255 * x.clip(0, 1)))
    assert "many is not empty; name another folder" in genframe("sample", "runs/c", "--out", "many/", code=7)
    assert "are not written as single files" in genframe("sample", "runs/c", "--states", "3", "--out", "other/", code=2)


def test_stages_suggest_no_longer_training(genframe: Command) -> None:
    """train.steps means nothing where there are stages, so it is not proposed; and metrics without meaning say so."""
    words = ["data.limit=80", "train.batch_size=64", "train.stages.0.steps=2", "train.threads=1", "model.prior.components=2"]
    printed = genframe("train", "ae-gmm-digits", *words, "evaluate.metrics=[metrics/nll]", "--run", "g")
    assert "metrics/nll: not measured: the density of this model is implicit" in printed
    assert printed.splitlines()[-1] == "  genframe evaluate g --split validation"
    assert genframe("resume", "g") == "g is complete, all its 2 steps are made\n"


NETWORK = {"type": "nets/mlp", "hidden": [4]}
FLOW = {"encoder": "core/identity", "decoder": "core/inverse", "loss": "core/nll"}
DIFFUSION = {
    "encoder": "diffusion/edm",
    "decoder": {"type": "diffusion/denoiser", "network": {**NETWORK, "time": True}},
    "loss": "diffusion/denoising",
    "sampler": {"type": "diffusion/heun", "steps": 2},
}


@pytest.mark.parametrize(
    ("model", "command"),
    [
        ({"encoder": {**NETWORK, "dim": 1}, "decoder": NETWORK, "loss": "vae/reconstruction"}, "reconstruct"),
        (FLOW | {"encoder": "flow/nice"}, "reconstruct"),
        (FLOW | {"prior": "flow/gaussian"}, "evaluate"),
        (DIFFUSION, "evaluate"),
    ],
    ids=["autoencoder", "flow", "identity", "diffusion"],
)
def test_reconstruction_is_proposed_where_it_says_something(model: dict[str, Any], command: str) -> None:
    """Where data are their own latents, or become noise, the second command is to measure."""
    settings = {"steps": 1, "batch_size": 8, "threads": 1}
    experiment = {"name": "p", "data": {"type": "data/toy", "n": 60}, "model": model, "train": settings}
    assert train.next_commands(train_model(experiment, folder="p"))[1] == f"{command} p"


def test_training_into_a_run_is_refused(run: Path, genframe: Command) -> None:
    """What is there is kept, and resume is named."""
    said = genframe("train", "cvae-digits", *SMALL, "--run", run, code=5)
    assert said.startswith("genframe train: run holds a run already; go on with it (genframe resume run)")


def test_a_run_is_no_experiment(run: Path, genframe: Command) -> None:
    """Who trains a run's folder means to resume it."""
    said = genframe("train", run, code=2)
    assert said == "genframe train: run is a run, not an experiment; go on with it by: genframe resume run"


def test_a_folder_that_cannot_be_made(folder: Path, genframe: Command) -> None:
    """A file stands where the run should go."""
    (folder / "file").write_text("")
    said = genframe("train", "vae-digits", *SMALL, "--run", "file/run", code=7)
    assert said == "genframe train: file/run cannot be written: Not a directory"


def test_resuming_a_finished_run_does_nothing(run: Path, genframe: Command) -> None:
    """It is said to be complete, and not a byte changes."""
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    said = genframe("resume", run)
    assert said == "run is complete, all its 6 steps are made; for more of them: genframe resume run train.steps=12\n"
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    assert genframe("resume", run, "--json")["step"] == 6


def test_resuming_with_more_steps(run: Path, genframe: Command) -> None:
    """A longer run goes on from where it was."""
    outcome = genframe("resume", run, "train.steps=9", "--json")
    assert (outcome["step"], outcome["picture"]) == (9, "run/samples/step-00000009.png")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["resume", "nowhere"], 5, "nowhere is not a run: it has no experiment.yaml"),
        (["resume", "run", "data.seed=1"], 5, "a resumed run may change fields of train only, found 'data.seed=1'"),
        (["resume", "run", "train.stepz=1"], 2, "unknown field 'stepz'; did you mean 'steps'?"),
        (["sample", "nowhere"], 5, "nowhere is not a run"),
        (["sample", "run", "-n", "-3"], 2, "argument -n: expected a whole number of at least 1, found '-3'"),
        (["sample", "run", "--condition", "10"], 4, "there is no class 10: this model has the classes 0 to 9"),
        (
            ["sample", "run", "--out", "x.pdf"],
            2,
            "expected a file that ends in .png or .gif or .npz or .csv or .txt, found 'x.pdf'",
        ),
        (["sample", "run", "--out", "x.txt"], 9, "is not text; name a .png or .npz file"),
        (["sample", "run", "--out", "file/x.png"], 7, "file/x.png cannot be written: file is not a folder"),
        (["sample", "run", "--out", "file/x.npz"], 7, "file/x.npz cannot be written: file is not a folder"),
        (["sample", "--like", "nowhere.png"], 4, "nowhere.png is not a file"),
        (["sample", "--like", "file"], 4, "file is not a PNG"),
        (["reconstruct", "nowhere"], 5, "nowhere is not a run"),
        (["reconstruct", "run", "--split", "dev"], 4, "the data has no split 'dev'; it has train, validation, test"),
        (["reconstruct", "run", "--out", "x.npz"], 2, "expected a file that ends in .png, found 'x.npz'"),
        (["evaluate", "nowhere"], 5, "nowhere is not a run"),
        (["evaluate", "run", "--split", "dev"], 4, "the data has no split 'dev'"),
        (["evaluate", "run", "--metric", "metrics/nlll"], 2, "there is no metric 'metrics/nlll'; did you mean 'metrics/nll'?"),
        (["evaluate", "run", "--metric", "{type: metrics/nll, samples: 0}"], 2, "samples: should be greater than 0, found 0"),
        (["evaluate", "run", "--metric", "[["], 2, "not valid YAML"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_are_one_line(run: Path, folder: Path, genframe: Command, words: list[str], code: int, message: str) -> None:
    """Whatever is wrong is said in one line with its exit code, never in a traceback."""
    (folder / "file").write_text("no picture")
    assert message in genframe(*words, code=code)


def test_an_unconditional_model_has_no_classes(genframe: Command) -> None:
    """A class is asked of a model that has none."""
    genframe("train", "vae-digits", *SMALL, "evaluate.metrics=[]", "--run", "a", "--json")
    said = genframe("sample", "a", "--condition", "3", code=4)
    assert said.endswith("there is no class 3: this model is not conditional")


def test_a_picture_is_drawn_again(run: Path, genframe: Command) -> None:
    """Pixel for pixel, from what it carries: run, checkpoint, seed, number, class and precision."""
    words = ("-n", "7", "--seed", "5", "--condition", "3", "--precision", "bfloat16")
    drawn = genframe("sample", run, *words).strip()
    assert drawn == "run/samples/step-00000006-seed-5-class-3-n-7.png"
    assert genframe("sample", "--like", drawn, "--out", "again/again.png") == "again/again.png\n"
    assert Path("again/again.png").read_bytes() == Path(drawn).read_bytes()
    carried = {"seed": 5, "n": 7, "class": 3, "precision": "bfloat16"}
    assert {key: picture.read_info(drawn)[key] for key in carried} == carried
    genframe("sample", run, *words[:-1], "float32", "--out", "full.png")
    assert pixels("full.png") != pixels(drawn)
    outcome = genframe("sample", "--like", drawn, "--out", "again.npz", "--json")
    assert (outcome["n"], outcome["seed"]) == (7, 5)
    with np.load("again.npz") as archive:
        assert archive["x"].shape == (7, 1, 8, 8)


def test_states_on_the_way_to_samples(folder: Path, genframe: Command) -> None:
    """A row of states for each sample, the sample last; an animation with a frame for each; an array of all; drawn again."""
    chain = "model.sampler={type: gsn/chain, steps: 20}"
    small = ("train.steps=1", "evaluate.metrics=[]", "model.encoder.dim=4", "train.validate_every=1")
    genframe("train", "gsn-digits", *small, chain, "--run", "a", "--json")
    drawn = genframe("sample", "a", "-n", "3", "--states", "5").strip()
    assert drawn == "a/samples/step-00000001-seed-0-states-5-n-3.png"
    genframe("sample", "--like", drawn, "--out", "again.png")
    assert Path("again.png").read_bytes() == Path(drawn).read_bytes()
    genframe("sample", "a", "-n", "3", "--states", "5", "--out", "way.npz")
    genframe("sample", "a", "-n", "3", "--out", "samples.npz")
    with np.load("way.npz") as way, np.load("samples.npz") as samples:
        assert way["x"].shape == (3, 5, 1, 8, 8)
        assert np.array_equal(way["x"][:, -1], samples["x"])
        rows = picture.grid(torch.from_numpy(way["x"]).flatten(0, 1), Real((1, 8, 8), 0, 1), columns=5)
        assert np.array_equal(np.asarray(rows), np.asarray(Image.open(drawn)))
    genframe("sample", "a", "-n", "9", "--out", "way.gif")
    with Image.open("way.gif") as animation:
        assert (animation.format, animation.info["loop"]) == ("GIF", 0)
        assert getattr(animation, "n_frames", 0) == 20


def test_samples_are_compiled_where_asked(run: Path, genframe: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --compile, and only then, the decoder is compiled; the samples are the same."""
    compiled: list[Any] = []
    monkeypatch.setattr("torch.compile", lambda function, **_: (compiled.append(function), function)[1])
    genframe("sample", run, "--out", "eager.png")
    assert compiled == []
    genframe("sample", run, "--out", "compiled.png", "--compile")
    assert compiled != []
    assert pixels("eager.png") == pixels("compiled.png")


def test_the_picture_that_training_drew_is_drawn_again(run: Path, genframe: Command) -> None:
    """The picture at the end of training shows the samples of seed 0 of the stored weights."""
    path = "run/samples/step-00000006.png"
    genframe("sample", run, "--like", path, "--out", "again.png")
    assert pixels("again.png") == pixels(path)


@pytest.mark.parametrize("stored", [True, False])
def test_pictures_drawn_midway_name_their_own_checkpoint(genframe: Command, stored: bool) -> None:
    """A picture carries the digest of the checkpoint of its own step, and none where there is no such checkpoint."""
    every = ["train.sample_every=2", f"train.checkpoint_every={2 if stored else 3}", "train.steps=5", "train.keep=4"]
    genframe("train", "vae-digits", *SMALL, *every, "evaluate.metrics=[]", "--run", "a", "--json")
    for step in (2, 4):
        manifest = Path(f"a/checkpoints/step-{step:08d}/MANIFEST.json")
        digest = hashlib.sha256(manifest.read_bytes()).hexdigest() if stored else ""
        assert picture.read_info(f"a/samples/step-{step:08d}.png")["checkpoint"] == digest


def test_a_picture_whose_run_has_moved(run: Path, genframe: Command) -> None:
    """The message says where it was and how to say where it is; then it works."""
    drawn = genframe("sample", run, "-n", "4", "--out", "drawn.png").strip()
    was = run.resolve()
    run.rename("elsewhere")
    said = genframe("sample", "--like", drawn, code=5)
    assert said.endswith(f"the run of drawn.png is not in {was}; say where it is: genframe sample RUN --like drawn.png")
    genframe("sample", "elsewhere", "--like", drawn, "--out", "again.png")
    assert pixels("again.png") == pixels("drawn.png")


def test_a_picture_whose_run_was_trained_on(run: Path, genframe: Command) -> None:
    """Another checkpoint would give another picture, so it is refused."""
    genframe("sample", run, "--out", "drawn.png")
    genframe("resume", run, "train.steps=7", "--json")
    said = genframe("sample", run, "--like", "drawn.png", code=5)
    assert said.endswith("drawn.png was drawn at step 6 from another checkpoint than run now has, which is of step 7")


FOREIGN = {
    "nothing": None,
    "no seed": {"run": "run", "checkpoint": "x", "n": 4},
    "a seed that is no number": {"run": "run", "checkpoint": "x", "n": 4, "seed": True},
    "too many": {"run": "run", "checkpoint": "x", "n": 10**12, "seed": 0},
    "none at all": {"run": "run", "checkpoint": "x", "n": 0, "seed": 0},
    "a class that is none": {"run": "run", "checkpoint": "x", "n": 4, "seed": 0, "class": -1},
    "a precision that is none": {"run": "run", "checkpoint": "x", "n": 4, "seed": 0, "precision": ["float8"]},
}


@pytest.mark.parametrize("info", FOREIGN.values(), ids=FOREIGN.keys())
def test_foreign_pictures_are_refused(run: Path, genframe: Command, info: Any) -> None:
    """A picture of another program, or one that somebody made up, costs a line and no time."""
    image = Image.new("RGB", (4, 4))
    if info is None:
        image.save("foreign.png")
    else:
        picture.write("foreign.png", image, info)
    said = genframe("sample", "--like", "foreign.png", code=4)
    assert said.startswith("genframe sample: foreign.png ")


def test_reconstruction_says_what_it_cost(run: Path, genframe: Command) -> None:
    """The picture, and the mean squared error of as many data as were asked for."""
    outcome = genframe("reconstruct", run, "-n", "3", "--split", "train", "--json")
    assert (outcome["n"], outcome["split"]) == (3, "train")
    assert outcome["squared_error"] > 0
    printed = genframe("reconstruct", run, "--out", "pairs.png")
    assert printed.splitlines()[0] == "pairs.png"
    assert re.fullmatch(r"squared error: \S+ \(mean of \d+ data of the test split\)", printed.splitlines()[1])
    assert genframe("sample", "--like", "pairs.png", code=4).endswith(
        "pairs.png is not a picture of samples: it does not say their 'seed'"
    )


def test_evaluation_is_printed_and_kept(run: Path, genframe: Command) -> None:
    """The experiment's metrics, or those named; results with their stamps stay in the run's folder."""
    assert re.search(r"^rate: ", genframe("evaluate", run), re.MULTILINE)
    outcome = genframe("evaluate", run, "--metric", "metrics/reconstruction", "--split", "train", "--json")
    assert [result["name"] for result in outcome["results"]] == ["squared_error", "rmse"]
    assert outcome["results"][0]["stamp"]["split"] == "train"
    assert json.loads((run / "results.json").read_text()) == outcome


def test_evaluating_a_folder_that_cannot_be_written_loses_no_figure(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Figures are printed before they are kept."""
    (run / f".tmp-results.json-{os.getpid()}").mkdir()
    assert main(["evaluate", str(run), "--metric", "metrics/elbo"]) == 7
    printed = capsys.readouterr()
    assert "rate: " in printed.out
    assert "results.json cannot be written" in printed.err


def test_missing_data_are_named(run: Path, genframe: Command) -> None:
    """A run whose data are gone can be sampled, and says what it misses when it is measured."""
    text = (run / "experiment.yaml").read_text()
    digits = re.search(r"^data:\n(?:  .*\n)+", text, re.MULTILINE)
    assert digits is not None
    (run / "experiment.yaml").write_text(text.replace(digits[0], "data: {type: data/idx, path: gone, labels: true}\n"))
    genframe("sample", run, "-n", "2")
    assert "gone: expected a folder, found nothing" in genframe("evaluate", run, code=4)


def test_a_damaged_checkpoint_is_told(run: Path, capsys: pytest.CaptureFixture[str], genframe: Command) -> None:
    """Passed over for the one before it, with a line on standard error; none left is an error of its own code."""
    genframe("resume", run, "train.steps=8", "--json")
    newest, older = sorted((run / "checkpoints").iterdir(), reverse=True)[:2]
    (newest / "tensors.safetensors").write_bytes(b"")
    capsys.readouterr()
    assert main(["sample", str(run), "-n", "2"]) == 0
    assert capsys.readouterr().err.startswith("step-00000008 is damaged: ")
    (older / "MANIFEST.json").write_text("{}")
    assert "no valid checkpoint" in genframe("sample", run, code=6)


class Interrupt(Silent):
    """Asks this process to stop at the second step."""

    def advance(self, step: int) -> None:
        """Send the signal, as a user's Ctrl-C would."""
        if step == 2:
            os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_names_the_way_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], genframe: Command
) -> None:
    """An interrupted run says how to go on, exits as the signal does, and goes on."""

    class Context:
        def __enter__(self) -> Interrupt:
            return Interrupt()

        def __exit__(self, *_: object) -> None:
            pass

    with monkeypatch.context() as patched:
        patched.setattr(train, "reporter", lambda quiet: Context())
        assert main(["train", "vae-digits", *SMALL, "--run", "a"]) == 130
    said = capsys.readouterr().err.splitlines()
    assert said == ["go on with: genframe resume a", "genframe train: stopped by SIGINT after step 2"]
    assert genframe("resume", "a", "--json")["step"] == 6


def test_not_a_number_is_its_own_code(genframe: Command) -> None:
    """A learning rate that is far too high ends with where it began."""
    said = genframe("train", "vae-digits", *SMALL, "train.lr=1e30", "train.warmup=0", "--run", "a", "--json", code=8)
    assert re.search(r"step \d: the (loss of player 'model' is (nan|inf)|weights|gradient)", said)


def test_a_gpu_that_is_not_there(run: Path, genframe: Command) -> None:
    """Asked for by name it is refused in a line."""
    import torch

    if torch.cuda.is_available():
        assert genframe("sample", run, "--device", "cuda")
    else:
        said = genframe("sample", run, "--device", "cuda", code=9)
        assert said == "genframe sample: there is no GPU here; choose --device cpu"
