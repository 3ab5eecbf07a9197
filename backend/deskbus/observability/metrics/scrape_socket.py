"""Serves the metrics on a Unix socket over HTTP/1.1 (RFC 9112), for scrapers on this machine."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from pathlib import Path

import structlog

from deskbus.observability.metrics.exposition import MetricsExposition

PATH = "/metrics"
HEAD_BYTES = 8 * 1024
WITHIN_S = 5.0
"""The time for a request to come, and for its answer to be taken."""

AT_ONCE = 4
"""Scrapers served together; others are turned away."""

log = structlog.get_logger()


class ScrapeSocket:
    """One answer a connection. The socket has mode 0600, in a folder that is this user's alone."""

    def __init__(self, path: Path, metrics: MetricsExposition) -> None:
        self._path = path
        self._metrics = metrics
        self._open = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Raises `OSError` where the socket can't be made."""
        if sys.platform == "win32":
            log.warning("metrics.no_socket", reason="this system has no Unix sockets")
            yield
        else:
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                self._path.unlink(missing_ok=True)
                os.fchmod(listener.fileno(), 0o600)
                listener.bind(str(self._path))
                server = await asyncio.start_unix_server(
                    self._serve, sock=listener, limit=HEAD_BYTES
                )
            except BaseException:
                listener.close()
                raise
            try:
                yield
            finally:
                server.close()
                with suppress(OSError):
                    self._path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            async with asyncio.timeout(WITHIN_S):
                writer.write(await self._answer(reader))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (ConnectionError, TimeoutError):
            log.debug("metrics.scraper_left")
        finally:
            self._open -= 1
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        if self._open > AT_ONCE:
            return _response(HTTPStatus.SERVICE_UNAVAILABLE)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return _response(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        except asyncio.IncompleteReadError:
            return _response(HTTPStatus.BAD_REQUEST)
        request, *fields = head.decode("latin-1").split("\r\n")
        words = request.split(" ")
        if len(words) != 3:
            return _response(HTTPStatus.BAD_REQUEST)
        method, target, _ = words
        if target.partition("?")[0] != PATH:
            return _response(HTTPStatus.NOT_FOUND)
        if method not in ("GET", "HEAD"):
            return _response(HTTPStatus.METHOD_NOT_ALLOWED)
        accept = next((f[7:] for f in fields if f.lower().startswith("accept:")), "")
        try:
            content_type, body = self._metrics.render(accept)
        except Exception:  # whatever it is, the scraper hears of it, and so does the log
            log.exception("metrics.not_rendered")
            return _response(HTTPStatus.INTERNAL_SERVER_ERROR)
        return _response(HTTPStatus.OK, content_type, body, with_body=method == "GET")


def _response(
    status: HTTPStatus,
    content_type: str = "text/plain; charset=utf-8",
    body: bytes | None = None,
    *,
    with_body: bool = True,
) -> bytes:
    content = f"{status.phrase}\n".encode() if body is None else body
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("latin-1") + (content if with_body else b"")
