"""Things that are found by name and loaded when they are first used, from this package or from any installed one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from astra_ros.errors import UserError

Thing = TypeVar("Thing")


class UnknownName(UserError, ValueError):
    """A registry has nothing under a name."""

    def __init__(self, kind: str, name: str, known: list[str]) -> None:
        super().__init__(
            f"unknown {kind} '{name}'", cure=f"known {'is' if len(known) == 1 else 'are'} {', '.join(known)}"
        )
        self.name, self.known = name, known


class LoadError(UserError, ValueError):
    """A registered thing cannot be imported. ``thing`` is its name."""


class Registry(Mapping[str, Thing]):
    """Name -> thing. Names of this package come first, then those of entry points.

    Args:
        kind: of the things, in the singular, for messages: "plan type".
        group: entry point group in which other packages name theirs: ``name = module:object``.
        own: name -> "module:object" of this package, or "module" where importing it registers the name.
    """

    def __init__(self, kind: str, group: str, own: Mapping[str, str]) -> None:
        self.kind, self.group = kind, group
        self._own = dict(own)
        self._loaded: dict[str, Thing] = {}

    def register(self, name: str, thing: Thing) -> None:
        """Add a thing of this process, such as one that a script or a test defines."""
        self._loaded[name] = thing

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self._own, *self._loaded, *sorted(self._entry_points())]))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __contains__(self, name: object) -> bool:
        return name in self._loaded or name in self._own or name in self._entry_points()

    def __getitem__(self, name: str) -> Thing:
        """The thing, imported where it is not yet. Raises UnknownName or LoadError."""
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def _load(self, name: str) -> Thing:
        if name in self._own:
            target, _, attribute = self._own[name].partition(":")
            module = import_module(target)
            return getattr(module, attribute) if attribute else self._loaded[name]
        found = self._entry_points().get(name)
        if found is None:
            raise UnknownName(self.kind, name, list(self))
        try:
            return found.load()
        except Exception as error:
            raise LoadError(
                f"{self.kind} '{name}' cannot be loaded ({error})",
                thing=f"entry point {found.value}",
                cure="install what it needs, or mend the package that brings it",
            ) from error

    def _entry_points(self) -> dict[str, EntryPoint]:
        return {each.name: each for each in entry_points(group=self.group)}
