"""An app's effective permissions: the policy, then denials, then grants, and no grant unbound."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, structs

from deskbus.security.decisions.decision_table import UserDecision
from deskbus.security.model.effective_permissions import AppRules, EffectivePermissions
from deskbus.security.model.grant_matching import GrantMatching
from deskbus.security.policy.policy import AppPolicy, Effect, PolicyRule
from deskbus_protocol.catalogue import Catalogue
from deskbus_protocol.permissions import EffectiveRule, Grant

pytestmark = pytest.mark.requirement("3.2")

RULES = GrantMatching(Catalogue())
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
    return EffectivePermissions(RULES, app, AppPolicy(rules), list(decisions), bound)


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


def test_a_verdict_of_the_policy_rests_on_its_first_rule_that_fits() -> None:
    others = PolicyRule(permission="history", effect="deny")
    first = PolicyRule(permission="messaging.read", scope="prices.#", effect="deny")
    second = PolicyRule(permission="messaging.read", effect="deny")
    app = AppRules(declares=(WIDE,))
    policy = AppPolicy([others, first, second])
    found = EffectivePermissions(RULES, app, policy, [decided()], "v1")
    basis = found.basis(WANTED)
    assert (basis.verdict.why, basis.rule) == ("policy", first)
    assert (basis.grant, basis.decision) == (None, None)


def test_what_a_person_allowed_for_a_time_ends_in_the_rules_then() -> None:
    for_ever = decided(Grant("messaging.read", "prices.dax"))
    for_a_time = structs.replace(decided(Grant("messaging.read", "prices.bund")), until=900)
    found = permissions(for_ever, for_a_time, declares=(WIDE,))
    ends = {rule.scope: rule.until for rule in found.effective(Catalogue())}
    assert ends == {"prices.dax": UNSET, "prices.bund": 900}
    for_a_session = structs.replace(decided(session=True), until=900)
    asked = permissions(for_a_session, policy="ask")
    read = [rule for rule in asked.effective(Catalogue()) if rule.permission == "messaging.read"]
    assert [(rule.scope, rule.allow, rule.until) for rule in read] == [
        ("prices.#", True, 900),
        (UNSET, False, UNSET),
        ("prices.#", True, 900),
    ]


TREES = {
    "messaging.read": ("#", "prices.#", "prices.dax", "orders.#"),
    "messaging.write": ("#", "prices.#", "prices.dax", "orders.#"),
    "filesystem.read": ("/", "/data", "/data/own", "/other"),
    "filesystem.write": ("/", "/data", "/data/own", "/other"),
}
"""Scopes of which each two hold one another or have nothing in common."""

GRANTS = st.one_of(
    [st.builds(Grant, st.just(name), st.sampled_from(scopes)) for name, scopes in TREES.items()]
)
WISHES = [
    Grant(permission, scope)
    for permission, scopes in TREES.items()
    for scope in (
        ("prices.dax", "prices.bund", "orders.new", "news")
        if permission.startswith("messaging")
        else ("/data", "/data/own/file", "/data/public", "/other", "/")
    )
]
POLICIES = st.lists(
    st.builds(
        lambda grant, effect, anywhere: PolicyRule(
            permission=grant.permission, scope=UNSET if anywhere else grant.scope, effect=effect
        ),
        GRANTS,
        st.sampled_from(("allow", "deny", "ask")),
        st.booleans(),
    ),
    max_size=3,
)
DECISIONS = st.lists(
    st.builds(
        lambda grant, allowed, session: decided(grant, allowed=allowed, session=session),
        GRANTS,
        st.booleans(),
        st.booleans(),
    ),
    max_size=4,
)
SOME = st.lists(GRANTS, max_size=3).map(tuple)


def read(rules: list[EffectiveRule], wanted: Grant) -> bool:
    """The verdict of a shell by its copy: the first that fits decides, and none fitting denies."""
    for rule in rules:
        scope = Grant(rule.permission, "" if rule.scope is UNSET else str(rule.scope))
        fits = RULES.covers if rule.allow else RULES.denies
        if rule.permission == wanted.permission and (rule.scope is UNSET or fits(scope, wanted)):
            return rule.allow
    return False


@given(SOME, SOME, POLICIES, DECISIONS, st.sampled_from(("v1", None)))
def test_whoever_goes_by_the_rules_comes_to_the_same_verdict(
    grants: tuple[Grant, ...],
    declares: tuple[Grant, ...],
    policy: list[PolicyRule],
    decisions: list[UserDecision],
    bound: str | None,
) -> None:
    app = AppRules(grants=grants, declares=declares)
    found = EffectivePermissions(RULES, app, AppPolicy(policy), decisions, bound)
    rules = list(found.effective(Catalogue()))
    for wanted in WISHES:
        assert read(rules, wanted) == (found.verdict(wanted).state == "granted"), wanted
