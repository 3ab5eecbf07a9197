"""The table of decisions: expiry, sessions, embargoes, by a clock that is given."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskbus.security.decisions.decision_table import (
    EMBARGO_MS,
    MAX_DISMISSALS,
    MAX_REMOVALS,
    MAX_TIMEOUTS,
    DecisionState,
    DecisionTable,
    Neglect,
    UserDecision,
)
from deskbus_protocol.permissions import Grant

pytestmark = pytest.mark.requirement("3.2")

APPS = st.sampled_from(["desk.a", "desk.b"])
GRANTS = st.builds(
    Grant, st.sampled_from(["messaging.read", "history"]), st.sampled_from(["x", "y"])
)
DECISIONS = st.builds(
    UserDecision,
    app=APPS,
    bound=st.sampled_from(["one", "two"]),
    grant=GRANTS,
    allowed=st.booleans(),
    holds=st.sampled_from(["session", "always"]),
    since=st.just(0),
    until=st.none() | st.integers(1, 100),
)


def ledger_of(decisions: list[UserDecision]) -> DecisionTable:
    table = DecisionTable()
    for decision in decisions:
        table.add(decision)
    return table


@given(st.lists(DECISIONS, max_size=12), st.integers(0, 110))
def test_what_has_ended_is_gone_and_nothing_else(decisions: list[UserDecision], now: int) -> None:
    table = ledger_of(decisions)
    before = list(table)
    ended = table.expire(now)
    assert {id(d) for d in (*ended, *table)} == {id(d) for d in before}
    assert all(d.until is not None and d.until <= now for d in ended)
    assert all(d.until is None or d.until > now for d in table)


@given(st.lists(DECISIONS, max_size=12), st.integers(0, 110))
def test_an_ended_decision_counts_for_nothing_before_it_is_taken_out(
    decisions: list[UserDecision], now: int
) -> None:
    table = ledger_of(decisions)
    standing = [d for app in ("desk.a", "desk.b") for d in table.of(app, now)]
    table.expire(now)
    assert sorted(map(repr, standing)) == sorted(map(repr, table))


@given(st.lists(DECISIONS, max_size=12), st.integers(0, 110))
def test_the_next_end_is_that_of_the_first_to_end(decisions: list[UserDecision], now: int) -> None:
    table = ledger_of(decisions)
    ends = table.next_end()
    if ends is not None:
        assert table.expire(ends - 1) == []
        assert table.expire(ends) != []


@given(st.lists(DECISIONS, max_size=12))
def test_only_what_holds_always_outlives_the_run(decisions: list[UserDecision]) -> None:
    table, next_run = ledger_of(decisions), DecisionTable()
    next_run.restore(table.state(0))
    assert list(next_run) == [d for d in table if d.holds == "always"]


@given(st.lists(DECISIONS, max_size=12), st.lists(DECISIONS, max_size=4))
def test_what_was_decided_meanwhile_stays_when_the_store_comes(
    stored: list[UserDecision], meanwhile: list[UserDecision]
) -> None:
    table = ledger_of(meanwhile)
    before = list(table)
    table.restore(ledger_of(stored).state(0))
    assert [d for d in table if d in before] == before


@given(st.lists(DECISIONS, max_size=12), APPS)
def test_an_app_that_has_changed_keeps_its_denials_only(
    decisions: list[UserDecision], app: str
) -> None:
    table = ledger_of(decisions)
    others = [d for d in table if d.app != app]
    denials = [d for d in table if d.app == app and not d.allowed]
    table.disown(app, "three")
    assert sorted(map(repr, table)) == sorted(map(repr, [*others, *denials]))


@given(st.lists(DECISIONS, max_size=12), APPS)
def test_to_take_back_all_of_an_app_touches_no_other(
    decisions: list[UserDecision], app: str
) -> None:
    table = ledger_of(decisions)
    others = [d for d in table if d.app != app]
    table.remove(app)
    assert list(table) == others


@given(st.lists(st.sampled_from(["dismissed", "timeout"]), max_size=8))
def test_an_embargo_comes_with_the_last_dismissal_or_timeout_that_was_too_many(
    neglects: list[Neglect],
) -> None:
    table = DecisionTable()
    counts = {"dismissed": 0, "timeout": 0}
    for how in neglects:
        counts[how] += 1
        embargo = table.neglected("desk.a", "history", how, 1000)
        is_due = counts["dismissed"] == MAX_DISMISSALS or counts["timeout"] == MAX_TIMEOUTS
        assert (embargo is not None) == is_due
        if is_due:
            break
        assert not table.is_embargoed("desk.a", "history", 1000)


def test_an_embargo_is_of_one_app_and_permission_for_seven_days_over_restarts() -> None:
    table = DecisionTable()
    for _ in range(MAX_DISMISSALS - 1):
        table.neglected("desk.a", "history", "dismissed", 0)
    next_run = DecisionTable()
    next_run.restore(table.state(0))
    assert next_run.neglected("desk.a", "history", "dismissed", 0) is not None
    last = DecisionTable()
    last.restore(next_run.state(0))
    assert last.is_embargoed("desk.a", "history", EMBARGO_MS - 1)
    assert not last.is_embargoed("desk.a", "history", EMBARGO_MS)
    assert not last.is_embargoed("desk.a", "network", 0)
    assert not last.is_embargoed("desk.b", "history", 0)
    assert [e.permission for e in last.reset_embargoes("desk.a")] == ["history"]
    assert not last.is_embargoed("desk.a", "history", 0)


def kept(app: str, scope: str) -> UserDecision:
    grant = Grant("messaging.read", scope)
    return UserDecision(app=app, bound="", grant=grant, allowed=True, holds="always", since=0)


@pytest.mark.requirement("C")
@pytest.mark.parametrize(("apps", "left"), [(1, {"app.other"}), (MAX_REMOVALS + 1, set())])
def test_what_is_taken_back_before_it_is_known_never_comes_again_however_much_that_is(
    apps: int, left: set[str]
) -> None:
    table = DecisionTable()
    for number in range(MAX_REMOVALS + 1):
        table.remove(f"app.n{number % apps}", "messaging.read", f"t.n{number}")
    assert table.removals == 1
    taken = [kept(f"app.n{number % apps}", f"t.n{number}") for number in (0, MAX_REMOVALS)]
    table.restore(DecisionState(decisions=[*taken, kept("app.other", "t.a")]))
    assert {each.app for each in table} == left
    assert table.removals == 0
