"""Acknowledged delivery: at least once, in order, with redelivery after 1, 2 and 4 seconds."""

from collections.abc import Callable

import anyio
import pytest

from deskbus.bus.delivery import acknowledged
from deskbus.bus.delivery.acknowledged import AcknowledgedOutlet, PendingMessage
from deskbus_protocol.errors import CONNECTION_LOST, DeskbusError
from deskbus_protocol.history import DeadLetterReason
from tests.support.messages import Mint, read


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
        with anyio.fail_after(1):
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
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(rig.outlet.room)
            await anyio.wait_all_tasks_blocked()
            while turns.works:
                turns.pass_one()
