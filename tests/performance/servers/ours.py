"""deskbus itself, as `deskbus serve --headless` runs it, everything switched on."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from deskbus.config import runtime_dir_for
from deskbus.web.origins.sites import label_of
from deskbus_protocol import PROTOCOL_VERSION
from deskbus_protocol.wire import rpc
from tests.performance.servers import collectors
from tests.performance.servers.load import NODE_MODULES, ROOT
from tests.performance.servers.server import Launch, free_port

APP = "deskbus.developer"
PACKAGES = (ROOT / "backend" / "deskbus", ROOT / "protocol" / "deskbus_protocol")
NODE_SOURCES = "electron-bridge/src"
CLIENT_FILE = "client.js"
NODE_CLIENT = ROOT / "electron-bridge" / "dist" / "node" / "index.js"


PAGE_APP = "bench.page"
PAGE = """
[web]
port = {port}
[[apps]]
id = "{app}"
name = "Bench"
grants = [
    {{ permission = "messaging.read", scope = "#" }},
    {{ permission = "messaging.write", scope = "#" }},
]
[[apps.windows]]
url = "page/index.html"
"""


class Deskbus:
    """The backend of this checkout; what is published on `topic` is measured."""

    def __init__(
        self,
        name: str,
        topic: str = "bench.topic",
        config: str = "",
        *,
        collector: str = "",
        compiled: bool = True,
        encoding: str = "",
    ) -> None:
        """`config` is more of the configuration, as TOML; traces go to the kind of `collector`.

        `compiled`: whether its modules were compiled before it starts. With an `encoding` long
        frames are compressed on every link.
        """
        self._encoding = encoding
        self._collector = collector
        self.name = name
        self._topic = topic
        self._config = config
        self._compiled = compiled

    def installed(self) -> bool:
        return NODE_CLIENT.exists()

    def prepare(self, sockets: Path, store: Path) -> Launch:
        store.mkdir(parents=True, exist_ok=True)
        config = store / "bench.toml"
        more = self._config
        if self._encoding:
            more += f'[links]\ncompression = ["{self._encoding}"]\n'
        if self._collector:
            more += f'endpoint = "{collectors.url(self._collector)}"\n'
        config.write_text(f'[persistence]\ntopics = ["stored.#"]\n{more}')
        runtime = runtime_dir_for(store)
        pipe = runtime / "bus.sock"
        return Launch(
            command=[
                *(sys.executable, "-m", "deskbus", "serve", "--headless"),
                *("--data-dir", str(store), "--consent", "allow", "--config", str(config)),
            ],
            client="deskbus",
            address={
                "pipe": str(pipe),
                "app": APP,
                "ticketFile": str(runtime / "developer.ticket"),
                "compression": [self._encoding] if self._encoding else None,
            },
            endpoint=str(pipe),
            expects=b'"uptime"',
            topic=self._topic,
            env=compiled_environment() if self._compiled else _uncompiled_environment(store),
        )

    def hello(self, launch: Launch) -> bytes:
        """Opens a session and asks for the backend's health; `OSError` before it can."""
        return opening(launch.address) + rpc.request("health.get", {}, 1) + b"\n"


@cache
def compiled_environment() -> dict[str, str]:
    """Where modules are compiled once, as an installation does; they are when this returns."""
    environment = {**os.environ}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-m", "compileall", "-qq", *map(str, PACKAGES)]
    subprocess.run(command, check=True, env=environment)
    return environment


def _uncompiled_environment(folder: Path) -> dict[str, str]:
    """Where a start compiles every module of ours, as on machines that keep nothing compiled."""
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(package, folder / "source" / package.name, ignore=ignored)
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return {**environment, "PYTHONPATH": str(folder / "source")}


class EarlierDeskbus(Deskbus):
    """Backend and Node client as they were at `commit`; they are there once that is given."""

    commit = ""

    def installed(self) -> bool:
        return bool(self.commit) and super().installed()

    def prepare(self, sockets: Path, store: Path) -> Launch:
        launch = super().prepare(sockets, store)
        folder = built(self.commit)
        places = [str(folder / package.parent.name) for package in PACKAGES]
        environment = {**compiled_environment(), "PYTHONPATH": os.pathsep.join(places)}
        address = {**launch.address, "library": str(folder / CLIENT_FILE)}
        return msgspec.structs.replace(launch, env=environment, address=address)


@cache
def built(commit: str) -> Path:
    """A folder with the sources of a commit, compiled, and its Node client as one file.

    Raises `CalledProcessError` where there is no such commit, or it can't be built.
    """
    folder = ROOT / "build" / "bench" / "earlier"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    names = [package.parent.name for package in PACKAGES]
    command = ["git", "-C", str(ROOT), "archive", commit, *names, NODE_SOURCES]
    archive = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    subprocess.run(["tar", "-x", "-C", str(folder)], check=True, input=archive)
    command = [sys.executable, "-m", "compileall", "-qq", *(str(folder / name) for name in names)]
    subprocess.run(command, check=True, env=compiled_environment())
    entry = str(folder / NODE_SOURCES / "node" / "index.ts")
    command = [str(NODE_MODULES / ".bin" / "esbuild"), entry, "--bundle", "--platform=node"]
    output = f"--outfile={folder / CLIENT_FILE}"
    subprocess.run([*command, output, "--log-level=error"], check=True)
    return folder


class DeskbusWeb(Deskbus):
    """The same through the web gateway, as pages of one app come."""

    def prepare(self, sockets: Path, store: Path) -> Launch:
        (store / "page").mkdir(parents=True, exist_ok=True)
        (store / "page" / "index.html").touch()
        port = free_port()
        self._config = PAGE.format(port=port, app=PAGE_APP)
        launch = super().prepare(sockets, store)
        site = {"port": port, "authority": f"{label_of(PAGE_APP)}.localhost:{port}"}
        address = {**launch.address, "pageApp": PAGE_APP, "site": site}
        return msgspec.structs.replace(launch, client="deskbus-ws", address=address)


def read_ticket(address: Mapping[str, Any]) -> str:
    """The developer ticket of a running backend; raises `OSError` before it is there."""
    ticket = Path(address["ticketFile"]).read_text().strip()
    if not ticket:
        raise FileNotFoundError("the ticket is not written yet")
    return ticket


def opening(address: Mapping[str, Any]) -> bytes:
    """The frame that opens a developer's session."""
    session = {
        "ticket": read_ticket(address),
        "app": APP,
        "protocolVersion": PROTOCOL_VERSION,
    }
    return rpc.request("session.open", session, 0) + b"\n"
