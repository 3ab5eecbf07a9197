"""An app's effective permissions: the policy, then denials, then grants, and no grant unbound."""

import pytest

from deskbus.security.decisions.decision_table import UserDecision
from deskbus.security.model.effective_permissions import AppRules, EffectivePermissions
from deskbus.security.model.grant_matching import GrantMatching
from deskbus.security.policy.policy import AppPolicy, Effect, PolicyRule
from deskbus_protocol.catalogue import Catalogue
from deskbus_protocol.permissions import Grant

pytestmark = pytest.mark.requirement("3.2")

WANTED = Grant("messaging.read", "prices.dax")
WIDE = Grant("messaging.read", "prices.#")


def decided(
    grant: Grant = WIDE, *, allowed: bool = True, bound: str = "v1", session: bool = False
) -> UserDecision:
    return UserDecision(
        app="a", bound=bound, grant=grant, allowed=allowed, since=0,
        holds="session" if session else "always",
    )  # fmt: skip


def permissions(
    *decisions: UserDecision,
    grants: tuple[Grant, ...] = (),
    declares: tuple[Grant, ...] = (WIDE,),
    policy: Effect | None = None,
    bound: str | None = "v1",
) -> EffectivePermissions:
    rules = [] if policy is None else [PolicyRule(permission="messaging.read", effect=policy)]
    app = AppRules(grants=grants, declares=declares)
    return EffectivePermissions(
        GrantMatching(Catalogue()), app, AppPolicy(rules), list(decisions), bound
    )


@pytest.mark.parametrize(
    ("found", "state", "why"),
    [
        (permissions(), "open", "open"),
        (permissions(declares=()), "denied", "undeclared"),
        (permissions(grants=(WIDE,)), "granted", "config"),
        (permissions(decided()), "granted", "person"),
        (permissions(decided(), declares=()), "denied", "undeclared"),
        (permissions(decided(bound="v0")), "open", "open"),
        (permissions(decided(), bound=None), "denied", "identity"),
        (permissions(decided(allowed=False), grants=(WIDE,)), "denied", "person"),
        (permissions(decided(bound="v0", allowed=False)), "denied", "person"),
        (permissions(decided(), policy="deny"), "denied", "policy"),
        (permissions(policy="allow"), "granted", "policy"),
        (permissions(policy="allow", declares=()), "denied", "undeclared"),
        (permissions(decided(allowed=False), policy="allow"), "granted", "policy"),
        (permissions(grants=(WIDE,), policy="ask"), "open", "open"),
        (permissions(decided(), policy="ask"), "open", "open"),
        (permissions(decided(session=True), policy="ask"), "granted", "person"),
    ],
)
def test_policy_denials_and_grants_decide_in_this_order(
    found: EffectivePermissions, state: str, why: str
) -> None:
    verdict = found.verdict(WANTED)
    assert (verdict.state, verdict.why) == (state, why)


def test_a_verdict_rests_on_the_decision_that_covers_it() -> None:
    other = decided(Grant("messaging.read", "orders.#"))
    found = permissions(other, decided(), declares=(Grant("messaging.read", "#"),))
    assert found.basis(WANTED).decision == decided()


def test_the_effective_rules_say_what_the_verdict_says() -> None:
    denial = decided(Grant("messaging.read", "prices.secret"), allowed=False)
    rules = list(permissions(denial, decided()).effective(Catalogue()))
    read = [(rule.scope, rule.allow) for rule in rules if rule.permission == "messaging.read"]
    assert read == [("prices.secret", False), ("prices.#", True)]


def test_an_app_without_an_identity_can_have_nothing() -> None:
    assert permissions().can_have("messaging.read")
    assert not permissions().can_have("messaging.write")
    assert not permissions(bound=None).can_have("messaging.read")
