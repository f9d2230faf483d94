"""S6 for commands that plugins bring: a broken one is one line with its distribution, and every other command works."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = "from genframe import Command\nCOMMANDS = [Command({name!r}, 'does something', {module!r})]\n"
WORKS = """
def arguments(parser):
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("--twice", action="store_true")

def run(options):
    print(options.run * (2 if options.twice else 1))
    return {code}
"""

# name of the distribution -> (source of the module with commands, what the line in --help must say)
BROKEN = {
    "importerror": ("import does_not_exist", "its commands cannot be loaded: ModuleNotFoundError: No module named 'does_not"),
    "syntaxerror": ("def broken(:", "its commands cannot be loaded: SyntaxError"),
    "systemexit": ("raise SystemExit(3)", "its commands cannot be loaded: SystemExit: 3"),
    "nolist": ("COMMANDS = 7", "PluginError: genframe_commands gives int, not a sequence of Command"),
    "noname": ("", "AttributeError: module 'genframe_noname' has no attribute 'COMMANDS'"),
    "nocommand": ("COMMANDS = ['encode']", "PluginError: genframe_commands gives 'encode', which is not a Command"),
    "oddname": (COMMANDS.format(name="Two words", module="x"), "needs a name of small letters, a summary and a module"),
    "oddmodule": (COMMANDS.format(name="oddmodule", module=None), "needs a name of small letters, a summary and a module"),
    "builtin": (COMMANDS.format(name="train", module="x"), "'train' is a command of genframe itself"),
    "twin-a": (
        COMMANDS.format(name="twin", module="x"),
        "'twin' is brought by genframe-twin-a, genframe-twin-b; uninstall all",
    ),
    "twin-b": (
        COMMANDS.format(name="twin", module="x"),
        "'twin' is brought by genframe-twin-a, genframe-twin-b; uninstall all",
    ),
}

# name of the command, whose list of commands is in order -> (source of its own module, what the refusal must say)
REFUSED = {
    "missing": ("import does_not_exist", "missing_command: ModuleNotFoundError: No module named 'does_not_exist'"),
    "exits": ("raise SystemExit(0)", "exits_command: SystemExit: 0"),
    "wrong": ("def broken(:", "wrong_command: SyntaxError"),
    "half": ("def arguments(parser):\n    pass\n", "half_command has no function 'run'"),
    "declares": (
        "def arguments(parser):\n    raise TypeError\ndef run(options):\n    pass\n",
        "arguments: TypeError",
    ),
    "clashes": (WORKS.format(code=0).replace("--twice", "--help"), "arguments: ArgumentError"),
    "returns": (WORKS.format(code="'done'"), "run returned 'done', not an exit code"),
}


def install(folder: Path, name: str, source: str) -> None:
    """Put the module with a distribution's commands and its metadata into ``folder``, as an installer would."""
    module = f"genframe_{name.replace('-', '_')}"
    (folder / f"{module}.py").write_text(source)
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: genframe-{name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[genframe_commands]\n{name} = {module}:COMMANDS\n")


def genframe(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command with ``folder`` on the path."""
    return subprocess.run(
        [sys.executable, "-m", "genframe.cli", *words],
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200", **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A path on which every kind of broken command lies beside two good ones."""
    folder = tmp_path_factory.mktemp("site")
    for name, (source, _) in BROKEN.items():
        install(folder, name, source)
    for name, (source, _) in REFUSED.items():
        install(folder, name, COMMANDS.format(name=name, module=f"{name}_command"))
        (folder / f"{name}_command.py").write_text(source)
    install(folder, "good", COMMANDS.format(name="good", module="good_command"))
    (folder / "good_command.py").write_text(WORKS.format(code=5))
    install(folder, "chatty", "print('hello')\n" + COMMANDS.format(name="chatty", module="chatty_command"))
    (folder / "chatty_command.py").write_text("print('hello')\n" + WORKS.format(code=None))
    return folder


@pytest.fixture(scope="module")
def text(crowd: Path) -> str:
    """What ``genframe --help`` prints on that path."""
    outcome = genframe(crowd, "--help")
    assert (outcome.returncode, outcome.stderr) == (0, "")
    return outcome.stdout


@pytest.mark.parametrize("name", BROKEN)
def test_help_names_each_broken_one_in_a_line(text: str, name: str) -> None:
    """``genframe --help`` works, and says which distribution's commands are not in use, and why."""
    [line] = [line for line in text.splitlines() if line.startswith(f"  genframe-{name}: ")]
    assert BROKEN[name][1] in line


def test_help_lists_the_commands_of_plugins(text: str) -> None:
    """Those in use stand below the built-in ones; what a module prints when it is imported is not in the way."""
    listed = text.partition("\ncommands of plugins:\n")[2].partition("\n\n")[0].splitlines()
    assert [line.split()[0] for line in listed if line.split()[0] in {*REFUSED, "good", "chatty"}] == sorted(
        [*REFUSED, "good", "chatty"]
    )
    assert "  good         does something" in listed
    assert "hello" not in text
    assert "\n  twin " not in text


@pytest.mark.parametrize(("words", "code", "printed"), [("good a", 5, "a\n"), ("chatty b --twice", 0, "bb\n")])
def test_commands_of_plugins_run(crowd: Path, words: str, code: int, printed: str) -> None:
    """They take their arguments, print what they print, and their exit code is the process's."""
    outcome = genframe(crowd, *words.split())
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (code, printed, "")


def test_a_command_of_a_plugin_has_its_help(crowd: Path) -> None:
    """``genframe NAME --help`` shows the arguments that the plugin declares."""
    outcome = genframe(crowd, "good", "--help")
    assert outcome.returncode == 0
    assert outcome.stdout.startswith("usage: genframe good [-h] [--twice] RUN\n\nDoes something.\n")


@pytest.mark.parametrize("name", REFUSED)
def test_a_broken_command_is_refused_in_one_line(crowd: Path, name: str) -> None:
    """The exit code is that of a plugin's error, the line names the distribution; there is no traceback."""
    outcome = genframe(crowd, name, "x")
    assert outcome.returncode == 3
    [line] = outcome.stderr.splitlines()
    assert line.startswith(f"genframe {name}: genframe-{name} is broken: ")
    assert REFUSED[name][1] in line


def test_an_unknown_word_says_what_is_not_in_use(crowd: Path) -> None:
    """Whoever asks for a command of a broken plugin is told why there is none."""
    outcome = genframe(crowd, "twin")
    assert outcome.returncode == 2
    assert "genframe: genframe-twin-a: 'twin' is brought by genframe-twin-a, genframe-twin-b; uninstall all" in outcome.stderr
    assert "invalid choice: 'twin'" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_the_built_in_command_wins(crowd: Path) -> None:
    """A plugin cannot take the place of ``genframe train``."""
    outcome = genframe(crowd, "train", "--help")
    assert outcome.stdout.startswith("usage: genframe train ")


def test_a_plugin_that_is_switched_off_brings_no_commands(crowd: Path) -> None:
    """GENFRAME_DISABLE takes the names of entry points of commands too."""
    text = genframe(crowd, "--help", GENFRAME_DISABLE="good, importerror").stdout
    assert "  good " not in text
    assert "genframe-importerror" not in text
    assert "genframe-syntaxerror" in text


def test_commands_of_plugins_are_completed(crowd: Path) -> None:
    """Their names where a command may stand, then their options and runs."""
    (crowd / "runs" / "first").mkdir(parents=True)
    (crowd / "runs" / "first" / "experiment.yaml").touch()
    assert {"list", "good", "chatty"} <= set(genframe(crowd, "completion", "words").stdout.split())
    assert genframe(crowd, "completion", "words", "good").stdout.split() == ["runs/first", "-h", "--help", "--twice"]


PROGRAM = """
import sys
from genframe.cli import main, of_plugins
try:
    main({words!r}.split())
except SystemExit:
    pass
sys.exit(of_plugins.cache_info().currsize)
"""


@pytest.mark.parametrize(
    ("words", "looked"),
    [("list", 0), ("show core/normal", 0), ("check --help", 0), ("--version", 0), ("", 0), ("--help", 1), ("xy", 1)],
)
def test_only_help_and_unknown_words_look_for_commands(words: str, looked: int) -> None:
    """Built-in commands never import what plugins' entry points name."""
    outcome = subprocess.run([sys.executable, "-c", PROGRAM.format(words=words)], capture_output=True, text=True, check=False)
    assert outcome.returncode == looked, outcome.stderr
