"""Children that the OS gave us, because whoever started them has ended, and that are no app's."""

import os
import sys
from collections.abc import Iterable
from contextlib import suppress

import anyio.to_thread
import structlog

from deskbus.processes.measure import survey
from deskbus.processes.table import Identity, Row, UnreadableError
from deskbus.processes.tree import KILL, send

log = structlog.get_logger()


class Strays:
    """Buries those that have ended. One that lives and hides whose it is, is ended.

    Only at a second look: at the first, an app's own process may not be known as such yet.
    """

    def __init__(self) -> None:
        self._seen: set[Identity] = set()

    async def sweep(self, strays: Iterable[Row]) -> None:
        now: set[Identity] = set()
        for row in strays:
            if row.zombie:
                _bury(row.identity.pid)
            elif row.identity in self._seen:
                log.warning("app.stray_ended", pid=row.identity.pid)
                try:
                    send(row.identity, KILL)
                except UnreadableError:
                    now.add(row.identity)
            else:
                now.add(row.identity)
        self._seen = now

    def end_now(self, strays: Iterable[Row]) -> bool:
        """Ends them at the first look: for a moment at which no app's process is unknown.

        Whether any of them was alive.
        """
        alive = False
        for row in strays:
            if row.zombie:
                _bury(row.identity.pid)
            else:
                log.warning("app.stray_ended", pid=row.identity.pid)
                alive = True
                # Where it can't be looked at now, the next look ends it.
                with suppress(UnreadableError):
                    send(row.identity, KILL)
        return alive

    async def end(self, ours: frozenset[int]) -> None:
        """Ends all there are, but for children that we started for ourselves."""
        try:
            found = await anyio.to_thread.run_sync(survey, (), ours)
        except UnreadableError as error:
            log.warning("app.strays_left", reason=str(error))
            return
        self._seen = {row.identity for row in found.strays}
        await self.sweep(found.strays)


def _bury(pid: int) -> None:
    if sys.platform != "win32":
        try:
            os.waitpid(pid, os.WNOHANG)
        except OSError:
            return
