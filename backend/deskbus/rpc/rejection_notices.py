"""Tells a sender about its refused notifications, without letting it flood itself."""

import asyncio
from collections.abc import Callable

from msgspec import UNSET

from deskbus.observability.error_counts import ErrorCounts
from deskbus_protocol.bus import RefusedParams
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.wire import rpc

INTERVAL_S = 1.0
MAX_KINDS = 100


class RejectionNotices:
    """The first refusal is told at once; more are counted, and told once a second."""

    def __init__(self, send: Callable[[bytes], None], errors: ErrorCounts | None = None) -> None:
        self._send = send
        self.errors = errors or ErrorCounts()
        self._counts: dict[tuple[str, str, str], tuple[DeskbusError, int]] = {}
        self._quiet: asyncio.TimerHandle | None = None

    def add(self, method: str, error: DeskbusError, topic: str = "") -> None:
        self.errors.count(error)
        key = (method, error.kind.name, topic)
        if key in self._counts or len(self._counts) < MAX_KINDS:
            _, count = self._counts.get(key, (error, 0))
            self._counts[key] = (error, count + 1)
        if self._quiet is None:
            self._tell()

    def close(self) -> None:
        """Drops what is still to be told, since the peer is gone."""
        self._counts.clear()
        if self._quiet is not None:
            self._quiet.cancel()

    def _tell(self) -> None:
        self._quiet = None
        if not self._counts:
            return
        counts, self._counts = self._counts, {}
        for (method, _, topic), (error, count) in counts.items():
            word = RefusedParams(
                method=method,
                code=error.kind.code,
                message=error.message,
                action=error.action,
                count=count,
                topic=topic or UNSET,
            )
            self._send(rpc.notification("bus.refused", word))
        self._quiet = asyncio.get_running_loop().call_later(INTERVAL_S, self._tell)
