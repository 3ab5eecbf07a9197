"""Acknowledged delivery: at least once, in order, with redelivery after 1, 2 and 4 seconds."""

from collections.abc import Callable

import anyio
import pytest

from deskbus.bus.delivery import acknowledged
from deskbus.bus.delivery.acknowledged import AcknowledgedOutlet, PendingMessage
from deskbus_protocol.errors import CONNECTION_LOST, DeskbusError
from deskbus_protocol.history import DeadLetterReason
from tests.support.messages import Mint, read

DIGITS = 12
"""Bytes by which lines with higher numbers are longer than the first."""


class Rig:
    """An outlet with a clock that the test turns."""

    slow = False

    def __init__(self) -> None:
        self.now = 0
        self.sent: list[tuple[int, int | None]] = []
        self.dead: list[tuple[int, DeadLetterReason, int]] = []
        self.outlet = AcknowledgedOutlet(lambda: self.now, lambda: self.now, self._die)
        self.mint = Mint()

    def put(self, line: bytes, topic: str | None, seq: int) -> None:
        envelope = read(line)
        self.sent.append((envelope["seq"], envelope.get("redelivery")))

    def _die(self, pending: PendingMessage, reason: DeadLetterReason) -> None:
        self.dead.append((pending.seq, reason, pending.attempts))

    def publish(self, count: int = 1, *, topic: str = "a", ttl: int | None = None) -> None:
        for _ in range(count):
            self.outlet.put(*self.mint.line(topic, ttl=ttl))

    def tick(self, now: int) -> list[tuple[int, int | None]]:
        """Turns the clock; returns what was sent then."""
        self.now = now
        self.sent.clear()
        self.outlet.tick()
        return list(self.sent)


@pytest.fixture
def rig() -> Rig:
    made = Rig()
    made.outlet.connect(made)
    return made


async def test_room_is_waited_for_until_something_is_acknowledged(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acknowledged, "MAX_IN_FLIGHT", 2)
    rig.publish(2)
    passed = anyio.Event()

    async def wait() -> None:
        await rig.outlet.room()
        passed.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        assert not passed.is_set()
        rig.outlet.acknowledge("a", [1])
        with anyio.fail_after(20):
            await passed.wait()


async def test_who_waits_for_room_hears_that_the_client_has_left(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acknowledged, "MAX_IN_FLIGHT", 1)
    rig.publish()

    async def wait() -> None:
        with pytest.raises(DeskbusError) as lost:
            await rig.outlet.room()
        assert lost.value.kind is CONNECTION_LOST

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        rig.outlet.disconnect()


def test_a_message_of_an_earlier_run_is_acknowledged_by_that_run_alone(rig: Rig) -> None:
    line, topic, seq = rig.mint.line("a")
    rig.outlet.put_owed(line, topic, seq, "e0", again=True)
    assert rig.sent == [(1, 1)]
    assert rig.outlet.acknowledge("a", [1]) == 0
    assert rig.outlet.acknowledge("a", [1], "e0") == 1


def test_what_is_owed_and_has_expired_is_a_dead_letter(rig: Rig) -> None:
    line, topic, seq = rig.mint.line("a", ttl=10)
    rig.now = 10
    rig.outlet.put_owed(line, topic, seq, "e0", again=False)
    assert (rig.sent, rig.dead) == ([], [(1, "expired", 0)])


@pytest.mark.requirement("6.1")
def test_an_unacknowledged_message_comes_again_after_one_two_and_four_seconds_then_is_dead(
    rig: Rig,
) -> None:
    rig.publish()
    assert rig.sent == [(1, None)]
    assert rig.tick(999) == []
    assert rig.tick(1000) == [(1, 1)]
    assert rig.tick(2999) == []
    assert rig.tick(3000) == [(1, 2)]
    assert rig.tick(6999) == []
    assert rig.tick(7000) == [(1, 3)]
    assert rig.tick(10_999) == []
    assert rig.tick(11_000) == []
    assert rig.dead == [(1, "retries_spent", 4)]
    assert len(rig.outlet) == 0


@pytest.mark.requirement("6.1")
def test_an_acknowledged_message_does_not_come_again(rig: Rig) -> None:
    rig.publish(3)
    assert rig.outlet.acknowledge("a", [1, 3, 99]) == 2
    assert rig.tick(1000) == [(2, 1)]


def test_what_was_sent_after_a_lost_message_of_the_topic_comes_again_behind_it(rig: Rig) -> None:
    rig.publish()
    rig.now = 500
    rig.publish()
    rig.publish(topic="b")
    assert rig.tick(1000) == [(1, 1), (2, 1)]


