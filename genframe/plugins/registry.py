"""A registry: the installed components of one kind, by qualified name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from difflib import get_close_matches

from pydantic_core import PydanticCustomError

from ..specs.base import ComponentSpec, Kind

__all__ = ["Registry"]


class Registry:
    """The installed components of one kind.

    ``explain`` is asked about a name that is not here before a near name is suggested: it knows of other
    kinds, of broken plugins and of namespaces that nobody installed.
    """

    def __init__(self, kind: Kind, explain: Callable[[Kind, str], str]) -> None:
        self.kind = kind
        self._explain = explain
        self._specs: dict[str, type[ComponentSpec]] = {}
        self._unlisted: dict[str, type[ComponentSpec]] = {}

    def add(self, spec: type[ComponentSpec]) -> None:
        """Add a component; its kind and name are what the class says."""
        (self._specs if spec.listed else self._unlisted)[spec.type_name()] = spec

    def __iter__(self) -> Iterator[type[ComponentSpec]]:
        return iter(self._specs.values())

    def __len__(self) -> int:
        return len(self._specs)

    def __contains__(self, name: object) -> bool:
        return name in self._specs

    def names(self) -> list[str]:
        """Return the qualified names, sorted."""
        return sorted(self._specs)

    def find(self, name: str) -> type[ComponentSpec]:
        """Return the spec class of ``name``; an unqualified name will do where only one plugin has it.

        :raises PydanticCustomError: saying why there is none and what would do.
        """
        if name in self._specs or name in self._unlisted:
            return self._specs.get(name) or self._unlisted[name]
        matches = [known for known in self.names() if known.partition("/")[2] == name]
        if len(matches) == 1:
            return self._specs[matches[0]]
        if matches:
            message, hint = f"the {self.kind} {name!r} is ambiguous", f"say {' or '.join(matches)}"
        else:
            message, hint = f"there is no {self.kind} {name!r}", self._hint(name)
        raise PydanticCustomError("component", "{message}", {"message": message, "hint": hint})

    def _hint(self, name: str) -> str:
        reason = self._explain(self.kind, name)
        if reason:
            return reason
        bare = {known.partition("/")[2]: known for known in self.names()}
        near = get_close_matches(name.partition("/")[2] or name, list(bare), n=1)
        return f"did you mean {bare[near[0]]!r}?" if near else f"installed are {', '.join(self.names()) or 'none'}"
