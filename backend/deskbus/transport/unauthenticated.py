"""Unauthenticated links, bounded so that no process keeps the others out."""

from collections import Counter

import structlog

from deskbus.observability.logs.log_throttle import LogThrottle
from deskbus.transport.link import Link
from deskbus_protocol.errors import UNAVAILABLE, DeskbusError
from deskbus_protocol.wire import rpc

MAX_STRANGERS = 256
MAX_OF_PROCESS = 64
"""Links without a session of all processes, and of one. A link beyond them is let in, and the
oldest of the process that has most gives way: who has a ticket shows it at once, and so stays.
"""

MAX_HELD_BYTES = 32 * 1024 * 1024
MAX_HELD_OF_PROCESS_BYTES = 12 * 1024 * 1024
"""Frames of such links that are not there whole, or not served yet: of all processes, and of one.
Beyond, the link that holds most gives way. One that opens a session sends its frame at once.
"""

SENT_AWAY_LOGGED = 10
"""Lines a minute."""

TOO_MUCH = DeskbusError(
    UNAVAILABLE,
    "Connections without a session hold too much that is not served.",
    action="Open a session first; try again in a moment.",
)
TOO_MANY = DeskbusError(
    UNAVAILABLE,
    "Too many connections wait for their session.",
    action="Open a session on each connection at once; try again in a moment.",
)

log = structlog.get_logger()


class UnauthenticatedLinks:
    def __init__(self) -> None:
        self._links: dict[Link, None] = {}
        self._refusals = LogThrottle(log, SENT_AWAY_LOGGED)

    def __len__(self) -> int:
        return len(self._links)

    def enter(self, link: Link) -> None:
        """Lets a link in, in the place of another where there are too many."""
        self._links[link] = None
        link.on_held = self._look_at_held
        of_process = Counter(each.process for each in self._links)
        if of_process[link.process] > MAX_OF_PROCESS:
            self._send_away(link.process)
        elif len(self._links) > MAX_STRANGERS:
            self._send_away(of_process.most_common(1)[0][0])

    def leave(self, link: Link) -> None:
        """It has a session, or is closed."""
        self._links.pop(link, None)
        link.on_held = None

    def _look_at_held(self) -> None:
        held: Counter[int] = Counter()
        for link in self._links:
            held[link.process] += link.held_bytes
        process, most = held.most_common(1)[0]
        if most > MAX_HELD_OF_PROCESS_BYTES or held.total() > MAX_HELD_BYTES:
            of_process = (link for link in self._links if link.process == process)
            self._end(max(of_process, key=lambda link: link.held_bytes), TOO_MUCH)

    def _send_away(self, process: int) -> None:
        self._end(next(link for link in self._links if link.process == process), TOO_MANY)

    def _end(self, link: Link, reason: DeskbusError) -> None:
        self._refusals.log("link.too_many_without_session")
        self.leave(link)
        link.drop_held()
        link.outbox.send(rpc.failure(rpc.NULL_ID, reason))
        link.close()
