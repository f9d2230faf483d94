"""Commands that need no torch, word for word: what they print, where to, and with which exit code."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from genframe import installed
from genframe.cli import EXIT_CODES, grammar_of, main, summaries
from genframe.plugins.discovery import discover
from genframe.types import GenframeError

# The plugins that are in use, and the commands that are run with them.
CORE = {"core"}
SHIPPED = {"core", "data", "latents", "metrics", "nets", "report", "vae"}

PROGRAM = """
import contextlib, io, json, sys
from genframe.cli import main
found = {}
for words in json.load(sys.stdin):
    output, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        try:
            code = main(words.split())
        except SystemExit as stop:
            code = stop.code
    found[words] = {"code": code, "text": output.getvalue() + errors.getvalue(), "errors": errors.getvalue()}
print(json.dumps({"found": found, "heavy": sorted({"torch", "numpy"} & set(sys.modules))}))
"""


def golden() -> dict[str, dict[str, tuple[int, str]]]:
    """Return the exit code and the text of each command in commands.txt, by the plugins in use.

    A line ``# plugins`` says which are in use, ``$ genframe words`` begins a command, and ``[2]`` behind it is its exit code.
    """
    text = Path(__file__).with_name("commands.txt").read_text(encoding="utf-8")
    sections = re.split(r"^# (\w+)\n", text, flags=re.MULTILINE)
    return {name: _commands(body) for name, body in zip(sections[1::2], sections[2::2], strict=True)}


def _commands(text: str) -> dict[str, tuple[int, str]]:
    parts = re.split(r"^\$ genframe (.*?)(?: \[(\d+)\])?\n", text, flags=re.MULTILINE)
    return {
        words: (int(code or 0), output.rstrip("\n"))
        for words, code, output in zip(parts[1::3], parts[2::3], parts[3::3], strict=True)
    }


def outcomes(commands: list[str], in_use: set[str]) -> dict[str, Any]:
    """Run the commands in one fresh process, with some plugins in use."""
    others = {plugin.name for plugin in discover()} - in_use
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps(commands),
        env={**os.environ, "GENFRAME_DISABLE": ",".join(others)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return dict(json.loads(ran.stdout))


@pytest.fixture(scope="module")
def ran() -> dict[str, dict[str, Any]]:
    """Every command of commands.txt, run with its plugins."""
    return {name: outcomes(list(golden()[name]), plugins) for name, plugins in {"core": CORE, "shipped": SHIPPED}.items()}


@pytest.mark.parametrize(("plugins", "words"), [(plugins, words) for plugins, all_ in golden().items() for words in all_])
def test_a_command_prints_what_it_should(ran: dict[str, Any], plugins: str, words: str) -> None:
    """Text and exit code are those of commands.txt; what is wrong goes to standard error, and only that."""
    code, text = golden()[plugins][words]
    found = ran[plugins]["found"][words]
    assert found["text"].rstrip("\n") == text
    assert found["code"] == code
    assert bool(found["errors"]) == (code != 0)


def test_none_of_them_imports_torch(ran: dict[str, Any]) -> None:
    """All of these commands run on the typing layer alone; the core's own do without numpy too."""
    assert ran["core"]["heavy"] == []
    assert "torch" not in ran["shipped"]["heavy"]


