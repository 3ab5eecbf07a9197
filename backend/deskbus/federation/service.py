"""Federation: keeps the connection, and what goes both ways over it, going."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import anyio
import msgspec
import structlog

from deskbus.config import FederationConfig
from deskbus.contracts.log_query import LogQuery
from deskbus.contracts.message_log import FederatedLog
from deskbus.federation.incoming import (
    Admit,
    Arrivals,
    LiveIncoming,
    StreamIncoming,
    expect_from,
)
from deskbus.federation.nats_port import NatsPort, NatsPortError
from deskbus.federation.outgoing import LiveOutgoing, LogOutgoing, OutgoingSubjects
from deskbus.federation.position_file import Position, PositionFile
from deskbus.languages.health_words import other, phrase, told
from deskbus.reliability.backoff import Backoff
from deskbus.reliability.circuit_breaker import CircuitBreaker
from deskbus.storage.newer_format import NewerFormatError
from deskbus_protocol.health import ComponentHealth

SAVE_EVERY_S = 0.2
"""How often the place is saved while messages flow; what came since may come twice to JetStream."""

CLOSE_WITHIN_S = 1.0
LONGEST_WAIT_S = 1.5
"""Between two attempts to connect, of which one may take 3 s: a server that is back is
found within 5 s. An attempt costs next to nothing: the breaker tells of an outage, and delays none.
"""

RECONNECTED_WITHIN_S = 5.0
STREAM_NOT_YET = "JetStream: not joined yet"

log = structlog.get_logger()


class FederationStatistics(NamedTuple):
    """Counts of messages since the start; `unsent` ones of the log wait for the stream, the
    oldest of them for `lag_s`.
    """

    connected: bool
    connects: int
    sent: int
    taken: int
    dropped: int
    refused: int
    unsent: int
    lag_s: float


class Federation:
    """One machine's part; an outlet of its broker for the topics that it sends.

    There is always either a connection or an attempt at one; nothing that fails here reaches the
    rest of the backend. Without `messages`, a log, no topic is persisted.
    """

    def __init__(
        self,
        config: FederationConfig,
        *,
        folder: Path,
        messages: FederatedLog | None,
        connect: Callable[[], Awaitable[NatsPort]],
        admit: Admit,
        is_sound: Callable[[bytes], bool],
        clock_ms: Callable[[], int],
        backoff: Callable[[], Backoff] = lambda: Backoff(longest_s=LONGEST_WAIT_S),
    ) -> None:
        self._name = config.name
        self._log = messages
        self._connect = connect
        self._new_backoff = backoff
        self.breaker = CircuitBreaker("federation")
        self._bookmark = PositionFile(folder)
        self._sender = OutgoingSubjects(config.name, config.prefix)
        self._arrivals = Arrivals(
            config.name,
            config.prefix,
            config.received_patterns,
            admit=admit,
            is_sound=is_sound,
            clock_ms=clock_ms,
        )
        self._live_out = LiveOutgoing(self._sender)
        self._live_in = LiveIncoming(self._arrivals)
        self._stream_in = StreamIncoming(self._arrivals, self._has_moved)
        self._log_out: LogOutgoing | None = None
        if messages is not None:
            self._log_out = LogOutgoing(
                self._sender, messages, config.sent_patterns, self._has_moved
            )
        self._moved = anyio.Event()
        self._saved: Position | None = None
        self._found = Position()
        self._taken_position = 0
        self._wire: NatsPort | None = None
        self._problem = "not connected yet"
        self._stream_problem = STREAM_NOT_YET
        self._save_problem = ""
        self._connects = 0
        self._wanted_now = anyio.Event()
        self._tried = anyio.Event()

    def put(self, line: bytes, topic: str | None, seq: int) -> None:
        """A message of our own broker, remote ones among them."""
        if topic is None:
            return
        if self._log_out is not None and self._log is not None and self._log.persists(topic):
            self._log_out.put(line)
        else:
            self._live_out.put(line)

    async def run(self) -> None:
        """Runs until cancelled, or until a fault that is raised: then it can be run again."""
        try:
            await self._go_to(self._bookmark.load(self._position))
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._keep_connected)
                tasks.start_soon(self._keep_place)
        except NewerFormatError as error:
            log.error("federation.newer", found=error.what)  # noqa: TRY400
            self._problem = f"nothing is sent or taken in: {error.words}"
        except Exception:  # raised again, to whoever begins it anew
            self._problem = "a fault ended it; it is begun anew"
            raise

    async def reconnect(self) -> ComponentHealth:
        """Connects at once, also where a connection is there already; tells how it went."""
        self.breaker.reset()
        self._tried = tried = anyio.Event()
        self._wanted_now.set()
        with anyio.move_on_after(RECONNECTED_WITHIN_S):
            await tried.wait()
        return self.health()

    def health(self) -> ComponentHealth:
        problem = self._problem or self._stream_problem or self._save_problem
        counts = phrase(
            "federation",
            sent=self._sender.sent,
            taken=self._arrivals.taken,
            dropped=self._sender.dropped,
            refused=self._arrivals.refused,
        )
        if problem:
            return told("degraded", other(problem), counts)
        return told("ok", phrase("federation-connected", name=self._name), counts)

    def statistics(self) -> FederationStatistics:
        return FederationStatistics(
            connected=self._wire is not None,
            connects=self._connects,
            sent=self._sender.sent,
            taken=self._arrivals.taken,
            dropped=self._sender.dropped,
            refused=self._arrivals.refused,
            unsent=0 if self._log_out is None else self._position - self._log_out.position,
            lag_s=0.0 if self._log_out is None else self._log_out.lag_s,
        )

    @property
    def _position(self) -> int:
        return self._log.position if self._log is not None else 0

    @property
    def _written_position(self) -> int:
        return self._log.written_position if self._log is not None else 0

    @property
    def _sent_position(self) -> int:
        """The position up to which everything is sent. A crash may cost the log its last positions,
        of messages that wait in memory.
        """
        if self._log_out is None:
            return 0
        return min(self._log_out.position, self._written_position)

    async def _go_to(self, place: Position) -> None:
        """Takes up where the last run had got to, and learns what it took in after that."""
        self._found = place
        self._stream_in.stream, self._stream_in.taken = place.stream, place.taken
        self._taken_position = place.position
        if self._log is None or self._log_out is None:
            return
        self._log_out.position = place.sent
        end = self._log.position
        if place.position < end:
            query = LogQuery(from_position=place.position, to_position=end)
            await expect_from(self._log.read(query), self._arrivals)
        # Also where nothing was sent yet: what is published from now on counts from here.
        self._has_moved()

    async def _keep_connected(self) -> None:
        backoff = self._new_backoff()
        while True:
            try:
                self._wanted_now = anyio.Event()
                attempt = self.breaker.begin()
                try:
                    wire = await self._connect()
                except Exception:  # raised again
                    if attempt is not None:
                        attempt.failed()
                    raise
                finally:
                    tried = self._tried
                self.breaker.reset()
            except NatsPortError as error:
                self._fail(str(error))
                tried.set()
            except Exception:  # nats-py raises what its parsers do: this server's fault alone
                log.exception("federation.failed")
                self._fail("the connection failed")
                tried.set()
            else:
                backoff.reset()
                self._connects += 1
                await self._use(wire)
            with anyio.move_on_after(backoff.next_s()):
                await self._wanted_now.wait()
                backoff.reset()

    async def _use(self, wire: NatsPort) -> None:
        """Returns when the connection has ended, for whatever reason."""
        self._wire = wire
        self._stream_problem = STREAM_NOT_YET
        reason = "the connection was lost"
        try:
            async with anyio.create_task_group() as tasks:
                await self._live_in.start(wire)
                tasks.start_soon(self._live_out.run, wire)
                tasks.start_soon(self._keep_stream, wire)
                self._problem = ""
                log.info("federation.connected", name=self._name)
                tasks.start_soon(self._close_when_wanted, wire)
                await wire.closed.wait()
                tasks.cancel_scope.cancel()
        except* NatsPortError as errors:
            reason = _words(errors)
        except* Exception:  # a fault on one connection ends that connection alone
            log.exception("federation.failed")
        finally:
            self._wire = None
            with anyio.CancelScope(shield=True), anyio.move_on_after(CLOSE_WITHIN_S):
                await wire.close()
        self._fail(reason)

    async def _close_when_wanted(self, wire: NatsPort) -> None:
        await self._wanted_now.wait()
        await wire.close()

    async def _keep_stream(self, wire: NatsPort) -> None:
        """Tries again as long as the connection lasts; live messages go on meanwhile."""
        backoff = self._new_backoff()
        while True:
            try:
                await self._use_stream(wire, backoff)
            except* NatsPortError as errors:
                problem = f"JetStream: {_words(errors)}"
                if problem != self._stream_problem and not wire.closed.is_set():
                    log.warning("federation.stream_failed", reason=problem)
                self._stream_problem = problem
                self._tried.set()
            await anyio.sleep(backoff.next_s())

    async def _use_stream(self, wire: NatsPort, backoff: Backoff) -> None:
        async with anyio.create_task_group() as tasks:
            await self._stream_in.start(wire, await wire.open_stream())
            self._stream_problem = ""
            self._tried.set()
            backoff.reset()
            tasks.start_soon(self._stream_in.run)
            if self._log_out is not None:
                tasks.start_soon(self._log_out.run, wire)

    async def _keep_place(self) -> None:
        while True:
            await self._moved.wait()
            self._moved = anyio.Event()
            await self._save_place()
            await anyio.sleep(SAVE_EVERY_S)

    async def _save_place(self) -> None:
        """Saves and acknowledges only what our log has on disk; if it has not, later."""
        stream, receipt, wire = self._stream_in, self._stream_in.receipt, self._wire
        if self._arrivals.caught_up:
            self._taken_position = self._position
        place = Position(
            sent=self._sent_position,
            stream=stream.stream,
            taken=stream.taken,
            position=min(self._taken_position, self._written_position),
        )
        held = self._saved or self._found
        if any(map(self._waits, self._arrivals.sensitive)):
            # Messages that wait in memory to be encrypted come again if they are lost here.
            place = msgspec.structs.replace(
                place, stream=held.stream, taken=held.taken, position=held.position
            )
            receipt = ""
            self._has_moved()
        try:
            if self._log is not None and not await _is_durable(self._log):
                self._has_moved()
                return
            if place != self._saved:
                await anyio.to_thread.run_sync(self._bookmark.save, place)
                self._saved = place
            self._save_problem = ""
            if receipt and wire is not None and wire is self._wire:
                await wire.acknowledge(receipt)
        except OSError as error:
            self._save_problem = f"the bookmark can't be saved ({error.strerror})"
            self._has_moved()
        except NatsPortError:
            return

    def _waits(self, topic: str) -> bool:
        return self._log is not None and self._log.waits(topic)

    def _has_moved(self) -> None:
        self._moved.set()

    def _fail(self, reason: str) -> None:
        if not self._problem or self._problem == "not connected yet":
            log.warning("federation.disconnected", reason=reason)
        self._problem = f"no connection to NATS: {reason}"


async def _is_durable(messages: FederatedLog) -> bool:
    answered, answers = anyio.Event(), [False]

    def answer(durable: bool) -> None:
        answers[0] = durable
        answered.set()

    messages.when_durable(answer)
    await answered.wait()
    return answers[0]


def _words(errors: ExceptionGroup[NatsPortError]) -> str:
    """The message of the first error."""
    first: Exception = errors
    while isinstance(first, ExceptionGroup):
        first = first.exceptions[0]
    return str(first)
