"""The ``genframe`` command.

Every heavy import happens inside a command: ``--help``, ``list``, ``show``, ``check``, ``schema`` and
``plugins`` never import torch. Exit codes are those of :mod:`genframe.errors`; 2 is a mistake in the
command line or a spec, 130 and 143 are SIGINT and SIGTERM.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final, NoReturn

from ..errors import GenframeError

__all__ = ["COMMANDS", "main", "parser"]

COMMANDS: Final = {
    "list": "what is installed: components by kind",
    "show": "one component: fields, defaults, traits, paper",
    "recipes": "ready experiments that the plugins ship",
    "init": "write a recipe's experiment to a file, to edit it",
    "check": "type an experiment without building it",
    "fit": "which installed components would fit a slot",
    "train": "train an experiment from a file or recipe",
    "resume": "go on with an interrupted run",
    "sample": "draw samples from a run",
    "reconstruct": "encode and decode held-out data",
    "evaluate": "measure a run on held-out data",
    "schema": "the JSON Schema of experiments, for editors",
    "plugins": "which plugins there are, and why one is not in use",
    "doctor": "whether this installation is in order",
    "completion": "a completion script for bash, zsh or fish",
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; try: {self.prog} --help\n")


def parser(only: str | None = None) -> argparse.ArgumentParser:
    """Return the command line's grammar; ``only`` loads the arguments of a single command."""
    from .. import __version__

    root = _Parser(prog="genframe", description="Generative models as typed compositions of five parts.")
    root.add_argument("--version", action="version", version=f"genframe {__version__}")
    commands = root.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        if only in (None, name):
            import_module(f".{name}", __name__).arguments(command)
    return root


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
    words = list(sys.argv[1:] if argv is None else argv)
    only = next((word for word in words if not word.startswith("-")), None)
    options = _parse(parser(only if only in COMMANDS else ""), words)
    try:
        return int(import_module(f".{options.command}", __name__).run(options) or 0)
    except GenframeError as error:
        print(f"genframe {options.command}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt as interrupt:
        print(f"genframe {options.command}: {interrupt or 'interrupted'}", file=sys.stderr)
        return int(getattr(interrupt, "exit_code", 130))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
