"""The table of users' decisions. Pure: time comes in as Unix milliseconds."""

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import msgspec

from deskbus_protocol.permissions import Grant

DAY_MS = 24 * 60 * 60 * 1000
EMBARGO_MS = 7 * DAY_MS
MAX_DISMISSALS = 3
MAX_TIMEOUTS = 4
"""Unanswered prompts per permission after which the app is embargoed."""

Neglect = Literal["dismissed", "timeout"]


class UserDecision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`bound` is what the app was when it was allowed: its publisher's key, or its content.

    `session` decisions end with the app's run. `since`, `until` and `used` (for the last time) are
    Unix milliseconds.
    """

    app: str
    bound: str
    grant: Grant
    allowed: bool
    holds: Literal["session", "always"]
    since: int
    until: int | None = None
    used: int | None = None

    def holds_at(self, now_ms: int) -> bool:
        return self.until is None or now_ms < self.until


class Embargoed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    app: str
    permission: str
    since: int
    until: int
    because: Neglect


class DenialCount(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Prompts for one permission of an app that nobody answered, since the last answer."""

    app: str
    permission: str
    dismissed: int = 0
    timeout: int = 0


class DecisionState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The durable part. `seen` is the time at which it was written, Unix milliseconds."""

    version: Literal[2] = 2
    seen: int = 0
    decisions: list[UserDecision] = []
    embargoes: list[Embargoed] = []
    strikes: list[DenialCount] = []


MAX_REMOVALS = 1000
"""Removals that are kept until the decisions of earlier runs are known; what is beyond stands for
all of an app, or of every app.
"""


class Removal(NamedTuple):
    """A removal of decisions; None stands for all."""

    app: str | None
    permission: str | None
    scope: str | None

    def means(self, decision: UserDecision) -> bool:
        return (
            self.app in (None, decision.app)
            and self.permission in (None, decision.grant.permission)
            and self.scope in (None, decision.grant.scope)
        )


class DecisionTable:
    """Decisions by app and grant; a later one replaces an earlier one."""

    def __init__(self) -> None:
        self._decisions: dict[str, dict[Grant, UserDecision]] = {}
        self._embargoes: dict[tuple[str, str], Embargoed] = {}
        self._strikes: dict[tuple[str, str], DenialCount] = {}
        self._taken_back: set[Removal] | None = set()

    def __iter__(self) -> Iterator[UserDecision]:
        for decisions in self._decisions.values():
            yield from decisions.values()

    @property
    def apps(self) -> set[str]:
        return set(self._decisions)

    @property
    def removals(self) -> int:
        """The number of removals kept for decisions of earlier runs."""
        return len(self._taken_back or ())

    def restore(self, state: DecisionState) -> None:
        """Takes in an earlier run's decisions, beneath what was decided or taken back since."""
        taken_back, self._taken_back = self._taken_back or set(), None
        for decision in state.decisions:
            if any(removal.means(decision) for removal in taken_back):
                continue
            self._decisions.setdefault(decision.app, {}).setdefault(decision.grant, decision)
        for embargo in state.embargoes:
            self._embargoes.setdefault((embargo.app, embargo.permission), embargo)
        for strikes in state.strikes:
            known = self._strikes.setdefault((strikes.app, strikes.permission), strikes)
            if known is not strikes:
                known.dismissed += strikes.dismissed
                known.timeout += strikes.timeout

    def state(self, now_ms: int) -> DecisionState:
        return DecisionState(
            seen=now_ms,
            decisions=[decision for decision in self if decision.holds == "always"],
            embargoes=list(self._embargoes.values()),
            strikes=list(self._strikes.values()),
        )

    def add(self, decision: UserDecision) -> None:
        self._decisions.setdefault(decision.app, {})[decision.grant] = decision

    def note_use(self, app: str, grant: Grant, now_ms: int) -> None:
        decisions = self._decisions.get(app, {})
        decision = decisions.get(grant)
        if decision is not None:
            decisions[grant] = msgspec.structs.replace(decision, used=now_ms)

    def of(self, app: str, now_ms: int) -> list[UserDecision]:
        """The decisions about an app that have not ended."""
        return [d for d in self._decisions.get(app, {}).values() if d.holds_at(now_ms)]

    def remove(
        self, app: str, permission: str | None = None, scope: str | None = None
    ) -> list[UserDecision]:
        """Takes decisions back, including those of earlier runs that are not loaded yet; None means
        all.
        """
        removal = Removal(app, permission, scope)
        if self._taken_back is not None:
            self._taken_back = _bounded({*self._taken_back, removal})
        return self._take(app, removal.means)

    def end_session(self, app: str) -> list[UserDecision]:
        return self._take(app, lambda decision: decision.holds == "session")

    def disown(self, app: str, bound: str) -> list[UserDecision]:
        """Takes back what was allowed to an app whose content has changed.

        Denials stay, since otherwise changing a file would remove them.
        """
        return self._take(app, lambda decision: decision.allowed and decision.bound != bound)

    def expire(self, now_ms: int) -> list[UserDecision]:
        """Takes out what has ended."""
        ended = []
        for app in list(self._decisions):
            ended += self._take(app, lambda decision: not decision.holds_at(now_ms))
        return ended

    def next_end(self) -> int | None:
        """The time at which the next decision expires, Unix ms."""
        return min((d.until for d in self if d.until is not None), default=None)

    def neglected(self, app: str, permission: str, how: Neglect, now_ms: int) -> Embargoed | None:
        """Counts a prompt that nobody answered; returns the embargo if that was one too many."""
        key = (app, permission)
        strikes = self._strikes.setdefault(key, DenialCount(app=app, permission=permission))
        if how == "dismissed":
            strikes.dismissed += 1
        else:
            strikes.timeout += 1
        if strikes.dismissed < MAX_DISMISSALS and strikes.timeout < MAX_TIMEOUTS:
            return None
        del self._strikes[key]
        embargo = self._embargoes[key] = Embargoed(
            app=app, permission=permission, since=now_ms, until=now_ms + EMBARGO_MS, because=how
        )
        return embargo

    def answered(self, app: str, permission: str) -> bool:
        """Resets the count after an answer; returns whether anything was counted."""
        return self._strikes.pop((app, permission), None) is not None

    def is_embargoed(self, app: str, permission: str, now_ms: int) -> bool:
        embargo = self._embargoes.get((app, permission))
        return embargo is not None and now_ms < embargo.until

    def embargoes(self, now_ms: int) -> list[Embargoed]:
        return [embargo for embargo in self._embargoes.values() if now_ms < embargo.until]

    def reset_embargoes(self, app: str, permission: str | None = None) -> list[Embargoed]:
        found = [
            embargo
            for embargo in self._embargoes.values()
            if embargo.app == app and permission in (None, embargo.permission)
        ]
        for embargo in found:
            del self._embargoes[embargo.app, embargo.permission]
        return found

    def _take(self, app: str, ends: Callable[[UserDecision], bool]) -> list[UserDecision]:
        decisions = self._decisions.get(app, {})
        taken = [decision for decision in decisions.values() if ends(decision)]
        for decision in taken:
            del decisions[decision.grant]
        if app in self._decisions and not decisions:
            del self._decisions[app]
        return taken


def _bounded(removals: set[Removal]) -> set[Removal]:
    """Merges removals to at most `MAX_REMOVALS`, which together take back at least as much."""
    if len(removals) <= MAX_REMOVALS:
        return removals
    of_apps = {Removal(each.app, None, None) for each in removals}
    return of_apps if len(of_apps) <= MAX_REMOVALS else {Removal(None, None, None)}
