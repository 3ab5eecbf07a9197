"""The security manager's grants: for what, for how long, and to whom."""

import json
import threading
from typing import Any

import anyio
import pytest
from msgspec import UNSET, Raw

from deskbus.languages.language import english
from deskbus.observability.tracing import call_trace
from deskbus.security import permission_service
from deskbus.security.canonical_scope import resolve
from deskbus.security.decisions.decision_table import DAY_MS, EMBARGO_MS, UserDecision
from deskbus.security.identity.code_identity import CodeIdentity
from deskbus.security.permission_request import ConsentAnswer, PermissionRequest
from deskbus_protocol.catalogue import Catalogue
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.events import PermissionDenied, PermissionGranted, PermissionRequested
from deskbus_protocol.permissions import Grant, GrantParams, State
from tests.unit.security.desk import (
    ITSELF,
    OTHER_WINDOW,
    READ,
    TICKER,
    WRITE,
    Desk,
    FakeKeeper,
    says,
)

pytestmark = pytest.mark.requirement("3.2")


async def test_once_is_good_for_one_operation() -> None:
    desk = Desk()
    desk.person = says("allow", "once")
    async with desk.running():
        permit = await desk.security.permissions.require(TICKER, READ)
        assert permit.once
        assert not desk.security.checker.may_read(TICKER, "prices.a")
        await desk.security.permissions.require(TICKER, READ)
        assert len(desk.asked) == 2


async def test_a_request_that_was_allowed_once_is_used_up_by_the_next_operation() -> None:
    desk = Desk()
    desk.person = says("allow", "once")
    async with desk.running():
        assert await desk.security.permissions.request(TICKER, WRITE)
        assert not desk.security.checker.may_write(TICKER, "orders.new")
        assert not desk.security.checker.spend(OTHER_WINDOW, "messaging.write", "orders.new")
        assert not desk.security.checker.spend(TICKER, "messaging.write", "prices.new")
        assert desk.security.checker.spend(TICKER, "messaging.write", "orders.new")
        assert not desk.security.checker.spend(TICKER, "messaging.write", "orders.new")


async def test_of_fifty_identical_requests_one_is_allowed_once() -> None:
    desk = Desk()
    desk.person = says("allow", "once")
    allowed: list[bool] = []

    async def ask(identity: ClientId) -> None:
        allowed.append(await desk.security.permissions.request(identity, READ))

    async with desk.running(), anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(ask, TICKER if number % 2 else OTHER_WINDOW)
    assert sum(allowed) == 1
    assert len(desk.asked) == 1


async def test_a_subscription_that_was_allowed_once_lasts_until_it_is_released() -> None:
    desk = Desk()
    desk.person = says("allow", "once")
    async with desk.running():
        with desk.security.permissions.subscribing(
            await desk.security.permissions.require(TICKER, READ)
        ):
            pass
        assert desk.security.checker.may_read(TICKER, "prices.a")
        assert not desk.security.checker.may_read(OTHER_WINDOW, "prices.a")
        desk.security.permissions.release(TICKER, READ)
        assert not desk.security.checker.may_read(TICKER, "prices.a")


async def test_a_session_s_grant_ends_with_the_run_and_another_s_stays() -> None:
    desk = Desk()
    async with desk.running():
        desk.person = says("allow", "session")
        assert await desk.security.permissions.request(TICKER, READ)
        desk.person = says("allow", "always")
        assert await desk.security.permissions.request(TICKER, WRITE)
        desk.security.forget_session(TICKER.app)
        assert not desk.security.checker.may_read(TICKER, "prices.a")
        assert desk.security.checker.may_write(TICKER, "orders.a")


async def test_a_grant_ends_at_its_time_to_the_millisecond_and_touches_no_other() -> None:
    desk = Desk()
    async with desk.running():
        desk.person = says("allow", "always", DAY_MS)
        assert await desk.security.permissions.request(TICKER, READ)
        desk.person = says("allow", "always")
        assert await desk.security.permissions.request(TICKER, WRITE)
        assert desk.security.checker.may_read(TICKER, "prices.a")
        desk.clock.pass_ms(DAY_MS - 1)
        assert desk.security.checker.may_read(TICKER, "prices.a")
        desk.clock.pass_ms(1)
        assert not desk.security.checker.may_read(TICKER, "prices.a")
        before = desk.security.checker.epoch
        desk.security.tick()
        assert desk.security.checker.epoch == before + 1
        assert desk.security.checker.may_write(TICKER, "orders.a")
        assert "PermissionExpired" in desk.trail.kinds()


