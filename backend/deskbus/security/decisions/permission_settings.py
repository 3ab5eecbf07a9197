"""PermissionSettings: every decision, seen, made and taken back by the person at the shell."""

from collections.abc import Iterator
from typing import TypedDict

from msgspec import UNSET, UnsetType

from deskbus.contracts.audit_sink import AuditSink, committed
from deskbus.languages.language import Language, english
from deskbus.languages.permission_words import permission_title, scope_words, worded
from deskbus.security.decisions.decision_store import DecisionStore
from deskbus.security.decisions.decision_table import DecisionTable, UserDecision
from deskbus.security.policy.policy import ANY
from deskbus.security.service import SecurityManager
from deskbus.storage.clocks import ClockMs
from deskbus_protocol.errors import CONFLICT, DEGRADED, NOT_FOUND, DeskbusError
from deskbus_protocol.events import (
    AuditEvent,
    EmbargoReset,
    PermissionDenied,
    PermissionGranted,
    PermissionRevoked,
)
from deskbus_protocol.permissions import (
    Embargo,
    Grant,
    GrantParams,
    GrantsResult,
    PermissionEntry,
    PermissionList,
    PermissionRecord,
    Risk,
)
from deskbus_protocol.wording.display import visible


class _Said(TypedDict):
    """The part of a record that says what it is about."""

    app: str
    name: str
    permission: str
    scope: str
    title: str
    scope_words: str
    risk: Risk