def test_help_imports_no_specs_of_plugins() -> None:
    """What brings commands is small: ``genframe --help`` loads no spec, no metric and no template of the plugins."""
    program = (
        "import sys\nfrom genframe.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(*sorted(name for name in sys.modules if name.startswith('genframe_')), file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    packages = ("genframe_data", "genframe_latents", "genframe_report")
    assert ran.stderr.split() == [name for package in packages for name in (package, f"{package}.commands")]


def test_exit_codes_are_documented() -> None:
    """Every code that an error has stands in ``genframe --help``."""
    documented = set(re.findall(r"\b(\d+) [A-Za-z]", EXIT_CODES))
    assert {str(error.exit_code) for error in GenframeError.__subclasses__()} <= documented


JSON_COMMANDS = [
    ["list", "--json"],
    ["list", "prior", "--json"],
    ["show", "nets/mlp", "--json"],
    ["recipes", "--json"],
    ["plugins", "--json"],
    ["check", "vae-digits", "--json"],
    ["check", "cvae-digits", "--json", "--explain"],
    ["fit", "model.prior", "vae-digits", "--json"],
    ["taxonomy", "--json"],
    ["doctor", "--json"],
    ["schema"],
]


@pytest.mark.parametrize("words", JSON_COMMANDS, ids=" ".join)
def test_json_is_json(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What ``--json`` prints parses, is not empty, and stands alone on standard output."""
    assert main(words) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out, parse_constant=pytest.fail)
    assert printed.err == ""


def test_every_command_that_prints_data_has_json() -> None:
    """Only init, completion and schema, which is JSON itself, print no data."""
    assert {name for name in summaries() if "--json" not in grammar_of(name)._option_string_actions} == {
        "init",
        "completion",
        "schema",
    }


def test_show_as_data(capsys: pytest.CaptureFixture[str]) -> None:
    """A component's fields, defaults, traits and paper."""
    main(["show", "vae/gaussian", "--json"])
    [shown] = json.loads(capsys.readouterr().out)
    assert shown["paper"] == "Kingma & Welling 2013, eq. 9."
    assert shown["provides"] == ["Conditional", "Posterior"]
    dim = {
        "name": "dim",
        "type": "whole number > 0",
        "required": False,
        "default": 16,
        "description": "size of the latent; channels of a spatial one",
    }
    assert shown["fields"][0] == dim


def test_explain_says_where_each_value_came_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line of the file, an override, or a default; sizes by part; memory."""
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: mine\ndata: data/digits\nmodel:\n  encoder: {type: nets/mlp, hidden: [], dim: 2}\n"
        "  decoder: {type: nets/mlp, hidden: []}\n  loss: vae/reconstruction\n"
    )
    metrics = "evaluate.metrics=[metrics/elbo]"
    main(["check", str(path), "train.ema=0.9", "model.prior=core/normal", metrics, "--explain", "--json"])
    explained = json.loads(capsys.readouterr().out)
    came = {value["path"]: value["from"] for value in explained["values"]}
    assert came["name"] == f"{path}:1"
    assert came["data.type"] == f"{path}:2"
    assert came["model.encoder.dim"] == f"{path}:4"
    assert came["model.prior.type"] == "<override 'model.prior=core/normal'>"
    assert came["train.ema"] == "<override 'train.ema=0.9'>"
    assert came["evaluate.metrics.0.type"] == f"<override '{metrics}'>"
    assert came["train.lr"] == came["model.encoder.activation"] == "default"
    assert explained["parameters"] == {"encoder": 64 * 2 + 2, "decoder": 2 * 64 + 64}
    copies = 5  # weight, gradient, two moments, average
    assert explained["weights_bytes"] == 4 * copies * (130 + 192)
    # a batch of 128 is kept as the encoder's input, its latent, and the decoder's output with its error, at the least
    assert 4 * 128 * (64 + 2 + 64) <= explained["activations_bytes"] <= 4 * 128 * (64 + 2 + 4 * 64)


# Their losses draw chains in a way that tensors without values do not allow.
UNTOLD = {"ebm-moons"}


@pytest.mark.parametrize("recipe", sorted(installed().recipes))
def test_every_recipe_that_needs_no_files_checks_and_is_explained(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Recipes on data at hand can be typed and counted as they are; the others name the folder, file or run they miss."""
    code = main(["check", recipe, "--explain", "--json"])
    printed = capsys.readouterr()
    if code == 0:
        activations = json.loads(printed.out)["activations_bytes"]
        assert activations is None if recipe in UNTOLD else activations > 0
    else:
        assert code in {2, 4}
        assert re.search("expected a (folder|file), found nothing|is not a run; train a classifier", printed.err)


def test_init_writes_what_check_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The recipe's text behind the schema line, the schema beside it, and nothing is overwritten."""
    monkeypatch.chdir(tmp_path)
    assert main(["init", "vae-digits"]) == 0
    first, text = Path("vae-digits.yaml").read_text().split("\n", 1)
    assert first == "# yaml-language-server: $schema=genframe.schema.json"
    assert text == installed().recipes["vae-digits"].text()
    assert json.loads(Path("genframe.schema.json").read_text())["title"] == "genframe experiment"
    assert main(["check", "vae-digits.yaml"]) == 0
    capsys.readouterr()
    assert main(["init", "vae-digits"]) == 5
    assert capsys.readouterr().err == "genframe init: vae-digits.yaml is there already; name another file\n"


def test_init_can_change_the_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, genframe: Callable[..., Any]) -> None:
    """How the data was prepared stays, where the new dataset has the same field; other values may change too."""
    monkeypatch.chdir(tmp_path)
    genframe("init", "glow-cifar", "mine.yaml", "--data", "data/images", "data.path=photos", "train.steps=7")
    document = yaml.safe_load(Path("mine.yaml").read_text())
    assert document["data"] == {"type": "data/images", "dequantise": True, "path": "photos"}
    assert document["train"]["steps"] == 7
    assert "did you mean 'data/images'" in genframe("init", "glow-cifar", "x.yaml", "--data", "data/image", code=2)
    assert "unknown field 'pth'" in genframe("init", "glow-cifar", "x.yaml", "data.pth=photos", code=2)
    assert "expected one file to write" in genframe("init", "glow-cifar", "x.yaml", "y.yaml", code=2)
    assert not Path("x.yaml").exists()


@pytest.mark.parametrize("words", [["init", "vae-digits", "{}/x.yaml"], ["schema", "--out", "{}/schema.json"]], ids=" ".join)
def test_a_folder_that_is_none_is_one_line(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the volume refuses is said in one line, with its exit code."""
    (tmp_path / "file").write_text("")
    assert main([word.format(tmp_path / "file") for word in words]) == 7
    assert re.fullmatch(r"genframe \w+: .* cannot be written: Not a directory\n", capsys.readouterr().err)


BASH = """
source <(genframe completion bash)
complete_line() { COMP_LINE="$1"; COMP_POINT=${#1}; COMPREPLY=(); _genframe; echo "${COMPREPLY[*]}"; }
while IFS= read -r line; do complete_line "$line"; done
"""


def test_bash_completes_commands_components_and_overrides(tmp_path: Path) -> None:
    """The script that ``genframe completion bash`` prints works in bash, which takes ``=`` as the end of a word."""
    lines = {
        "genframe re": "recipes resume reconstruct report",
        "genframe show vae/ga": "vae/gaussian",
        "genframe list pr": "prior",
        "genframe train vae-dig": "vae-digits",
        "genframe check vae-digits --ex": "--explain",
        "genframe check vae-digits model.prior=vae/g": "vae/gmm",
        "genframe fit model.de": "model.decoder",
        "genframe sample runs/fir": "runs/first",
    }
    (tmp_path / "runs" / "first").mkdir(parents=True)
    (tmp_path / "runs" / "first" / "experiment.yaml").touch()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    typed = "".join(f"{line}\n" for line in lines)
    ran = subprocess.run(
        ["bash", "-c", BASH],
        input=typed,
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.splitlines() == list(lines.values())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The scripts ask genframe itself for the words."""
    assert main(["completion", shell]) == 0
    assert "genframe completion words" in capsys.readouterr().out


def test_a_reader_that_stops_is_no_error() -> None:
    """``genframe list | head -1`` ends without a word of complaint."""
    command = f"set -o pipefail; {sys.executable} -m genframe.cli schema | head -1"
    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr, ran.stdout) == (0, "", "{\n")


def test_a_terminal_without_unicode_is_no_error() -> None:
    """Where × cannot be shown it is escaped."""
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    words = [sys.executable, "-m", "genframe.cli", "check", "vae-digits"]
    ran = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    assert r"Real(1\xd78\xd78, 0 to 1, 17 levels)" in ran.stdout


def test_explain_tells_what_a_step_needs(genframe: Callable[..., Any]) -> None:
    """Memory, disk and operations of a step are counted, and the time measured where it is asked for."""
    words = ["vae-digits", "train.threads=1", "--explain", "--json"]
    counted = genframe("check", *words)
    parameters = sum(counted["parameters"].values())
    assert counted["weights_bytes"] == 5 * 4 * parameters  # weight, gradient, two moments, and the average
    assert counted["checkpoint_bytes"] == 4 * 4 * parameters
    assert counted["operations"] >= 3 * 2 * 128 * 0.9 * parameters  # a multiply-add for each weight and example, and back
    assert "seconds_per_step" not in counted
    assert 0 < genframe("check", *words, "--measure")["seconds_per_step"] < 60