async def test_a_wall_clock_that_is_set_moves_no_end() -> None:
    desk = Desk()
    desk.person = says("allow", "always", DAY_MS)
    async with desk.running():
        assert await desk.security.permissions.request(TICKER, READ)
        desk.clock.wall -= 10 * DAY_MS
        desk.clock.pass_ms(DAY_MS)
        assert not desk.security.checker.may_read(TICKER, "prices.a")


async def test_deny_forever_is_not_asked_again_for_less_or_for_more() -> None:
    desk = Desk(declares=(Grant("messaging.read", "#"),))
    desk.person = says("deny", "always")
    async with desk.running():
        assert not await desk.security.permissions.request(TICKER, READ)
        for scope in ("prices.a", "#", "*.a"):
            assert not await desk.security.permissions.request(
                TICKER, Grant("messaging.read", scope)
            )
    assert len(desk.asked) == 1


async def test_three_refusals_in_one_run_are_enough_for_it() -> None:
    desk = Desk()
    desk.person = says("deny")
    async with desk.running():
        for _ in range(5):
            assert not await desk.security.permissions.request(TICKER, READ)
        assert len(desk.asked) == 3
        desk.security.forget_session(TICKER.app)
        assert await desk.security.permissions.state(TICKER, READ) == "prompt"


@pytest.mark.parametrize(("how", "prompts"), [("dismissed", 3), ("timeout", 4)])
async def test_an_embargo_keeps_prompts_away_for_seven_days_over_a_restart(
    how: str, prompts: int
) -> None:
    desk = Desk()
    desk.person = says(how)
    async with desk.running():
        for _ in range(prompts + 2):
            assert not await desk.security.permissions.request(TICKER, READ)
        desk.clock.wall += 30 * DAY_MS
        assert await desk.security.permissions.state(TICKER, READ) == "denied"
    desk.clock.wall -= 30 * DAY_MS
    assert len(desk.asked) == prompts
    assert "PermissionEmbargoed" in desk.trail.kinds()
    desk.clock.pass_ms(EMBARGO_MS - 1)
    async with desk.again().running() as next_run:
        assert await next_run.security.permissions.state(TICKER, READ) == "denied"
        assert await next_run.security.permissions.state(TICKER, WRITE) == "prompt"
        next_run.clock.pass_ms(1)
        assert await next_run.security.permissions.state(TICKER, READ) == "prompt"


async def test_an_embargo_can_be_lifted_before_its_end() -> None:
    desk = Desk()
    desk.person = says("dismissed")
    async with desk.running():
        for _ in range(3):
            await desk.security.permissions.request(TICKER, READ)
        assert [e.permission for e in desk.settings.records(english()).embargoes] == [
            "messaging.read"
        ]
        assert await desk.settings.reset_embargo(TICKER.app, "messaging.read") == 1
        assert await desk.security.permissions.state(TICKER, READ) == "prompt"
        assert "EmbargoReset" in desk.trail.kinds()


async def test_a_prompt_that_failed_counts_for_nothing() -> None:
    desk = Desk()
    async with desk.running():
        for _ in range(6):
            assert not await desk.security.permissions.request(TICKER, READ)
        assert len(desk.asked) == 6


async def test_what_can_not_be_recorded_is_not_granted() -> None:
    desk = Desk()
    desk.trail.is_full = True
    desk.person = says("allow", "always")
    async with desk.running():
        assert not await desk.security.permissions.request(TICKER, READ)
        assert not desk.security.checker.may_read(TICKER, "prices.a")
        with pytest.raises(DeskbusError):
            await desk.settings.grant(_grant(READ))
        assert not desk.security.checker.may_read(TICKER, "prices.a")


async def test_a_denial_stands_even_where_it_can_not_be_recorded() -> None:
    desk = Desk()
    desk.trail.is_full = True
    desk.person = says("deny", "always")
    async with desk.running():
        assert not await desk.security.permissions.request(TICKER, READ)
        assert await desk.security.permissions.state(TICKER, READ) == "denied"


async def test_a_prompt_that_raises_denies() -> None:
    async def person(_: Any) -> Any:
        raise RuntimeError("the shell is gone")

    desk = Desk()
    desk.person = person
    async with desk.running():
        assert not await desk.security.permissions.request(TICKER, READ)


@pytest.mark.parametrize(
    "other", [CodeIdentity(bound="content:two"), CodeIdentity(bound="", problem="not signed")]
)
async def test_an_app_that_has_changed_asks_again(other: CodeIdentity) -> None:
    desk = Desk()
    desk.person = says("allow", "always")
    async with desk.running():
        assert await desk.security.permissions.request(TICKER, READ)
    async with desk.again(other).running() as changed:
        assert not changed.security.checker.may_read(TICKER, "prices.a")


