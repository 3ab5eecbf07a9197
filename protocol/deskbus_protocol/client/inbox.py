"""Inbox: hands a client's messages to the streams whose pattern they fit."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import inf
from typing import Any, NamedTuple, get_args

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from msgspec import UNSET

from deskbus_protocol.bus import MAX_SOURCES, MessageParams, Mode, Source
from deskbus_protocol.errors import INVALID_PARAMS, DeskbusError
from deskbus_protocol.topics import matches

Message = MessageParams
MODES = get_args(Mode)

Wanted = Callable[[Message], bool]
"""Sees each message first; says whether it is to be delivered."""


class _Reader(NamedTuple):
    """One stream of a pattern and its mode; without sources it takes messages of all senders."""

    mode: Mode
    sources: tuple[Source, ...]

    def wants(self, message: Message) -> bool:
        sender = message.sender
        return not self.sources or any(
            source.app == sender.app and source.client in (UNSET, sender.client)
            for source in self.sources
        )


class Inbox:
    """Streams by pattern. A message goes to every stream whose pattern it fits."""

    def __init__(self, wanted: Wanted = lambda _: True) -> None:
        self._wanted = wanted
        self._streams: dict[str, dict[MemoryObjectSendStream[Message], _Reader]] = {}

    @contextmanager
    def open(
        self,
        pattern: str,
        buffer: float = inf,
        *,
        mode: Mode = "live",
        sources: Sequence[Source] = (),
    ) -> Iterator[MemoryObjectReceiveStream[Message]]:
        """A stream of messages for the length of a `with` block.

        Raises `DeskbusError` (invalid_params) for a mode that there is not.
        """
        if mode not in MODES:
            raise DeskbusError(
                INVALID_PARAMS,
                f"There is no mode {mode} of a subscription.",
                action=f"Pass one of {', '.join(MODES)}.",
            )
        incoming, outgoing = anyio.create_memory_object_stream[Message](buffer)
        streams = self._streams.setdefault(pattern, {})
        streams[incoming] = _Reader(mode, tuple(sources))
        try:
            yield outgoing
        finally:
            streams.pop(incoming, None)
            if not streams:
                self._streams.pop(pattern, None)
            incoming.close()
            outgoing.close()

    def readers(self, pattern: str) -> int:
        return len(self._streams.get(pattern, ()))

    def wish(self, pattern: str) -> dict[str, Any]:
        """The parameters that bring every stream of a pattern its messages."""
        readers = list(self._streams.get(pattern, {}).values())
        if any(reader.mode == "acknowledged" for reader in readers):
            return {"pattern": pattern, "mode": "acknowledged"}
        wish: dict[str, Any] = {"pattern": pattern, "mode": "live"}
        sources = list(dict.fromkeys(source for reader in readers for source in reader.sources))
        # Beyond the limit all messages come, and most are passed over here.
        if all(reader.sources for reader in readers) and 0 < len(sources) <= MAX_SOURCES:
            wish["sources"] = sources
        return wish

    async def deliver(self, message: Message) -> None:
        """Waits for a stream whose buffer is full."""
        if not self._wanted(message):
            return
        for pattern, streams in list(self._streams.items()):
            if matches(pattern, message.topic):
                for stream, reader in list(streams.items()):
                    if not reader.wants(message):
                        continue
                    try:
                        await stream.send(message)
                    except (anyio.ClosedResourceError, anyio.BrokenResourceError):
                        streams.pop(stream, None)

    def close(self) -> None:
        """Ends every stream; what is in its buffer can still be read."""
        for streams in self._streams.values():
            for stream in streams:
                stream.close()
