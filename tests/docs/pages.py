"""Runs a page of the documentation as a reader would: file by file, command by command, block by block.

What stands beneath a command or a ``python`` block is compared with what it prints; ``...`` stands for anything, and
blanks and line ends count alike. An HTML comment above a block says what is particular about it:

    <!-- file: PATH -->       the block is a file's content; it is written, not run
    <!-- no-run: REASON -->   the block cannot be run in a test
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from genframe.cli import main
from genframe.experiment import document as documents
from genframe.experiment.document.loading import experiment_from, recipe_text
from genframe.experiment.document.spec import ExperimentSpec, check_experiment

BLOCK = re.compile(
    r"(?:^<!-- (?P<directive>file|no-run): (?P<argument>.+?) -->\n\n?)?^```(?P<language>[^\n ]*)[^\n]*\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
LANGUAGES = ("python", "console", "yaml", "toml", "text", "{toctree}", "{include}")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language and text, what its comment says, and where it is."""

    language: str
    text: str
    directive: str
    argument: str
    page: Path
    line: int

    @property
    def place(self) -> str:
        """Page and line, for messages."""
        return f"{self.page.name}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            found["language"],
            found["text"],
            found["directive"] or "",
            found["argument"] or "",
            page,
            text.count("\n", 0, found.start("language")) + 1,
        )
        for found in BLOCK.finditer(text)
    ]


@dataclass(frozen=True)
class Command:
    """A line after ``$`` and the output that is shown beneath it."""

    words: list[str]
    shown: str

    def __str__(self) -> str:
        return " ".join(self.words)


def commands(block: Block) -> Iterator[Command]:
    """Yield the commands of a console block."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        line, _, shown = part.replace("\\\n", " ").partition("\n")
        yield Command([word.strip("'\"") for word in re.findall(r"'[^']*'|\"[^\"]*\"|\S+", line)], shown)


class Reader:
    """Follows one page in the folder ``home``, in one Python session and one shell."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.session = ModuleType("__main__")
        self.site = home / ".site"
        self.code = 0
        self.printed: str | None = None

    def read(self, page: Path) -> None:
        """Do what each block says."""
        for block in blocks(page):
            act: dict[str, Callable[[Block], None]] = {
                "python": self.python,
                "console": self.console,
                "yaml": self.yaml,
                "toml": self.toml,
                "text": self.output,
                "{toctree}": lambda _: None,  # Sphinx looks whether its pages are there
                "{include}": lambda _: None,  # and this too
            }
            if block.directive == "file":
                self.write(block)
            elif not block.directive:
                act[block.language](block)
            if block.language != "python":
                self.printed = None

    def write(self, block: Block) -> None:
        """Write the file that the block shows."""
        path = self.home / block.argument
        assert path.resolve().is_relative_to(self.home), f"{block.place} writes outside its folder"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")

    def python(self, block: Block) -> None:
        """Run the block in the page's session and keep what it prints."""
        code = compile("\n" * block.line + block.text, str(block.page), "exec")
        printed = io.StringIO()
        former, sys.modules["__main__"] = sys.modules["__main__"], self.session
        try:
            with contextlib.redirect_stdout(printed):
                exec(code, self.session.__dict__)
        finally:
            sys.modules["__main__"] = former
        self.printed = printed.getvalue()

    def output(self, block: Block) -> None:
        """Compare a text block that follows a python block with what that printed; others are pictures."""
        if self.printed is not None:
            require_same(block.place, "the block above", block.text, self.printed)

    def yaml(self, block: Block) -> None:
        """Type a whole experiment; take a fragment as a change to the recipe ``vae-digits``."""
        value = documents.parse(block.text, block.place).value
        assert isinstance(value, dict), block.place
        if {"name", "data", "model"} <= set(value):
            check_experiment(experiment_from(value).spec)
        else:
            assert set(value) <= set(ExperimentSpec.model_fields), f"{block.place} is no part of an experiment"
            base = documents.parse(recipe_text("vae-digits"), "vae-digits").value
            assert isinstance(base, dict)
            experiment_from({**base, **value})

    def toml(self, block: Block) -> None:
        """Parse it."""
        tomllib.loads(block.text)

    def console(self, block: Block) -> None:
        """Run the commands; one that fails must be followed by ``$ echo $?``."""
        shown = list(commands(block))
        assert shown, f"{block.place} has no command"
        for command, following in zip(shown, [*shown[1:], None], strict=True):
            printed = self.run(command)
            expected_to_fail = following is not None and str(following) == "echo $?"
            assert expected_to_fail or self.code == 0, f"{block.place}: {command} failed with {self.code}:\n{printed}"
            if command.shown.strip():
                require_same(block.place, str(command), command.shown, printed)

    def run(self, command: Command) -> str:
        """Run one command and return what it prints."""
        match command.words:
            case ["echo", "$?"]:
                printed, self.code = f"{self.code}\n", 0
                return printed
            case ["pip", "install", "--editable", "."]:
                return self.install()
            case ["genframe", *words]:
                return self.elsewhere(["-m", "genframe.cli", *words]) if self.site.exists() else self.here(words)
            case ["python", *words]:
                return self.elsewhere(words)
            case ["ls", folder]:
                return "\n".join(sorted(path.name for path in (self.home / folder).glob("[!.]*"))) + "\n"
        raise AssertionError(f"the documentation's tests do not know the command {command}")

    def here(self, words: list[str]) -> str:
        """Run a genframe command in this process."""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            try:
                self.code = main(words)
            except SystemExit as stop:
                self.code = int(stop.code or 0)
        return printed.getvalue()

    def elsewhere(self, words: list[str]) -> str:
        """Run Python in a process of its own, in which the page's project is installed."""
        environment = {**os.environ, "PYTHONPATH": str(self.site)}
        outcome = subprocess.run(
            [sys.executable, *words],
            cwd=self.home,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.code = outcome.returncode
        return outcome.stdout

    def install(self) -> str:
        """Put the page's project on the path with its metadata, as an editable installation does."""
        project: dict[str, Any] = tomllib.loads((self.home / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        metadata = self.site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
        groups = [
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
            for group, points in project["entry-points"].items()
        ]
        (metadata / "entry_points.txt").write_text("\n".join(groups))
        for package in self.home.glob("genframe_*"):
            if not (self.site / package.name).exists():
                (self.site / package.name).symlink_to(package)
        self.code = 0
        return ""


def require_same(place: str, what: str, shown: str, printed: str) -> None:
    """Fail where what is shown is not what is printed."""
    pieces = [re.escape(" ".join(piece.split())) for piece in shown.split("...")]
    if not re.fullmatch(".*".join(pieces), " ".join(printed.split())):
        raise AssertionError(f"{place}: {what} prints\n{printed}\nand the page shows\n{shown}")
