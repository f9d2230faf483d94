"""The ``genframe`` command.

Every heavy import happens inside a command: ``--help``, ``list``, ``show``, ``check``, ``schema`` and
``plugins`` never import torch. Exit codes are those of :mod:`genframe.types.errors`; 2 is a mistake in the
command line or a spec, 130 and 143 are SIGINT and SIGTERM.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Final, NoReturn

from ..types.errors import GenframeError, PluginError, StorageError, Unsupported
from ..types.isolation import reason
from ..types.text import Printable
from .commands import Commands, find, load
from .stopping import stopped
from .values import joined_ranges

__all__ = ["COMMANDS", "EXIT_CODES", "grammar_of", "of_plugins", "parser", "run", "summaries"]

COMMANDS: Final = {
    "list": "what is installed: components by kind",
    "show": "one component: fields, defaults, traits, paper",
    "recipes": "ready experiments that the plugins ship",
    "init": "write a recipe's experiment to a file, to edit it",
    "check": "whether the parts of an experiment fit, without building it",
    "fit": "which installed components would fit a slot",
    "train": "train an experiment from a file or recipe",
    "resume": "continue an interrupted run",
    "sample": "draw samples from a run",
    "reconstruct": "encode and decode held-out data",
    "evaluate": "measure a run on held-out data",
    "schema": "the JSON Schema of experiments, for editors",
    "cache": "what is kept on disk of data that was prepared once",
    "plugins": "which plugins there are, and why one is not in use",
    "doctor": "whether this installation is in order",
    "completion": "a completion script for bash, zsh or fish",
}
EXIT_CODES: Final = """exit codes:
  0 done; 1 doctor found something amiss; 2 a mistake in the command line or a spec; 3 a plugin;
  4 the data; 5 the run's folder; 6 a checkpoint; 7 the volume; 8 NaN or infinity in training;
  9 not possible with this model; 130 and 143 stopped by SIGINT and SIGTERM"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; try: {self.prog} --help\n")


@cache
def of_plugins() -> Commands:
    """Return the commands that plugins bring; they are looked for once in a process."""
    return find(COMMANDS)


def summaries() -> dict[str, str]:
    """Return every command with its summary, those of plugins last."""
    return {**COMMANDS, **{name: brought.command.summary for name, brought in of_plugins().found.items()}}


