"""The grounds of a verdict, and whether an operation that was permitted may go on."""

import pytest

from deskbus.security import permission_checker
from deskbus.security.model.effective_permissions import EffectivePermissions, PermissionVerdict
from deskbus.security.permission_request import Permit
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.permissions import Grant, GrantParams
from tests.unit.security.desk import OTHER_WINDOW, READ, TICKER, WRITE, Desk, says

pytestmark = pytest.mark.requirement("3.2")

ONE = Grant("messaging.read", "prices.a")
OTHER = Grant("messaging.read", "prices.b")
UNDECLARED = Grant("messaging.read", "orders.a")
MONTH_MS = 30 * 86_400_000


def decided(grant: Grant, *, allowed: bool = True) -> GrantParams:
    return GrantParams(
        app=TICKER.app, permission=grant.permission, scope=grant.scope, allowed=allowed
    )


async def test_a_verdict_names_the_one_decision_that_it_rests_on() -> None:
    desk = Desk()
    checker = desk.security.checker
    async with desk.running():
        await desk.settings.grant(decided(OTHER))
        await desk.settings.grant(decided(ONE))
        for grant in (ONE, OTHER):
            basis = checker.basis(TICKER.app, grant)
            assert basis.verdict.state == "granted"
            assert basis.decision is not None
            assert (basis.decision.grant, basis.decision.allowed) == (grant, True)
        await desk.settings.grant(decided(ONE, allowed=False))
        basis = checker.basis(TICKER.app, ONE)
        assert basis.verdict.state == "denied"
        assert basis.decision is not None
        assert (basis.decision.grant, basis.decision.allowed) == (ONE, False)
        assert (basis.rule, basis.grant) == (None, None)


async def test_what_is_open_rests_on_what_the_manifest_declares() -> None:
    desk = Desk()
    async with desk.running():
        basis = desk.security.checker.basis(TICKER.app, ONE)
        assert (basis.verdict.state, basis.grant, basis.decision) == ("open", READ, None)
        basis = desk.security.checker.basis(TICKER.app, UNDECLARED)
        assert (basis.verdict.state, basis.verdict.why) == ("denied", "undeclared")


async def test_where_all_is_allowed_nothing_else_is_a_reason() -> None:
    desk = Desk(mode="allow")
    async with desk.running():
        basis = desk.security.checker.basis(TICKER.app, UNDECLARED)
        assert (basis.verdict.state, basis.verdict.why) == ("granted", "trusted")
        assert (basis.rule, basis.grant, basis.decision) == (None, None, None)
    assert Desk(mode="deny").security.checker.is_trusted(TICKER.app) is False


async def test_an_app_can_have_what_is_declared_or_granted_and_nothing_else() -> None:
    desk = Desk(declares=(READ,), grants=(Grant("app.send", "desk.feed"),))
    async with desk.running():
        checker = desk.security.checker
        assert checker.can_have(TICKER, "messaging.read") is True
        assert checker.can_have(TICKER, "app.send") is True
        assert checker.can_have(TICKER, "messaging.write") is False
        assert checker.can_have(ClientId("desk.unknown", "main"), "messaging.read") is False
        checker.trust(OTHER_WINDOW)
        assert checker.can_have(OTHER_WINDOW, "messaging.write") is True
        assert checker.distrust(OTHER_WINDOW) is True
        assert checker.distrust(OTHER_WINDOW) is False
        assert checker.can_have(OTHER_WINDOW, "messaging.write") is False


@pytest.mark.parametrize("once", [True, False])
async def test_an_operation_goes_on_until_what_permits_it_is_denied(*, once: bool) -> None:
    """One that was permitted once needs no standing permission, and ends by a denial too."""
    desk = Desk()
    permit = Permit(TICKER, ONE, once=once)
    async with desk.running():
        if not once:
            assert desk.security.checker.still_permits(permit) is False
            await desk.settings.grant(decided(ONE))
        assert desk.security.checker.still_permits(permit) is True
        await desk.settings.grant(decided(ONE, allowed=False))
        assert desk.security.checker.still_permits(permit) is False
        undeclared = Permit(TICKER, UNDECLARED, once=once)
        assert desk.security.checker.still_permits(undeclared) is False