async def test_an_app_of_the_same_publisher_keeps_what_it_has_as_it_changes() -> None:
    desk = Desk(identity=CodeIdentity(bound="key:1", content="one", verified=True))
    desk.person = says("allow", "always")
    async with desk.running():
        assert await desk.security.permissions.request(TICKER, READ)
    newer = CodeIdentity(bound="key:1", content="two", verified=True)
    async with desk.again(newer).running() as changed:
        assert changed.security.checker.may_read(TICKER, "prices.a")


async def test_an_app_that_changes_while_the_person_thinks_is_not_allowed() -> None:
    desk = Desk()

    async def person(_: Any) -> Any:
        desk.security.apps.register(TICKER.app, desk.rules, CodeIdentity(bound="content:two"))
        return await says("allow", "always")(_)

    desk.person = person
    async with desk.running():
        assert not await desk.security.permissions.request(TICKER, READ)


async def test_a_grant_that_the_manifest_no_longer_declares_counts_no_more() -> None:
    desk = Desk()
    desk.person = says("allow", "session")
    async with desk.running():
        assert await desk.security.permissions.request(TICKER, READ)
        narrower = desk.rules._replace(declares=(Grant("messaging.read", "prices.a"),))
        desk.security.apps.register(TICKER.app, narrower, ITSELF)
        assert not desk.security.checker.may_read(TICKER, "prices.b")


async def test_revoking_ends_operations_under_way_with_an_error() -> None:
    desk = Desk()
    desk.person = says("allow", "session")
    errors: list[DeskbusError] = []

    async def operate(once: bool) -> None:
        desk.person = says("allow", "once" if once else "session")
        permit = await desk.security.permissions.require(TICKER, WRITE if once else READ)
        try:
            with desk.security.permissions.holding(permit):
                await anyio.sleep_forever()
        except DeskbusError as error:
            errors.append(error)

    async with desk.running(), anyio.create_task_group() as tasks:
        for once in (False, True):
            tasks.start_soon(operate, once)
            await anyio.wait_all_tasks_blocked()
        await desk.settings.revoke(TICKER.app, None, None)
        with anyio.fail_after(20):
            while len(errors) < 2:
                await anyio.lowlevel.checkpoint()
    assert [error.kind.name for error in errors] == ["permission_revoked"] * 2


async def test_revoking_one_leaves_the_other() -> None:
    desk = Desk()
    desk.person = says("allow", "always")
    async with desk.running():
        assert await desk.security.permissions.request(TICKER, READ)
        assert await desk.security.permissions.request(TICKER, WRITE)
        assert await desk.settings.revoke(TICKER.app, "messaging.read", READ.scope) == 1
        assert not desk.security.checker.may_read(TICKER, "prices.a")
        assert desk.security.checker.may_write(TICKER, "orders.a")
    async with desk.again().running() as next_run:
        assert not next_run.security.checker.may_read(TICKER, "prices.a")
        assert next_run.security.checker.may_write(TICKER, "orders.a")


async def test_the_list_tells_denials_configuration_and_when_it_was_used() -> None:
    desk = Desk(grants=(Grant("app.send", "desk.feed"),), keeper=FakeKeeper())
    async with desk.running():
        desk.person = says("deny", "always")
        await desk.security.permissions.request(TICKER, WRITE)
        desk.person = says("allow", "always", DAY_MS)
        await desk.security.permissions.request(TICKER, READ)
        desk.clock.pass_ms(5)
        desk.security.checker.note_read(TICKER, "prices.a")
        found = {
            (r.permission, r.allowed, r.source): r for r in desk.settings.records(english()).records
        }
    assert set(found) == {
        ("app.send", True, "config"),
        ("messaging.write", False, "person"),
        ("messaging.read", True, "person"),
    }
    read = found["messaging.read", True, "person"]
    assert (read.name, read.scope_words) == ("Ticker", "Everything under prices")
    assert isinstance(read.last_used, int)
    assert isinstance(read.since, int)
    assert isinstance(read.until, int)
    assert read.last_used - read.since == 5
    assert read.until - read.since == DAY_MS


async def test_what_the_manifest_does_not_declare_nobody_grants_in_the_settings() -> None:
    async with Desk().running() as desk:
        with pytest.raises(DeskbusError, match="does not declare"):
            await desk.settings.grant(_grant(Grant("history", "#")))


