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
    from ..cli import COMMANDS, grammar_of, of_plugins, summaries

    if not typed or (typed[0] not in COMMANDS and typed[0] not in of_plugins().found):
        return list(summaries())
    command = typed[0]
    actions = grammar_of(command)._actions
    options = [text for action in actions for text in action.option_strings]
    names = [name for action in actions if not action.option_strings for name in _names(action)]
    return [*names, *(_assignments() if command in {"check", "train"} else ()), *options]


def _names(action: argparse.Action) -> list[str]:
    """Return what an argument may be, by its choices or by the words of its metavar, such as FILE_OR_RECIPE."""
    known = {"COMPONENT": _components, "FILE": _files, "RECIPE": _recipes, "RUN": _runs, "SLOT": _slots}
    words = str(action.metavar).split("_")
    return [*map(str, action.choices or ()), *(name for word in words if word in known for name in known[word]())]


def _components() -> list[str]:
    from ..plugins.discovery import installed

    return sorted({spec.type_name() for spec in installed().components()})


def _files() -> list[str]:
    return sorted(str(path) for suffix in ("yaml", "yml", "json") for path in Path().glob(f"*.{suffix}"))


def _recipes() -> list[str]:
    from ..plugins.discovery import installed

    return sorted(installed().recipes)


def _runs() -> list[str]:
    return sorted(str(path.parent) for path in Path("runs").glob("*/experiment.yaml"))


def _slots() -> list[str]:
    from ..checking.suggestions import SLOTS

    return [*(f"model.{slot}" for slot in SLOTS), "data"]


def _assignments() -> list[str]:
    """Return what can be put into each slot by an override."""
    from ..checking.suggestions import SLOTS
    from ..plugins.discovery import installed

    return [f"model.{slot}={name}" for slot, kind in SLOTS.items() for name in installed().registry(kind).names()]
