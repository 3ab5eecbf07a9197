"""`lastUsed` follows the use of a permission, minute by minute, of whoever uses it."""

import pytest

from deskbus_protocol.permissions import Grant
from tests.unit.handlers.house import House, Visitor, house
from tests.unit.security.desk import OTHER_WINDOW, TICKER, says

MINUTE_MS = 60_000
READ = Grant("messaging.read", "prices.#")
WRITE = Grant("messaging.write", "orders.#")


async def a_minute(built: House) -> None:
    built.desk.clock.pass_ms(MINUTE_MS)
    await built.bus.broker.note_uses(built.desk.security.checker.note_read)


def last_used(built: House, grant: Grant) -> int | None:
    return next(d.used for d in built.desk.decisions if d.grant == grant)


async def publish(visitor: Visitor, topic: str) -> None:
    await visitor.call("bus.publish", {"topic": topic, "payload": 1})


@pytest.mark.requirement("3.2")
async def test_last_used_moves_on_through_three_minutes_of_use_and_rests_with_it() -> None:
    async with house("ask") as built:
        built.desk.person = says("allow", "always")
        await built.desk.open()
        async with built.desk.security.running():
            for grant in (READ, WRITE):
                await built.desk.security.permissions.request(TICKER, grant)
        built.desk.security.trust(OTHER_WINDOW)
        reader = await built.visit(TICKER.app, TICKER.client)
        feed = await built.visit(OTHER_WINDOW.app, OTHER_WINDOW.client)
        await reader.call("bus.subscribe", {"pattern": "prices.#"})
        await a_minute(built)
        assert last_used(built, WRITE) is None
        for _ in range(3):
            await publish(feed, "prices.a")
            await publish(reader, "orders.a")
            written_at = built.desk.now()
            await a_minute(built)
            assert last_used(built, READ) == built.desk.now()
            assert last_used(built, WRITE) == written_at
        used = last_used(built, READ), last_used(built, WRITE)
        await a_minute(built)
        await publish(feed, "orders.a")
        await a_minute(built)
        assert (last_used(built, READ), last_used(built, WRITE)) == used