async def test_the_shell_s_copy_says_what_the_checks_say() -> None:
    desk = Desk(grants=(Grant("network", "https://a.de"),), declares=(Grant("network", "*"),))
    async with desk.running():
        await desk.settings.grant(_grant(Grant("network", "https://*.b.de"), expires=DAY_MS))
        await desk.settings.grant(_grant(Grant("network", "https://evil.b.de"), allowed=False))
        rules = [
            (rule.scope, rule.allow)
            for rule in desk.settings.grants_of(TICKER.app).rules
            if rule.permission == "network"
        ]
    assert rules == [("https://evil.b.de", False), ("https://a.de", True), ("https://*.b.de", True)]


def _grant(grant: Grant, *, allowed: bool = True, expires: int | None = None) -> GrantParams:
    return GrantParams(
        app=TICKER.app,
        permission=grant.permission,
        scope=grant.scope,
        allowed=allowed,
        expires_in=UNSET if expires is None else expires,
    )


@pytest.mark.parametrize("open_ms", [29_000, 900, 1])
async def test_an_app_that_takes_its_prompts_back_in_time_is_embargoed_like_one_unanswered(
    open_ms: int,
) -> None:
    desk = Desk()

    async def person(_: PermissionRequest) -> ConsentAnswer:
        await anyio.sleep_forever()
        raise AssertionError

    desk.person = person
    async with desk.running():
        for _ in range(4):
            async with anyio.create_task_group() as asking:
                asking.start_soon(desk.security.permissions.request, TICKER, READ)
                await anyio.wait_all_tasks_blocked()
                desk.clock.pass_ms(open_ms)
                asking.cancel_scope.cancel()
            await anyio.wait_all_tasks_blocked()
        assert len(desk.asked) == 4
        assert await desk.security.permissions.state(TICKER, READ) == "denied"
        assert desk.store.is_behind
        # Nor does another wish of it flash up instead, until a person lets it ask again.
        assert await desk.security.permissions.state(TICKER, WRITE) == "denied"
        desk.security.permissions.allow_asking(TICKER.app, None)
        assert await desk.security.permissions.state(TICKER, WRITE) == "prompt"


async def test_prompts_taken_back_count_over_all_permissions_until_a_person_answers() -> None:
    wishes = [Grant("messaging.read", f"prices.{name}") for name in "abcde"]
    wishes += [Grant("messaging.write", f"orders.{name}") for name in "abcde"]
    desk = Desk()

    async def person(_: PermissionRequest) -> ConsentAnswer:
        await anyio.sleep_forever()
        raise AssertionError

    async def take_back(wanted: Grant) -> None:
        async with anyio.create_task_group() as asking:
            asking.start_soon(desk.security.permissions.request, TICKER, wanted)
            await anyio.wait_all_tasks_blocked()
            asking.cancel_scope.cancel()
        await anyio.wait_all_tasks_blocked()

    async with desk.running():
        desk.person = person
        for wanted in (wishes[0], wishes[5], wishes[1]):
            await take_back(wanted)
        desk.person = says("deny")
        assert not await desk.security.permissions.request(TICKER, wishes[6])
        desk.person = person
        for wanted in (wishes[0], wishes[5], wishes[7], wishes[8], wishes[9], wishes[2]):
            await take_back(wanted)
        assert len(desk.asked) <= 8
        assert await desk.security.permissions.state(TICKER, wishes[3]) == "denied"
        assert await desk.security.permissions.state(TICKER, wishes[9]) == "denied"


async def test_nothing_is_granted_to_an_app_of_which_it_can_t_be_known_what_it_is() -> None:
    desk = Desk(identity=CodeIdentity(bound="", problem="its files can't be read"))
    async with desk.running():
        grant = GrantParams(
            app=TICKER.app, permission=READ.permission, scope=READ.scope, holds="always"
        )
        with pytest.raises(DeskbusError, match="not certain"):
            await desk.settings.grant(grant)
        desk.decisions.add(
            UserDecision(
                app=TICKER.app, bound="", grant=READ, allowed=True, holds="always", since=0
            )
        )
        desk.security.changed(TICKER.app)
        assert await desk.security.permissions.state(TICKER, READ) != "granted"


@pytest.mark.parametrize("goes", [False, True])
async def test_what_is_asked_about_an_app_waits_until_its_files_are_read(goes: bool) -> None:
    desk = Desk()
    answers: list[str] = []

    async def ask() -> None:
        answers.append(await desk.security.permissions.state(TICKER, READ))

    async with desk.running():
        grant = GrantParams(app=TICKER.app, permission=READ.permission, scope=READ.scope)
        await desk.settings.grant(grant)
        desk.security.apps.register(TICKER.app, desk.rules, None)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            assert answers == []
            if goes:
                desk.security.apps.unregister(TICKER.app)
            else:
                desk.security.apps.register(TICKER.app, desk.rules, ITSELF)
        assert answers == (["denied"] if goes else ["granted"])


