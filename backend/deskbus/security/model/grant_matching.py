"""Matching of grants and denials with requests. Pure: no clock, no store, no file system."""

from collections.abc import Iterable

from deskbus.security.model.scope_grammar import GRAMMARS, check_scope
from deskbus_protocol.catalogue import Catalogue
from deskbus_protocol.errors import INVALID_PARAMS, DeskbusError
from deskbus_protocol.permissions import PATTERN_KINDS, Grant
from deskbus_protocol.topics import is_wildcard


class GrantMatching:
    """Compares grants by the catalogue: scopes by their grammar, permissions by what they imply."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._includes = {name: self._closure(name) for name in catalogue}
        self._included_in = {
            name: frozenset(other for other in catalogue if name in self._includes[other])
            for name in catalogue
        }

    def check(self, wanted: Grant) -> None:
        """Raises `DeskbusError`: invalid_params (no such permission, bad scope), invalid_topic."""
        entry = self._catalogue.enforced(wanted.permission)
        if entry is None:
            raise _not_offered(wanted.permission)
        check_scope(entry, wanted.scope)

    def check_offered(self, permission: str) -> None:
        """Raises `DeskbusError`: invalid_params where nobody here would enforce it."""
        if self._catalogue.offered(permission) is None:
            raise _not_offered(permission)

    def includes(self, permission: str) -> frozenset[str]:
        """The permissions that this one includes, itself among them."""
        return self._includes.get(permission, frozenset())

    def included_in(self, permission: str) -> frozenset[str]:
        """The permissions that include this one, itself among them."""
        return self._included_in.get(permission, frozenset())

    def is_wide(self, given: Grant) -> bool:
        """Whether `given` can cover scopes that are not worded as its own."""
        entry = self._catalogue.get(given.permission)
        if entry is None or entry.scope in ("app", "word", "fixed"):
            return False
        return entry.scope not in PATTERN_KINDS or is_wildcard(given.scope)

    def covers(self, given: Grant, wanted: Grant) -> bool:
        """Whether `given` permits all that `wanted` asks for."""
        if wanted.permission not in self._includes.get(given.permission, ()):
            return False
        return GRAMMARS[self._catalogue[wanted.permission].scope].covers(given.scope, wanted.scope)

    def any_covers(self, given: Iterable[Grant], wanted: Grant) -> bool:
        return any(self.covers(grant, wanted) for grant in given)

    def denies(self, denied: Grant, wanted: Grant) -> bool:
        """Whether a denial of `denied` also denies `wanted`: for the same, less, or more of it.

        An app that was refused a weak permission is not given a stronger one that includes it,
        and one refused one topic is not given it under a wider pattern.
        """
        if denied.permission not in self._includes.get(wanted.permission, ()):
            return False
        return GRAMMARS[self._catalogue[wanted.permission].scope].meets(denied.scope, wanted.scope)

    def any_denies(self, denied: Iterable[Grant], wanted: Grant) -> bool:
        return any(self.denies(grant, wanted) for grant in denied)

    def _closure(self, name: str) -> frozenset[str]:
        found: set[str] = set()
        waiting = [name]
        while waiting:
            entry = self._catalogue.get(waiting.pop())
            if entry is not None and entry.name not in found:
                found.add(entry.name)
                waiting.extend(entry.implies)
        return frozenset(found)


def _not_offered(permission: str) -> DeskbusError:
    return DeskbusError(
        INVALID_PARAMS,
        f"There is no permission {permission} here.",
        action="Call permissions.catalogue for those that there are.",
    )
