"""SyslogDestination: a syslog server, reached through TLS (RFC 5425)."""

import ssl
from collections.abc import Sequence
from pathlib import Path

import anyio
from anyio.abc import ByteStream

from deskbus.observability.forwarding.alert import Alert
from deskbus.observability.forwarding.destination import DestinationError
from deskbus.observability.forwarding.syslog_message import (
    alert_message,
    framed,
    host_name,
    record_message,
)
from deskbus_protocol.audit import AuditRecord

CONNECT_WITHIN_S = 10.0
SEND_WITHIN_S = 10.0
SETTLE_S = 1.0
"""Syslog answers nothing. Records count as taken once the connection that they were sent on has
lasted that long.
"""


class SyslogDestination:
    """TLS 1.2 or later; the server's name and certificate are checked."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        epoch: str,
        ca: Path | None,
        certificate: Path | None,
        key: Path | None,
    ) -> None:
        """Without a `ca` the system's own authorities count."""
        self._host = host
        self._port = port
        self._epoch = epoch
        self._files = (ca, certificate, key)
        self._stream: ByteStream | None = None
        self._own_host = host_name()

    async def send(self, records: Sequence[AuditRecord], alerts: Sequence[Alert]) -> None:
        """Returns when the server has taken them; raises `DestinationError`."""
        names = {"host": self._own_host, "epoch": self._epoch}
        messages = [record_message(record, **names) for record in records]
        messages += [alert_message(alert, **names) for alert in alerts]
        try:
            stream = self._stream = self._stream or await self._connect()
            with anyio.fail_after(SEND_WITHIN_S):
                await stream.send(b"".join(map(framed, messages)))
            await self._settle(stream)
        except TimeoutError:
            await self.close()
            raise DestinationError("the syslog server does not take what is sent") from None
        except ssl.SSLError as error:
            await self.close()
            raise DestinationError(f"TLS: {error.reason or 'the handshake failed'}") from None
        except (OSError, anyio.BrokenResourceError, anyio.EndOfStream) as error:
            await self.close()
            words = getattr(error, "strerror", None) or "the connection was lost"
            raise DestinationError(f"no connection to the syslog server: {words}") from None

    async def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            with anyio.move_on_after(1.0, shield=True):
                await anyio.aclose_forcefully(stream)

    async def _settle(self, stream: ByteStream) -> None:
        """Raises `EndOfStream` where the server goes away meanwhile; nothing it says counts."""
        with anyio.move_on_after(SETTLE_S):
            while True:
                await stream.receive()

    async def _connect(self) -> ByteStream:
        context = await anyio.to_thread.run_sync(self._context)
        with anyio.fail_after(CONNECT_WITHIN_S):
            return await anyio.connect_tcp(
                self._host, self._port, tls=True, ssl_context=context, tls_standard_compatible=False
            )

    def _context(self) -> ssl.SSLContext:
        ca, certificate, key = self._files
        context = ssl.create_default_context(cafile=None if ca is None else str(ca))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if certificate is not None:
            context.load_cert_chain(certificate, key)
        return context
