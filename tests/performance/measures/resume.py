"""How long a client that comes back waits for everything that waited for it."""

import time

import anyio

from deskbus_protocol import PROTOCOL_VERSION
from deskbus_protocol.client import Client, connect, connect_with_ticket, open_session
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.history import BusStats
from deskbus_protocol.session import OpenResult
from tests.performance.servers.load import LoadError
from tests.performance.servers.ours import APP, read_ticket
from tests.performance.servers.server import Running


def resume_ms(running: Running, *, messages: int, payload_bytes: int, limit_s: float) -> float:
    """From the start of `session.resume` until the last of `messages` is at the client.

    Raises `LoadError` where a message is missing or out of order, or it takes over `limit_s`.
    """
    try:
        return anyio.run(_limited, running, messages, payload_bytes, limit_s)
    except TimeoutError:
        raise LoadError(f"the queue took longer than {limit_s:.0f} s") from None
    except DeskbusError as error:
        raise LoadError(str(error)) from error


async def _limited(running: Running, messages: int, payload_bytes: int, limit_s: float) -> float:
    pipe, topic = running.address["pipe"], running.topic
    ticket = read_ticket(running.address)
    with anyio.fail_after(limit_s):
        async with connect_with_ticket(pipe, ticket, APP) as feed:
            left = anyio.Event()
            feed.observe("bus.subscriberRemoved", lambda _: left.set())
            await feed.call("bus.watchSubscribers")
            async with connect(pipe) as client:
                opened = await open_session(client, ticket, APP)
                await client.call("bus.subscribe", {"pattern": topic})
            await left.wait()
            await _fill(feed, topic, messages, payload_bytes)
            async with connect(pipe) as client:
                return await _come_back(client, opened.resume_token, topic, messages)


async def _fill(feed: Client, topic: str, messages: int, payload_bytes: int) -> None:
    for _ in range(messages):
        await feed.publish(topic, "x" * payload_bytes)
    stats = await feed.call("bus.stats", result=BusStats)
    if stats.queued != messages:
        raise LoadError(f"{stats.queued} messages wait instead of {messages}")


async def _come_back(client: Client, token: str, topic: str, messages: int) -> float:
    async with client.listen(topic) as queue:
        params = {"resumeToken": token, "protocolVersion": PROTOCOL_VERSION}
        began = time.perf_counter()
        await client.call("session.resume", params, result=OpenResult)
        for seq in range(1, messages + 1):
            message = await queue.receive()
            if message.seq != seq:
                raise LoadError(f"message {message.seq} came instead of {seq}")
        return (time.perf_counter() - began) * 1000
