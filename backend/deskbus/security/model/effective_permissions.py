"""One app's effective permissions: policy, then denials, then grants. Pure; remade at a change."""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from msgspec import UNSET

from deskbus.security.decisions.decision_table import UserDecision
from deskbus.security.model.grant_matching import GrantMatching
from deskbus.security.policy.policy import AppPolicy, PolicyRule, PolicyStanding
from deskbus_protocol.catalogue import Catalogue
from deskbus_protocol.permissions import EffectiveRule, Grant

Why = Literal[
    "trusted", "policy", "person", "config", "undeclared", "identity", "open", "unoffered"
]


class AppRules(NamedTuple):
    """The configuration's rules for one app: its grants, and what it may ask for.

    `signed` says that it names a publisher's key, so that it has to be what that one signed.
    """

    grants: tuple[Grant, ...] = ()
    declares: tuple[Grant, ...] = ()
    name: str = ""
    publisher: str = ""
    signed: bool = False


class PermissionVerdict(NamedTuple):
    """`open` is for a person to decide. `by` is what granted it, where a grant did."""

    state: Literal["granted", "denied", "open"]
    why: Why
    by: Grant | None = None


class VerdictBasis(NamedTuple):
    verdict: PermissionVerdict
    rule: PolicyRule | None = None
    grant: Grant | None = None
    decision: UserDecision | None = None


OPEN = PermissionVerdict("open", "open")


class GrantIndex:
    """Grants, found quickly by what they cover: most wishes are granted as they were worded."""

    def __init__(self, rules: GrantMatching, grants: Iterable[Grant]) -> None:
        self._rules = rules
        self._exact: dict[tuple[str, str], Grant] = {}
        self._wide: dict[str, list[Grant]] = {}
        for grant in grants:
            for permission in rules.includes(grant.permission):
                self._exact.setdefault((permission, grant.scope), grant)
                if rules.is_wide(grant):
                    self._wide.setdefault(permission, []).append(grant)

    def find(self, wanted: Grant) -> Grant | None:
        exact = self._exact.get((wanted.permission, wanted.scope))
        if exact is not None:
            return exact
        for grant in self._wide.get(wanted.permission, ()):
            if self._rules.covers(grant, wanted):
                return grant
        return None


class EffectivePermissions:
    """The verdicts about an app, as long as neither its rules, the policy nor a decision change.

    `bound` is what the app is now, None where it is not trusted to be what it says.
    """

    def __init__(
        self,
        rules: GrantMatching,
        app: AppRules,
        policy: AppPolicy,
        decisions: list[UserDecision],
        bound: str | None,
    ) -> None:
        self._rules = rules
        self._app = app
        self._policy = policy
        self._is_itself = bound is not None
        self._denials = [d for d in decisions if not d.allowed]
        self._denied = [d.grant for d in self._denials]
        self._allowed = [
            decision
            for decision in decisions
            if decision.allowed
            and bound
            and decision.bound == bound
            and rules.any_covers(app.declares, decision.grant)
        ]
        self._config = GrantIndex(rules, app.grants)
        self._declares = GrantIndex(rules, app.declares)
        self._person = GrantIndex(rules, [d.grant for d in self._allowed])
        self._session = GrantIndex(rules, [d.grant for d in self._allowed if d.holds == "session"])

    def verdict(self, wanted: Grant) -> PermissionVerdict:
        effect = self._policy.effect(self._rules, wanted)
        if effect == "deny":
            return PermissionVerdict("denied", "policy")
        if not self._is_itself:
            return PermissionVerdict("denied", "identity")
        declared = self._declares.find(wanted) is not None
        configured = self._config.find(wanted)
        if effect == "allow" and (declared or configured):
            return PermissionVerdict("granted", "policy")
        if self._rules.any_denies(self._denied, wanted):
            return PermissionVerdict("denied", "person")
        if configured and effect != "ask":
            return PermissionVerdict("granted", "config", configured)
        decided = (self._session if effect == "ask" else self._person).find(wanted)
        if decided:
            return PermissionVerdict("granted", "person", decided)
        return OPEN if declared or configured else PermissionVerdict("denied", "undeclared")

    def basis(self, wanted: Grant) -> VerdictBasis:
        """The verdict with the one rule, grant or decision that it rests on."""
        verdict = self.verdict(wanted)
        if verdict.why == "policy":
            return VerdictBasis(verdict, rule=self._policy.deciding(self._rules, wanted))
        if verdict.why == "person":
            made = self._allowed if verdict.state == "granted" else self._denials
            for decision in made:
                decides = (
                    decision.grant == verdict.by
                    if verdict.by is not None
                    else self._rules.denies(decision.grant, wanted)
                )
                if decides:
                    return VerdictBasis(verdict, decision=decision)
        if verdict.why == "open":
            grant = self._declares.find(wanted) or self._config.find(wanted)
            return VerdictBasis(verdict, grant=grant)
        return VerdictBasis(verdict, grant=verdict.by)

    def can_have(self, permission: str) -> bool:
        """Whether there is any scope at all for which `verdict` is not that it is denied."""
        return self._is_itself and any(
            permission in self._rules.includes(grant.permission)
            for grant in (*self._app.grants, *self._app.declares)
        )

    def must_be_asked(self, wanted: Grant) -> bool:
        """Whether the policy wants a person to be asked each time the app runs."""
        return self._policy.effect(self._rules, wanted) == "ask"

    def effective(self, catalogue: Catalogue) -> Iterator[EffectiveRule]:
        """All permissions as an ordered list of rules, of which the first match decides."""
        for permission in catalogue:
            if catalogue.offered(permission) is not None and self._is_itself:
                yield from self._effective(permission)

    def _effective(self, permission: str) -> Iterator[EffectiveRule]:
        for rule in self._policy.standing(permission, self._rules):
            yield from self._by_policy(rule)
        for denied in self._denied:
            if denied.permission in self._rules.includes(permission):
                yield EffectiveRule(permission=permission, scope=denied.scope, allow=False)
        for grant in self._app.grants:
            if permission in self._rules.includes(grant.permission):
                yield _allow(permission, grant.scope)
        for decision in self._allowed:
            if permission in self._rules.includes(decision.grant.permission):
                yield _allow(permission, decision.grant.scope, decision.until)

    def _by_policy(self, rule: PolicyStanding) -> Iterator[EffectiveRule]:
        """The rules of the policy; one that allows does so within what the app may have at all."""
        permission = rule.permission
        if rule.effect == "allow":
            for grant in (*self._app.declares, *self._app.grants):
                if shared := self._shared(permission, rule.scope, grant):
                    yield _allow(permission, shared)
            return
        for decision in self._allowed if rule.effect == "ask" else ():
            shared = self._shared(permission, rule.scope, decision.grant)
            if decision.holds == "session" and shared:
                yield _allow(permission, shared, decision.until)
        yield EffectiveRule(permission=permission, scope=rule.scope or UNSET, allow=False)

    def _shared(self, permission: str, scope: str | None, grant: Grant) -> str | None:
        """The common scope of a rule and a grant, where one contains the other."""
        if permission not in self._rules.includes(grant.permission):
            return None
        given = Grant(permission, grant.scope)
        if scope is None or self._rules.covers(Grant(permission, scope), given):
            return given.scope
        return scope if self._rules.covers(given, Grant(permission, scope)) else None


def _allow(permission: str, scope: str, until: int | None = None) -> EffectiveRule:
    return EffectiveRule(
        permission=permission, scope=scope, allow=True, until=UNSET if until is None else until
    )
