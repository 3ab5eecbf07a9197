"""The async client, for apps, tools and tests; the only part of the protocol that does I/O.

    async with connect_with_ticket(pipe, ticket, app) as client:
        async with client.subscribe("prices.#") as messages:
            async for message in messages:
                ...

`Client` is one connection. `SteadyClient` outlives its connections: it comes back by itself.
`run_as_app` is for a program that the backend starts as an app.
"""

from deskbus_protocol.bus import Source
from deskbus_protocol.client.app import App, run_as_app, watch_backend
from deskbus_protocol.client.connection import (
    Client,
    connect,
    connect_as_app,
    connect_with_ticket,
    open_session,
)
from deskbus_protocol.client.inbox import Inbox, Message
from deskbus_protocol.client.reconnecting_client import SteadyClient

__all__ = [
    "App",
    "Client",
    "Inbox",
    "Message",
    "Source",
    "SteadyClient",
    "connect",
    "connect_as_app",
    "connect_with_ticket",
    "open_session",
    "run_as_app",
    "watch_backend",
]
