"""The other brokers, each with the settings at which it is fastest here."""

import getpass
import sys
from pathlib import Path

import msgspec

from tests.performance.servers.load import FOLDER, node_environment
from tests.performance.servers.server import Launch, Server, found, free_port

MQTT_CONNECT = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x00\x00\x00"
MQTT_CONNACK = b"\x20\x02\x00\x00"


class Peer:
    """Base of the peers: a program, started with what `prepare` says."""

    name: str
    program: str

    def installed(self) -> bool:
        return found(self.program) is not None

    def hello(self, launch: Launch) -> bytes:
        return launch.hello

    def path(self) -> str:
        return found(self.program) or self.program


class Nats(Peer):
    """NATS core on loopback TCP, the only transport that it has."""

    name = "nats"
    program = "nats-server"
    library = "nats"

    def prepare(self, sockets: Path, store: Path) -> Launch:
        port = free_port()
        config = store / "nats.conf"
        config.write_text(f"host: 127.0.0.1\nport: {port}\n" + self.settings(store))
        return Launch(
            command=[self.path(), "-c", str(config)],
            client="nats",
            address={"port": port, "library": self.library},
            endpoint=port,
            hello=b'CONNECT {"verbose":false}\r\nPING\r\n',
            expects=b"PONG\r\n",
        )

    def settings(self, store: Path) -> str:
        return ""


class NatsOfToday(Nats):
    """The wheel of PyPI and its client, where Debian's server is older."""

    name = "nats-2.15"
    program = str(Path(sys.executable).with_name("nats-server"))
    library = "@nats-io/transport-node"


class NatsIterator(Nats):
    """NATS core as its client's documentation reads messages, with `for await`."""

    name = "nats-iterator"

    def prepare(self, sockets: Path, store: Path) -> Launch:
        launch = super().prepare(sockets, store)
        return msgspec.structs.replace(launch, address={**launch.address, "iterates": True})


class JetStream(Nats):
    """NATS with file storage. Its default writes a file to disk every two minutes, not sooner."""

    name = "jetstream"

    def settings(self, store: Path) -> str:
        return f'jetstream {{ store_dir: "{store}" }}\n'


class Mosquitto(Peer):
    """MQTT on a Unix socket, without a limit at which QoS 0 messages are dropped."""

    name = "mosquitto"
    program = "mosquitto"

    def prepare(self, sockets: Path, store: Path) -> Launch:
        path = str(sockets / "mosquitto.sock")
        config = store / "mosquitto.conf"
        config.write_text(
            f"listener 0 {path}\nallow_anonymous true\nmax_queued_messages 0\n"
            f"persistence false\nlog_dest stderr\nlog_type error\nuser {getpass.getuser()}\n"
        )
        return Launch(
            command=[self.path(), "-c", str(config)],
            client="mosquitto",
            address={"path": path},
            endpoint=path,
            hello=MQTT_CONNECT,
            expects=MQTT_CONNACK,
        )


class Redis(Peer):
    """Redis on a Unix socket, without persistence and without a limit on subscribers' buffers."""

    name = "redis"
    program = "redis-server"

    def prepare(self, sockets: Path, store: Path) -> Launch:
        path = str(sockets / "redis.sock")
        options = {"port": "0", "unixsocket": path, "save": "", "appendonly": "no", "dir": store}
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        limit = ["--client-output-buffer-limit", "pubsub", "0", "0", "0"]
        return Launch(
            command=[self.path(), *words, *limit],
            client="redis",
            address={"path": path},
            endpoint=path,
            hello=b"PING\r\n",
            expects=b"+PONG",
        )


class NodeBroker(Peer):
    """A broker that is the Node program `source` in brokers/."""

    program = "node"
    source: str
    library = ""

    def prepare(self, sockets: Path, store: Path) -> Launch:
        path = str(sockets / "broker.sock")
        return Launch(
            command=[
                self.path(),
                str(FOLDER / "brokers" / f"{self.source}.js"),
                path,
                self.library,
            ],
            client=self.source,
            address={"path": path, "library": self.library},
            endpoint=path,
            env=node_environment(),
        )


class VscodeJsonrpc(NodeBroker):
    name = source = library = "vscode-jsonrpc"


class VscodeJsonrpcOfToday(NodeBroker):
    """As an alias of npm beside the one before."""

    name = library = "vscode-jsonrpc-10"
    source = "vscode-jsonrpc"


class ByteCopier(NodeBroker):
    name = source = "byte-copier"


class Aedes(NodeBroker):
    """An MQTT broker of today in Node, beside MQTT's usual one in C."""

    name = source = "aedes"

    def prepare(self, sockets: Path, store: Path) -> Launch:
        launch = super().prepare(sockets, store)
        return msgspec.structs.replace(
            launch, client="mosquitto", hello=MQTT_CONNECT, expects=MQTT_CONNACK
        )


class BareWebSocket(Peer):
    """A broker on the `ws` package, over loopback TCP as the gateway is."""

    name = "ws"
    program = "node"

    def prepare(self, sockets: Path, store: Path) -> Launch:
        port = free_port()
        return Launch(
            command=[self.path(), str(FOLDER / "brokers" / "ws.js"), str(port)],
            client="ws",
            address={"port": port},
            endpoint=port,
            env=node_environment(),
        )


PEERS: dict[str, Server] = {
    peer.name: peer
    for peer in (
        Nats(),
        NatsOfToday(),
        NatsIterator(),
        JetStream(),
        Mosquitto(),
        Redis(),
        VscodeJsonrpc(),
        VscodeJsonrpcOfToday(),
        ByteCopier(),
        Aedes(),
        BareWebSocket(),
    )
}
