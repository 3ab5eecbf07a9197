"""Messages as the broker makes them, for tests that need a line of a certain kind."""

import json
from typing import Any

from msgspec import UNSET, Raw

from deskbus.bus.broker import MessageBroker
from deskbus.bus.route import BusClient
from deskbus_protocol.bus import PublishParams
from deskbus_protocol.envelope import ClientId
from tests.support.bus_access import OpenAccess


class Inbox:
    """Keeps the lines that a client was given."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def put(self, line: bytes, topic: str | None, seq: int) -> None:
        self.lines.append(line)

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [read(line) for line in self.lines]


class Mint:
    """Makes lines through a real broker whose clock stands still."""

    def __init__(self, now_ms: int = 0) -> None:
        self._broker = MessageBroker("e1", OpenAccess(), clock_ms=lambda: now_ms)
        self._senders: dict[str, BusClient] = {}

    def line(
        self,
        topic: str = "a",
        payload: object = 1,
        *,
        sender: str = "feed",
        ttl: int | None = None,
        priority: int | None = None,
    ) -> tuple[bytes, str, int]:
        """A message as (line, topic, seq)."""
        client = self._senders.setdefault(sender, BusClient(ClientId(sender, "main"), "e1"))
        raw = Raw(json.dumps(payload).encode())
        options = PublishParams(
            topic=topic,
            payload=raw,
            ttl=UNSET if ttl is None else ttl,
            priority=UNSET if priority is None else priority,
        )
        state = self._broker.publish(client, topic, raw, options)
        return state.history[-1], topic, state.seq


def read(line: bytes) -> dict[str, Any]:
    """The envelope of a line, or the parameters of any other notification."""
    params: dict[str, Any] = json.loads(line)["params"]
    return params


def payloads(lines: list[bytes]) -> list[Any]:
    return [read(line)["payload"] for line in lines]
