"""A syslog server for tests: TLS, octet counting (RFC 5425), the grammar of RFC 5424."""

import asyncio
import datetime as dt
import ipaddress
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

MESSAGE = re.compile(
    r"<(?P<pri>\d{1,3})>1 (?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}Z) (?P<host>[!-~]{1,255}) "
    r"(?P<app>[!-~]{1,48}) (?P<proc>[!-~]{1,128}) (?P<msgid>[!-~]{1,32}) "
    r'\[(?P<id>[!#-<>-\\^-~]{1,32})(?P<data>(?: [!#-<>-\\^-~]{1,32}="(?:[^"\\\]]|\\["\\\]])*")*)\]'
    r" \ufeff(?P<text>.*)\Z",
    re.DOTALL,
)
PAIR = re.compile(r' ([^ =]+)="((?:[^"\\\]]|\\["\\\]])*)"')


class Syslogged(NamedTuple):
    priority: int
    msgid: str
    data: dict[str, str]
    text: str


class SyslogServer:
    def __init__(self, folder: Path) -> None:
        self.ca = folder / "ca.pem"
        self._key = folder / "key.pem"
        make_certificate(self.ca, self._key)
        self.messages: list[Syslogged] = []
        self.port = 0
        self._connections: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"syslog+tls://localhost:{self.port}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """It may be ended and begun anew, on the same port; who is connected then is cut off."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca, self._key)
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=context)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            self.cut()

    def cut(self) -> None:
        for connection in self._connections:
            connection.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        with suppress(asyncio.IncompleteReadError, OSError):
            while True:
                length = int((await reader.readuntil(b" "))[:-1])
                self.messages.append(parse(await reader.readexactly(length)))
        self._connections.discard(writer)
        writer.transport.abort()


def parse(message: bytes) -> Syslogged:
    found = MESSAGE.match(message.decode())
    assert found is not None, message
    data = {
        name: re.sub(r'\\(["\\\]])', r"\1", value) for name, value in PAIR.findall(found["data"])
    }
    return Syslogged(int(found["pri"]), found["msgid"], data, found["text"])


def make_certificate(certificate: Path, private: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
