"""SecurityManager: deny by default; a person decides, and the decision holds."""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Literal, NamedTuple

import anyio
import structlog
from anyio.abc import TaskGroup

from deskbus.security.decisions import Decision, DecisionStore
from deskbus.security.rules import any_covers, any_permits_topic, check_scope
from deskbus_protocol.catalogue import Catalogue
from deskbus_protocol.envelope import Sender
from deskbus_protocol.errors import PERMISSION_DENIED, DeskbusError
from deskbus_protocol.permissions import (
    EffectiveRule,
    Grant,
    GrantParams,
    GrantsResult,
    PermissionEntry,
    PermissionList,
    PermissionRecord,
    State,
)

MAX_OPEN_PROMPTS = 3
MAX_REFUSALS = 3
"""So often may a person be asked in vain for one permission of an app, in one session of it."""

SAVE_WITHIN_S = 5.0
"""An app does not wait longer for its answer because a keychain waits for a person."""

RESERVED_APPS = "deskbus."
"""App ids of the shell and of tools; trusted, and never given to an app."""

ConsentMode = Literal["ask", "allow", "deny"]

log = structlog.get_logger()


class AppRules(NamedTuple):
    """What the configuration says of one app: what it has, and what it may ask for."""

    grants: tuple[Grant, ...]
    declares: tuple[Grant, ...]


class Answer(NamedTuple):
    """What came of a prompt. Anything but a person's own Allow is not `allowed`."""

    allowed: bool
    remember: bool


Prompt = Callable[[Sender, Grant, str | None], Awaitable[Answer]]
"""Asks a person about an app's wish, with the app's reason. No answer means not allowed."""


class _Open:
    """A prompt in progress and how many wait for it."""

    def __init__(self) -> None:
        self.scope = anyio.CancelScope()
        self.decided = anyio.Event()
        self.allowed = False
        self.waiting = 0