async def test_an_app_that_is_given_more_is_the_same_as_before() -> None:
    desk = Desk()
    async with desk.running():
        grown = desk.rules._replace(grants=(READ,))
        desk.security.apps.change_rules(TICKER.app, grown)
        assert desk.security.apps.identity(TICKER.app) == ITSELF
        assert desk.changed[-1] == TICKER.app
        with anyio.fail_after(20):
            assert await desk.security.permissions.state(TICKER, READ) == "granted"


@pytest.mark.requirement("3.4")
@pytest.mark.parametrize(
    ("choice", "holds", "kinds"),
    [
        ("allow", "session", {"PermissionGranted"}),
        ("allow", "once", {"PermissionGranted", "PermissionDenied"}),
        ("deny", "session", {"PermissionDenied"}),
        ("timeout", "once", {"PermissionDenied"}),
    ],
)
async def test_each_who_waits_for_one_prompt_has_a_decision_under_its_own_trace(
    choice: str, holds: str, kinds: set[str]
) -> None:
    desk = Desk()
    answered = anyio.Event()

    async def person(question: PermissionRequest) -> ConsentAnswer:
        await answered.wait()
        return await says(choice, holds)(question)

    desk.person = person
    meant = {f"{number:032x}": f"call-{number}" for number in range(3)}

    async def ask(trace: str, correlation: str) -> None:
        params = {
            "_meta": {"traceparent": f"00-{trace}-b7ad6b7169203331-01"},
            "correlationId": correlation,
        }
        with call_trace.answering(Raw(json.dumps(params).encode())):
            await desk.security.permissions.request(TICKER, READ)

    async with desk.running():
        async with anyio.create_task_group() as tasks:
            for trace, correlation in meant.items():
                tasks.start_soon(ask, trace, correlation)
            await anyio.wait_all_tasks_blocked()
            answered.set()
        decisions = [
            event
            for event in desk.trail.committed
            if isinstance(event, PermissionGranted | PermissionDenied)
        ]
        requests = [event for event in desk.trail.noted if isinstance(event, PermissionRequested)]
        for events in (decisions, requests):
            assert {event.trace_id: event.correlation_id for event in events} == meant
            assert len(events) == len(meant)
            assert len({event.prompt for event in events}) == 1
        assert {type(event).__name__ for event in decisions} == kinds
        assert len(desk.asked) == 1


async def test_who_joined_a_prompt_is_refused_where_that_can_not_be_recorded() -> None:
    desk = Desk()
    shown, answered = anyio.Event(), anyio.Event()

    async def person(_: PermissionRequest) -> ConsentAnswer:
        shown.set()
        await answered.wait()
        return ConsentAnswer("allow", "session")

    desk.person = person
    allowed: list[bool] = []

    async def ask() -> None:
        allowed.append(await desk.security.permissions.request(TICKER, READ))
        desk.trail.is_full = True

    async with desk.running():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await shown.wait()
            tasks.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            answered.set()
    assert sorted(allowed) == [False, True]


@pytest.mark.requirement("C")
async def test_paths_that_lead_nowhere_in_time_hold_up_only_the_app_that_named_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A folder of another machine that is away may hold a thread for minutes."""
    anywhere = Grant("filesystem.read", "/")
    stuck, neighbour = ClientId("desk.stuck", "main"), TICKER
    desk = Desk(declares=(), grants=(anywhere,))
    reached, goes_on = threading.Event(), threading.Event()

    def resolve_slowly(catalogue: Catalogue, wanted: Grant) -> Grant:
        if wanted.scope.startswith("/away"):
            reached.set()
            goes_on.wait()
        return resolve(catalogue, wanted)

    monkeypatch.setattr(permission_service, "resolve", resolve_slowly)
    answers: list[State] = []

    async def ask(number: int) -> None:
        wanted = Grant("filesystem.read", f"/away/{number}")
        answers.append(await desk.security.permissions.state(stuck, wanted))

    async with desk.running(), anyio.create_task_group() as tasks:
        desk.security.apps.register(stuck.app, desk.rules, ITSELF)
        try:
            for number in range(200):
                tasks.start_soon(ask, number)
            with anyio.fail_after(10):
                await anyio.to_thread.run_sync(reached.wait)
                for number in range(20):
                    near = Grant("filesystem.read", f"/near/{number}")
                    assert await desk.security.permissions.state(neighbour, near) == "granted"
            assert answers == []
        finally:
            goes_on.set()
    assert answers == ["granted"] * 200
