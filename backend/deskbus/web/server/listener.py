"""WebListener: the gateway's sockets, on literal loopback addresses and one fixed port."""

import asyncio
import errno
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import structlog

from deskbus.observability.port_holder import holder_of
from deskbus.reliability.loops import Loops
from deskbus.storage import durable_files
from deskbus.web.server.http_connection import HttpConnection, Listening
from deskbus.web.web_state import WebState

PORT_FILE = "web-port"
PORTS = range(20_000, 32_000)
"""Ports below the ephemeral range, from which an outgoing connection could take one between two
runs.
"""

PORT_TRIES = 50
BACKLOG = 128
AGAIN_AFTER_S = 1.0
"""How soon a port that was taken is tried again."""

LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
"""Both: a browser tries either for `localhost`, and where nobody listens another user may."""

log = structlog.get_logger()


def port_for(data_dir: Path, wanted: int | None) -> int:
    """The port of this data folder: the wanted one, or one that is chosen once and kept.

    Blocks; raises `OSError` where none is free, or the choice can't be kept.
    """
    if wanted is not None:
        return wanted
    path = data_dir / PORT_FILE
    try:
        kept = int(path.read_text("ascii"))
    except (FileNotFoundError, ValueError):
        kept = 0
    if 1024 <= kept <= 65_535:
        return kept
    for _ in range(PORT_TRIES):
        port = PORTS[secrets.randbelow(len(PORTS))]
        try:
            opened = open_sockets(port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            continue
        for each in opened:
            each.close()
        durable_files.write_whole(path, str(port).encode())
        return port
    raise OSError(errno.EADDRINUSE, "no port is free")


def open_sockets(port: int) -> list[socket.socket]:
    """Opens a socket on each of this machine's loopback addresses; raises `OSError` unless all
    open.
    """
    opened: list[socket.socket] = []
    try:
        for family, address in LOOPBACK:
            try:
                each = socket.socket(family, socket.SOCK_STREAM)
            except OSError:
                # This kernel has no IPv6.
                continue
            opened.append(each)
            each.setblocking(False)
            if os.name == "posix":
                # Not on Windows, where it would let two programs listen.
                each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                each.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                each.bind((address, port))
            except OSError as error:
                if error.errno != errno.EADDRNOTAVAIL or family != socket.AF_INET6:
                    raise
                opened.remove(each)
                each.close()
    except BaseException:
        for each in opened:
            each.close()
        raise
    return opened


class WebListener:
    def __init__(
        self,
        port: int,
        listening: Listening,
        state: WebState,
        closed: Callable[[], None],
        loops: Loops,
    ) -> None:
        """`closed` ends what was taken over from the listener's connections."""
        self._loops = loops
        self._port = port
        self._listening = listening
        self._state = state
        self._closed = closed

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listens as soon as the port is free; it never moves to another one."""
        tried = anyio.Event()
        async with self._loops.running(partial(self._listen, tried)):
            await tried.wait()
            yield

    async def _listen(self, tried: anyio.Event) -> None:
        """Sets `tried` once it listens, or could not."""
        try:
            sockets = await self._sockets(tried)
            servers: list[asyncio.Server] = []
            try:
                loop = asyncio.get_running_loop()
                for each in sockets:
                    servers.append(  # noqa: PERF401 - those that listen are closed if one can't
                        await loop.create_server(self._connection, sock=each, backlog=BACKLOG)
                    )
                self._state.problem = ""
                log.info("web.listening", port=self._port)
                tried.set()
                await anyio.sleep_forever()
            finally:
                self._state.problem = "it has ended"
                for server in servers:
                    server.close()
                for each in sockets:
                    each.close()
                self._closed()
                self._listening.close()
        finally:
            tried.set()

    async def _sockets(self, tried: anyio.Event) -> list[socket.socket]:
        """Returns when the port could be had."""
        while True:
            try:
                return open_sockets(self._port)
            except OSError as error:
                await self._tell(error)
                tried.set()
                await anyio.sleep(AGAIN_AFTER_S)

    async def _tell(self, error: OSError) -> None:
        if error.errno == errno.EADDRINUSE:
            holder = await anyio.to_thread.run_sync(holder_of, self._port)
            problem = f"port {self._port} is taken by {holder}"
        else:
            problem = f"port {self._port} can't be had: {error.strerror}"
        if problem != self._state.problem:
            log.warning("web.not_listening", reason=problem)
        self._state.problem = problem

    def _connection(self) -> HttpConnection:
        return HttpConnection(self._listening)
