"""Finds out that the backend has gone silent."""

import anyio

from deskbus_protocol.client.connection import Client
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.reconnection import HEARTBEAT_DEADLINE_MS, HEARTBEAT_INTERVAL_MS

INTERVAL_S = HEARTBEAT_INTERVAL_MS / 1000
DEADLINE_S = HEARTBEAT_DEADLINE_MS / 1000


async def keep_alive(client: Client) -> None:
    """Closes the connection when nothing is heard on it, though it was asked for.

    It is always asked first: a silence may have been this process's own, which slept.
    """
    while not client.closed.is_set():
        await anyio.sleep_until(client.heard_at + INTERVAL_S)
        if anyio.current_time() < client.heard_at + INTERVAL_S:
            continue
        asked_at = anyio.current_time()
        try:
            await client.call("session.ping", timeout_s=DEADLINE_S - INTERVAL_S)
        except DeskbusError:
            if client.heard_at < asked_at:
                await client.aclose()
                return
