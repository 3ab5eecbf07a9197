"""Messages to elsewhere: live ones at most once, the log at least once and in order."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from deskbus.federation.nats_port import NatsPortError
from deskbus.federation.outgoing import (
    MAX_QUEUED,
    SEND_AT_ONCE,
    LiveOutgoing,
    LogOutgoing,
    OutgoingSubjects,
)
from tests.unit.federation.fakes import Desk, FakeLog, FakeWire


@asynccontextmanager
async def running(outgoing: LiveOutgoing | LogOutgoing, wire: FakeWire) -> AsyncIterator[None]:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(outgoing.run, wire)
        await anyio.wait_all_tasks_blocked()
        yield
        tasks.cancel_scope.cancel()


def log_outgoing(messages: FakeLog, sender: OutgoingSubjects | None = None) -> LogOutgoing:
    sender = sender or OutgoingSubjects("desk-a", "deskbus")
    return LogOutgoing(sender, messages, ["orders.#"], lambda: None)


async def test_live_messages_leave_in_order_but_not_foreign_ones() -> None:
    desk, wire = Desk(), FakeWire()
    outgoing = LiveOutgoing(OutgoingSubjects("desk-a", "deskbus"))
    async with running(outgoing, wire):
        outgoing.put(desk.line("prices.a b"))
        outgoing.put(desk.foreign_line("prices.c"))
        outgoing.put(desk.line("prices.d"))
        await wire.until(lambda: len(wire.published) == 2)
    assert [subject for subject, _ in wire.published] == [
        "deskbus.c.desk-a.prices.a%20b",
        "deskbus.c.desk-a.prices.d",
    ]


async def test_without_a_connection_live_messages_are_dropped_and_counted() -> None:
    desk, wire, sender = Desk(), FakeWire(), OutgoingSubjects("desk-a", "deskbus")
    outgoing = LiveOutgoing(sender)
    outgoing.put(desk.line("prices.a"))
    outgoing.put(desk.foreign_line("prices.a"))
    async with running(outgoing, wire):
        pass
    outgoing.put(desk.line("prices.a"))
    assert (sender.sent, sender.dropped, wire.published) == (0, 2, [])


async def test_what_the_connection_does_not_take_is_bounded() -> None:
    desk, wire, sender = Desk(), FakeWire(), OutgoingSubjects("desk-a", "deskbus")
    outgoing = LiveOutgoing(sender)
    async with running(outgoing, wire):
        for _ in range(MAX_QUEUED + 5):
            outgoing.put(desk.line("prices.a"))
        await wire.until(lambda: len(wire.published) == MAX_QUEUED)
    assert sender.dropped == 5


async def test_a_message_that_the_server_would_not_take_is_dropped() -> None:
    desk, wire, sender = Desk(), FakeWire(max_bytes=300), OutgoingSubjects("desk-a", "deskbus")
    messages = FakeLog()
    messages.lines = [desk.line("orders.a", b'"%b"' % (b"x" * 300)), desk.line("orders.a")]
    outgoing = log_outgoing(messages, sender)
    async with running(outgoing, wire):
        await wire.until(lambda: outgoing.position == 2 or wire.confirmations > 0)
    assert (len(wire.stored_messages), sender.dropped) == (1, 1)


@pytest.mark.requirement("2.2")
async def test_the_log_leaves_from_where_it_was_confirmed() -> None:
    desk, wire, messages = Desk(), FakeWire(), FakeLog()
    count = 2 * SEND_AT_ONCE + 10
    messages.lines = [desk.line("orders.a", b"%d" % n) for n in range(count)]
    messages.lines.insert(5, desk.foreign_line("orders.a"))
    outgoing = log_outgoing(messages)
    wire.refuses = True
    with pytest.raises(NatsPortError, match="full"):
        await outgoing.run(wire)
    assert outgoing.position == 0
    again = FakeWire()
    async with running(outgoing, again):
        await again.until(lambda: again.confirmations == 3)
        messages.lines.append(desk.line("orders.b"))
        outgoing.put(messages.lines[-1])
        await again.until(lambda: again.confirmations == 4)
    keys = [key for _, _, key in again.stored_messages]
    assert keys[:count] == [f"desk-a:e1.1.{n}" for n in range(1, count + 1)]
    assert again.stored_messages[-1][0] == "deskbus.p.desk-a.orders.b"
    # Sent again after the failure under the same ids, so that JetStream keeps each once.
    assert [key for _, _, key in wire.stored_messages] == keys[: SEND_AT_ONCE - 1]


async def test_a_log_that_lost_messages_goes_on_at_its_end() -> None:
    desk, wire, messages = Desk(), FakeWire(), FakeLog()
    outgoing = log_outgoing(messages)
    outgoing.position = 7
    async with running(outgoing, wire):
        messages.lines.append(desk.line("orders.a"))
        outgoing.put(messages.lines[-1])
        await wire.until(lambda: wire.confirmations == 1)
    assert outgoing.position == 1


@pytest.mark.requirement("7.1")
async def test_the_lag_is_the_wait_of_the_oldest_message_that_is_not_confirmed() -> None:
    desk, wire, messages = Desk(), FakeWire(), FakeLog()
    now_s = [100.0]
    sender = OutgoingSubjects("desk-a", "deskbus")
    outgoing = LogOutgoing(sender, messages, ["orders.#"], lambda: None, lambda: now_s[0])
    assert outgoing.lag_s == 0.0
    for wait_s in (3600.0, 5.0):
        messages.lines.append(desk.line("orders.a"))
        outgoing.put(messages.lines[-1])
        now_s[0] += wait_s
    assert outgoing.lag_s == 3605.0
    async with running(outgoing, wire):
        await wire.until(lambda: outgoing.position == 2 or wire.confirmations > 0)
        await anyio.wait_all_tasks_blocked()
        assert outgoing.lag_s == 0.0
    # An hour without a message is none that a message has waited.
    now_s[0] += 3600.0
    messages.lines.append(desk.line("orders.a"))
    outgoing.put(messages.lines[-1])
    now_s[0] += 2.0
    assert outgoing.lag_s == 2.0


async def test_messages_beyond_those_that_are_sent_at_once_have_waited_as_long() -> None:
    desk, wire, messages = Desk(), FakeWire(), FakeLog()
    now_s = [100.0]
    sender = OutgoingSubjects("desk-a", "deskbus")
    outgoing = LogOutgoing(sender, messages, ["orders.#"], lambda: None, lambda: now_s[0])
    messages.lines = [desk.line("orders.a")] * (SEND_AT_ONCE + 1)
    outgoing.put(messages.lines[-1])
    now_s[0] += 60.0
    lags = []

    async def stored() -> None:
        lags.append(outgoing.lag_s)

    wire.stored = stored  # type: ignore[method-assign]
    async with running(outgoing, wire):
        with anyio.fail_after(20):
            while len(lags) < 2:
                await anyio.wait_all_tasks_blocked()
    assert lags == [60.0, 60.0]
