"""A real backend's pipe under hostile bytes: it survives, answers, and stays small."""

import random
import socket
import struct
from contextlib import suppress

import msgspec

from deskbus_protocol import PROTOCOL_VERSION
from deskbus_protocol.wire import rpc
from tests.performance.servers.ours import opening
from tests.performance.servers.server import Running

HOSTILE_APP = "fuzz.app"
CONNECTIONS = 8
ANSWER_LIMIT_S = 5.0
CHECK_EVERY = 25
MEMORY_LIMIT_MB = 300.0
RECEIVE_BYTES = 1 << 20
LINGER_NOT = struct.pack("ii", 1, 0)


class Pipe:
    """The target: several connections that misbehave, and a fresh one that asks for health."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._open: list[socket.socket] = []
        self._cases = 0
        self._log_bytes = 0

    def holds(self, chance: random.Random, pieces: list[bytes]) -> None:
        """Sends one hostile block; raises `AssertionError` when the backend is not well."""
        connection = self._some_connection(chance)
        alive = all(_send(connection, piece) for piece in pieces)
        alive = alive and _drain(connection)
        if not alive or chance.random() < 0.1:
            self._leave(chance, connection)
        self._cases += 1
        if self._cases % CHECK_EVERY == 0:
            self.check()

    def check(self) -> None:
        """The backend runs, answers health.get, is not bloated and has logged no exception."""
        answer = self._ask(rpc.request("health.get", {}, 1))
        assert b'"uptime"' in answer, f"health.get answered {answer!r}"
        memory = self._running.memory_mb()
        assert memory < MEMORY_LIMIT_MB, f"the backend has grown to {memory:.0f} MB"
        self._check_log()

    def close(self) -> None:
        for connection in self._open:
            connection.close()

    def _check_log(self) -> None:
        with self._running.log.open("rb") as log:
            log.seek(self._log_bytes)
            news = log.read()
        self._log_bytes += len(news)
        for word in (b"Traceback", b'"level": "error"', b'"level": "critical"'):
            assert word not in news, f"the backend logged an error: {news[-3000:].decode()}"

    def _app_opening(self) -> bytes:
        """Opens the session of an app; as a developer, a bent frame might rightly shut down."""
        wanted = {"app": HOSTILE_APP, "client": f"client-{self._cases}"}
        answer = self._ask(rpc.request("session.mintTicket", wanted, 1))
        ticket = msgspec.json.decode(answer)["result"]["ticket"]
        session = {"ticket": ticket, "app": HOSTILE_APP, "protocolVersion": PROTOCOL_VERSION}
        return rpc.request("session.open", session, 0) + b"\n"

    def _ask(self, request: bytes) -> bytes:
        """The answer to a developer's request with the id 1, on a connection of its own."""
        with _connect(self._running) as connection, connection.makefile("rb") as lines:
            connection.sendall(opening(self._running.address) + request + b"\n")
            for line in lines:
                if b'"id":1,' in line:
                    return line
        raise AssertionError("the backend closed a sound connection")

    def _some_connection(self, chance: random.Random) -> socket.socket:
        if len(self._open) < CONNECTIONS:
            connection = _connect(self._running)
            if chance.random() < 0.7:
                connection.sendall(self._app_opening())
            self._open.append(connection)
            return connection
        return chance.choice(self._open)

    def _leave(self, chance: random.Random, connection: socket.socket) -> None:
        """Closes politely, half, or with a reset."""
        self._open.remove(connection)
        manner = chance.randrange(3)
        with suppress(OSError):
            if manner == 0:
                connection.shutdown(socket.SHUT_WR)
                _drain(connection)
            elif manner == 1:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
        connection.close()


def _connect(running: Running) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(ANSWER_LIMIT_S)
    connection.connect(running.address["pipe"])
    return connection


def _send(connection: socket.socket, piece: bytes) -> bool:
    try:
        connection.sendall(piece)
    except OSError:
        return False
    return True


def _drain(connection: socket.socket) -> bool:
    """Reads what has come so far; says whether the connection still stands."""
    connection.setblocking(False)
    try:
        while connection.recv(RECEIVE_BYTES):
            continue
        return False
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        connection.settimeout(ANSWER_LIMIT_S)
