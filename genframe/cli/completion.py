"""``genframe completion``: shell completion that knows component, recipe and run names."""

from __future__ import annotations

import argparse
from pathlib import Path

SCRIPTS = {
    "bash": """_genframe() {
    COMPREPLY=($(compgen -W "$(genframe completion words "${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _genframe genframe
""",
    "zsh": """#compdef genframe
_genframe() { compadd -- $(genframe completion words ${words[2,CURRENT-1]} 2>/dev/null) || _files }
compdef _genframe genframe
""",
    "fish": """complete -c genframe -a '(genframe completion words (commandline -opc)[2..] 2>/dev/null)'
""",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("shell", choices=[*SCRIPTS, "words"], help="'words' prints what may come next")
    parser.add_argument("typed", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> None:
    """Print the shell's script, or the words that may come next."""
    if options.shell != "words":
        print(SCRIPTS[options.shell], end="")
    else:
        print("\n".join(candidates(options.typed)))


def candidates(typed: list[str]) -> list[str]:
    """Return the words that may follow those ``typed`` after ``genframe``."""
    from . import COMMANDS, parser

    if not typed or typed[0] not in COMMANDS:
        return list(COMMANDS)
    command = typed[0]
    subparsers = next(action for action in parser(command)._actions if isinstance(action.choices, dict))
    options = [text for action in subparsers.choices[command]._actions for text in action.option_strings]
    return [*_names(command), *options]


def _names(command: str) -> list[str]:
    from ..composition import SLOTS
    from ..plugins import installed
    from ..specs import KINDS

    if command == "show":
        return sorted({spec.type_name() for spec in installed().components()})
    if command == "list":
        return list(KINDS)
    if command in {"resume", "sample", "reconstruct", "evaluate"}:
        return sorted(str(path.parent) for path in Path("runs").glob("*/experiment.yaml"))
    if command in {"init", "check", "train", "fit"}:
        slots = [f"model.{slot}" for slot in SLOTS] if command == "fit" else []
        return [*sorted(installed().recipes), *slots, *sorted(str(path) for path in Path().glob("*.yaml"))]
    return []
