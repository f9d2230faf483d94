"""The commands on latents. Each one's module is imported when it runs."""

from __future__ import annotations

from typing import Final

from genframe import Command

__all__ = ["COMMANDS"]

COMMANDS: Final = (
    Command("encode", "write the latents of examples to a file", "genframe_latents.commands.encode"),
    Command("interpolate", "go from one example to another by their latents", "genframe_latents.commands.interpolate"),
    Command("traverse", "move latents along one dimension or direction", "genframe_latents.commands.traverse"),
    Command("arithmetic", "add and subtract latents, such as a - b + c", "genframe_latents.commands.arithmetic"),
    Command("edit", "move examples along an attribute, such as sunglasses", "genframe_latents.commands.edit"),
)
