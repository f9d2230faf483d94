"""``genframe completion``: shell completion that knows component, recipe and run names."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

SCRIPTS: Final = {
    "bash": """_genframe() {
    local line="${COMP_LINE:0:COMP_POINT}"
    local word="${line##* }" words=(${line% *})
    COMPREPLY=($(compgen -W "$(genframe completion words "${words[@]:1}" 2>/dev/null)" -- "$word"))
    [[ $word == *=* ]] && COMPREPLY=("${COMPREPLY[@]#*=}")
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
    from . import COMMANDS, options_of

    if not typed or typed[0] not in COMMANDS:
        return list(COMMANDS)
    command = typed[0]
    return [*_names(command), *options_of(command)]


def _names(command: str) -> list[str]:
    from ..plugins import installed
    from ..specs import KINDS

    if command == "show":
        return sorted({spec.type_name() for spec in installed().components()})
    if command == "list":
        return list(KINDS)
    if command in {"resume", "sample", "reconstruct", "evaluate", "report"}:
        return _runs()
    if command == "init":
        return sorted(installed().recipes)
    if command in {"check", "train", "fit"}:
        files = sorted(str(path) for suffix in ("yaml", "yml", "json") for path in Path().glob(f"*.{suffix}"))
        return [*sorted(installed().recipes), *files, *_assignments(command)]
    return [*sorted(installed().recipes), *_runs()] if command == "taxonomy" else []


def _runs() -> list[str]:
    return sorted(str(path.parent) for path in Path("runs").glob("*/experiment.yaml"))


def _assignments(command: str) -> list[str]:
    """Return the slots that ``fit`` takes, or what can be put into each by an override."""
    from ..plugins import installed
    from ..suggestions import SLOTS

    if command == "fit":
        return [*(f"model.{slot}" for slot in SLOTS), "data"]
    return [f"model.{slot}={name}" for slot, kind in SLOTS.items() for name in installed().registry(kind).names()]
