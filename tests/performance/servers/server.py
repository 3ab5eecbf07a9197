"""A server under measurement: how it is started, and how clients reach it."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import msgspec

from demo.processes import files_of, memory_of, process, processor_of, tree
from tests.performance.servers.child import child, tail
from tests.performance.servers.load import ROOT

START_LIMIT_S = 20.0
POLL_S = 0.001
STORE_FOLDER = ROOT / "build" / "bench"


class ServerError(Exception):
    """A server did not start."""


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """How to start a server in one folder.

    `client` names the module in clients/, `address` is what that module connects to, `topic` what
    it publishes on. The server is there when `expects` comes back on `hello`; where that is empty,
    when it accepts a connection.
    """

    command: Sequence[str]
    client: str
    address: dict[str, Any]
    endpoint: str | int
    hello: bytes = b""
    expects: bytes = b""
    topic: str = "bench.topic"
    env: dict[str, str] | None = None


class Server(Protocol):
    """Something that can be measured. `prepare` writes what it needs into two fresh folders.

    `sockets` has a short path; `store` is on a real disk.
    """

    @property
    def name(self) -> str: ...

    def installed(self) -> bool: ...

    def prepare(self, sockets: Path, store: Path) -> Launch: ...

    def hello(self, launch: Launch) -> bytes: ...


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A started server; `start_s` is the time from its start to its first answer."""

    name: str
    client: str
    address: dict[str, Any]
    topic: str
    pid: int
    log: Path
    start_s: float

    def memory_mb(self) -> float:
        """Resident memory of the process, and of any it started, in 10⁶ bytes."""
        return sum(memory_of(each) or 0 for each in tree(self.pid)) / 1e6

    def processor_s(self) -> float:
        """Time of processors that the process has used, and those it started and that run."""
        return sum(processor_of(each) or 0.0 for each in tree(self.pid))

    def files(self) -> int:
        """How many descriptors the process holds."""
        running = process(self.pid)
        return (running and files_of(running)) or 0


@contextmanager
def started(server: Server) -> Iterator[Running]:
    """Starts `server` afresh for the length of the block; raises `ServerError`."""
    STORE_FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as short,
        tempfile.TemporaryDirectory(prefix="store-", dir=STORE_FOLDER) as store,
    ):
        sockets = Path(short)
        launch = server.prepare(sockets, Path(store))
        log = sockets / "server.log"
        began = time.perf_counter()
        with child(launch.command, log=log, env=launch.env) as process:
            _await_answer(server, launch, process, log)
            yield Running(
                name=server.name,
                client=launch.client,
                address=launch.address,
                topic=launch.topic,
                pid=process.pid,
                log=log,
                start_s=time.perf_counter() - began,
            )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def found(program: str) -> str | None:
    """Where `program` is; Debian keeps some servers outside a user's PATH."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")


def _await_answer(
    server: Server, launch: Launch, process: subprocess.Popen[bytes], log: Path
) -> None:
    deadline = time.perf_counter() + START_LIMIT_S
    while time.perf_counter() < deadline and process.poll() is None:
        with suppress(OSError):
            if _answers(launch, server.hello(launch)):
                return
        time.sleep(POLL_S)
    raise ServerError(f"{server.name} did not start: {tail(log)}")


def _answers(launch: Launch, hello: bytes) -> bool:
    with _connected(launch.endpoint) as connection:
        if not launch.expects:
            return True
        connection.sendall(hello)
        answer = b""
        while launch.expects not in answer:
            block = connection.recv(65_536)
            if not block:
                return False
            answer += block
        return True


def _connected(endpoint: str | int) -> socket.socket:
    """A connection to a Unix socket's path, or to a port on this machine."""
    if isinstance(endpoint, int):
        return socket.create_connection(("127.0.0.1", endpoint), START_LIMIT_S)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(START_LIMIT_S)
    try:
        connection.connect(endpoint)
    except OSError:
        connection.close()
        raise
    return connection
