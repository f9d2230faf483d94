"""Documents of specs: a restricted YAML, and JSON, read into plain data that remembers where each part was written."""

from .document import Document, Keys, Place, Plain, check_plain, dotted, origin, shown
from .reader import parse, read
from .writer import dump

__all__ = ["Document", "Keys", "Place", "Plain", "check_plain", "dotted", "dump", "origin", "parse", "read", "shown"]
