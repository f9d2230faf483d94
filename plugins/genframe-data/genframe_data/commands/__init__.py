"""The commands on data. Each one's module is imported when it runs."""

from __future__ import annotations

from typing import Final

from genframe import Command

__all__ = ["COMMANDS"]

COMMANDS: Final = (
    Command("shards", "pack a folder of pictures into tar files with an index", "genframe_data.commands.shards"),
)
