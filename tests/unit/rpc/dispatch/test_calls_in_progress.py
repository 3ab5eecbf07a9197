"""An app's calls in progress are bounded over all of its links together."""

from deskbus.rpc.dispatch.calls_in_progress import MAX_PENDING_BYTES
from deskbus_protocol.errors import OVERLOADED
from tests.support.linked_backend import LinkClient, LinkedBackend, linked_backend

LARGE_BYTES = 4_000_000


async def ask(caller: LinkClient, number: int, size: int) -> None:
    """A request that somebody gets, and does not answer."""
    params = {"topic": "t.ask", "payload": "x" * size, "timeout": 60_000}
    caller.say_as(number, "bus.request", params)


async def refusals(backend: LinkedBackend, caller: LinkClient) -> int:
    await caller.call("session.ping", {})
    codes = [frame.error["code"] for frame in caller.unasked if frame.error]
    return codes.count(OVERLOADED.code)


async def test_large_calls_of_several_links_share_one_bound() -> None:
    async with linked_backend() as backend:
        reader = await backend.connect("app.reader")
        await reader.call("bus.subscribe", {"pattern": "t.ask"})
        links = [await backend.connect("app.busy", f"client-{number}") for number in range(3)]
        for link in links:
            for number in range(5):
                await ask(link, 1000 + number, LARGE_BYTES)
        refused = sum([await refusals(backend, link) for link in links])
        assert refused == 15 - MAX_PENDING_BYTES // LARGE_BYTES
        other = await backend.connect("app.other")
        await ask(other, 1000, LARGE_BYTES)
        assert await refusals(backend, other) == 0


async def test_calls_that_ended_make_room() -> None:
    async with linked_backend() as backend:
        busy = await backend.connect("app.busy")
        for number in range(20):
            await ask(busy, 1000 + number, LARGE_BYTES)
            # Nobody listens, so each is answered at once.
            assert await refusals(backend, busy) == 0
