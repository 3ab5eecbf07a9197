"""`lastUsed` follows the use of a permission, minute by minute, of whoever uses it."""

import pytest

from deskbus_protocol.permissions import Grant
from tests.support.linked_backend import LinkClient, LinkedBackend, linked_backend
from tests.unit.security.desk import OTHER_WINDOW, TICKER, says

MINUTE_MS = 60_000
READ = Grant("messaging.read", "prices.#")
WRITE = Grant("messaging.write", "orders.#")


async def a_minute(backend: LinkedBackend) -> None:
    backend.desk.clock.pass_ms(MINUTE_MS)
    await backend.bus.broker.note_uses(backend.desk.security.checker.note_read)


def last_used(backend: LinkedBackend, grant: Grant) -> int | None:
    return next(d.used for d in backend.desk.decisions if d.grant == grant)


async def publish(caller: LinkClient, topic: str) -> None:
    await caller.call("bus.publish", {"topic": topic, "payload": 1})


@pytest.mark.requirement("3.2")
async def test_last_used_moves_on_through_three_minutes_of_use_and_rests_with_it() -> None:
    async with linked_backend("ask") as backend:
        backend.desk.person = says("allow", "always")
        await backend.desk.open()
        async with backend.desk.security.running():
            for grant in (READ, WRITE):
                await backend.desk.security.permissions.request(TICKER, grant)
        backend.desk.security.trust(OTHER_WINDOW)
        reader = await backend.connect(TICKER.app, TICKER.client)
        feed = await backend.connect(OTHER_WINDOW.app, OTHER_WINDOW.client)
        await reader.call("bus.subscribe", {"pattern": "prices.#"})
        await a_minute(backend)
        assert last_used(backend, WRITE) is None
        for _ in range(3):
            await publish(feed, "prices.a")
            await publish(reader, "orders.a")
            written_at = backend.desk.now()
            await a_minute(backend)
            assert last_used(backend, READ) == backend.desk.now()
            assert last_used(backend, WRITE) == written_at
        used = last_used(backend, READ), last_used(backend, WRITE)
        await a_minute(backend)
        await publish(feed, "orders.a")
        await a_minute(backend)
        assert (last_used(backend, READ), last_used(backend, WRITE)) == used
