"""PermissionChecker: decides what an app may do, without asking anybody; cached for each message.

No I/O, no await; time comes from the clock that it was given.
"""

from collections.abc import Iterable, Iterator
from typing import Literal

from deskbus.security.app_registry import AppRegistry
from deskbus.security.decisions.decision_table import DecisionTable
from deskbus.security.decisions.one_time_grants import OneTimeGrants
from deskbus.security.model.effective_permissions import (
    AppRules,
    EffectivePermissions,
    PermissionVerdict,
    VerdictBasis,
)
from deskbus.security.model.grant_matching import GrantMatching
from deskbus.security.permission_request import Permit
from deskbus.security.policy.policy import NO_POLICY, Policy
from deskbus.storage.clocks import ClockMs
from deskbus_protocol.catalogue import Catalogue
from deskbus_protocol.control import CONTROL_APP
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.permissions import EffectiveRule, Grant

MAX_VERDICTS = 2048
"""Of one app, kept until something changes; beyond, all of its own are worked out anew. To forget
very many at once would keep the loop for milliseconds.
"""

ConsentMode = Literal["ask", "allow", "deny"]

TRUSTED = PermissionVerdict("granted", "trusted")


class PermissionChecker:
    """Verdicts are cached until what stands changes, which raises the `epoch`."""

    def __init__(
        self,
        catalogue: Catalogue,
        rules: GrantMatching,
        registry: AppRegistry,
        decisions: DecisionTable,
        mode: ConsentMode,
        clock: ClockMs,
    ) -> None:
        self._catalogue = catalogue
        self._rules = rules
        self._registry = registry
        self._decisions = decisions
        self._mode = mode
        self._clock = clock
        self._policy = NO_POLICY
        self.epoch = 0
        self.once = OneTimeGrants(rules)
        self._trusted: set[ClientId] = set()
        self._standings: dict[str, EffectivePermissions] = {}
        self._verdicts: dict[str, dict[Grant, PermissionVerdict]] = {}
        self._next_end: int | None = None

    def may_read(self, identity: ClientId, topic: str) -> bool:
        return self._permits(identity, Grant("messaging.read", topic))

    def may_write(self, identity: ClientId, topic: str) -> bool:
        """Notes the use; the bus asks for the first message on a topic, and again each minute."""
        return self._use(identity, Grant("messaging.write", topic))

    def note_read(self, identity: ClientId, topic: str) -> None:
        """Notes that a message on the topic has reached the client."""
        self.note_use(identity, Grant("messaging.read", topic))

    def may_subscribe(self, identity: ClientId, pattern: str) -> bool:
        """Whether every topic of a pattern may be read."""
        return self.may_read(identity, pattern)

    def may_write_all(self, identity: ClientId, pattern: str) -> bool:
        """Whether every topic of a pattern may be written to."""
        return self.is_granted(identity, Grant("messaging.write", pattern))

    def is_granted(self, identity: ClientId, wanted: Grant) -> bool:
        """Whether it stands by itself, so that nobody need be asked; notes no use."""
        return self.verdict_of(identity, wanted).state == "granted"

    def may_send(self, identity: ClientId, app: str) -> bool:
        """Notes the use."""
        return self._use(identity, Grant("app.send", app))

    def note_use(self, identity: ClientId, wanted: Grant) -> None:
        """Notes the use of the person's decision, if any, by which this is granted."""
        verdict = self.verdict_of(identity, wanted)
        if verdict.why == "person" and verdict.by is not None:
            self._decisions.note_use(identity.app, verdict.by, self._clock())

    def may_spend(self, identity: ClientId, permission: str, scope: str) -> bool:
        """Whether `spend` would find something."""
        wanted = Grant(permission, scope)
        return self._is_open(Permit(identity, wanted)) and self.once.covers(identity, wanted)

    def give_back(self, permits: Iterable[Permit]) -> None:
        """Keeps what was permitted once for the next operation; this one came to nothing."""
        for permit in permits:
            if permit.once and not permit.reserved and self._is_open(permit):
                self.once.keep(permit.identity, permit.grant)

    def spend(self, identity: ClientId, permission: str, scope: str) -> bool:
        """Uses up what was allowed once, if it covers this; true if it did."""
        wanted = Grant(permission, scope)
        return self._is_open(Permit(identity, wanted)) and self.once.spend(identity, wanted)

    def still_permits(self, permit: Permit) -> bool:
        """Whether what an operation under way was permitted by has not been taken back."""
        if permit.once:
            return self._is_open(permit)
        return self._permits(permit.identity, permit.grant)

    def verdict_of(self, identity: ClientId, wanted: Grant) -> PermissionVerdict:
        return TRUSTED if identity in self._trusted else self.verdict(identity.app, wanted)

    def verdict(self, app: str, wanted: Grant) -> PermissionVerdict:
        """The verdict about a canonical scope; computed once for each epoch."""
        if self._next_end is not None and self._clock() >= self._next_end:
            self._forget_verdicts()
        of_app = self._verdicts.get(app)
        known = None if of_app is None else of_app.get(wanted)
        return self._judge(app, wanted) if known is None else known

    def basis(self, app: str, wanted: Grant) -> VerdictBasis:
        """The verdict about a canonical scope, and what it rests on."""
        if self.is_trusted(app):
            return VerdictBasis(TRUSTED)
        self.verdict(app, wanted)  # what has ended counts no more
        return self._standing(app).basis(wanted)

    def can_have(self, identity: ClientId, permission: str) -> bool:
        """Whether there is any scope at all that the client could have."""
        trusted = self.is_trusted(identity.app) or identity in self._trusted
        return trusted or self._standing(identity.app).can_have(permission)

    def must_be_asked(self, app: str, wanted: Grant) -> bool:
        """Whether the policy wants a person to be asked each time the app runs."""
        return self._standing(app).must_be_asked(wanted)

    def effective(self, app: str) -> Iterator[EffectiveRule]:
        """All permissions of an app as ordered rules, of which the first match decides."""
        return self._standing(app).effective(self._catalogue)

    @property
    def policy(self) -> Policy:
        return self._policy

    def apply(self, policy: Policy) -> None:
        """Puts a policy into force; the caller then reports every app as `changed`."""
        self._policy = policy

    def changed(self, app: str) -> None:
        """Drops the cached verdicts about `app`."""
        self.epoch += 1
        self._standings.pop(app, None)
        self._forget_verdicts()

    def is_trusted(self, app: str) -> bool:
        """Whether the policy and people have no say about an app: in `allow` mode alone.

        A browser's permissions in the control centre follow from its codes, in any mode.
        """
        return self._mode == "allow" and app != CONTROL_APP

    def trust(self, identity: ClientId) -> None:
        self._trusted.add(identity)

    def distrust(self, identity: ClientId) -> bool:
        """Whether the client was trusted until now."""
        was_trusted = identity in self._trusted
        self._trusted.discard(identity)
        return was_trusted

    def _use(self, identity: ClientId, wanted: Grant) -> bool:
        self.note_use(identity, wanted)
        return self.is_granted(identity, wanted)

    def _permits(self, identity: ClientId, wanted: Grant) -> bool:
        verdict = self.verdict_of(identity, wanted)
        if verdict.state == "open":
            return self.once.is_leased(identity, wanted)
        return verdict.state == "granted"

    def _is_open(self, permit: Permit) -> bool:
        return self.verdict_of(permit.identity, permit.grant).state != "denied"

    def _standing(self, app: str) -> EffectivePermissions:
        known = self._standings.get(app)
        if known is None:
            identity = self._registry.identity(app)
            known = self._standings[app] = EffectivePermissions(
                self._rules,
                self._registry.rules(app) or AppRules(),
                self._policy.for_app(app),
                self._decisions.of(app, self._clock()),
                identity.bound if identity.problem is None else None,
            )
        return known

    def _judge(self, app: str, wanted: Grant) -> PermissionVerdict:
        if self.is_trusted(app):
            return TRUSTED
        verdict = self._standing(app).verdict(wanted)
        of_app = self._verdicts.setdefault(app, {})
        if len(of_app) >= MAX_VERDICTS:
            of_app.clear()
        of_app[wanted] = verdict
        return verdict

    def _forget_verdicts(self) -> None:
        """Drops cached verdicts, so that no expired decision counts, reported or not."""
        now = self._clock()
        if self._next_end is not None and now >= self._next_end:
            self._standings.clear()
        self._verdicts.clear()
        later = [d.until for d in self._decisions if d.until is not None and d.until > now]
        self._next_end = min(later, default=None)
