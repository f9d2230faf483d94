"""The ``genframe`` command.

Importing it imports next to nothing, so that a signal finds its handler from the first moment on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..lazy import loaded_when_used

if TYPE_CHECKING:
    from .command_line import COMMANDS as COMMANDS
    from .command_line import EXIT_CODES as EXIT_CODES
    from .command_line import grammar_of as grammar_of
    from .command_line import of_plugins as of_plugins
    from .command_line import parser as parser
    from .command_line import summaries as summaries

_OF_LINE = ("COMMANDS", "EXIT_CODES", "grammar_of", "of_plugins", "parser", "summaries")
__getattr__, __dir__ = loaded_when_used(__name__, dict.fromkeys(_OF_LINE, "command_line"))


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Without ``argv`` it is that of the process, which a signal ends by one line."""
    from .stopping import ignore, listen, stopping

    if argv is not None:
        from .command_line import run

        return run(argv)
    listen()
    with stopping():
        import sys

        from .command_line import run

        code = run(sys.argv[1:])
        ignore()  # what is still to come is of no use to anyone
        return code
