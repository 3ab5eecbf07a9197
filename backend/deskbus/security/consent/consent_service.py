"""ConsentService: puts a permission request to a person, and records and applies the answer."""

import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypedDict

import anyio
import structlog
from msgspec import UNSET, structs

from deskbus.contracts.audit_sink import AuditSink
from deskbus.observability.metrics.histogram import PERSON_BOUNDS_S, Histogram
from deskbus.observability.tracing import conventions
from deskbus.security.app_registry import AppRegistry
from deskbus.security.consent.prompts import PromptOutcome, Prompts
from deskbus.security.decisions.decision_store import DecisionStore
from deskbus.security.decisions.decision_table import (
    DecisionTable,
    Embargoed,
    Neglect,
    UserDecision,
)
from deskbus.security.identity.code_identity import CodeIdentity
from deskbus.security.permission_checker import ConsentMode, PermissionChecker
from deskbus.security.permission_request import ConsentAnswer, PermissionRequest, Permit
from deskbus.storage.clocks import ClockMs
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.events import (
    PermissionDenied,
    PermissionEmbargoed,
    PermissionGranted,
    PermissionRequested,
)
from deskbus_protocol.permissions import Grant, State

MAX_REFUSALS = 3
"""Denials per permission and app run after which the user is no longer prompted."""

MAX_WITHDRAWN = 4
"""Prompts withdrawn in a row after which an app's user is no longer prompted."""

PROMPT_OUTCOMES = ("allow", "deny", "dismissed", "timeout", "failed", "withdrawn")

log = structlog.get_logger()


Prompt = Callable[[PermissionRequest], Awaitable[ConsentAnswer]]
"""Asks a person. An exception of it counts as no answer."""


