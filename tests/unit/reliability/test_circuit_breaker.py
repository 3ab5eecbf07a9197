"""The circuit breaker, by an injected clock."""

import asyncio

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from deskbus.reliability.circuit_breaker import Attempt, BreakerPolicy, CircuitBreaker
from deskbus_protocol.errors import UNAVAILABLE, DeskbusError
from tests.support.clocks import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(0.0)


@pytest.fixture
def breaker(clock: ManualClock) -> CircuitBreaker:
    return CircuitBreaker("disk", monotonic_s=clock)


def is_of_the_disk(error: Exception) -> bool:
    return isinstance(error, OSError)


def begin(breaker: CircuitBreaker) -> Attempt:
    attempt = breaker.begin()
    assert attempt is not None
    return attempt


def state_of(breaker: CircuitBreaker) -> str:
    """As a word; asserting on the property would narrow it for the type checker."""
    return breaker.state


def fail(breaker: CircuitBreaker, times: int) -> None:
    for _ in range(times):
        begin(breaker).failed()


def succeed(breaker: CircuitBreaker, times: int) -> None:
    for _ in range(times):
        begin(breaker).succeeded()


@pytest.mark.requirement("6.1")
def test_five_failures_in_a_row_open_it_for_thirty_seconds(
    breaker: CircuitBreaker, clock: ManualClock
) -> None:
    fail(breaker, 4)
    assert state_of(breaker) == "closed"
    fail(breaker, 1)
    assert state_of(breaker) == "open"
    clock.now_s = 29.9
    assert breaker.begin() is None
    clock.now_s = 30.0
    assert breaker.begin()
    assert state_of(breaker) == "half-open"


@pytest.mark.requirement("6.1")
def test_three_successes_close_it_again(breaker: CircuitBreaker, clock: ManualClock) -> None:
    fail(breaker, 5)
    clock.now_s = 30.0
    succeed(breaker, 2)
    assert state_of(breaker) == "half-open"
    succeed(breaker, 1)
    assert state_of(breaker) == "closed"


def test_a_failed_trial_opens_it_for_the_whole_time_again(
    breaker: CircuitBreaker, clock: ManualClock
) -> None:
    fail(breaker, 5)
    clock.now_s = 30.0
    succeed(breaker, 2)
    fail(breaker, 1)
    clock.now_s = 59.9
    assert breaker.begin() is None
    clock.now_s = 60.0
    succeed(breaker, 2)
    assert state_of(breaker) == "half-open"


def test_a_success_in_between_starts_the_count_anew(breaker: CircuitBreaker) -> None:
    fail(breaker, 4)
    succeed(breaker, 1)
    fail(breaker, 4)
    assert state_of(breaker) == "closed"


def test_half_open_lets_one_trial_through_at_a_time(
    breaker: CircuitBreaker, clock: ManualClock
) -> None:
    fail(breaker, 5)
    clock.now_s = 30.0
    trial = begin(breaker)
    assert breaker.begin() is None
    trial.withdrawn()
    assert breaker.begin()


def test_what_began_before_a_change_of_state_counts_no_more(
    breaker: CircuitBreaker, clock: ManualClock
) -> None:
    slow = [begin(breaker) for _ in range(4)]
    fail(breaker, 5)
    clock.now_s = 30.0
    trial = begin(breaker)
    for attempt in slow:
        attempt.succeeded()
    assert state_of(breaker) == "half-open"
    trial.failed()
    trial.succeeded()
    assert state_of(breaker) == "open"


def test_an_attempt_counts_only_the_exceptions_that_blame_the_component(
    breaker: CircuitBreaker,
) -> None:
    for _ in range(5):
        with pytest.raises(ValueError, match="mine"), breaker.attempt(is_of_the_disk):
            raise ValueError("mine")
    assert state_of(breaker) == "closed"
    for _ in range(5):
        with pytest.raises(OSError, match="full"), breaker.attempt(is_of_the_disk):
            raise OSError("full")
    with pytest.raises(DeskbusError) as refused, breaker.attempt(is_of_the_disk):
        pytest.fail("an open breaker let an attempt through")
    assert refused.value.kind is UNAVAILABLE
    assert "again in 30 s" in refused.value.message


def test_a_cancelled_attempt_tells_nothing_and_frees_its_place(
    breaker: CircuitBreaker, clock: ManualClock
) -> None:
    fail(breaker, 5)
    clock.now_s = 30.0
    with pytest.raises(asyncio.CancelledError), breaker.attempt(is_of_the_disk):
        raise asyncio.CancelledError
    assert state_of(breaker) == "half-open"
    assert breaker.begin()


def test_a_new_component_starts_closed(breaker: CircuitBreaker) -> None:
    fail(breaker, 5)
    breaker.reset()
    fail(breaker, 4)
    assert state_of(breaker) == "closed"


def test_each_change_of_state_is_told_once(breaker: CircuitBreaker, clock: ManualClock) -> None:
    told: list[str] = []
    breaker.changed.add(lambda changed: told.append(changed.state))
    fail(breaker, 5)
    clock.now_s = 30.0
    succeed(breaker, 3)
    succeed(breaker, 3)
    assert told == ["open", "half-open", "closed"]
    assert breaker.openings == 1


class AnyHistory(RuleBasedStateMachine):
    """In every history: one trial at a time, no attempt before its time, no closing unearned."""

    policy = BreakerPolicy(failures=3, open_s=10.0, successes=2)

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock(0.0)
        self.breaker = CircuitBreaker("part", policy=self.policy, monotonic_s=self.clock)
        self.breaker.changed.add(self.changed)
        self.running: list[tuple[Attempt, int]] = []
        self.turn = 0
        self.opened_at_s = 0.0
        self.good_in_a_row = 0

    def changed(self, breaker: CircuitBreaker) -> None:
        self.turn += 1
        if breaker.state == "open":
            self.opened_at_s = self.clock.now_s
        elif breaker.state == "half-open":
            assert self.clock.now_s >= self.opened_at_s + self.policy.open_s
            self.good_in_a_row = 0
        else:
            assert self.good_in_a_row == self.policy.successes

    @rule(seconds=st.integers(0, 20))
    def time_goes_by(self, seconds: int) -> None:
        self.clock.now_s += seconds

    @rule()
    def somebody_wants_to_try(self) -> None:
        attempt = self.breaker.begin()
        if attempt:
            self.running.append((attempt, self.turn))
        else:
            assert self.breaker.state != "closed"

    @precondition(lambda self: self.running)
    @rule(data=st.data(), good=st.booleans())
    def an_attempt_ends(self, data: st.DataObject, *, good: bool) -> None:
        attempt, turn = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        if turn == self.turn:
            self.good_in_a_row = self.good_in_a_row + 1 if good else 0
        attempt.succeeded() if good else attempt.failed()

    @invariant()
    def half_open_has_one_trial(self) -> None:
        trials = [turn for _, turn in self.running if turn == self.turn]
        assert self.breaker.state != "half-open" or len(trials) <= 1
        assert self.breaker.state != "open" or not trials

    @invariant()
    def its_wait_is_within_the_policy(self) -> None:
        assert 0 <= self.breaker.wait_s <= self.policy.open_s


AnyHistory.TestCase.settings = settings(max_examples=100, stateful_step_count=50)
TestAnyHistory = AnyHistory.TestCase
