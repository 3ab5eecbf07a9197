"""Refused calls: recorded at once the first time, counted after that."""

import anyio
import pytest

from deskbus.audit.violation_recorder import MAX_KINDS, UNAUTHENTICATED, ViolationRecorder
from deskbus_protocol.events import (
    CspViolation,
    SessionResumed,
    TicketRefused,
    Violation,
)
from tests.support.audit_trail import FakeTrail


def refused(app: str = "a", kind: str = "acl", method: str = "bus.publish") -> Violation:
    return Violation(app=app, client="main", kind=kind, method=method)


@pytest.fixture
def trail() -> FakeTrail:
    return FakeTrail()


async def test_the_first_is_on_disk_before_anybody_is_told(trail: FakeTrail) -> None:
    violations = ViolationRecorder(trail)
    told = anyio.Event()
    violations.record_then(refused(), told.set)
    assert not told.is_set()
    with anyio.fail_after(20):
        await told.wait()
    assert trail.committed == [refused()]
    violations.tell()


@pytest.mark.requirement("3.4")
async def test_more_of_the_same_are_counted_and_told_together(trail: FakeTrail) -> None:
    violations = ViolationRecorder(trail)
    for _ in range(1000):
        await violations.record(refused())
    assert (len(trail.committed), trail.noted) == (1, [])
    violations.tell()
    (together,) = trail.noted
    assert isinstance(together, Violation)
    assert together.count == 999
    await violations.record(refused())
    assert len(trail.committed) == 2
    violations.tell()


async def test_each_client_rule_and_method_has_a_count_of_its_own(trail: FakeTrail) -> None:
    violations = ViolationRecorder(trail)
    for one in (refused(), refused("b"), refused(kind="role"), refused(method="bus.send")):
        await violations.record(one)
        await violations.record(one)
    assert len(trail.committed) == 4
    violations.tell()
    assert [event.count for event in trail.noted if isinstance(event, Violation)] == [1] * 4


async def test_ever_new_names_can_not_flood_the_log(trail: FakeTrail) -> None:
    violations = ViolationRecorder(trail)
    for number in range(MAX_KINDS * 20):
        await violations.record(TicketRefused(claimed=f"app{number}"))
    violations.tell()
    assert len(trail.committed) + len(trail.noted) <= MAX_KINDS + 2
    (flood,) = [event for event in trail.noted if isinstance(event, Violation)]
    assert flood.kind == "flood"
    assert flood.count == MAX_KINDS * 19 - 1


async def test_a_refusal_stands_though_the_disk_is_full(trail: FakeTrail) -> None:
    violations = ViolationRecorder(trail)
    trail.is_full = True
    await violations.record(refused())
    assert trail.noted == [refused()]
    violations.tell()


async def test_a_report_of_a_browser_counts_too(trail: FakeTrail) -> None:
    violations = ViolationRecorder(trail)
    for _ in range(3):
        await violations.record(CspViolation(directive="script-src", blocked="inline"))
    violations.tell()
    (more,) = trail.noted
    assert isinstance(more, CspViolation)
    assert more.count == 2


@pytest.mark.requirement("3.4")
async def test_what_strangers_claim_takes_nothing_of_what_an_app_may_have_recorded(
    trail: FakeTrail,
) -> None:
    violations = ViolationRecorder(trail)
    for number in range(MAX_KINDS * 20):
        await violations.record(TicketRefused(claimed=f"app{number}"))
    await violations.record(refused("a"))
    assert refused("a") in trail.committed
    violations.tell()
    by_strangers = [
        each for each in (*trail.committed, *trail.noted) if each.app == UNAUTHENTICATED
    ]
    assert len(by_strangers) == len(trail.committed) + len(trail.noted) - 1


@pytest.mark.requirement("3.4")
async def test_a_flood_of_one_app_hides_nothing_of_another(trail: FakeTrail) -> None:
    violations = ViolationRecorder(trail)
    for number in range(MAX_KINDS * 20):
        await violations.record(refused("noisy", method=f"m{number}"))
    await violations.record(refused("quiet"))
    assert refused("quiet") in trail.committed
    assert len(trail.committed) <= MAX_KINDS + 2
    assert Violation(app="noisy", kind="flood") in trail.committed
    violations.tell()


@pytest.mark.requirement("3.4")
async def test_the_first_of_each_rule_is_recorded_in_the_middle_of_a_flood(
    trail: FakeTrail,
) -> None:
    violations = ViolationRecorder(trail)
    for number in range(MAX_KINDS * 2):
        await violations.record(refused(method=f"m{number}"))
    await violations.record(refused(kind="role"))
    await violations.record(TicketRefused(app="a"))
    assert refused(kind="role") in trail.committed
    assert TicketRefused(app="a") in trail.committed
    violations.tell()


@pytest.mark.requirement("8.3")
async def test_resumptions_without_end_come_as_one_record_and_a_count(trail: FakeTrail) -> None:
    violations = ViolationRecorder(trail)
    for _ in range(1900):
        violations.note(SessionResumed(app="a", client="main"))
    assert trail.noted == [SessionResumed(app="a", client="main")]
    violations.tell()
    assert trail.noted[1:] == [SessionResumed(app="a", client="main", count=1899)]
