"""One-time grants: kept for one operation, or for as long as that operation goes on."""

from collections.abc import Callable

from deskbus.security.model.grant_matching import GrantMatching
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.permissions import Grant

MAX_KEPT = 64
"""Grants kept for one client; the oldest gives way."""


class OneTimeGrants:
    """By client: what one window was allowed is no other's, not even of the same app."""

    def __init__(self, rules: GrantMatching) -> None:
        self._rules = rules
        self._kept: dict[ClientId, list[Grant]] = {}
        self._leased: dict[ClientId, list[Grant]] = {}

    def keep(self, identity: ClientId, grant: Grant) -> None:
        kept = self._kept.setdefault(identity, [])
        kept.append(grant)
        del kept[:-MAX_KEPT]

    def covers(self, identity: ClientId, wanted: Grant) -> bool:
        """Whether one that is kept covers `wanted`."""
        return self._rules.any_covers(self._kept.get(identity, ()), wanted)

    def spend(self, identity: ClientId, wanted: Grant) -> bool:
        """Uses one up that covers `wanted`; true if there was one."""
        kept = self._kept.get(identity, [])
        for grant in kept:
            if self._rules.covers(grant, wanted):
                kept.remove(grant)
                return True
        return False

    def lease(self, identity: ClientId, grant: Grant) -> None:
        self._leased.setdefault(identity, []).append(grant)

    def release(self, identity: ClientId, grant: Grant) -> bool:
        """Whether it was leased."""
        leased = self._leased.get(identity, [])
        if grant in leased:
            leased.remove(grant)
            return True
        return False

    def is_leased(self, identity: ClientId, wanted: Grant) -> bool:
        return self._rules.any_covers(self._leased.get(identity, ()), wanted)

    def forget(self, identity: ClientId) -> None:
        self._kept.pop(identity, None)
        self._leased.pop(identity, None)

    def forget_app(self, app: str) -> None:
        for identity in {*self._kept, *self._leased}:
            if identity.app == app:
                self.forget(identity)

    def take_back(self, app: str, is_meant: Callable[[Grant], bool]) -> None:
        for held in (self._kept, self._leased):
            for identity, grants in held.items():
                if identity.app == app:
                    grants[:] = [grant for grant in grants if not is_meant(grant)]
