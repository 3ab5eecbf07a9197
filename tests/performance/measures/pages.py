"""Pages in a real Electron: deskbus beside what an Electron developer would write by hand."""

import json
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from demo.electron import ElectronError, find_electron
from tests.performance.servers.load import ROOT, Figures, LoadError, node_environment
from tests.performance.servers.server import Launch, Running

ANSWER_LIMIT_S = 90.0
HELLO = b'{"task":"hello"}\n'
BRIDGE = ROOT / "electron-bridge" / "dist" / "main" / "index.js"


class Desktop:
    """Two windows of one Electron on a wire of desktop/wires.js.

    With `compiles` the backend's own modules are compiled at every start, as in a checkout on a
    machine that keeps no compiled files; its libraries were compiled when they were installed.
    """

    def __init__(self, wire: str, *, name: str = "", compiles: bool = False) -> None:
        self.name = name or wire
        self._wire = wire
        self._compiles = compiles

    def installed(self) -> bool:
        try:
            find_electron()
        except ElectronError:
            return False
        return BRIDGE.exists()

    def prepare(self, sockets: Path, store: Path) -> Launch:
        path = str(sockets / "bench.sock")
        environment = {**node_environment(), "BENCH_FOLDER": str(store)}
        if self._compiles:
            copies = [_copy(ROOT / name, store) for name in ("backend", "protocol")]
            environment["BENCH_SOURCES"] = os.pathsep.join(copies)
        return Launch(
            command=[sys.executable, "-m", "tests.performance.desktop.host", self._wire, path],
            client=self._wire,
            address={"path": path},
            endpoint=path,
            expects=b'"up"',
            env=environment,
        )

    def hello(self, launch: Launch) -> bytes:
        return HELLO


DESKTOPS = {
    each.name: each
    for each in (
        Desktop("deskbus", name="pages"),
        Desktop("deskbus", name="pages, uncompiled", compiles=True),
        Desktop("electron-ipc"),
        Desktop("broadcast-channel"),
        Desktop("ws-in-main"),
    )
}


def _copy(sources: Path, store: Path) -> str:
    copy = store / sources.name
    shutil.copytree(sources, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return str(copy)


def ask(running: Running, task: str, **parameters: float) -> Figures:
    """Has the windows run a task of desktop/main.js; raises `LoadError`."""
    line = json.dumps({"task": task, **parameters}).encode() + b"\n"
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ANSWER_LIMIT_S)
        try:
            connection.connect(running.address["path"])
            connection.sendall(line)
            answer = b"".join(_line(connection))
        except OSError as error:
            raise LoadError(f"{task}: {error}") from error
    if not answer.endswith(b"\n"):
        raise LoadError(f"{task}: the desktop ended without an answer")
    figures: Figures = json.loads(answer)
    return figures


def _line(connection: socket.socket) -> Iterator[bytes]:
    while block := connection.recv(65_536):
        yield block
        if block.endswith(b"\n"):
            return
