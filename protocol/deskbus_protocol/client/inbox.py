"""Where a client's messages go: to the streams whose pattern they fit."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from deskbus_protocol.bus import MessageParams
from deskbus_protocol.topics import matches

Message = MessageParams

Wanted = Callable[[Message], bool]
"""Sees each message first; says whether it is to be delivered."""


class Inbox:
    """Streams by pattern. A message goes to every stream whose pattern it fits."""

    def __init__(self, wanted: Wanted = lambda _: True) -> None:
        self._wanted = wanted
        self._streams: dict[str, set[MemoryObjectSendStream[Message]]] = {}

    @contextmanager
    def open(
        self, pattern: str, buffer: float = inf
    ) -> Iterator[MemoryObjectReceiveStream[Message]]:
        """A stream of messages for the length of a `with` block."""
        incoming, outgoing = anyio.create_memory_object_stream[Message](buffer)
        streams = self._streams.setdefault(pattern, set())
        streams.add(incoming)
        try:
            yield outgoing
        finally:
            streams.discard(incoming)
            if not streams:
                self._streams.pop(pattern, None)
            incoming.close()
            outgoing.close()

    def readers(self, pattern: str) -> int:
        return len(self._streams.get(pattern, ()))

    async def deliver(self, message: Message) -> None:
        """Waits for a stream whose buffer is full."""
        if not self._wanted(message):
            return
        for pattern, streams in list(self._streams.items()):
            if matches(pattern, message.topic):
                for stream in list(streams):
                    try:
                        await stream.send(message)
                    except (anyio.ClosedResourceError, anyio.BrokenResourceError):
                        streams.discard(stream)

    def close(self) -> None:
        """Ends every stream; what is in its buffer can still be read."""
        for streams in self._streams.values():
            for stream in streams:
                stream.close()
