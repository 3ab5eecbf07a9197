"""A permission for once is used up by a call that was let in, and by none that was refused."""

from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from msgspec import Raw

from deskbus.bus.broker import MessageBroker
from deskbus.bus.ingress.rate_limit import RateLimits
from deskbus.bus.recovery.replay import Replays
from deskbus.bus.service import InterApplicationBus
from deskbus.handlers import bus as bus_handlers
from deskbus.handlers import history as history_handlers
from deskbus.handlers import secrets as secrets_handlers
from deskbus.reliability.fair_queue import MAX_WAITING, FairQueue
from deskbus_protocol.bus import SendParams, SubscribeParams
from deskbus_protocol.errors import (
    NO_SUBSCRIBER,
    OVERLOADED,
    PERMISSION_DENIED,
    UNAVAILABLE,
    DeskbusError,
)
from deskbus_protocol.history import HistoryParams
from deskbus_protocol.method import NoParams
from deskbus_protocol.permissions import Grant
from tests.support.memory_bus import MemoryLine, MemoryLog
from tests.unit.security.desk import TICKER, Desk, says

pytestmark = pytest.mark.requirement("3.2")

SECRETS = Grant("secrets", "own")
HISTORY = Grant("history", "prices.#")
READ = Grant("messaging.read", "prices.#")
SEND = Grant("app.send", "desk.feed")
SENSITIVE = "kept.secret"
CALL: Any = SimpleNamespace(identity=TICKER)


class LockedLog(MemoryLog):
    """A log that can't take sensitive messages, as with a locked vault."""

    locked = True

    def is_sensitive(self, topic: str) -> bool:
        return topic == SENSITIVE

    def admit(self, topic: str, *, remote: bool = False) -> bool:
        if self.locked:
            raise DeskbusError(UNAVAILABLE, "The vault is locked.")
        return False


class Bus:
    def __init__(self) -> None:
        self.desk = Desk(declares=(Grant("messaging.write", "#"), READ, HISTORY, SEND, SECRETS))
        self.desk.person = says("allow", "once")
        self.log = LockedLog()
        security = self.security = self.desk.security
        broker = MessageBroker("e1", security.checker, self.log)
        self.bus = InterApplicationBus(broker, security.checker, on_gone=lambda _: None)
        self.bus.attach(TICKER, MemoryLine(), resume=False)
        replays = Replays(self.bus, self.log)
        self.table = {
            **bus_handlers.handlers(
                self.bus, replays, security.permissions, RateLimits(lambda _: None)
            ),
            **history_handlers.handlers(self.bus, replays, security.permissions, lambda: None),  # type: ignore[arg-type,return-value]
        }

    def is_kept(self, grant: Grant) -> bool:
        return self.security.checker.may_spend(TICKER, grant.permission, grant.scope)


async def test_a_message_that_the_log_refuses_uses_nothing_up() -> None:
    bus = Bus()
    wanted = Grant("messaging.write", SENSITIVE)
    async with bus.desk.running():
        assert await bus.security.permissions.request(TICKER, wanted)
        client = bus.bus.member(TICKER).client
        with pytest.raises(DeskbusError) as refused:
            bus.bus.broker.publish(client, SENSITIVE, Raw(b"1"))
        assert refused.value.kind is UNAVAILABLE
        assert bus.is_kept(wanted)
        bus.log.locked = False
        bus.bus.broker.publish(client, SENSITIVE, Raw(b"1"))
        assert not bus.is_kept(wanted)
        with pytest.raises(DeskbusError) as refused:
            bus.bus.broker.publish(client, SENSITIVE, Raw(b"1"))
        assert refused.value.kind is PERMISSION_DENIED


async def test_a_message_to_an_app_that_does_not_listen_uses_nothing_up() -> None:
    bus = Bus()
    params = SendParams(app="desk.feed", topic="hello", payload=Raw(b"1"))
    async with bus.desk.running():
        for _ in range(2):
            with pytest.raises(DeskbusError) as refused:
                await bus.table["bus.send"](CALL, params)
            assert refused.value.kind is NO_SUBSCRIBER
            assert bus.is_kept(SEND)
        assert len(bus.desk.asked) == 1


async def test_a_refused_subscription_uses_nothing_up_and_leaves_no_permission_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bus = Bus()
    params = SubscribeParams(pattern=READ.scope)
    async with bus.desk.running():
        with monkeypatch.context() as patched:
            patched.setattr("deskbus.bus.broker.MAX_SUBSCRIPTIONS", 0)
            with pytest.raises(DeskbusError) as refused:
                await bus.table["bus.subscribe"](CALL, params)
            assert refused.value.kind is OVERLOADED
        assert not bus.security.checker.may_read(TICKER, "prices.a")
        assert bus.is_kept(READ)
        await bus.table["bus.subscribe"](CALL, params)
        assert bus.security.checker.may_read(TICKER, "prices.a")
        assert not bus.is_kept(READ)
        assert len(bus.desk.asked) == 1


async def test_a_subscription_stands_on_where_the_same_is_refused_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bus = Bus()
    params = SubscribeParams(pattern=READ.scope)
    async with bus.desk.running():
        await bus.table["bus.subscribe"](CALL, params)

        def refuse(*_: object) -> None:
            raise DeskbusError(OVERLOADED)

        monkeypatch.setattr(bus.bus, "subscribe", refuse)
        with pytest.raises(DeskbusError):
            await bus.table["bus.subscribe"](CALL, params)
        assert bus.security.checker.may_read(TICKER, "prices.a")
        bus.security.permissions.release(TICKER, READ)
        assert not bus.security.checker.may_read(TICKER, "prices.a"), "once for each subscription"


async def test_of_two_permissions_the_first_is_not_used_up_where_the_second_is_refused() -> None:
    bus = Bus()
    async with bus.desk.running():
        assert await bus.security.permissions.request(TICKER, READ)
        bus.desk.person = says("deny")
        with pytest.raises(DeskbusError) as refused:
            await bus.table["bus.history"](CALL, HistoryParams(topic="prices.a"))
        assert refused.value.kind is PERMISSION_DENIED
        assert bus.is_kept(Grant("messaging.read", "prices.a"))


async def test_who_has_too_much_waiting_keeps_what_was_permitted_once() -> None:
    bus = Bus()
    turns = FairQueue(1, of_one=1)
    table = secrets_handlers.handlers(None, bus.security.permissions, turns)  # type: ignore[arg-type]

    async def wait() -> None:
        async with turns.take(TICKER.app):
            await anyio.sleep_forever()

    async with bus.desk.running(), anyio.create_task_group() as tasks:
        for _ in range(MAX_WAITING + 1):
            tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(DeskbusError) as refused:
            await table["secrets.list"](CALL, NoParams())
        assert refused.value.kind is OVERLOADED
        assert bus.is_kept(SECRETS)
        tasks.cancel_scope.cancel()


async def test_what_was_taken_back_meanwhile_is_not_given_back() -> None:
    bus = Bus()
    async with bus.desk.running():
        permit = await bus.security.permissions.require(TICKER, READ)
        bus.desk.person = says("deny", "session")
        await bus.security.permissions.request(TICKER, READ)
        bus.security.checker.give_back([permit])
        assert not bus.is_kept(READ)
