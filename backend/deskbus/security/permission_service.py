"""PermissionService: decides requests for a permission, by what stands or by asking a person."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import anyio

from deskbus.contracts.audit_sink import AuditSink
from deskbus.observability.tracing import call_trace, conventions
from deskbus.reliability.fair_queue import FairQueue
from deskbus.security.active_operations import ActiveOperations
from deskbus.security.app_registry import AppRegistry
from deskbus.security.canonical_scope import as_worded, is_slow, resolve
from deskbus.security.consent.consent_service import ConsentService
from deskbus.security.consent.denial_audit import DenialAudit
from deskbus.security.model.effective_permissions import PermissionVerdict
from deskbus.security.model.grant_matching import GrantMatching
from deskbus.security.permission_checker import PermissionChecker
from deskbus.security.permission_request import PermissionRequest, Permit
from deskbus.storage.clocks import ClockMs
from deskbus_protocol.catalogue import Catalogue
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import OVERLOADED, PERMISSION_DENIED, DeskbusError, ErrorKind
from deskbus_protocol.permissions import Grant, State

RESOLVED_AT_ONCE = 4
RESOLVED_OF_APP = 1
"""Paths that are followed to where they lead, each on a thread."""

MAX_RESOLUTIONS_WAITING = 1024
"""Waiting resolutions of one app: as many as it may have calls in progress."""


class PermissionService:
    """An app that the configuration does not know has nothing, and can't ask."""

    def __init__(
        self,
        catalogue: Catalogue,
        rules: GrantMatching,
        apps: AppRegistry,
        checker: PermissionChecker,
        consent: ConsentService,
        operations: ActiveOperations,
        trail: AuditSink,
        clock: ClockMs,
    ) -> None:
        self._catalogue = catalogue
        self._rules = rules
        self._apps = apps
        self._checker = checker
        self._consent = consent
        self._operations = operations
        self._refusals = DenialAudit(trail, clock)
        self._resolutions = FairQueue(
            RESOLVED_AT_ONCE, of_one=RESOLVED_OF_APP, max_waiting=MAX_RESOLUTIONS_WAITING
        )
        self._resolvers = anyio.CapacityLimiter(RESOLVED_AT_ONCE)

    async def state(self, identity: ClientId, wanted: Grant) -> State:
        """The present outcome of a request for `wanted`.

        Raises `DeskbusError` (invalid_params) for a bad scope, or a permission not offered.
        """
        await self._apps.identified(identity.app)
        self._rules.check_offered(wanted.permission)
        resolved = await self._resolve_for(identity, wanted)
        return "denied" if resolved is None else self.state_of(identity, resolved)

    def state_of(self, identity: ClientId, wanted: Grant) -> State:
        """The same for a scope that is canonical."""
        return self._consent.state_of(identity, wanted)

    async def request(
        self,
        identity: ClientId,
        wanted: Grant,
        reason: str | None = None,
        origin: str | None = None,
    ) -> bool:
        """Whether `wanted` is granted, after a person was asked if need be.

        A permission for once is kept for this client's next operation that it covers.
        """
        permit = await self._decide(identity, wanted, reason, origin)
        if permit is not None:
            self._keep(permit)
        return permit is not None

    async def require(
        self,
        identity: ClientId,
        wanted: Grant,
        reason: str | None = None,
        origin: str | None = None,
        *,
        check: Callable[[str], None] | None = None,
    ) -> Permit:
        """For one operation, right now; uses up what was allowed once.

        `check` raises `DeskbusError` for a canonical scope that no permission reaches; nobody is
        asked about such a one. Raises `DeskbusError` (permission_denied), which repeats the scope
        as it was worded: where a path leads is not told before it is permitted.
        """
        permit = await self._decide(identity, wanted, reason, origin, check)
        if permit is None:
            raise DeskbusError(
                PERMISSION_DENIED, f"This app may not use {wanted.permission} on {wanted.scope}."
            )
        self._checker.note_use(identity, permit.grant)
        return permit

    async def reserve(self, identity: ClientId, wanted: Grant) -> Permit:
        """As `require`, for an operation that the bus checks once more, and `spend`s then."""
        permit = await self.require(identity, wanted)
        self._keep(permit)
        return permit._replace(reserved=True)

    @contextmanager
    def admitting(
        self, *permits: Permit, refusals: Collection[ErrorKind] = (OVERLOADED,)
    ) -> Iterator[None]:
        """Returns a one-time grant if the block is refused before it has had an effect."""
        try:
            yield
        except DeskbusError as error:
            if error.kind in refusals:
                self._checker.give_back(permits)
            raise

    @contextmanager
    def subscribing(self, permit: Permit) -> Iterator[None]:
        """Begins a subscription in a block that does not wait, in place of one to the same pattern.

        A permission for once is held until `release`. Where the block refuses, that is given back,
        and the subscription before has its permission as it had.
        """
        had = self._checker.once.release(permit.identity, permit.grant)
        try:
            with self.leasing(permit):
                yield
        except DeskbusError:
            if had:
                self._checker.once.lease(permit.identity, permit.grant)
            self._checker.give_back([permit])
            raise

    @contextmanager
    def leasing(self, permit: Permit) -> Iterator[None]:
        """A one-time permit holds until `release`, unless the block fails."""
        if not permit.once:
            yield
            return
        self._checker.once.lease(permit.identity, permit.grant)
        try:
            yield
        except BaseException:
            self.release(permit.identity, permit.grant)
            raise

    async def require_both(
        self, identity: ClientId, wanted: Grant, also: Grant
    ) -> tuple[Permit, Permit]:
        """As `require` for two grants; if the second is refused, the first is not used up."""
        first = await self.require(identity, wanted)
        try:
            return first, await self.require(identity, also)
        except DeskbusError:
            self._checker.give_back([first])
            raise

    def release(self, identity: ClientId, wanted: Grant) -> None:
        self._checker.once.release(identity, wanted)

    @contextmanager
    def holding(self, *permits: Permit) -> Iterator[None]:
        """Runs an operation; raises `DeskbusError` (permission_revoked) where it is cut short."""
        once = [permit for permit in permits if permit.once]
        for permit in once:
            self._checker.once.lease(permit.identity, permit.grant)
        try:
            with self.admitting(*permits), self._operations.hold(*permits):
                yield
        finally:
            for permit in once:
                self.release(permit.identity, permit.grant)

    async def resolve(self, wanted: Grant, app: str = "") -> Grant:
        """With its scope in canonical form; raises `DeskbusError` for one outside its grammar.

        For what a person or the configuration names; what an `app` names is authorised first.
        """
        if is_slow(self._catalogue, wanted.permission):
            # A folder of another machine that is away may hold a thread for minutes.
            async with self._resolutions.take(app):
                wanted = await anyio.to_thread.run_sync(
                    resolve, self._catalogue, wanted, limiter=self._resolvers
                )
        else:
            wanted = resolve(self._catalogue, wanted)
        self._rules.check(wanted)
        return wanted

    def allow_asking(self, app: str, permission: str | None) -> None:
        """Allows prompts again before the run ends, whatever the number of denials."""
        self._consent.allow_asking(app, permission)

    def _keep(self, permit: Permit) -> None:
        if permit.once:
            self._checker.once.keep(permit.identity, permit.grant)

    async def _decide(
        self,
        identity: ClientId,
        worded: Grant,
        reason: str | None,
        origin: str | None,
        check: Callable[[str], None] | None = None,
    ) -> Permit | None:
        attributes = {conventions.PERMISSION: worded.permission, conventions.SCOPE: worded.scope}
        with call_trace.current().step("permission.check", attributes):
            return await self._decide_now(identity, worded, reason, origin, check)

    async def _decide_now(
        self,
        identity: ClientId,
        worded: Grant,
        reason: str | None,
        origin: str | None,
        check: Callable[[str], None] | None,
    ) -> Permit | None:
        await self._apps.identified(identity.app)
        try:
            self._rules.check_offered(worded.permission)
        except DeskbusError:
            self._refusals.tell(identity, worded, PermissionVerdict("denied", "unoffered"))
            raise
        wanted = await self._resolve_for(identity, worded)
        if wanted is None:
            self._refuse(identity, worded)
            return None
        state = self.state_of(identity, wanted)
        if check is not None and not _is_in_reach(wanted, check, tell=state == "granted"):
            return None
        if state == "granted":
            return Permit(identity, wanted)
        if self._checker.spend(identity, wanted.permission, wanted.scope):
            return Permit(identity, wanted, once=True)
        if state == "prompt":
            trace = call_trace.current()
            return await self._consent.ask(
                PermissionRequest(identity, wanted, reason, origin, trace)
            )
        self._refuse(identity, wanted)
        return None

    def _refuse(self, identity: ClientId, wanted: Grant) -> None:
        self._refusals.tell(identity, wanted, self._checker.verdict(identity.app, wanted))

    async def _resolve_for(self, identity: ClientId, worded: Grant) -> Grant | None:
        """Canonical, or None where the app may not have it wherever it leads.

        An app without the permission learns nothing of the file system, not even by how long it
        takes. Raises `DeskbusError` for a scope that is outside its grammar as it is worded.
        """
        self._rules.check(as_worded(self._catalogue, worded))
        if not is_slow(self._catalogue, worded.permission):
            return resolve(self._catalogue, worded)
        if not self._checker.can_have(identity, worded.permission):
            return None
        try:
            return await self.resolve(worded, identity.app)
        except DeskbusError:
            # Where it leads has a name that no permission can be worded for.
            return None


def _is_in_reach(wanted: Grant, check: Callable[[str], None], *, tell: bool) -> bool:
    """Whether any permission reaches it; raises the error of `check` where that may be told."""
    try:
        check(wanted.scope)
    except DeskbusError:
        if tell:
            raise
        return False
    return True
