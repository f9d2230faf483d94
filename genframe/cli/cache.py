"""``genframe cache``: what is kept on disk of data that was prepared once."""

from __future__ import annotations

import argparse
import time
from typing import Any


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("action", choices=("list", "clear"), nargs="?", default="list", help="list the entries, or remove them")
    parser.add_argument("entry", nargs="?", help="what to remove, as the list names it; everything if left out")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> None:
    """List the cache, or clear it.

    :raises StorageError: if there is no such entry, or the volume refuses.
    """
    from ..cache import cache_folder, cache_limit, clear_cache, entries
    from ..types.text import readable
    from .output import print_json, print_table, say

    if options.action == "clear":
        removed = clear_cache(options.entry)
        if options.json:
            print_json({"removed": removed})
        else:
            say(f"removed {', '.join(removed) or 'nothing'}")
        return
    found = [_described(entry) for entry in entries()]
    total = sum(entry["bytes"] for entry in found)
    if options.json:
        print_json({"folder": str(cache_folder()), "limit": cache_limit(), "bytes": total, "entries": found})
        return
    if found:
        print_table(
            ["entry", "rows", "size", "last used", "of"],
            [[one["name"], f"{one['rows']:,}", readable(one["bytes"]), one["used"], one["of"]] for one in found],
        )
    say(f"{cache_folder()}: {readable(total)} of at most {readable(cache_limit())}")


def _described(entry: Any) -> dict[str, Any]:
    used = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.used))
    return {
        "name": entry.name,
        "rows": entry.shape[0],
        "shape": list(entry.shape[1:]),
        "dtype": entry.dtype,
        "bytes": entry.bytes,
        "used": used,
        "of": str(entry.about.get("of", "")),
    }
