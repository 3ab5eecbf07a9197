"""Consent: puts an app's wish to a person, and makes what they answer stand."""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Literal, NamedTuple, Protocol, TypedDict

import anyio
import structlog
from msgspec import UNSET

from deskbus.observability.trail import AuditTrail
from deskbus.reliability.clock import ClockMs
from deskbus.security.decisions import DecisionStore
from deskbus.security.identity import AppIdentity
from deskbus.security.ledger import Decision, Embargoed, Ledger, Neglect
from deskbus.security.prompts import DENIED, Prompts, Settled, Wish
from deskbus.security.standing import Verdict
from deskbus_protocol.envelope import Sender
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.events import (
    PermissionDenied,
    PermissionEmbargoed,
    PermissionGranted,
    PermissionRequested,
)
from deskbus_protocol.permissions import Grant, Holds, State

MAX_REFUSALS = 3
"""So often may a person say no to one permission of an app, in one run of it, until it is quiet."""

MAX_WITHDRAWN = 4
"""So many prompts in a row, for whatever, may an app take back until a person is left in peace."""

log = structlog.get_logger()


class Answer(NamedTuple):
    """What came of a prompt. Only `allow` allows; `failed` is whatever kept a person from it.

    `holds` is for how long, `expires_ms` (from now) where that has an end.
    """

    choice: Literal["allow", "deny", "dismissed", "timeout", "failed"]
    holds: Holds = "once"
    expires_ms: int | None = None


class Question(NamedTuple):
    """`may_remember` says whether the answer may hold beyond this run of the app."""

    wish: Wish
    may_remember: bool
    verified: bool


Prompt = Callable[[Question], Awaitable[Answer]]
"""Asks a person. What it raises counts as no answer."""


class Checks(Protocol):
    """What stands, as the manager knows it."""

    def state_of(self, identity: Sender, wanted: Grant) -> State: ...

    def verdict(self, app: str, permission: str, scope: str) -> Verdict: ...

    def identity(self, app: str) -> AppIdentity: ...

    def must_be_asked(self, app: str, wanted: Grant) -> bool: ...

    def changed(self, app: str) -> None: ...