@pytest.mark.requirement("1.3")
def test_while_the_client_is_away_everything_waits_and_no_attempt_is_counted(rig: Rig) -> None:
    rig.publish(2)
    rig.outlet.disconnect()
    rig.publish(2)
    assert rig.tick(60_000) == []
    rig.outlet.connect(rig)
    assert rig.sent == [(1, 1), (2, 1), (3, None), (4, None)]
    assert rig.tick(61_999) == [(3, 1), (4, 1)]
    assert rig.dead == []


def test_no_more_than_the_window_is_in_flight(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acknowledged, "MAX_IN_FLIGHT", 3)
    rig.publish(5)
    assert [seq for seq, _ in rig.sent] == [1, 2, 3]
    rig.outlet.acknowledge("a", [1])
    assert [seq for seq, _ in rig.sent] == [1, 2, 3, 4]


@pytest.mark.requirement("1.4")
def test_what_does_not_fit_becomes_a_dead_letter(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acknowledged, "MAX_WAITING", 2)
    rig.outlet.disconnect()
    rig.publish(4)
    assert rig.dead == [(1, "overflow", 0), (2, "overflow", 0)]


@pytest.mark.requirement("1.4")
def test_an_expired_message_is_dead_whether_in_flight_or_waiting(rig: Rig) -> None:
    rig.publish(ttl=300)
    rig.tick(300)
    assert rig.dead == [(1, "expired", 1)]
    rig.outlet.disconnect()
    rig.publish(ttl=300)
    rig.now = 1000
    rig.outlet.connect(rig)
    assert rig.dead[1:] == [(2, "expired", 0)]


@pytest.mark.requirement("3.2")
def test_what_may_no_longer_be_read_is_dropped(rig: Rig) -> None:
    rig.publish(topic="a")
    rig.publish(topic="b")
    rig.outlet.revoke(lambda topic: topic != "a")
    assert rig.dead == [(1, "revoked", 1)]
    assert rig.tick(1000) == [(1, 1)]


def test_no_more_bytes_than_the_window_are_in_flight(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acknowledged, "MAX_IN_FLIGHT_BYTES", 300)
    rig.publish(5)
    assert [seq for seq, _ in rig.sent] == [1, 2]
    rig.outlet.acknowledge("a", [1, 2])
    assert [seq for seq, _ in rig.sent] == [1, 2, 3, 4]


def test_a_reader_that_is_only_slow_is_not_sent_more_copies(rig: Rig) -> None:
    rig.publish()
    rig.slow = True
    assert rig.tick(60_000) == []
    rig.slow = False
    assert rig.tick(61_000) == [(1, 1)]


class Turns:
    """Work that is done a piece at a time, when the test says so."""

    def __init__(self) -> None:
        self.works: list[Callable[[], bool]] = []

    def later(self, work: Callable[[], bool]) -> None:
        self.works.append(work)

    def pass_one(self) -> None:
        self.works = [work for work in self.works if work()]


