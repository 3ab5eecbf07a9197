"""deskbus itself, as `deskbus serve --headless` runs it, everything switched on."""

import json
import sys
from pathlib import Path

from deskbus.config import runtime_dir_for
from deskbus_protocol import PROTOCOL_VERSION
from tests.performance.load import ROOT
from tests.performance.server import Launch

APP = "deskbus.developer"
NODE_CLIENT = ROOT / "electron-bridge" / "dist" / "node" / "index.js"


class Deskbus:
    """The backend of this checkout; what is published on `topic` is measured."""

    def __init__(self, name: str, topic: str) -> None:
        self.name = name
        self._topic = topic

    def installed(self) -> bool:
        return NODE_CLIENT.exists()

    def prepare(self, sockets: Path, store: Path) -> Launch:
        runtime = runtime_dir_for(store)
        pipe = runtime / "bus.sock"
        return Launch(
            command=[
                *(sys.executable, "-m", "deskbus", "serve", "--headless"),
                *("--data-dir", str(store), "--consent", "allow"),
            ],
            client="deskbus",
            address={
                "pipe": str(pipe),
                "app": APP,
                "ticketFile": str(runtime / "developer.ticket"),
            },
            endpoint=str(pipe),
            expects=b'"uptime"',
            topic=self._topic,
        )

    def hello(self, launch: Launch) -> bytes:
        """Opens a session and asks for the backend's health; `OSError` before it can."""
        ticket = Path(launch.address["ticketFile"]).read_text().strip()
        if not ticket:
            raise FileNotFoundError("the ticket is not written yet")
        session = {"ticket": ticket, "app": APP, "protocolVersion": PROTOCOL_VERSION}
        calls = [("session.open", session), ("health.get", {})]
        frames = (
            {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            for number, (method, params) in enumerate(calls)
        )
        return b"".join(json.dumps(frame).encode() + b"\n" for frame in frames)