class SecurityManager:
    """Answers checks from what is granted; asks a person for what is not.

    An app that the configuration knows can only ask for what it declares. One that it doesn't
    know may ask for anything and has nothing.
    """

    def __init__(
        self,
        *,
        apps: dict[str, AppRules],
        decisions: DecisionStore,
        prompt: Prompt,
        mode: ConsentMode,
        on_changed: Callable[[str], None],
        catalogue: Catalogue | None = None,
    ) -> None:
        self._catalogue = catalogue or Catalogue()
        self._changes = 0
        self._apps = apps
        self._decisions = decisions
        self._prompt = prompt
        self._mode = mode
        self._tell = on_changed
        self._session_grants: dict[str, list[Grant]] = {}
        self._refusals: Counter[tuple[str, str]] = Counter()
        self._open: dict[tuple[str, Grant], _Open] = {}
        self._turns: dict[str, anyio.Lock] = {}
        self._slots = anyio.Semaphore(MAX_OPEN_PROMPTS)
        self._tasks: TaskGroup | None = None

    async def run(self) -> None:
        """Runs prompts until cancelled."""
        async with anyio.create_task_group() as self._tasks:
            await anyio.sleep_forever()

    @property
    def epoch(self) -> int:
        """Counts changes of what anybody may do."""
        return self._changes

    def offered(self) -> list[PermissionEntry]:
        return [entry for name in self._catalogue if (entry := self._catalogue.offered(name))]

    def grants_of(self, app: str) -> GrantsResult:
        rules = [
            EffectiveRule(permission=grant.permission, scope=grant.scope, allow=True)
            for grant in self._grants(app)
        ]
        return GrantsResult(
            app=app, epoch=self._changes, trusted=self._is_trusted(app), rules=rules
        )

    def records(self) -> PermissionList:
        records = [
            PermissionRecord(
                app=decision.app,
                name=decision.app,
                permission=decision.grant.permission,
                scope=decision.grant.scope,
                title=self._catalogue[decision.grant.permission].title,
                scope_words=decision.grant.scope,
                risk=self._catalogue[decision.grant.permission].risk,
                allowed=decision.allowed,
                holds="always",
                source="person",
            )
            for decision in self._decisions.decisions
        ]
        return PermissionList(epoch=self._changes, records=records, embargoes=[])

    async def grant(self, params: GrantParams) -> None:
        wanted = Grant(params.permission, params.scope)
        check_scope(wanted)
        self._decisions.add(Decision(app=params.app, grant=wanted, allowed=params.allowed))
        await self._decisions.save()
        self._on_changed(params.app)

    async def revoke(self, app: str, permission: str | None, scope: str | None) -> int:
        """How many decisions were taken back."""
        removed = self._decisions.remove(app, permission, scope)
        await self._decisions.save()
        self._on_changed(app)
        return removed

    async def reset_embargo(self, app: str, permission: str | None) -> int:
        """How many embargoes were lifted."""
        found = [key for key in self._refusals if key[0] == app and permission in (None, key[1])]
        for key in found:
            del self._refusals[key]
        return len(found)

    def _on_changed(self, app: str) -> None:
        self._changes += 1
        self._tell(app)

    def may_read(self, identity: Sender, topic: str) -> bool:
        return self._permits_topic(identity.app, "messaging.read", topic)

    def may_write(self, identity: Sender, topic: str) -> bool:
        return self._permits_topic(identity.app, "messaging.write", topic)

    def may_write_all(self, identity: Sender, pattern: str) -> bool:
        """Whether every topic of a pattern may be written to."""
        return self._has(identity.app, Grant("messaging.write", pattern))

    def may_send(self, identity: Sender, app: str) -> bool:
        return self._has(identity.app, Grant("app.send", app))

    def state(self, identity: Sender, wanted: Grant) -> State:
        """What a request for `wanted` would come to now; raises `DeskbusError` for a bad scope."""
        check_scope(wanted)
        app = identity.app
        if self._has(app, wanted):
            return "granted"
        if self._decisions.denies(app, wanted) or self._asked_enough(app, wanted):
            return "denied"
        if self._mode == "deny" or not self._may_ask(app, wanted):
            return "denied"
        return "prompt"

    async def request(self, identity: Sender, wanted: Grant, reason: str | None = None) -> bool:
        """Whether `wanted` is granted, after a person was asked if need be."""
        state = self.state(identity, wanted)
        if state == "prompt":
            allowed = await self._ask(identity, wanted, reason)
        else:
            allowed = state == "granted"
        if not allowed:
            log.warning("permission.denied", app=identity.app, **_words(wanted))
        return allowed

    async def require(self, identity: Sender, wanted: Grant) -> None:
        """Raises `DeskbusError` (permission_denied) unless `wanted` is or becomes granted."""
        if not await self.request(identity, wanted):
            raise DeskbusError(
                PERMISSION_DENIED, f"This app may not use {wanted.permission} on {wanted.scope}."
            )

    def forget_session(self, app: str) -> None:
        """The last client of `app` has left; what was decided for the session ends with it."""
        for key in [key for key in self._refusals if key[0] == app]:
            del self._refusals[key]
        if self._session_grants.pop(app, None):
            self._on_changed(app)

    def _asked_enough(self, app: str, wanted: Grant) -> bool:
        return self._refusals[app, wanted.permission] >= MAX_REFUSALS

    def _has(self, app: str, wanted: Grant) -> bool:
        if self._is_trusted(app):
            return True
        return any_covers(self._grants(app), wanted)

    def _permits_topic(self, app: str, permission: str, topic: str) -> bool:
        if self._is_trusted(app):
            return True
        return any_permits_topic(self._grants(app), permission, topic)

    def _is_trusted(self, app: str) -> bool:
        return self._mode == "allow" or app.startswith(RESERVED_APPS)

    def _grants(self, app: str) -> list[Grant]:
        rules = self._apps.get(app)
        configured = rules.grants if rules else ()
        return [*configured, *self._session_grants.get(app, ()), *self._decisions.granted(app)]

    def _may_ask(self, app: str, wanted: Grant) -> bool:
        rules = self._apps.get(app)
        return rules is None or any_covers(rules.declares, wanted)

    async def _ask(self, identity: Sender, wanted: Grant, reason: str | None) -> bool:
        """Joins the open prompt for the same wish, or opens one; the last to leave closes it."""
        if self._tasks is None:
            return False
        key = (identity.app, wanted)
        prompt = self._open.get(key)
        if prompt is None:
            prompt = self._open[key] = _Open()
            self._tasks.start_soon(self._run_prompt, prompt, identity, wanted, reason)
        prompt.waiting += 1
        try:
            await prompt.decided.wait()
        finally:
            prompt.waiting -= 1
            if not prompt.waiting:
                # Who asks again from here on gets a prompt of its own.
                if self._open.get(key) is prompt:
                    del self._open[key]
                prompt.scope.cancel()
        return prompt.allowed

    async def _run_prompt(
        self, prompt: _Open, identity: Sender, wanted: Grant, reason: str | None
    ) -> None:
        app = identity.app
        turn = self._turns.setdefault(app, anyio.Lock())
        try:
            with prompt.scope:
                async with turn, self._slots:
                    answer = await self._prompt(identity, wanted, reason)
                    await self._decide(app, wanted, answer)
                    prompt.allowed = answer.allowed
        except Exception:
            log.exception("permission.prompt_failed", app=app, **_words(wanted))
        finally:
            if self._open.get((app, wanted)) is prompt:
                del self._open[app, wanted]
            prompt.decided.set()

    async def _decide(self, app: str, wanted: Grant, answer: Answer) -> None:
        log.info("permission.decided", app=app, **answer._asdict(), **_words(wanted))
        if answer.remember:
            self._decisions.add(Decision(app=app, grant=wanted, allowed=answer.allowed))
            try:
                with anyio.move_on_after(SAVE_WITHIN_S):
                    await self._decisions.save()
            except (OSError, DeskbusError) as error:
                log.warning("decisions.not_saved", app=app, reason=str(error))
        elif answer.allowed:
            self._session_grants.setdefault(app, []).append(wanted)
        else:
            self._refusals[app, wanted.permission] += 1
        self._on_changed(app)


def _words(grant: Grant) -> dict[str, str]:
    return {"permission": grant.permission, "scope": grant.scope}