@pytest.fixture
def turns(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Turns:
    made = Turns()
    monkeypatch.setattr(acknowledged, "SENT_AT_ONCE", 2)
    rig.outlet = AcknowledgedOutlet(lambda: rig.now, lambda: rig.now, rig._die, later=made.later)
    return made


@pytest.mark.requirement("C")
def test_many_messages_go_out_in_pieces_and_what_comes_meanwhile_goes_behind_them(
    rig: Rig, turns: Turns
) -> None:
    rig.publish(5)
    rig.outlet.connect(rig)
    assert [seq for seq, _ in rig.sent] == [1, 2]
    rig.publish(1)
    turns.pass_one()
    assert [seq for seq, _ in rig.sent] == [1, 2, 3, 4]
    turns.pass_one()
    assert [seq for seq, _ in rig.sent] == [1, 2, 3, 4, 5, 6]
    assert turns.works == []
    rig.publish(1)
    assert [seq for seq, _ in rig.sent] == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.requirement("C")
def test_messages_come_again_in_pieces_before_those_that_came_meanwhile(
    rig: Rig, turns: Turns
) -> None:
    rig.outlet.connect(rig)
    rig.publish(5)
    assert rig.tick(1000) == [(1, 1), (2, 1)]
    rig.publish(1)
    rig.outlet.acknowledge("a", [4])
    rig.outlet.tick()
    while turns.works:
        turns.pass_one()
    assert rig.sent == [(1, 1), (2, 1), (3, 1), (5, 1), (6, None)]


def test_a_client_that_leaves_between_two_pieces_gets_all_of_it_in_order_when_it_is_back(
    rig: Rig, turns: Turns
) -> None:
    rig.publish(5)
    rig.outlet.connect(rig)
    rig.outlet.disconnect()
    turns.pass_one()
    assert turns.works == []
    rig.sent.clear()
    rig.outlet.connect(rig)
    while turns.works:
        turns.pass_one()
    assert [seq for seq, _ in rig.sent] == [1, 2, 3, 4, 5]
    assert len(rig.outlet) == 5


def test_what_may_not_be_read_any_more_when_its_turn_comes_is_a_dead_letter(
    rig: Rig, turns: Turns
) -> None:
    rig.publish(3)
    rig.publish(2, topic="b")
    rig.outlet.connect(rig, lambda topic: topic == "b")
    while turns.works:
        turns.pass_one()
    assert [seq for seq, _ in rig.sent] == [1, 2]
    assert {reason for _, reason, _ in rig.dead} == {"revoked"}
    assert len(rig.outlet) == 2


async def test_room_is_there_once_the_last_piece_went_out(rig: Rig, turns: Turns) -> None:
    rig.publish(5)
    rig.outlet.connect(rig)
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(rig.outlet.room)
            await anyio.wait_all_tasks_blocked()
            while turns.works:
                turns.pass_one()


def test_a_client_is_sent_at_once_while_it_is_there_and_nothing_else_waits(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acknowledged, "MAX_IN_FLIGHT", 1)
    assert rig.outlet.sends_at_once is True
    rig.publish(2)
    assert (rig.outlet.sends_at_once, len(rig.outlet)) == (False, 2)
    assert (rig.outlet.holds("a", 1), rig.outlet.holds("a", 2)) == (True, False)
    rig.outlet.acknowledge("a", [1])
    assert (rig.outlet.sends_at_once, len(rig.outlet)) == (True, 1)
    assert (rig.outlet.holds("a", 1), rig.outlet.holds("a", 2)) == (False, True)
    rig.outlet.disconnect()
    assert rig.outlet.sends_at_once is False


def test_all_that_waits_goes_out_however_many_pieces_it_makes(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acknowledged, "SENT_AT_ONCE", 2)
    rig.outlet.disconnect()
    rig.publish(9)
    rig.outlet.connect(rig)
    assert [seq for seq, _ in rig.sent] == list(range(1, 10))


@pytest.mark.requirement("1.4")
def test_as_many_bytes_wait_as_are_allowed_and_no_more(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = len(Mint().line("a")[0])
    monkeypatch.setattr(acknowledged, "MAX_WAITING_BYTES", 3 * size + DIGITS)
    rig.outlet.disconnect()
    rig.publish(3)
    assert rig.dead == []
    rig.publish(2)
    assert rig.dead == [(1, "overflow", 0), (2, "overflow", 0)]
    rig.outlet.revoke(lambda topic: topic != "a")
    rig.dead.clear()
    rig.publish(3)
    assert rig.dead == [], "what was taken out makes room"
    rig.outlet.take_all()
    rig.publish(3)
    assert rig.dead == []
    rig.outlet.release(lambda _: True)
    rig.publish(3)
    assert rig.dead == []
    rig.outlet.connect(rig)
    rig.outlet.disconnect()
    rig.publish(3)
    assert rig.dead == [], "what was sent no longer waits"


def test_the_window_is_as_wide_in_bytes_after_all_that_can_leave_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = len(Mint().line("a")[0])
    monkeypatch.setattr(acknowledged, "MAX_IN_FLIGHT_BYTES", 2 * size)
    leave: list[Callable[[], object]] = [
        lambda: rig.outlet.acknowledge("a", [seq for seq, _ in rig.sent]),
        lambda: rig.outlet.revoke(lambda _: False),
        lambda: rig.outlet.release(lambda _: True),
        rig.outlet.take_all,
    ]
    for each in leave:
        rig.sent.clear()
        rig.publish(3)
        assert len(rig.sent) == 2
        each()
        rig.outlet.take_all()


def test_what_comes_again_after_a_return_counts_as_no_further_attempt(rig: Rig) -> None:
    rig.publish()
    for _ in range(9):
        rig.outlet.disconnect()
        rig.outlet.connect(rig)
    assert rig.sent == [(1, None), *[(1, 1)] * 9]
    assert rig.dead == []


def test_some_topics_alone_are_sent_again_and_what_is_due_anyhow(rig: Rig, turns: Turns) -> None:
    rig.outlet.connect(rig)
    for topic in "abc":
        rig.publish(2, topic=topic)
    rig.sent.clear()
    rig.outlet.send_again(lambda topic: topic == "b")
    assert rig.sent == [(1, 1), (2, 1)]
    rig.sent.clear()
    rig.outlet.send_again(lambda topic: topic in "ab")
    rig.outlet.send_again(lambda topic: topic == "c")
    while turns.works:
        turns.pass_one()
    assert len(rig.sent) == 6


def test_nothing_is_due_to_a_client_that_has_left(rig: Rig, turns: Turns) -> None:
    rig.outlet.connect(rig)
    rig.publish(5)
    rig.tick(1000)
    rig.outlet.disconnect()
    rig.outlet.connect(rig, lambda _: True)
    while turns.works:
        turns.pass_one()
    assert [seq for seq, _ in rig.sent] == [1, 2, 1, 2, 3, 4, 5]


def test_a_client_that_has_left_is_judged_anew_when_it_is_back(rig: Rig) -> None:
    rig.outlet.disconnect()
    rig.outlet.connect(rig, lambda _: False)
    rig.outlet.disconnect()
    rig.publish()
    rig.outlet.connect(rig)
    assert (rig.sent, rig.dead) == ([(1, None)], [])


def test_the_lowest_seq_of_each_topic_and_all_of_them_are_told(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acknowledged, "MAX_IN_FLIGHT", 2)
    rig.publish(3)
    rig.publish(2, topic="b")
    assert rig.outlet.first_seqs() == {"a": 1, "b": 1}
    rig.outlet.acknowledge("a", [1])
    assert rig.outlet.first_seqs() == {"a": 2, "b": 1}
    assert rig.outlet.all_seqs() == {("a", 2), ("a", 3), ("b", 1), ("b", 2)}
    assert [(each.topic, each.seq) for each in rig.outlet.take_all()] == [
        ("a", 2), ("a", 3), ("b", 1), ("b", 2),
    ]  # fmt: skip
    assert (rig.outlet.first_seqs(), len(rig.outlet)) == ({}, 0)


def test_revoked_messages_are_dead_whether_in_flight_or_waiting(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acknowledged, "MAX_IN_FLIGHT", 2)
    rig.publish(3)
    rig.publish(topic="b")
    rig.outlet.revoke(lambda topic: topic == "b")
    assert rig.dead == [(1, "revoked", 1), (2, "revoked", 1), (3, "revoked", 0)]
    assert rig.outlet.all_seqs() == {("b", 1)}


def test_released_messages_are_neither_sent_nor_dead(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acknowledged, "MAX_IN_FLIGHT", 2)
    rig.publish(4)
    rig.outlet.release(lambda pending: pending.seq in (1, 3))
    assert rig.outlet.all_seqs() == {("a", 2), ("a", 4)}
    assert rig.dead == []
    rig.outlet.acknowledge("a", [2])
    assert [seq for seq, _ in rig.sent] == [1, 2, 4]


def test_jitter_is_added_to_each_wait(rig: Rig) -> None:
    rig.outlet = AcknowledgedOutlet(
        lambda: rig.now, lambda: rig.now, rig._die, jitter_ms=lambda: 70
    )
    rig.outlet.connect(rig)
    rig.publish()
    assert rig.tick(1069) == []
    assert rig.tick(1070) == [(1, 1)]


def test_a_message_of_the_log_that_the_client_had_before_comes_as_one_that_comes_again(
    rig: Rig,
) -> None:
    line, topic, seq = rig.mint.line("a")
    rig.outlet.put_owed(line, topic, seq, "earlier", again=True)
    line, topic, seq = rig.mint.line("a", ttl=300)
    rig.outlet.put_owed(line, topic, seq, "earlier", again=False)
    assert rig.sent == [(1, 1), (2, None)]
    rig.now = 299
    rig.outlet.put_owed(line, topic, seq + 1, "earlier", again=False)
    rig.now = 300
    rig.outlet.put_owed(line, topic, seq + 2, "earlier", again=False)
    assert rig.dead == [(4, "expired", 0)]


def test_a_line_without_a_topic_is_nothing_to_acknowledge(rig: Rig) -> None:
    rig.outlet.put(b"{}\n", None, 0)
    assert (rig.sent, len(rig.outlet)) == ([], 0)


@pytest.mark.requirement("1.3")
def test_the_bounds_are_those_that_the_documentation_promises() -> None:
    assert acknowledged.MAX_IN_FLIGHT == 1000
    assert acknowledged.MAX_IN_FLIGHT_BYTES == 8 * 2**20
    assert acknowledged.MAX_WAITING == 10_000
    assert acknowledged.MAX_WAITING_BYTES == 16 * 2**20
