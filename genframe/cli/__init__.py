"""The ``genframe`` command.

Every heavy import happens inside a command: ``--help``, ``list``, ``show``, ``check``, ``schema`` and
``plugins`` never import torch. Exit codes are those of :mod:`genframe.errors`; 2 is a mistake in the
command line or a spec, 130 and 143 are SIGINT and SIGTERM.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import Final, NoReturn

from ..errors import GenframeError, StorageError
from .values import joined_ranges

__all__ = ["COMMANDS", "main", "options_of", "parser"]

COMMANDS: Final = {
    "list": "what is installed: components by kind",
    "show": "one component: fields, defaults, traits, paper",
    "recipes": "ready experiments that the plugins ship",
    "init": "write a recipe's experiment to a file, to edit it",
    "check": "type an experiment without building it",
    "fit": "which installed components would fit a slot",
    "taxonomy": "the family tree: compositions by density and sampling",
    "train": "train an experiment from a file or recipe",
    "resume": "go on with an interrupted run",
    "sample": "draw samples from a run",
    "reconstruct": "encode and decode held-out data",
    "encode": "write the latents of data to a file",
    "interpolate": "go from one datum to another by their latents",
    "traverse": "move latents along one dimension or direction",
    "arithmetic": "add and subtract latents, such as a - b + c",
    "edit": "move data along an attribute, such as sunglasses",
    "evaluate": "measure a run on held-out data",
    "compare": "figures of runs side by side, where their protocols are the same",
    "table": "a table of families, trained by several seeds and measured alike",
    "report": "a run as one page that shows all of it",
    "schema": "the JSON Schema of experiments, for editors",
    "plugins": "which plugins there are, and why one is not in use",
    "doctor": "whether this installation is in order",
    "completion": "a completion script for bash, zsh or fish",
}
EPILOG: Final = "\n".join(
    [
        "commands:",
        *(f"  {name:<12} {summary}" for name, summary in COMMANDS.items()),
        "",
        "exit codes:",
        "  0 done; 1 doctor found something amiss; 2 a mistake in the command line or a spec; 3 a plugin;",
        "  4 the data; 5 the run's folder; 6 a checkpoint; 7 the volume; 8 NaN or infinity in training;",
        "  9 not possible with this model; 130 and 143 stopped by SIGINT and SIGTERM",
    ]
)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; try: {self.prog} --help\n")


def parser(only: str | None = None) -> argparse.ArgumentParser:
    """Return the command line's grammar; ``only`` loads the arguments of a single command."""
    from .. import __version__

    root = _Parser(
        prog="genframe",
        usage="genframe [-h] [--version] COMMAND ...",
        description="Generative models as typed compositions of five parts.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    root.add_argument("--version", action="version", version=f"genframe {__version__}")
    commands = root.add_subparsers(
        dest="command", metavar="COMMAND", prog="genframe", required=True, help=argparse.SUPPRESS, parser_class=_Parser
    )
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, description=f"{summary[0].upper()}{summary[1:]}.")
        if only in (None, name):
            _module(name).arguments(command)
    return root


def _module(command: str) -> ModuleType:
    """Return the command's module; that of ``list`` has another name, since a submodule hides a builtin here."""
    return import_module(f".{'listing' if command == 'list' else command}", __name__)


def options_of(command: str) -> list[str]:
    """Return the options of a command, such as ``--json``."""
    grammar = argparse.ArgumentParser()
    _module(command).arguments(grammar)
    return [text for action in grammar._actions for text in action.option_strings]


def _parse(grammar: argparse.ArgumentParser, words: list[str]) -> argparse.Namespace:
    """Parse, with overrides allowed behind options too, which argparse alone would not take."""
    options, rest = grammar.parse_known_args(words)
    unknown = [word for word in rest if word.startswith("-") or not hasattr(options, "overrides")]
    if unknown:
        grammar.error(f"unknown words for {options.command}: {' '.join(unknown)}")
    if rest:
        options.overrides = [*options.overrides, *rest]
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = joined_ranges([*(sys.argv[1:] if argv is None else argv)])
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show × is no reason to fail
    only = next((word for word in words if not word.startswith("-")), None)
    options = _parse(parser(only if only in COMMANDS else ""), words)
    try:
        code = int(_module(options.command).run(options) or 0)
        sys.stdout.flush()
    except GenframeError as error:
        return _refuse(options.command, error, error.exit_code)
    except KeyboardInterrupt as interrupt:
        return _refuse(options.command, str(interrupt) or "interrupted", getattr(interrupt, "exit_code", 130))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _refuse(options.command, f"{error.filename or 'a file'}: {error.strerror or error}", StorageError.exit_code)
    return code


def _refuse(command: str, reason: object, code: int) -> int:
    """Print every line of the reason behind the command's name, and return the code."""
    sys.stdout.flush()
    for line in str(reason).splitlines():
        print(f"genframe {command}: {line}", file=sys.stderr)
    return code
