"""A client's connection that breaks where a test wants it to, and the gaps that it was told of."""

from collections import defaultdict
from collections.abc import Callable
from math import inf
from typing import Any

import msgspec
from msgspec import Raw

from deskbus_protocol.bus import (
    ContinuedParams,
    GapParams,
    RefusedParams,
)
from deskbus_protocol.client import Inbox, Message
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import CONNECTION_LOST, DeskbusError
from tests.support.memory_bus import BusRun, MemoryLine


class Connection:
    """A client's end of a line that breaks when so many frames have gone either way."""

    def __init__(self, who: ClientId, run: BusRun, inbox: Inbox, lasts: int | None) -> None:
        self.line = MemoryLine()
        self.terms: dict[str, object] = {}
        self.broken = False
        self.on_gap: Callable[[GapParams], None] | None = None
        self.on_refused: Callable[[RefusedParams], None] | None = None
        self.on_continued: Callable[[str], None] | None = None
        self._who = who
        self._run = run
        self._inbox = inbox
        self._lasts = lasts

    async def call(
        self, method: str, params: Any = None, *, result: Any = Raw, timeout_s: float = inf
    ) -> Any:
        """Its answer comes, or the line breaks: time alone ends no call here."""
        self._pass()
        try:
            answer = await self._run.serve(self._who, self.line, method, params)
        finally:
            # All that was written before the answer arrives before it.
            before, self.line.frames = self.line.frames, []
            for index, frame in enumerate(before):
                if self.broken:
                    break
                try:
                    await self._arrive(frame)
                except DeskbusError:
                    self.line.frames = before[index:]
                    raise
        self._pass()
        return answer

    async def acknowledge(self, message: Message) -> None:
        epoch = "" if message.epoch == self._run.epoch else message.epoch
        self._run.bus.member(self._who).window.acknowledge(message.topic, [message.seq], epoch)

    def agree(self, opened: object) -> None:
        """Nothing is traced or compressed here."""

    def observe(self, method: str, observer: Callable[[Raw], None]) -> None:
        """Nothing else is said here."""

    async def leave(self, pattern: str) -> None:
        """Nobody leaves before the end."""

    async def deliver(self, count: int) -> None:
        """Lets that many frames arrive, of those that are under way."""
        arriving, self.line.frames = self.line.frames[:count], self.line.frames[count:]
        for frame in arriving:
            await self._arrive(frame)

    def _pass(self) -> None:
        if self._lasts is not None:
            self._lasts -= 1
            self.broken = self.broken or self._lasts < 0
        if self.broken:
            raise DeskbusError(CONNECTION_LOST)

    async def _arrive(self, frame: bytes) -> None:
        self._pass()
        read = msgspec.json.decode(frame, type=dict[str, Raw])
        method, params = msgspec.json.decode(read["method"]), read["params"]
        if method == "bus.message":
            await self._inbox.deliver(msgspec.json.decode(params, type=Message))
        elif method == "bus.gap" and self.on_gap:
            self.on_gap(msgspec.json.decode(params, type=GapParams))
        elif method == "bus.continued" and self.on_continued:
            self.on_continued(msgspec.json.decode(params, type=ContinuedParams).pattern)


class Told:
    """Gaps that a client was told of, by topic and run."""

    def __init__(self) -> None:
        self._ranges: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)

    def add(self, gap: GapParams) -> None:
        self._ranges[gap.topic, gap.epoch].append((gap.first, gap.last))

    def has(self, topic: str, epoch: str, seq: int) -> bool:
        return any(first <= seq <= last for first, last in self._ranges[topic, epoch])
