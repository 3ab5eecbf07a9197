"""SecurityManager: deny by default; a person decides, and the decision holds until taken back."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TypedDict

from deskbus.contracts.audit_sink import AuditSink
from deskbus.observability.metrics.histogram import Histogram
from deskbus.security.active_operations import ActiveOperations
from deskbus.security.app_registry import AppRegistry
from deskbus.security.consent.consent_service import ConsentService, Prompt
from deskbus.security.decisions.decision_store import DecisionStore
from deskbus.security.decisions.decision_table import DecisionTable, UserDecision
from deskbus.security.model.effective_permissions import AppRules
from deskbus.security.model.grant_matching import GrantMatching
from deskbus.security.permission_checker import ConsentMode, PermissionChecker
from deskbus.security.permission_service import PermissionService
from deskbus.security.policy.policy import Policy
from deskbus.storage.clocks import ClockMs
from deskbus_protocol.catalogue import Catalogue
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.events import PermissionExpired, PermissionRevoked
from deskbus_protocol.permissions import Grant


class SecurityManager:
    """The face of access control, and the one place where a change of it takes effect.

    `apps` is the registry, `checker` answers what is decided, `permissions` asks for what is open.
    A change ends operations that are not permitted any more; `on_changed` is told the app.
    """

    def __init__(
        self,
        *,
        apps: Mapping[str, AppRules],
        catalogue: Catalogue,
        decisions: DecisionTable,
        store: DecisionStore,
        prompt: Prompt,
        mode: ConsentMode,
        trail: AuditSink,
        clock: ClockMs,
        on_changed: Callable[[str], None],
    ) -> None:
        self.catalogue = catalogue
        self.rules = GrantMatching(catalogue)
        self._decisions = decisions
        self._trail = trail
        self._clock = clock
        self._on_changed = on_changed
        self._operations = ActiveOperations()
        self.apps = AppRegistry(apps, self._app_changed)
        self.checker = PermissionChecker(catalogue, self.rules, self.apps, decisions, mode, clock)
        self._consent = ConsentService(
            self.checker,
            self.apps,
            decisions,
            store,
            mode=mode,
            prompt=prompt,
            trail=trail,
            clock=clock,
            on_changed=self.changed,
        )
        self.permissions = PermissionService(
            catalogue,
            self.rules,
            self.apps,
            self.checker,
            self._consent,
            self._operations,
            trail,
            clock,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Puts prompts to a person for the length of the block; outside it they are denied."""
        async with self._consent.running():
            yield

    @property
    def answer_times(self) -> Mapping[str, Histogram]:
        """Times for which prompts were open, by outcome."""
        return self._consent.answer_times

    def changed(self, app: str) -> None:
        """Applies a change of the decisions or rules that concern `app`."""
        self.checker.changed(app)
        self._operations.end(
            lambda permit: permit.identity.app == app and not self.checker.still_permits(permit)
        )
        self._on_changed(app)

    def apply(self, policy: Policy) -> None:
        """Puts a policy into force, also over decisions made before it."""
        self.checker.apply(policy)
        self._changed_all()

    def decisions_known(self) -> None:
        """Takes in the decisions of earlier runs; those about apps that have changed since are
        void.
        """
        for app in self.apps:
            self._disown(app)
        self._changed_all()

    def take_back(self, app: str, permission: str | None, scope: str | None) -> None:
        """Ends what was allowed once, and operations that run by it."""

        def is_meant(grant: Grant) -> bool:
            return permission in (None, grant.permission) and scope in (None, grant.scope)

        self.checker.once.take_back(app, is_meant)
        self._operations.end(
            lambda permit: permit.identity.app == app and permit.once and is_meant(permit.grant)
        )
        self.changed(app)

    def forget_session(self, app: str) -> None:
        """Ends what was decided for one run of the app."""
        self.checker.once.forget_app(app)
        self._consent.end_run(app)
        ended = self._decisions.end_session(app)
        for decision in ended:
            self._trail.note(PermissionExpired(reason="the app has ended", **_fields_of(decision)))
        if ended:
            self.changed(app)

    def forget_client(self, identity: ClientId) -> None:
        """Drops the one-time grants of a client that starts afresh: its predecessor's."""
        self.checker.once.forget(identity)

    def trust(self, identity: ClientId) -> None:
        """Exempts a client from the policy because its session was opened as the shell's or a
        tool's.

        An id alone never earns that.
        """
        self.checker.trust(identity)

    def distrust(self, identity: ClientId) -> None:
        """Ends the exemption of a client that is gone, or whose name another has taken."""
        if self.checker.distrust(identity):
            self.changed(identity.app)

    def tick(self) -> None:
        """Ends decisions whose time is over."""
        now = self._clock()
        ends = self._decisions.next_end()
        if ends is not None and now >= ends:
            ended = self._decisions.expire(now)
            for decision in ended:
                self._trail.note(PermissionExpired(**_fields_of(decision)))
            for app in {decision.app for decision in ended}:
                self.changed(app)

    def _app_changed(self, app: str) -> None:
        self._disown(app)
        self.changed(app)

    def _changed_all(self) -> None:
        for app in {*self.apps, *self._decisions.apps}:
            self.changed(app)

    def _disown(self, app: str) -> None:
        """Takes back what was allowed to an app of other content or another publisher.

        Decisions about an app that is not known, or not yet, stay for one that is the same.
        """
        identity = self.apps.identity(app)
        if identity.problem is None and identity.bound:
            for decision in self._decisions.disown(app, identity.bound):
                event = PermissionRevoked(
                    reason="the app is not the same as before", **_fields_of(decision)
                )
                self._trail.note(event)


class _DecisionFields(TypedDict):
    app: str
    permission: str
    scope: str


def _fields_of(decision: UserDecision) -> _DecisionFields:
    grant = decision.grant
    return {"app": decision.app, "permission": grant.permission, "scope": grant.scope}
