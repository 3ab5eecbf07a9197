"""The administrator's policy: allow, deny or ask, by app, permission and scope. Pure."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType

from deskbus.security.model.grant_matching import GrantMatching
from deskbus_protocol.pattern import whole
from deskbus_protocol.permissions import Grant

Effect = Literal["allow", "deny", "ask"]
ANY = "*"


class PolicyRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`app` is an id, the beginning of ids with `.*` behind it, or `*`; without a scope, any."""

    app: Annotated[str, Meta(pattern=whole(r"(\*|[a-z][a-z0-9.-]*(\.\*)?)"), max_length=128)] = ANY
    permission: Annotated[str, Meta(min_length=1, max_length=64)]
    scope: Annotated[str, Meta(min_length=1, max_length=1024)] | UnsetType = UNSET
    effect: Effect

    def is_about(self, app: str) -> bool:
        if self.app.endswith(".*"):
            return app.startswith(self.app[:-1])
        return self.app in (ANY, app)


class PolicyStanding(NamedTuple):
    """A rule as far as it is about one permission; `scope` None stands for all."""

    permission: str
    scope: str | None
    effect: Effect


class Policy:
    """The first rule that fits decides. None fitting leaves it to the person.

    `allow` fits what it covers whole; `deny` and `ask` fit whatever they touch, and stronger
    permissions as well, so that no wish gets past them by being wider.
    """

    def __init__(
        self, rules: list[PolicyRule], text: bytes = b"", places: Sequence[str] = ()
    ) -> None:
        """`places` are the file and line of each rule."""
        self.rules = tuple(rules)
        self._places = {id(rule): place for rule, place in zip(rules, places, strict=False)}
        self.hash = hashlib.sha256(text).hexdigest() if text else ""

    def place_of(self, rule: PolicyRule) -> str:
        """The file and line of one of its rules; "" where it is written in none."""
        return self._places.get(id(rule), "")

    def for_app(self, app: str) -> "AppPolicy":
        return AppPolicy([rule for rule in self.rules if rule.is_about(app)])


class AppPolicy:
    """The rules that are about one app."""

    def __init__(self, rules: list[PolicyRule]) -> None:
        self.rules = rules

    def effect(self, rules: GrantMatching, wanted: Grant) -> Effect | None:
        rule = self.deciding(rules, wanted)
        return None if rule is None else rule.effect

    def deciding(self, rules: GrantMatching, wanted: Grant) -> PolicyRule | None:
        """The first rule that fits."""
        return next((rule for rule in self.rules if _fits(rules, rule, wanted)), None)

    def standing(self, permission: str, rules: GrantMatching) -> Iterator[PolicyStanding]:
        """The rules that can decide about this permission, in their order."""
        for rule in self.rules:
            scope = None if isinstance(rule.scope, UnsetType) else rule.scope
            named = (
                rules.included_in(permission)
                if rule.effect == "allow"
                else rules.includes(permission)
            )
            if rule.permission == ANY or rule.permission in named:
                yield PolicyStanding(permission, scope, rule.effect)


def _fits(rules: GrantMatching, rule: PolicyRule, wanted: Grant) -> bool:
    if rule.permission == ANY:
        return isinstance(rule.scope, UnsetType)
    if isinstance(rule.scope, UnsetType):
        if rule.effect == "allow":
            return wanted.permission in rules.includes(rule.permission)
        return rule.permission in rules.includes(wanted.permission)
    named = Grant(rule.permission, rule.scope)
    if rule.effect == "allow":
        return rules.covers(named, wanted)
    return rules.denies(named, wanted)


NO_POLICY = Policy([])
DENY_ALL = Policy([PolicyRule(permission=ANY, effect="deny")])
"""Stands where there is a policy that can't be read: what it would forbid is not known."""
