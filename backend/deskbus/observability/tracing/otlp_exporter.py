"""OtlpExporter: sends records to a collector, as OTLP over HTTP in protobuf.

The protocol is https://opentelemetry.io/docs/specs/otlp/. Sending is batched, bounded, and behind a
circuit breaker. Records without room are dropped and counted; the bus waits for nothing.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

import anyio
import structlog

from deskbus.languages.health_words import other, phrase, told
from deskbus.observability.otlp_http import CollectorError, post
from deskbus.reliability.circuit_breaker import CircuitBreaker
from deskbus_protocol.health import ComponentHealth

MAX_WAITING = 8_192
BATCH = 512
EVERY_S = 1.0
LAST_WITHIN_S = 1.0
"""How long the last batch is waited for when the backend ends."""

T = TypeVar("T")
Encode = Callable[[Sequence[T]], bytes]
"""Makes the body of a request; it may take long, so it is called on a thread."""

log = structlog.get_logger()


class OtlpExporter(Generic[T]):
    """`put` is for the event loop; `run` sends until cancelled, and `flush` a last time."""

    def __init__(
        self,
        name: str,
        url: str,
        encode: Encode[T],
        headers: Callable[[], Awaitable[Mapping[str, str]]],
        *,
        every_s: float = EVERY_S,
    ) -> None:
        self.breaker = CircuitBreaker(name)
        self._url = url
        self._encode = encode
        self._headers = headers
        self._every_s = every_s
        self._waiting: deque[T] = deque()
        self._full = anyio.Event()
        self._problem = ""
        self.sent = 0
        self.dropped = 0

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def put(self, item: T) -> None:
        if len(self._waiting) >= MAX_WAITING:
            self.dropped += 1
            return
        self._waiting.append(item)
        if len(self._waiting) == BATCH:
            self._full.set()

    async def run(self) -> None:
        while True:
            with anyio.move_on_after(self._every_s):
                await self._full.wait()
            self._full = anyio.Event()
            if self._waiting and self.breaker.wait_s:
                await anyio.sleep(min(self.breaker.wait_s, self._every_s))
            while await self.send_batch():
                pass

    async def flush(self) -> None:
        with anyio.move_on_after(LAST_WITHIN_S, shield=True):
            while await self.send_batch():
                pass

    async def send_batch(self) -> bool:
        """Whether a batch was taken, and there may be another."""
        batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
        if not batch:
            return False
        attempt = self.breaker.begin()
        if attempt is None:
            self._give_back(batch)
            return False
        try:
            headers = await self._headers()
            await anyio.to_thread.run_sync(self._post, batch, headers, abandon_on_cancel=True)
        except CollectorError as error:
            attempt.failed()
            self._failed(error.reason)
            if error.again:
                self._give_back(batch)
            else:
                self.dropped += len(batch)
            return False
        except Exception:  # a span that can't be encoded must not end the export
            attempt.failed()
            log.exception("otlp.failed")
            self._problem = "a batch could not be encoded"
            self.dropped += len(batch)
            return False
        finally:
            attempt.withdrawn()
        attempt.succeeded()
        self.sent += len(batch)
        self._problem = ""
        return True

    def health(self) -> ComponentHealth:
        counts = {"sent": self.sent, "waiting": len(self._waiting), "dropped": self.dropped}
        words = phrase("exported", **counts)
        return told("degraded", other(self._problem), words) if self._problem else told("ok", words)

    def _give_back(self, batch: list[T]) -> None:
        self._waiting.extendleft(reversed(batch))
        while len(self._waiting) > MAX_WAITING:
            self._waiting.popleft()
            self.dropped += 1

    def _failed(self, reason: str) -> None:
        if reason != self._problem:
            log.warning("otlp.not_sent", exporter=self.breaker.name, reason=reason)
        self._problem = reason

    def _post(self, batch: Sequence[T], headers: Mapping[str, str]) -> None:
        """Blocks; raises `CollectorError`."""
        post(self._url, self._encode(batch), headers)