def parser(only: str | None = None, names: Mapping[str, str] | None = None) -> argparse.ArgumentParser:
    """Return the command line's grammar of ``names``, all commands if left out; ``only`` loads a single one's arguments.

    :raises PluginError: if a plugin's command is broken.
    """
    from ..version import __version__

    names = summaries() if names is None else names
    root = _Parser(
        prog="genframe",
        usage="genframe [-h] [--version] COMMAND ...",
        description="Generative models as typed compositions of five parts.",
        epilog=_epilog(names),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    root.add_argument("--version", action="version", version=f"genframe {__version__}")
    commands = root.add_subparsers(
        dest="command", metavar="COMMAND", prog="genframe", required=True, help=argparse.SUPPRESS, parser_class=_Parser
    )
    for name, summary in names.items():
        command = commands.add_parser(name, description=f"{summary[0].upper()}{summary[1:]}.")
        if only in (None, name):
            _declare(name, command)
    return root


def _epilog(names: Mapping[str, str]) -> str:
    """Return the list of commands, then what is wrong with those of plugins, then the exit codes."""
    width = max(12, *map(len, names))
    listed = {name: f"  {name:<{width}} {summary}" for name, summary in names.items()}
    blocks = [["commands:", *(line for name, line in listed.items() if name in COMMANDS)]]
    brought = [line for name, line in listed.items() if name not in COMMANDS]
    blocks += [["commands of plugins:", *brought]] if brought else []
    problems = of_plugins().problems if names is not COMMANDS else ()
    blocks += [["not in use:", *(f"  {problem}" for problem in problems)]] if problems else []
    return "\n\n".join(["\n".join(block) for block in blocks] + [EXIT_CODES])


def _module(command: str) -> ModuleType:
    """Return the command's module; that of ``list`` has another name, since a submodule hides a builtin here.

    :raises PluginError: if it is a plugin's, and broken.
    """
    if command not in COMMANDS:
        return load(of_plugins().found[command])
    return import_module(f".{'listing' if command == 'list' else command}", __package__)


def _declare(name: str, grammar: argparse.ArgumentParser) -> None:
    """Declare the command's arguments.

    :raises PluginError: if it is a plugin's, and broken.
    """
    module = _module(name)
    try:
        module.arguments(grammar)
    except Exception as error:
        if name in COMMANDS:
            raise
        raise PluginError(f"{of_plugins().found[name].distribution} is broken: arguments: {reason(error)}") from None


def grammar_of(command: str) -> argparse.ArgumentParser:
    """Return the grammar of one command's arguments."""
    grammar = argparse.ArgumentParser()
    _declare(command, grammar)
    return grammar


def _parse(grammar: argparse.ArgumentParser, words: list[str]) -> argparse.Namespace:
    """Parse, with overrides allowed behind options too, which argparse alone would not take."""
    options, rest = grammar.parse_known_args(words)
    unknown = [word for word in rest if word.startswith("-") or not hasattr(options, "overrides")]
    if unknown:
        grammar.error(f"unknown words for {options.command}: {' '.join(unknown)}")
    if rest:
        options.overrides = [*options.overrides, *rest]
    return options


def run(words: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show × is no reason to fail
    with redirect_stdout(Printable(sys.stdout)), redirect_stderr(Printable(sys.stderr)):
        code = _run(joined_ranges([*words]))
        sys.stdout.flush()
    return code


def _run(words: list[str]) -> int:
    name = next((word for word in words if not word.startswith("-")), "")
    try:
        options = _parse(_grammar(name, words), words)
        name = options.command
        code = _code(name, _module(name).run(options))
        sys.stdout.flush()
    except GenframeError as error:
        return _refuse(name, error, error.exit_code)
    except KeyboardInterrupt as interrupt:
        return _refuse(name, str(interrupt) or "interrupted", getattr(interrupt, "exit_code", 130))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _refuse(name, f"{error.filename or 'a file'}: {error.strerror or error}", StorageError.exit_code)
    except Exception as error:
        if (stop := stopped()) is not None:
            return _refuse(name, stop, stop.exit_code)
        if _no_memory(error):
            return _refuse(name, f"there is not enough memory: {' '.join(str(error).split())[:200]}", Unsupported.exit_code)
        raise
    return code


def _no_memory(error: Exception) -> bool:
    if "torch" not in sys.modules:
        return isinstance(error, MemoryError)
    from ..training.machine import is_out_of_memory

    return is_out_of_memory(error)


def _grammar(name: str, words: Sequence[str]) -> argparse.ArgumentParser:
    """Return the grammar for a command line; plugins are asked for commands only where it may name one, or asks for help."""
    built_in = name in COMMANDS or not (name or {"-h", "--help"} & set(words))
    names = COMMANDS if built_in else summaries()
    if name and name not in names:
        for problem in of_plugins().problems:
            print(f"genframe: {problem}", file=sys.stderr)
    return parser(name if name in names else "", names)


def _code(command: str, returned: object) -> int:
    """Return what a command's ``run`` returned as an exit code.

    :raises PluginError: if it is none.
    """
    if not isinstance(returned, (int, type(None))):
        raise PluginError(f"{of_plugins().found[command].distribution} is broken: run returned {returned!r}, not an exit code")
    return int(returned or 0)


def _refuse(command: str, reason: object, code: int) -> int:
    """Print every line of the reason behind the command's name, and return the code."""
    with suppress(OSError):  # where nothing can be written, the code still says what it was
        sys.stdout.flush()
        for line in str(reason).splitlines():
            print(f"genframe {command}: {line}", file=sys.stderr)
    return code
