"""Commands that plugins bring, found by the entry-point group ``genframe_commands``.

Built-in commands never look for them. ``--help``, completion and a word that is not a built-in command do: then the entry
points' modules are imported, so these must be small. A command's own module is imported when the command runs.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Final

from ..types.errors import PluginError
from ..types.isolation import disabled, entry_points, quietly, reason

__all__ = ["GROUP", "Brought", "Command", "Commands", "find", "load"]

GROUP: Final = "genframe_commands"
NAME: Final = re.compile(r"[a-z][a-z0-9-]*")


@dataclass(frozen=True)
class Command:
    """A command that a plugin brings: ``genframe NAME``, with a summary that ``genframe --help`` shows.

    ``module`` is the dotted path of a module with two functions. ``arguments(parser)`` declares the command's arguments on an
    ``argparse.ArgumentParser``; ``run(options)`` runs it and returns its exit code, or ``None`` for 0.
    """

    name: str
    summary: str
    module: str


@dataclass(frozen=True)
class Brought:
    """A command, and the distribution that brings it."""

    command: Command
    distribution: str


@dataclass(frozen=True)
class Commands:
    """The commands of plugins by name; ``problems`` has one line for each that is not in use, with its distribution."""

    found: dict[str, Brought]
    problems: tuple[str, ...] = ()


def find(taken: Collection[str]) -> Commands:
    """Return the commands of all installed plugins. Names that are ``taken``, or that two plugins claim, are not in use."""
    offered: list[Brought] = []
    problems: list[str] = []
    entries = {(point.distribution, point.entry.name): point.entry for point in entry_points(GROUP.__eq__)}
    for distribution, namespace in sorted(entries):
        if namespace in disabled():
            continue
        try:
            commands, _ = quietly(entries[distribution, namespace].load)
            offered += [Brought(command, distribution) for command in _checked(commands)]
        except (Exception, SystemExit) as error:
            problems.append(f"{distribution}: its commands cannot be loaded: {reason(error)}")
    found: dict[str, Brought] = {}
    for brought in offered:
        name = brought.command.name
        rivals = [other.distribution for other in offered if other.command.name == name]
        if name in taken:
            problems.append(f"{brought.distribution}: {name!r} is a command of genframe itself")
        elif len(rivals) > 1:
            problems.append(f"{brought.distribution}: {name!r} is brought by {', '.join(rivals)}; uninstall all but one")
        else:
            found[name] = brought
    return Commands(found, tuple(problems))


def _checked(commands: object) -> Sequence[Command]:
    """Return what an entry point gives, if it is a sequence of well-formed commands.

    :raises PluginError: if it is not.
    """
    if not isinstance(commands, (list, tuple)):
        raise PluginError(f"{GROUP} gives {type(commands).__name__}, not a sequence of Command")
    for command in commands:
        if not isinstance(command, Command):
            raise PluginError(f"{GROUP} gives {command!r}, which is not a Command")
        if not all(isinstance(text, str) and text for text in vars(command).values()) or not NAME.fullmatch(command.name):
            raise PluginError(f"{command!r} needs a name of small letters, a summary and a module")
    return commands


def load(brought: Brought) -> ModuleType:
    """Return the module of a command.

    :raises PluginError: if it cannot be imported or lacks a function, naming the distribution.
    """
    name = brought.command.module
    try:
        module, _ = quietly(lambda: import_module(name))
    except (Exception, SystemExit) as error:
        raise PluginError(f"{brought.distribution} is broken: {name}: {reason(error)}") from None
    missing = [function for function in ("arguments", "run") if not callable(getattr(module, function, None))]
    if missing:
        raise PluginError(f"{brought.distribution} is broken: {name} has no function {missing[0]!r}")
    return module
