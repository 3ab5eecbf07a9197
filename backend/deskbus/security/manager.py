"""SecurityManager: deny by default; a person decides, and the decision holds until taken back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, TypedDict

import anyio
import structlog

from deskbus.observability import calltrace
from deskbus.observability.trail import AuditTrail
from deskbus.reliability.clock import ClockMs
from deskbus.security.consent import Consent, Prompt
from deskbus.security.decisions import DecisionStore
from deskbus.security.identity import NOT_CHECKED, NOT_KNOWN, AppIdentity
from deskbus.security.ledger import Decision, Ledger
from deskbus.security.once import OnceGrants
from deskbus.security.operations import Operations, Permit
from deskbus.security.paths import as_worded, is_slow, resolve
from deskbus.security.policy import NO_POLICY, Policy
from deskbus.security.prompts import Wish
from deskbus.security.refusals import Refusals
from deskbus.security.rules import Rules
from deskbus.security.standing import AppRules, AppStanding, Verdict
from deskbus_protocol.catalogue import Catalogue
from deskbus_protocol.envelope import Sender
from deskbus_protocol.errors import PERMISSION_DENIED, DeskbusError
from deskbus_protocol.events import PermissionExpired, PermissionRevoked
from deskbus_protocol.permissions import Grant, State

MAX_VERDICTS = 65_536
"""Kept until something changes; beyond, all are worked out anew."""

ConsentMode = Literal["ask", "allow", "deny"]

TRUSTED = Verdict("granted", "trusted")

log = structlog.get_logger()


class SecurityManager:
    """Answers checks from what stands for an app; asks a person for what is open.

    Checks are synchronous and cached; whatever changes what stands raises the `epoch`, drops the
    cache, ends operations that are not permitted any more, and is told by `on_changed` with the
    app. An app that the configuration does not know has nothing, and can't ask.
    """

    def __init__(
        self,
        *,
        apps: dict[str, AppRules],
        catalogue: Catalogue,
        ledger: Ledger,
        store: DecisionStore,
        prompt: Prompt,
        mode: ConsentMode,
        trail: AuditTrail,
        clock: ClockMs,
        on_changed: Callable[[str], None],
    ) -> None:
        self.catalogue = catalogue
        self.rules = Rules(catalogue)
        self.ledger = ledger
        self.apps = apps
        self.policy = NO_POLICY
        self.epoch = 0
        self._mode = mode
        self._clock = clock
        self._on_changed = on_changed
        self._trusted: set[Sender] = set()
        self._identities: dict[str, AppIdentity] = {}
        self._identified = anyio.Event()
        self._standings: dict[str, AppStanding] = {}
        self._verdicts: dict[tuple[str, str, str], Verdict] = {}
        self._next_end: int | None = None
        self._operations = Operations()
        self._once = OnceGrants(self.rules)
        self._refusals = Refusals(trail, clock)
        self._trail = trail
        self._consent = Consent(self, ledger, store, prompt, trail, clock)

    async def run(self) -> None:
        """Runs prompts until cancelled."""
        await self._consent.run()

    # What the bus asks, for each message whose way is not known yet.

    def may_read(self, identity: Sender, topic: str) -> bool:
        return self._permits(identity, "messaging.read", topic)

    def may_write(self, identity: Sender, topic: str) -> bool:
        return self._verdict_of(identity, Grant("messaging.write", topic)).state == "granted"

    def may_subscribe(self, identity: Sender, pattern: str) -> bool:
        """Whether every topic of a pattern may be read."""
        return self._permits(identity, "messaging.read", pattern)

    def may_write_all(self, identity: Sender, pattern: str) -> bool:
        """Whether every topic of a pattern may be written to."""
        return self.may_write(identity, pattern)

    def may_send(self, identity: Sender, app: str) -> bool:
        return self._verdict_of(identity, Grant("app.send", app)).state == "granted"

    def spend(self, identity: Sender, permission: str, scope: str) -> bool:
        """Uses up what was allowed once, if it covers this; true if it did."""
        wanted = Grant(permission, scope)
        return self._not_denied(Permit(identity, wanted)) and self._once.spend(identity, wanted)

    def verdict(self, app: str, permission: str, scope: str) -> Verdict:
        """What stands for a canonical scope; worked out once for each epoch."""
        if self._next_end is not None and self._clock() >= self._next_end:
            self._forget_verdicts()
        key = (app, permission, scope)
        known = self._verdicts.get(key)
        return self._judge(key) if known is None else known

    # What handlers ask.

    async def state(self, identity: Sender, wanted: Grant) -> State:
        """What a request for `wanted` would come to now; raises `DeskbusError` for a bad scope."""
        resolved = await self._resolve_for(identity, wanted)
        return "denied" if resolved is None else self.state_of(identity, resolved)

    def state_of(self, identity: Sender, wanted: Grant) -> State:
        """The same for a scope that is canonical."""
        verdict = self._verdict_of(identity, wanted)
        if verdict.state != "open":
            return verdict.state
        if self._mode == "deny" or self._consent.is_silenced(identity.app, wanted.permission):
            return "denied"
        return "prompt"

    async def request(
        self,
        identity: Sender,
        wanted: Grant,
        reason: str | None = None,
        origin: str | None = None,
    ) -> bool:
        """Whether `wanted` is granted, after a person was asked if need be.

        What is allowed once is kept for this client's next operation that it covers.
        """
        permit = await self._decide(identity, wanted, reason, origin)
        if permit is not None and permit.once:
            self._once.keep(identity, permit.grant)
        return permit is not None

    async def require(
        self,
        identity: Sender,
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
        return permit

    async def reserve(self, identity: Sender, wanted: Grant) -> Permit:
        """As `require`, for an operation that the bus checks once more, and `spend`s then."""
        permit = await self.require(identity, wanted)
        if permit.once:
            self._once.keep(identity, permit.grant)
        return permit

    def lease(self, permit: Permit) -> None:
        """What was permitted once stays so until `release`, as long as a subscription goes on."""
        if permit.once:
            self._once.lease(permit.identity, permit.grant)

    def release(self, identity: Sender, wanted: Grant) -> None:
        self._once.release(identity, wanted)

    @contextmanager
    def holding(self, *permits: Permit) -> Iterator[None]:
        """Runs an operation; raises `DeskbusError` (permission_revoked) where it is cut short."""
        once = [permit for permit in permits if permit.once]
        for permit in once:
            self._once.lease(permit.identity, permit.grant)
        try:
            with self._operations.hold(*permits):
                yield
        finally:
            for permit in once:
                self._once.release(permit.identity, permit.grant)

    async def resolve(self, wanted: Grant) -> Grant:
        """With its scope in canonical form; raises `DeskbusError` for one outside its grammar.

        For what a person or the configuration names; what an app names is authorised first.
        """
        if is_slow(self.catalogue, wanted.permission):
            wanted = await anyio.to_thread.run_sync(resolve, self.catalogue, wanted)
        else:
            wanted = resolve(self.catalogue, wanted)
        self.rules.check(wanted)
        return wanted

    # What changes.

    def forget_session(self, app: str) -> None:
        """The app's run is over; what was decided for it ends with it."""
        self._once.forget_app(app)
        self._consent.end_run(app)
        ended = self.ledger.end_session(app)
        for decision in ended:
            self._trail.note(PermissionExpired(reason="the app has ended", **_told(decision)))
        if ended:
            self.changed(app)

    def forget_client(self, identity: Sender) -> None:
        """The client begins anew; what was allowed once to the one before is not its own."""
        self._once.forget(identity)

    def register(self, app: str, rules: AppRules, identity: AppIdentity | None) -> None:
        """The app is there, or is another than before: then what it was allowed is taken back.

        Without an identity, nothing that it was allowed counts until one is known.
        """
        if self.apps.get(app) == rules and self._identities.get(app) == identity:
            return
        self.apps[app] = rules
        if identity is None:
            self._identities.pop(app, None)
        else:
            self._identities[app] = identity
            self._disown(app, identity)
        self.changed(app)

    def unregister(self, app: str) -> None:
        """The app is gone; what was decided about it is kept for an app that is the same."""
        self.apps.pop(app, None)
        self._identities.pop(app, None)
        self.changed(app)

    def all_identified(self) -> None:
        """Every app of the configuration was registered; requests wait for that."""
        self._identified.set()

    async def identified(self) -> None:
        await self._identified.wait()

    def identity(self, app: str) -> AppIdentity:
        """What the app is, as far as that is known by now."""
        known = self._identities.get(app)
        if known is not None:
            return known
        rules = self.apps.get(app)
        return NOT_CHECKED if rules is not None and rules.signed else NOT_KNOWN

    def apply(self, policy: Policy) -> None:
        """From now on this policy stands, over decisions made before as well."""
        self.policy = policy
        self.changed_all()

    def changed_all(self) -> None:
        for app in {*self.apps, *self.ledger.apps}:
            self.changed(app)

    def changed(self, app: str) -> None:
        """What stands for `app` is to be worked out anew."""
        self.epoch += 1
        self._standings.pop(app, None)
        self._forget_verdicts()
        self._operations.end(
            lambda permit: permit.identity.app == app and not self._still_permitted(permit)
        )
        self._on_changed(app)

    def take_back(self, app: str, permission: str | None, scope: str | None) -> None:
        """Ends what was allowed once, and operations that run by it."""

        def is_meant(grant: Grant) -> bool:
            return permission in (None, grant.permission) and scope in (None, grant.scope)

        self._once.take_back(app, is_meant)
        self._operations.end(
            lambda permit: permit.identity.app == app and permit.once and is_meant(permit.grant)
        )

    def tick(self) -> None:
        """Does what is due: decisions that have ended are told."""
        now = self._clock()
        ends = self.ledger.next_end()
        if ends is not None and now >= ends:
            ended = self.ledger.expire(now)
            for decision in ended:
                self._trail.note(PermissionExpired(**_told(decision)))
            for app in {decision.app for decision in ended}:
                self.changed(app)

    def standing(self, app: str) -> AppStanding:
        known = self._standings.get(app)
        if known is None:
            identity = self.identity(app)
            known = self._standings[app] = AppStanding(
                self.rules,
                self.apps.get(app, AppRules()),
                self.policy.for_app(app),
                self.ledger.of(app, self._clock()),
                identity.bound if identity.problem is None else None,
            )
        return known

    def must_be_asked(self, app: str, wanted: Grant) -> bool:
        return self.standing(app).must_be_asked(wanted)

    def allow_asking(self, app: str, permission: str | None) -> None:
        """Lets a person be asked again before the run ends, however often they said no."""
        self._consent.allow_asking(app, permission)

    def decisions_known(self) -> None:
        """Decisions of earlier runs have come; those about apps that have changed count no more."""
        for app, identity in self._identities.items():
            self._disown(app, identity)
        self.changed_all()

    def is_trusted(self, app: str) -> bool:
        """Whether the policy and people have no say about an app: in `allow` mode alone."""
        return self._mode == "allow"

    def trust(self, identity: Sender) -> None:
        """This client stands above the policy: its session was opened as the shell's or a tool's.

        It is never an id that makes it so.
        """
        self._trusted.add(identity)

    def distrust(self, identity: Sender) -> None:
        """The client is gone, or another has its name."""
        if identity in self._trusted:
            self._trusted.discard(identity)
            self.changed(identity.app)

    async def _decide(
        self,
        identity: Sender,
        worded: Grant,
        reason: str | None,
        origin: str | None,
        check: Callable[[str], None] | None = None,
    ) -> Permit | None:
        await self.identified()
        wanted = await self._resolve_for(identity, worded)
        if wanted is None:
            self._refusals.tell(identity, worded, self.verdict(identity.app, *_parts(worded)))
            return None
        state = self.state_of(identity, wanted)
        if check is not None and not _is_in_reach(wanted, check, tell=state == "granted"):
            return None
        if state == "granted":
            return Permit(identity, wanted)
        if self.spend(identity, *_parts(wanted)):
            return Permit(identity, wanted, once=True)
        if state == "prompt":
            settled = await self._consent.ask(
                Wish(identity, wanted, reason, origin, calltrace.current())
            )
            return Permit(identity, wanted, settled.once) if settled.allowed else None
        self._refusals.tell(identity, wanted, self.verdict(identity.app, *_parts(wanted)))
        return None

    async def _resolve_for(self, identity: Sender, worded: Grant) -> Grant | None:
        """Canonical, or None where the app may not have it wherever it leads.

        An app without the permission learns nothing of the file system, not even by how long it
        takes. Raises `DeskbusError` for a scope that is outside its grammar as it is worded.
        """
        self.rules.check(as_worded(self.catalogue, worded))
        if not is_slow(self.catalogue, worded.permission):
            return resolve(self.catalogue, worded)
        trusted = self._mode == "allow" or identity in self._trusted
        if not trusted and not self.standing(identity.app).can_have(worded.permission):
            return None
        try:
            return await self.resolve(worded)
        except DeskbusError:
            # Where it leads has a name that no permission can be worded for.
            return None

    def _verdict_of(self, identity: Sender, wanted: Grant) -> Verdict:
        return TRUSTED if identity in self._trusted else self.verdict(identity.app, *_parts(wanted))

    def _permits(self, identity: Sender, permission: str, scope: str) -> bool:
        verdict = self._verdict_of(identity, Grant(permission, scope))
        if verdict.state == "open":
            return self._once.is_leased(identity, Grant(permission, scope))
        return verdict.state == "granted"

    def _judge(self, key: tuple[str, str, str]) -> Verdict:
        app, permission, scope = key
        if self.is_trusted(app):
            return TRUSTED
        verdict = self.standing(app).verdict(Grant(permission, scope))
        if verdict.why == "person" and verdict.by is not None:
            self.ledger.note_use(app, verdict.by, self._clock())
        if len(self._verdicts) >= MAX_VERDICTS:
            self._verdicts.clear()
        self._verdicts[key] = verdict
        return verdict

    def _forget_verdicts(self) -> None:
        """A decision that has ended counts for nothing from here on, told or not."""
        now = self._clock()
        if self._next_end is not None and now >= self._next_end:
            self._standings.clear()
        self._verdicts.clear()
        later = [d.until for d in self.ledger if d.until is not None and d.until > now]
        self._next_end = min(later, default=None)

    def _disown(self, app: str, identity: AppIdentity) -> None:
        """Takes back what was allowed to an app of other content or another publisher."""
        if identity.problem is None:
            for decision in self.ledger.disown(app, identity.bound):
                event = PermissionRevoked(
                    reason="the app is not the same as before", **_told(decision)
                )
                self._trail.note(event)

    def _still_permitted(self, permit: Permit) -> bool:
        if permit.once:
            return self._not_denied(permit)
        return self._permits(permit.identity, *_parts(permit.grant))

    def _not_denied(self, permit: Permit) -> bool:
        return self._verdict_of(permit.identity, permit.grant).state != "denied"


def _is_in_reach(wanted: Grant, check: Callable[[str], None], *, tell: bool) -> bool:
    """Whether any permission reaches it; raises the error of `check` where that may be told."""
    try:
        check(wanted.scope)
    except DeskbusError:
        if tell:
            raise
        return False
    return True


def _parts(grant: Grant) -> tuple[str, str]:
    return grant.permission, grant.scope


class _Told(TypedDict):
    app: str
    permission: str
    scope: str


def _told(decision: Decision) -> _Told:
    grant = decision.grant
    return {"app": decision.app, "permission": grant.permission, "scope": grant.scope}