@pytest.mark.parametrize(
    ("once", "reserved", "denied", "kept"),
    [
        (True, False, False, True),
        (False, False, False, False),
        (True, True, False, False),
        (True, False, True, False),
    ],
)
async def test_what_was_permitted_once_and_came_to_nothing_is_good_for_the_next(
    *, once: bool, reserved: bool, denied: bool, kept: bool
) -> None:
    desk = Desk()
    checker = desk.security.checker
    async with desk.running():
        if denied:
            await desk.settings.grant(decided(ONE, allowed=False))
        checker.give_back([Permit(TICKER, ONE, once=once, reserved=reserved)])
        if denied:
            await desk.settings.revoke(TICKER.app, ONE.permission, ONE.scope)
        assert checker.may_spend(TICKER, ONE.permission, ONE.scope) is kept
        assert checker.spend(TICKER, ONE.permission, ONE.scope) is kept
        assert checker.spend(TICKER, ONE.permission, ONE.scope) is False


async def test_nobody_is_asked_here() -> None:
    desk = Desk()
    desk.person = says("allow")
    async with desk.running():
        desk.security.checker.basis(TICKER.app, ONE)
        desk.security.checker.may_read(TICKER, ONE.scope)
    assert desk.asked == []


async def test_a_pattern_may_be_read_or_written_where_every_topic_of_it_may() -> None:
    narrow = (Grant("messaging.read", "prices.dax"), Grant("messaging.write", "orders.*"))
    async with Desk(grants=narrow).running() as desk:
        checker = desk.security.checker
        assert checker.may_subscribe(TICKER, "prices.dax") is True
        assert checker.may_subscribe(TICKER, "prices.*") is False
        assert checker.may_write_all(TICKER, "orders.*") is True
        assert checker.may_write_all(TICKER, "orders.#") is False
    async with Desk(mode="allow").running() as desk:
        assert desk.security.checker.may_subscribe(TICKER, "prices.*") is True
        assert desk.security.checker.may_write_all(TICKER, "orders.#") is True


async def test_a_decision_counts_as_used_only_where_it_is_what_permits() -> None:
    async with Desk(grants=(WRITE,)).running() as desk:
        await desk.settings.grant(decided(WRITE))
        assert desk.security.checker.may_write(TICKER, "orders.a") is True
        assert desk.security.checker.may_write(TICKER, UNDECLARED.scope) is True
        (decision,) = desk.decisions
        assert decision.used is None, "the configuration permits it"


async def test_a_decision_that_has_ended_is_the_ground_of_nothing() -> None:
    desk = Desk()
    desk.person = says("allow", "always", expires_ms=MONTH_MS)
    async with desk.running():
        await desk.security.permissions.request(TICKER, READ)
        checker = desk.security.checker
        (decision,) = desk.decisions
        assert decision.until is not None
        assert checker.basis(TICKER.app, ONE).decision == decision
        desk.clock.pass_ms(decision.until - desk.now())
        basis = checker.basis(TICKER.app, ONE)
        assert (basis.verdict.state, basis.decision) == ("open", None)


async def test_verdicts_are_worked_out_once_and_no_more_than_a_number_of_them_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worked_out: list[Grant] = []
    verdict = EffectivePermissions.verdict

    def counted(permissions: EffectivePermissions, wanted: Grant) -> PermissionVerdict:
        worked_out.append(wanted)
        return verdict(permissions, wanted)

    monkeypatch.setattr(EffectivePermissions, "verdict", counted)
    monkeypatch.setattr(permission_checker, "MAX_VERDICTS", 3)
    first, *_, last = grants = [Grant("messaging.read", f"prices.{name}") for name in "abcd"]
    async with Desk().running() as desk:
        for wanted in (*grants[:3], *grants[:3]):
            desk.security.checker.verdict(TICKER.app, wanted)
        assert worked_out == grants[:3]
        for wanted in (last, last, first):
            desk.security.checker.verdict(TICKER.app, wanted)
        assert worked_out == [*grants[:3], last, first]


@pytest.mark.requirement("C")
async def test_an_app_that_asks_for_much_makes_nobody_elses_verdicts_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(permission_checker, "MAX_VERDICTS", 3)
    async with Desk().running() as desk:
        checker = desk.security.checker
        kept = checker.verdict(TICKER.app, ONE)
        for number in range(10):
            checker.verdict("another.app", Grant("messaging.read", f"prices.{number}"))
        assert checker.verdict(TICKER.app, ONE) is kept