class Consent:
    def __init__(
        self,
        checks: Checks,
        ledger: Ledger,
        store: DecisionStore,
        prompt: Prompt,
        trail: AuditTrail,
        clock: ClockMs,
    ) -> None:
        self._checks = checks
        self._ledger = ledger
        self._store = store
        self._prompt = prompt
        self._trail = trail
        self._clock = clock
        self._prompts = Prompts(self._put)
        self._runs: Counter[str] = Counter()
        self._refusals: Counter[tuple[str, str]] = Counter()
        self._withdrawals: Counter[str] = Counter()

    async def run(self) -> None:
        """Runs prompts until cancelled."""
        await self._prompts.run()

    async def ask(self, wish: Wish) -> Settled:
        """Raises `DeskbusError` (overloaded)."""
        return await self._prompts.join(wish)

    def is_silenced(self, app: str, permission: str) -> bool:
        """Whether a person is spared this question for now."""
        if self._ledger.is_embargoed(app, permission, self._clock()):
            return True
        if self._withdrawals[app] >= MAX_WITHDRAWN:
            return True
        return self._refusals[app, permission] >= MAX_REFUSALS

    def end_run(self, app: str) -> None:
        """A prompt of the run that has ended is answered in vain."""
        self._runs[app] += 1
        for key in [key for key in self._refusals if key[0] == app]:
            del self._refusals[key]

    def allow_asking(self, app: str, permission: str | None) -> None:
        self._withdrawals.pop(app, None)
        for key in [key for key in self._refusals if key[0] == app]:
            if permission in (None, key[1]):
                del self._refusals[key]

    async def _put(self, wish: Wish) -> Settled:
        """At its turn: what was decided while it waited may have settled it already."""
        identity, wanted = wish.identity, wish.grant
        state = self._checks.state_of(identity, wanted)
        if state != "prompt":
            return Settled(state == "granted")
        app, run = identity.app, self._runs[identity.app]
        itself = self._checks.identity(app)
        question = Question(
            wish,
            may_remember=not self._checks.must_be_asked(app, wanted),
            verified=itself.verified,
        )
        self._trail.note(PermissionRequested(reason=wish.reason or "", **_about(wish)))
        try:
            answer = await self._prompt(question)
        except anyio.get_cancelled_exc_class():
            # However short: one that flashes up and is gone invites the click for something else.
            self._withdrawn(wish)
            raise
        if answer.choice in ("allow", "deny"):
            self._withdrawals.pop(app, None)
        if answer.choice != "allow":
            await self._refused(wish, answer)
            return DENIED
        # What was true when the question was put must be true still.
        unchanged = run == self._runs[app] and self._checks.identity(app) == itself
        verdict = self._checks.verdict(app, wanted.permission, wanted.scope)
        if not unchanged or verdict.state == "denied":
            why = "the app, its run or the rules changed meanwhile"
            await self._commit_denial(wish, answer._replace(holds="once"), why)
            return DENIED
        return await self._allowed(wish, answer, itself)

    async def _allowed(self, wish: Wish, answer: Answer, itself: AppIdentity) -> Settled:
        app, now = wish.identity.app, self._clock()
        until = None if answer.expires_ms is None else now + answer.expires_ms
        event = PermissionGranted(
            actor="person",
            holds=answer.holds,
            until=UNSET if until is None else until,
            **_about(wish),
        )
        try:
            await self._trail.commit(event)
        except DeskbusError:
            log.error("permission.not_granted_unrecorded", app=app)  # noqa: TRY400
            return DENIED
        had_strikes = self._ledger.answered(app, wish.grant.permission)
        if answer.holds != "once":
            self._ledger.add(
                Decision(
                    app=app,
                    bound=itself.bound,
                    grant=wish.grant,
                    allowed=True,
                    holds=answer.holds,
                    since=now,
                    until=until,
                )
            )
            self._checks.changed(app)
        if answer.holds == "always" or had_strikes:
            await self._store.save_in_time()
        return Settled(allowed=True, once=answer.holds == "once")

    def _withdrawn(self, wish: Wish) -> None:
        """Nobody has answered it: else an app could go on asking by giving up just in time."""
        app, permission = wish.identity.app, wish.grant.permission
        self._withdrawals[app] += 1
        if self._withdrawals[app] == MAX_WITHDRAWN:
            log.warning("permission.prompts_withdrawn", app=app)
        embargo = self._ledger.neglected(app, permission, "timeout", self._clock())
        self._store.is_behind = True
        if embargo is not None:
            log.warning("permission.embargoed", app=app, permission=permission)
            event = PermissionEmbargoed(until=embargo.until, reason=_WHY["timeout"], **_about(wish))
            self._trail.note(event)

    async def _refused(self, wish: Wish, answer: Answer) -> None:
        app, permission, now = wish.identity.app, wish.grant.permission, self._clock()
        if answer.choice == "dismissed" or answer.choice == "timeout":
            embargo = self._ledger.neglected(app, permission, answer.choice, now)
            await self._commit_denial(wish, answer._replace(holds="once"), _WHY[answer.choice])
            if embargo is not None:
                await self._commit_embargo(wish, embargo, answer.choice)
            await self._store.save_in_time()
            return
        if answer.choice == "deny":
            self._refusals[app, permission] += 1
            self._ledger.answered(app, permission)
            if answer.holds != "once":
                until = None if answer.expires_ms is None else now + answer.expires_ms
                self._ledger.add(
                    Decision(
                        app=app,
                        bound=self._checks.identity(app).bound,
                        grant=wish.grant,
                        allowed=False,
                        holds=answer.holds,
                        since=now,
                        until=until,
                    )
                )
                self._checks.changed(app)
        await self._commit_denial(wish, answer, _WHY[answer.choice])
        if answer.choice == "deny" and answer.holds == "always":
            await self._store.save_in_time()

    async def _commit_denial(self, wish: Wish, answer: Answer, why: str) -> None:
        """A denial stands whether it could be recorded or not."""
        event = PermissionDenied(
            actor="person" if answer.choice != "failed" else "system",
            holds=answer.holds,
            reason=why,
            **_about(wish),
        )
        try:
            await self._trail.commit(event)
        except DeskbusError:
            log.error("permission.denial_unrecorded", app=wish.identity.app)  # noqa: TRY400

    async def _commit_embargo(self, wish: Wish, embargo: Embargoed, how: Neglect) -> None:
        log.warning("permission.embargoed", app=embargo.app, permission=embargo.permission)
        event = PermissionEmbargoed(until=embargo.until, reason=_WHY[how], **_about(wish))
        try:
            await self._trail.commit(event)
        except DeskbusError:
            log.error("permission.embargo_unrecorded", app=embargo.app)  # noqa: TRY400


_WHY = {
    "deny": "the person said no",
    "dismissed": "the dialog was closed without an answer",
    "timeout": "nobody answered in time",
    "failed": "nobody could be asked",
}


class _About(TypedDict):
    app: str
    client: str
    permission: str
    scope: str
    prompt: str
    trace_id: str
    correlation_id: str


def _about(wish: Wish) -> _About:
    return {
        "app": wish.identity.app,
        "client": wish.identity.client,
        "permission": wish.grant.permission,
        "scope": wish.grant.scope,
        "prompt": wish.prompt,
        "trace_id": wish.trace.trace_id,
        "correlation_id": wish.trace.correlation_id or wish.prompt,
    }
