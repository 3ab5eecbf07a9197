"""Readiness and signs of life, at the deadline and not a moment later."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskbus.processes.policy.liveness import STOOD_STILL_S, Liveness
from deskbus_protocol.manifest import HeartbeatSpec


def liveness(deadline_s: float = 30, kill_after_s: float | None = None) -> Liveness:
    spec = HeartbeatSpec(deadline_s=deadline_s)
    if kill_after_s is not None:
        spec = HeartbeatSpec(deadline_s=deadline_s, kill_after_s=kill_after_s)
    made = Liveness(spec, ready_within_s=20)
    made.started(0.0)
    return made


def test_an_app_that_is_not_ready_in_time_is_told_once() -> None:
    watched = liveness()
    assert watched.due_at == 20
    assert watched.look(19.999) is None
    assert watched.look(20) == "never_ready"
    assert watched.look(21) is None


def test_signs_of_life_before_it_is_ready_make_it_no_later() -> None:
    watched = liveness()
    watched.beat(19)
    assert watched.due_at == 20
    assert watched.look(20) == "never_ready"


def test_one_that_gave_signs_of_life_before_it_was_ready_is_watched_from_then_on() -> None:
    watched = liveness(deadline_s=30)
    watched.beat(3)
    watched.ready(5)
    assert watched.due_at == 35
    silent = liveness(deadline_s=30)
    silent.ready(5)
    assert silent.due_at is None


def test_one_that_is_being_ended_misses_nothing() -> None:
    watched = liveness(deadline_s=1)
    watched.ready(0)
    watched.beat(0)
    watched.stop()
    assert (watched.due_at, watched.look(1)) == (None, None)


@pytest.mark.requirement("6.4")
def test_silence_is_told_at_the_deadline() -> None:
    watched = liveness(deadline_s=1)
    watched.ready(5)
    assert watched.look(1000) is None, "an app that never beats is held to nothing"
    watched.beat(6)
    assert watched.due_at == 7
    assert watched.look(6.999) is None
    assert watched.look(7) == "unresponsive"
    assert watched.silent_s(7) == 1


def test_an_app_that_goes_on_is_watched_again() -> None:
    watched = liveness(deadline_s=1, kill_after_s=2)
    watched.ready(5)
    watched.beat(5)
    assert watched.look(6) == "unresponsive"
    watched.beat(7)
    assert watched.look(7.5) is None
    assert watched.look(8) == "unresponsive"
    assert watched.look(10) == "hung"


def test_without_a_time_to_kill_it_is_left_alone() -> None:
    watched = liveness(deadline_s=1)
    watched.ready(0)
    watched.beat(0)
    assert watched.look(1) == "unresponsive"
    assert watched.due_at is None


def test_a_backend_that_stood_still_reads_first_what_came_meanwhile() -> None:
    watched = liveness(deadline_s=1)
    watched.ready(0)
    watched.beat(0)
    assert watched.look(1 + STOOD_STILL_S + 100) is None
    watched.beat(102.1)
    assert watched.look(102.6) is None
    assert watched.look(103.1) == "unresponsive"


def test_without_a_sign_after_that_it_is_told_after_all() -> None:
    watched = liveness(deadline_s=1)
    watched.ready(0)
    watched.beat(0)
    assert watched.look(1 + STOOD_STILL_S) is None
    assert watched.look(100) is None
    assert watched.due_at == 100 + STOOD_STILL_S / 2
    assert watched.look(100 + STOOD_STILL_S / 2) == "unresponsive"


@given(st.lists(st.floats(0.01, 40), min_size=1, max_size=30))
def test_whoever_looks_whenever_it_is_due_misses_no_silence_and_invents_none(
    pauses: list[float],
) -> None:
    watched = liveness(deadline_s=10)
    watched.ready(0)
    watched.beat(0)
    now = 0.0
    for pause in pauses:
        told_at = None
        while watched.due_at is not None and watched.due_at < now + pause:
            due_at = watched.due_at
            if watched.look(due_at) is not None:
                told_at = due_at
        assert told_at == (now + 10 if now + 10 < now + pause else None)
        now += pause
        watched.beat(now)