class ConsentService:
    def __init__(
        self,
        checker: PermissionChecker,
        apps: AppRegistry,
        decisions: DecisionTable,
        store: DecisionStore,
        *,
        mode: ConsentMode,
        prompt: Prompt,
        trail: AuditSink,
        clock: ClockMs,
        on_changed: Callable[[str], None],
    ) -> None:
        """`on_changed` is told each app about which something was decided that lasts."""
        self._checker = checker
        self._apps = apps
        self._mode = mode
        self._on_changed = on_changed
        self._decisions = decisions
        self._store = store
        self._prompt = prompt
        self._trail = trail
        self._clock = clock
        self._prompts = Prompts(self._put)
        self._runs: Counter[str] = Counter()
        self._refusals: Counter[tuple[str, str]] = Counter()
        self._withdrawals: Counter[str] = Counter()
        self.answer_times = {outcome: Histogram(PERSON_BOUNDS_S) for outcome in PROMPT_OUTCOMES}
        """How long prompts were open, by outcome."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self._prompts.running():
            yield

    async def ask(self, request: PermissionRequest) -> Permit | None:
        """None is no; either is on disk by then. Raises `DeskbusError` (overloaded)."""
        outcome = await self._prompts.join(request)
        if not outcome.joined or outcome.decision is None:
            return outcome.permit
        joined = request._replace(prompt=outcome.joined)
        recorded = await self._joined(joined, outcome.permit, outcome.decision)
        return outcome.permit if recorded else None

    async def _joined(
        self,
        request: PermissionRequest,
        permit: Permit | None,
        decision: PermissionGranted | PermissionDenied,
    ) -> bool:
        """Records a request that came to a prompt that was open, under its own trace."""
        about = _fields_of(request)
        self._trail.note(PermissionRequested(reason=request.reason or "", **about))
        told: PermissionGranted | PermissionDenied = structs.replace(decision, **about)
        if permit is None and isinstance(decision, PermissionGranted):
            why = "it was allowed once, to the one that asked before"
            told = PermissionDenied(actor="person", holds="once", reason=why, **about)
        try:
            await self._trail.commit(told)
        except DeskbusError:
            log.error("permission.decision_unrecorded", app=request.identity.app)  # noqa: TRY400
            return False
        return True

    def state_of(self, identity: ClientId, wanted: Grant) -> State:
        """The present outcome of a request for a canonical scope."""
        verdict = self._checker.verdict_of(identity, wanted)
        if verdict.state != "open":
            return verdict.state
        if self._mode == "deny" or self.is_silenced(identity.app, wanted.permission):
            return "denied"
        return "prompt"

    def is_silenced(self, app: str, permission: str) -> bool:
        """Whether a person is spared this question for now."""
        if self._decisions.is_embargoed(app, permission, self._clock()):
            return True
        if self._withdrawals[app] >= MAX_WITHDRAWN:
            return True
        return self._refusals[app, permission] >= MAX_REFUSALS

    def end_run(self, app: str) -> None:
        """Voids the prompts of a run that has ended."""
        self._runs[app] += 1
        for key in [key for key in self._refusals if key[0] == app]:
            del self._refusals[key]

    def allow_asking(self, app: str, permission: str | None) -> None:
        self._withdrawals.pop(app, None)
        for key in [key for key in self._refusals if key[0] == app]:
            if permission in (None, key[1]):
                del self._refusals[key]

    async def _put(self, request: PermissionRequest) -> PromptOutcome:
        """At its turn: what was decided while it waited may have settled it already."""
        identity, wanted = request.identity, request.grant
        state = self.state_of(identity, wanted)
        if state != "prompt":
            return PromptOutcome(Permit(identity, wanted) if state == "granted" else None)
        app, run = identity.app, self._runs[identity.app]
        itself = self._apps.identity(app)
        request = request._replace(
            may_remember=not self._checker.must_be_asked(app, wanted),
            verified=itself.verified,
        )
        self._trail.note(PermissionRequested(reason=request.reason or "", **_fields_of(request)))
        answer = await self._ask_person(request)
        if answer.choice in ("allow", "deny"):
            self._withdrawals.pop(app, None)
        if answer.choice != "allow":
            return PromptOutcome(None, await self._refused(request, answer))
        # The conditions under which the person was asked must hold still.
        unchanged = run == self._runs[app] and self._apps.identity(app) == itself
        verdict = self._checker.verdict(app, wanted)
        if not unchanged or verdict.state == "denied":
            why = "the app, its run or the rules changed meanwhile"
            return PromptOutcome(
                None, await self._commit_denial(request, answer._replace(holds="once"), why)
            )
        return await self._allowed(request, answer, itself)

    async def _ask_person(self, request: PermissionRequest) -> ConsentAnswer:
        """Asks within the trace of the call that wants the permission."""
        asked_s = time.monotonic()
        outcome = "failed"
        span = None if request.trace.span is None else request.trace.span.child()
        try:
            answer = await self._prompt(request._replace(trace=request.trace._replace(span=span)))
            outcome = answer.choice
            log.info(
                "permission.answered",
                app=request.identity.app,
                permission=request.grant.permission,
                scope=request.grant.scope,
                answer=outcome,
            )
            return answer
        except anyio.get_cancelled_exc_class():
            # However short: one that flashes up and is gone invites the click for something else.
            self._withdrawn(request)
            outcome = "withdrawn"
            raise
        finally:
            self.answer_times[outcome].observe(time.monotonic() - asked_s)
            if span is not None:
                span.end(
                    "prompt",
                    {
                        conventions.APP: request.identity.app,
                        conventions.PERMISSION: request.grant.permission,
                        conventions.SCOPE: request.grant.scope,
                        conventions.OUTCOME: outcome,
                    },
                )

    async def _allowed(
        self, request: PermissionRequest, answer: ConsentAnswer, itself: CodeIdentity
    ) -> PromptOutcome:
        app, now = request.identity.app, self._clock()
        until = None if answer.expires_ms is None else now + answer.expires_ms
        event = PermissionGranted(
            actor="person",
            holds=answer.holds,
            until=UNSET if until is None else until,
            **_fields_of(request),
        )
        try:
            await self._trail.commit(event)
        except DeskbusError:
            log.error("permission.not_granted_unrecorded", app=app)  # noqa: TRY400
            return PromptOutcome(None)
        had_strikes = self._decisions.answered(app, request.grant.permission)
        if answer.holds != "once":
            self._decisions.add(
                UserDecision(
                    app=app,
                    bound=itself.bound,
                    grant=request.grant,
                    allowed=True,
                    holds=answer.holds,
                    since=now,
                    until=until,
                )
            )
            self._on_changed(app)
        if answer.holds == "always" or had_strikes:
            await self._store.save_in_time()
        permit = Permit(request.identity, request.grant, once=answer.holds == "once")
        return PromptOutcome(permit, event)

    def _withdrawn(self, request: PermissionRequest) -> None:
        """Counts a withdrawn prompt as unanswered; else an app could keep asking by giving up just
        in time.
        """
        app, permission = request.identity.app, request.grant.permission
        self._withdrawals[app] += 1
        if self._withdrawals[app] == MAX_WITHDRAWN:
            log.warning("permission.prompts_withdrawn", app=app)
        embargo = self._decisions.neglected(app, permission, "timeout", self._clock())
        self._store.is_behind = True
        if embargo is not None:
            log.warning("permission.embargoed", app=app, permission=permission)
            event = PermissionEmbargoed(
                until=embargo.until, reason=_WHY["timeout"], **_fields_of(request)
            )
            self._trail.note(event)

    async def _refused(self, request: PermissionRequest, answer: ConsentAnswer) -> PermissionDenied:
        app, permission, now = request.identity.app, request.grant.permission, self._clock()
        if answer.choice == "dismissed" or answer.choice == "timeout":
            embargo = self._decisions.neglected(app, permission, answer.choice, now)
            denial = await self._commit_denial(
                request, answer._replace(holds="once"), _WHY[answer.choice]
            )
            if embargo is not None:
                await self._commit_embargo(request, embargo, answer.choice)
            await self._store.save_in_time()
            return denial
        if answer.choice == "deny":
            self._refusals[app, permission] += 1
            self._decisions.answered(app, permission)
            if answer.holds != "once":
                until = None if answer.expires_ms is None else now + answer.expires_ms
                self._decisions.add(
                    UserDecision(
                        app=app,
                        bound=self._apps.identity(app).bound,
                        grant=request.grant,
                        allowed=False,
                        holds=answer.holds,
                        since=now,
                        until=until,
                    )
                )
                self._on_changed(app)
        denial = await self._commit_denial(request, answer, _WHY[answer.choice])
        if answer.choice == "deny" and answer.holds == "always":
            await self._store.save_in_time()
        return denial

    async def _commit_denial(
        self, request: PermissionRequest, answer: ConsentAnswer, why: str
    ) -> PermissionDenied:
        """A denial stands whether it could be recorded or not."""
        event = PermissionDenied(
            actor="person" if answer.choice != "failed" else "system",
            holds=answer.holds,
            reason=why,
            **_fields_of(request),
        )
        try:
            await self._trail.commit(event)
        except DeskbusError:
            log.error("permission.denial_unrecorded", app=request.identity.app)  # noqa: TRY400
        return event

    async def _commit_embargo(
        self, request: PermissionRequest, embargo: Embargoed, how: Neglect
    ) -> None:
        log.warning("permission.embargoed", app=embargo.app, permission=embargo.permission)
        event = PermissionEmbargoed(until=embargo.until, reason=_WHY[how], **_fields_of(request))
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


class _RequestFields(TypedDict):
    app: str
    client: str
    permission: str
    scope: str
    prompt: str
    trace_id: str
    correlation_id: str


def _fields_of(request: PermissionRequest) -> _RequestFields:
    return {
        "app": request.identity.app,
        "client": request.identity.client,
        "permission": request.grant.permission,
        "scope": request.grant.scope,
        "prompt": request.prompt,
        "trace_id": request.trace.trace_id,
        "correlation_id": request.trace.correlation_id or request.prompt,
    }
