"""OrphanReaper: reaps exited orphans; kills live ones that belong to no known app."""

import os
import sys
from collections.abc import Iterable
from contextlib import suppress

import anyio.to_thread
import structlog

from deskbus.processes.system.process_table import ProcessIdentity, ProcessRow, UnreadableError
from deskbus.processes.system.process_tree import KILL, send
from deskbus.processes.system.sampling import survey

log = structlog.get_logger()


class OrphanReaper:
    """Buries those that have ended. One that lives and hides whose it is, is ended.

    Only at a second look: at the first, an app's own process may not be known as such yet.
    """

    def __init__(self) -> None:
        self._seen: set[ProcessIdentity] = set()

    async def sweep(self, orphans: Iterable[ProcessRow]) -> None:
        now: set[ProcessIdentity] = set()
        for row in orphans:
            if row.zombie:
                _reap(row.identity.pid)
            elif row.identity in self._seen:
                log.warning("app.stray_ended", pid=row.identity.pid)
                try:
                    send(row.identity, KILL)
                except UnreadableError:
                    now.add(row.identity)
            else:
                now.add(row.identity)
        self._seen = now

    def end_now(self, orphans: Iterable[ProcessRow]) -> bool:
        """Ends them at the first look: for a moment at which no app's process is unknown.

        Whether any of them was alive.
        """
        alive = False
        for row in orphans:
            if row.zombie:
                _reap(row.identity.pid)
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
        self._seen = {row.identity for row in found.orphans}
        await self.sweep(found.orphans)


def _reap(pid: int) -> None:
    if sys.platform != "win32":
        try:
            os.waitpid(pid, os.WNOHANG)
        except OSError:
            return