class PermissionSettings:
    def __init__(
        self,
        security: SecurityManager,
        decisions: DecisionTable,
        store: DecisionStore,
        trail: AuditSink,
        clock: ClockMs,
    ) -> None:
        self._security = security
        self._catalogue = security.catalogue
        self._decisions = decisions
        self._store = store
        self._trail = trail
        self._clock = clock

    def offered(self) -> list[PermissionEntry]:
        """The permissions that somebody enforces, in English."""
        language = english()
        found = [entry for name in self._catalogue if (entry := self._catalogue.offered(name))]
        return [worded(language, entry) for entry in found]

    def grants_of(self, app: str) -> GrantsResult:
        return GrantsResult(
            app=app,
            epoch=self._security.checker.epoch,
            trusted=self._security.checker.is_trusted(app),
            now=self._clock(),
            rules=list(self._security.checker.effective(app)),
        )

    def records(self, language: Language) -> PermissionList:
        """All effective decisions, by app."""
        records = [
            *self._of_the_person(language),
            *self._of_the_configuration(language),
            *self._of_the_policy(language),
        ]
        records.sort(key=lambda record: (record.app, record.permission, record.scope))
        return PermissionList(
            epoch=self._security.checker.epoch,
            records=records,
            embargoes=[
                Embargo(
                    app=embargo.app,
                    name=self._name(embargo.app),
                    permission=embargo.permission,
                    title=self._title(embargo.permission, language),
                    since=embargo.since,
                    until=embargo.until,
                    because=embargo.because,
                )
                for embargo in self._decisions.embargoes(self._clock())
            ],
        )

    def configured(self) -> list[tuple[str, Grant]]:
        """The configuration's grants, by app."""
        apps = self._security.apps
        return [(app, one) for app in apps if (rules := apps.rules(app)) for one in rules.grants]

    async def grant(self, params: GrantParams) -> None:
        """Raises `DeskbusError`: conflict where the app may not have it, audit_unavailable."""
        app = params.app
        await self._security.apps.identified(app)
        self._security.rules.check_offered(params.permission)
        wanted = await self._security.permissions.resolve(Grant(params.permission, params.scope))
        rules = self._security.apps.rules(app)
        if rules is None:
            raise DeskbusError(NOT_FOUND, f"There is no app {app} in the configuration.")
        if params.allowed and not self._security.rules.any_covers(rules.declares, wanted):
            raise DeskbusError(
                CONFLICT,
                f"The manifest of {app} does not declare this.",
                action="Add it to the manifest's declares, or to the app's grants.",
            )
        if params.allowed and not self._security.apps.identity(app).bound:
            raise DeskbusError(
                CONFLICT,
                f"It is not certain what {app} is.",
                action="Look into its files and its publisher's signature first.",
            )
        now = self._clock()
        until = None if isinstance(params.expires_in, UnsetType) else now + params.expires_in
        event = PermissionGranted if params.allowed else PermissionDenied
        decided = event(
            app=app,
            actor="person",
            permission=wanted.permission,
            scope=wanted.scope,
            holds=params.holds,
            until=UNSET if until is None else until,
            reason="decided in the settings",
        )
        async with committed(self._trail, decided):
            self._decisions.add(
                UserDecision(
                    app=app,
                    bound=self._security.apps.identity(app).bound,
                    grant=wanted,
                    allowed=params.allowed,
                    holds=params.holds,
                    since=now,
                    until=until,
                )
            )
        self._security.changed(app)
        await self._store.save_in_time()

    async def revoke(self, app: str, permission: str | None, scope: str | None) -> int:
        """Takes decisions back and returns their number; applies even where it can't be recorded.

        Raises `DeskbusError`: conflict for what the configuration or the policy says, and once it
        applies, audit_unavailable, and degraded while the vault can't be written.
        """
        if permission is not None and scope is not None:
            scope = (await self._security.permissions.resolve(Grant(permission, scope))).scope
        taken = self._decisions.remove(app, permission, scope)
        if not taken and permission is not None and scope is not None:
            self._refuse_others(app, permission, scope)
        self._security.take_back(app, permission, scope)
        is_saved = await self._store.save_in_time()
        for decision in taken:
            await self._trail.commit(
                PermissionRevoked(
                    app=app,
                    actor="person",
                    permission=decision.grant.permission,
                    scope=decision.grant.scope,
                    reason="taken back in the settings",
                )
            )
        if not is_saved:
            raise DeskbusError(
                DEGRADED,
                "It is taken back, but that could not be saved: a restart would bring it back.",
                action="Unlock the vault; it is saved then.",
            )
        return len(taken)

    async def reset_embargo(self, app: str, permission: str | None) -> int:
        """Lifts embargoes and returns their number; raises `DeskbusError` (audit_unavailable)."""
        now = self._clock()
        meant = [
            embargo
            for embargo in self._decisions.embargoes(now)
            if embargo.app == app and permission in (None, embargo.permission)
        ]
        for embargo in meant:
            event: AuditEvent = EmbargoReset(
                app=app, actor="person", permission=embargo.permission, scope=ANY
            )
            await self._trail.commit(event)
        self._decisions.reset_embargoes(app, permission)
        self._security.permissions.allow_asking(app, permission)
        await self._store.save_in_time()
        return len(meant)

    def _refuse_others(self, app: str, permission: str, scope: str) -> None:
        """Raises `DeskbusError` (conflict) for what is not a person's to take back."""
        why = self._security.checker.verdict(app, Grant(permission, scope)).why
        if why in ("config", "policy"):
            raise DeskbusError(
                CONFLICT,
                "This is an administrator's: the configuration or the policy says it.",
                action="Change it there; what the configuration gives can also be denied here.",
            )

    def _of_the_person(self, language: Language) -> Iterator[PermissionRecord]:
        now = self._clock()
        for decision in self._decisions:
            if decision.holds_at(now):
                yield PermissionRecord(
                    **self._said(decision.app, decision.grant, language),
                    allowed=decision.allowed,
                    holds=decision.holds,
                    source="person",
                    since=decision.since,
                    until=UNSET if decision.until is None else decision.until,
                    last_used=UNSET if decision.used is None else decision.used,
                )

    def _of_the_configuration(self, language: Language) -> Iterator[PermissionRecord]:
        for app, grant in self.configured():
            yield PermissionRecord(
                **self._said(app, grant, language), allowed=True, holds="always", source="config"
            )

    def _of_the_policy(self, language: Language) -> Iterator[PermissionRecord]:
        for app in self._security.apps:
            for rule in self._security.checker.policy.for_app(app).rules:
                if rule.effect == "ask" or rule.permission == ANY:
                    continue
                scope = ANY if isinstance(rule.scope, UnsetType) else rule.scope
                yield PermissionRecord(
                    **self._said(app, Grant(rule.permission, scope), language),
                    allowed=rule.effect == "allow",
                    holds="always",
                    source="policy",
                )

    def _said(self, app: str, grant: Grant, language: Language) -> _Said:
        entry = self._catalogue.get(grant.permission)
        return {
            "app": app,
            "name": self._name(app),
            "permission": grant.permission,
            "scope": grant.scope,
            "title": self._title(grant.permission, language),
            "scope_words": (
                grant.scope if entry is None else scope_words(language, entry, grant.scope)
            ),
            "risk": "high" if entry is None else entry.risk,
        }

    def _name(self, app: str) -> str:
        rules = self._security.apps.rules(app)
        return visible(rules.name) if rules and rules.name else app

    def _title(self, permission: str, language: Language) -> str:
        entry = self._catalogue.get(permission)
        return permission if entry is None else permission_title(language, entry)
