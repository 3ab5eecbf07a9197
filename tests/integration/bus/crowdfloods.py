"""Ways to keep the backend busy: a flood for every method that an app may call, and more.

As a program it is the app that does it: it says "flooding" once it does, until its input ends.
"""

import json
import selectors
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from itertools import count
from typing import Any, get_args

import msgspec

from deskbus.rpc.value_count import MAX_FRAME_VALUES
from deskbus_protocol import PROTOCOL_VERSION
from deskbus_protocol.bus import MAX_ACKNOWLEDGED_SEQS, MAX_UNACKNOWLEDGED
from deskbus_protocol.methods import METHODS
from deskbus_protocol.session import MAX_LAST_SEQS
from deskbus_protocol.traces import MAX_RECORDED
from deskbus_protocol.web import FrameCapability
from deskbus_protocol.wire import rpc
from deskbus_protocol.wire.encoding import Encoding, encode
from deskbus_protocol.wire.framing import MAX_FRAME_BYTES

APP = "crowd.busy"
NEIGHBOUR = "crowd.calm"
FRAMED = "crowd.framed"
CHANNEL = "fdc3.channel.1"
LINKS = 4
AHEAD = 200
"""Requests of one link that wait for their answers."""

BLOCK_BYTES = 64 * 1024
LOGGED = 10_000
LOGGED_TOPICS = 50

Params = Callable[[int], object]
Frames = Callable[[int], bytes]
Setup = Sequence[tuple[str, object]]


class Flood(msgspec.Struct, frozen=True, kw_only=True):
    """`frames` makes the nth frame, `setup` is called once on each link, `links` send at once.

    An answer is waited for where the frame has an id. `visits` is for what needs a link each time.
    With an `encoding` the links agree on it, and frames are blocks of it (`unpacked`).
    Beforehand `absent` clients more have done the same set-up and left, and may come back.
    """

    frames: Frames
    setup: Setup = ()
    links: int = LINKS
    absent: int = 0
    answered: bool = True
    visits: Callable[["Visit", int], None] | None = None
    encoding: Encoding | None = None
    greeting: Callable[[str], bytes] | None = None
    """Of a stranger at the web gateway, to a site's authority; then `frames` follow as they are."""


def calls(method: str, params: Params, **options: Any) -> Flood:
    return Flood(frames=lambda n: rpc.request(method, params(n), n), **options)


def tells(method: str, params: Params, **options: Any) -> Flood:
    return Flood(frames=lambda n: rpc.notification(method, params(n)), answered=False, **options)


def plain(frame: Callable[[int], bytes], *, answered: bool = False) -> Flood:
    return Flood(frames=frame, answered=answered)


def unpacked(encoding: Encoding, size: int) -> Flood:
    """Frames of a few kilobytes at most that are of `size` bytes once they are unpacked."""

    @cache
    def block() -> bytes:
        frame = rpc.notification("bus.publish", {"topic": "busy.packed", "payload": ""})
        head, tail = frame.split(b'""')
        packed = encode(encoding, head + b'"' + b"x" * (size - len(frame)) + b'"' + tail)
        assert packed is not None
        return packed

    return Flood(frames=lambda _: block(), answered=False, encoding=encoding)


def of_stranger(greeting: Callable[[str], bytes], block: bytes) -> Flood:
    return Flood(frames=lambda _: block, greeting=greeting)


def in_chunks(authority: str) -> bytes:
    """The head of a request whose body comes in chunks (RFC 9112, section 7.1)."""
    head = f"POST /rpc HTTP/1.1\r\nhost: {authority}\r\ncontent-type: application/json\r\n"
    return f"{head}transfer-encoding: chunked\r\n\r\n".encode()


def handshake(authority: str) -> bytes:
    """Opens a WebSocket (RFC 6455, section 4.1) as a page of the site."""
    lines = (
        "GET /bus HTTP/1.1",
        f"host: {authority}",
        f"origin: http://{authority}",
        "upgrade: websocket",
        "connection: Upgrade",
        "sec-websocket-version: 13",
        "sec-websocket-key: " + "A" * 21 + "Q==",
    )
    return "\r\n".join((*lines, "", "")).encode()


def messages(payload: bytes) -> bytes:
    """As many WebSocket messages of a few bytes each as a block has."""
    message = bytes((0x81, 0x80 | len(payload))) + b"\0\0\0\0" + payload
    return message * (BLOCK_BYTES // len(message))


def subscribed(pattern: str, mode: str = "live") -> Setup:
    return [("bus.subscribe", {"pattern": pattern, "mode": mode})]


def unlike(n: int) -> str:
    """A topic that nobody had before."""
    return f"busy.new.level{n}.of.some.length"


def costly(n: int) -> str:
    """One of the patterns that cost most to match, until the app's budget is spent."""
    return f"busy.#.x{n % 7}.*.y{n % 11}.*.#.z{n}"


def unacknowledged(n: int) -> dict[str, list[int]]:
    return {"busy.log.n0": list(range(1, MAX_UNACKNOWLEDGED + 1)), f"busy.log.n{n}": [1]}


def span(n: int) -> dict[str, object]:
    return {
        "traceId": f"{n + 1:032x}",
        "spanId": f"{n + 1:016x}",
        "name": "flood " * 40,
        "topic": unlike(n),
        "start": 0,
        "end": 1,
    }


def request_of(method: str, n: int, **payload: object) -> dict[str, object]:
    """A request of FDC3's DACP."""
    meta = {"requestUuid": f"r{n}", "timestamp": "2026-01-01T00:00:00Z"}
    return {"type": f"{method}Request", "meta": meta, "payload": payload}


def dacp(n: int) -> dict[str, object]:
    """One of the requests that make the agent work most."""
    context = {"type": f"busy.type{n}", "id": {"n": str(n)}, "name": "x" * 500}
    return (
        request_of("broadcast", n, channelId=CHANNEL, context=context),
        request_of("addContextListener", n, channelId=CHANNEL, contextType=f"busy.type{n}"),
        request_of("findIntentsByContext", n, context=context),
        request_of("createPrivateChannel", n),
        request_of("getOrCreateChannel", n, channelId=f"busy{n}"),
        request_of("raiseIntent", n, intent=f"Intent{n}", context=context),
        request_of("getUserChannels", n),
        request_of("getInfo", n),
    )[n % 8]


LAST_SEQS = {f"busy.seen.n{n}": 1 for n in range(MAX_LAST_SEQS)}
PATTERN = {"pattern": "busy.log.#"}

OF_METHODS: Mapping[str, Flood] = {
    "session.open": plain(
        lambda n: rpc.request(
            "session.open",
            {"ticket": "x" * 32, "app": APP, "protocolVersion": PROTOCOL_VERSION},
            n,
        ),
        answered=True,
    ),
    "session.resume": Flood(frames=lambda _: b"", visits=lambda visit, n: visit.resume(n), links=2),
    "bus.subscribe": calls("bus.subscribe", lambda n: {"pattern": f"busy.s{n % 900}"}),
    "bus.unsubscribe": Flood(
        frames=lambda n: rpc.request(
            ("bus.subscribe", "bus.unsubscribe")[n % 2],
            {"pattern": f"busy.*.s{n // 2 % 50}.#"},
            n,
        )
    ),
    "bus.continue": calls(
        "bus.continue",
        lambda n: {
            "pattern": f"busy.log.n{n % LOGGED_TOPICS}",
            "mode": "acknowledged",
            "seen": {"another": {"busy.log.n1": 5}},
            "unacknowledged": {"since": 0, "seqs": {"another": unacknowledged(n)}},
        },
    ),
    "bus.ack": calls(
        "bus.ack",
        lambda n: {"topic": "busy.acked", "seqs": list(range(n, n + MAX_ACKNOWLEDGED_SEQS))},
        setup=subscribed("busy.acked", "acknowledged"),
    ),
    "bus.publish": tells("bus.publish", lambda n: {"topic": unlike(n), "payload": n}),
    "bus.send": calls("bus.send", lambda n: {"app": APP, "topic": unlike(n), "payload": n}),
    "bus.request": calls(
        "bus.request",
        lambda n: {"topic": "busy.asked", "payload": n, "timeout": 1000},
        setup=subscribed("busy.asked"),
    ),
    "bus.respond": calls("bus.respond", lambda n: {"replyTo": f"never-{n}", "payload": n}),
    "bus.watchSubscribers": calls("bus.watchSubscribers", lambda n: {"enabled": n % 2 == 0}),
    "bus.history": calls("bus.history", lambda n: {"topic": f"busy.log.n{n % LOGGED_TOPICS}"}),
    "bus.query": calls("bus.query", lambda _: {**PATTERN, "limit": 10_000}),
    "bus.replay": calls("bus.replay", lambda _: PATTERN),
    "permissions.request": calls(
        "permissions.request",
        lambda n: {"permission": "messaging.read", "scope": f"other.s{n}", "reason": "more"},
    ),
    "permissions.query": calls(
        "permissions.query", lambda n: {"permission": "messaging.write", "scope": f"other.s{n}.#"}
    ),
    "audit.query": calls("audit.query", lambda n: {"text": f"nothing {n}", "limit": 1000}),
    "audit.export": calls("audit.export", lambda _: {"limit": 2000}, links=2),
    "audit.verify": calls("audit.verify", lambda _: {}),
    "audit.tail": calls("audit.tail", lambda _: {"enabled": True}),
    "files.read": calls("files.read", lambda _: {"path": "{folder}/large.txt"}),
    "files.write": calls(
        "files.write",
        lambda n: {"path": f"{{folder}}/w{n % 5}.txt", "content": "x" * 50_000, "mode": "replace"},
    ),
    "files.list": calls("files.list", lambda _: {"path": "{folder}"}),
    "secrets.set": calls("secrets.set", lambda n: {"name": f"s{n % 50}", "value": "x" * 1000}),
    "secrets.get": calls("secrets.get", lambda n: {"name": f"s{n % 50}"}),
    "secrets.delete": calls("secrets.delete", lambda n: {"name": f"s{n % 50}"}),
    "apps.launch": calls("apps.launch", lambda _: {"app": APP}),
    "apps.heartbeat": tells("apps.heartbeat", lambda n: {"trouble": f"trouble {n}"}),
    "traces.record": calls("traces.record", lambda n: {"spans": [span(n)] * MAX_RECORDED}),
    "fdc3.send": calls(
        "fdc3.send",
        lambda n: {"message": dacp(n)},
        setup=[
            ("fdc3.connect", {}),
            ("fdc3.send", {"message": request_of("joinUserChannel", 0, channelId=CHANNEL)}),
        ],
    ),
    "web.describeFrame": calls(
        "web.describeFrame",
        lambda _: {"app": FRAMED, "capabilities": list(get_args(FrameCapability))[:32]},
    ),
    "apps.saveState": calls("apps.saveState", lambda n: {"state": {"n": n, "x": "y" * 10_000}}),
}

REFUSED_TO_APPS = [
    row.name for row in METHODS.values() if row.handled_by == "backend" and row.callers == "shell"
]

Text = Callable[[], bytes]
"""Of some megabytes, so only the flood that needs it makes it."""


@cache
def large() -> bytes:
    return b'"%b"' % (b"x" * 1_000_000)


@cache
def nested() -> bytes:
    values = [b'{"a":[[]],"b":"[,,,,,,,,,,,,,,,,,,,,"}'] * (MAX_FRAME_VALUES // 5 - 1)
    return b"[%b]" % b",".join(values)


@cache
def many() -> bytes:
    return b"[%b]" % b",".join([b"1234567"] * (MAX_FRAME_VALUES - 100))


@cache
def too_many() -> bytes:
    return b"[%b]" % b",".join([b"1"] * 1_900_000)


def payload(text: Text) -> Flood:
    """Messages with one large payload, in frames that are written with white space."""

    @cache
    def frame() -> bytes:
        head = b'{ "jsonrpc" : "2.0", "method":"bus.publish","params": {"topic":"busy.large"'
        return b'%b, "payload":%b} }' % (head, text())

    return plain(lambda _: frame())


HEADER = "x" * 100_000
LONG_ID = b"x" * 100_000


def cancelled(method: str, params: object) -> Frames:
    """Each call, and behind it its cancellation."""
    return lambda n: (
        rpc.request(method, params, n // 2)
        if n % 2 == 0
        else rpc.notification("$/cancelRequest", {"id": n // 2})
    )


def batch(n: int) -> bytes:
    members = [
        rpc.request("bus.ack", {"topic": "busy.acked", "seqs": list(range(1, 500))}, member)
        for member in range(256)
    ]
    return b"[%b]" % b",".join(members)


OTHERS: Mapping[str, Flood] = {
    "calls that the shell alone may make": Flood(
        frames=lambda n: rpc.request(REFUSED_TO_APPS[n % len(REFUSED_TO_APPS)], {}, n)
    ),
    "methods that there are not": calls("no.such", lambda _: {}),
    "parameters that no schema allows": calls("bus.subscribe", lambda n: {"n": n}),
    "frames that are no JSON": plain(lambda _: b"{" * 120),
    "frames that are nested deep": plain(lambda _: b'{"jsonrpc":' + b"[" * 500),
    "frames that repeat a key": plain(
        lambda n: b'{"jsonrpc":"2.0","id":%d,"method":"session.ping","id":%d}' % (n, n)
    ),
    "messages on one topic": tells(
        "bus.publish", lambda n: {"topic": "busy.one", "payload": n}, setup=subscribed("busy.one")
    ),
    "messages that every client of its own reads": tells(
        "bus.publish",
        lambda n: {"topic": "busy.all", "payload": n},
        setup=subscribed("busy.#"),
        links=20,
    ),
    "messages that hundreds of its absent clients will have missed": tells(
        "bus.publish",
        lambda n: {"topic": "busy.missed", "payload": n},
        setup=subscribed("busy.missed"),
        absent=400,
    ),
    "messages of a megabyte": payload(large),
    "messages of four megabytes, nested": payload(nested),
    "messages of four megabytes, of many values": payload(many),
    "messages of more values than a frame may have": payload(too_many),
    "calls of four megabytes, of many values": plain(
        lambda n: (
            b'{"jsonrpc":"2.0","id":%d,"method":"apps.saveState","params":{"state":%b}}'
            % (n, many())
        ),
        answered=True,
    ),
    "lists that are too long": plain(
        lambda n: (
            b'{"jsonrpc":"2.0","id":%d,"method":"bus.ack","params":{"topic":"a","seqs":%b}}'
            % (n, many())
        ),
        answered=True,
    ),
    "messages with every option": tells(
        "bus.publish",
        lambda n: {
            "topic": unlike(n),
            "payload": n,
            "priority": 9,
            "ttl": 1000,
            "headers": {"a": "b"},
            "correlationId": f"c{n}",
        },
    ),
    "messages that are answered": calls(
        "bus.publish", lambda n: {"topic": unlike(n), "payload": n}
    ),
    "messages that wait for the disk": calls(
        "bus.publish", lambda n: {"topic": "busy.log.n1", "payload": n, "durable": True}
    ),
    "messages that it may not send": tells(
        "bus.publish", lambda n: {"topic": f"forbidden.n{n}", "payload": n}
    ),
    "messages to acknowledged readers that do not": tells(
        "bus.publish",
        lambda n: {"topic": "busy.owed", "payload": n},
        setup=subscribed("busy.owed", "acknowledged"),
    ),
    "patterns that cost most": calls("bus.subscribe", lambda n: {"pattern": costly(n)}),
    "messages past patterns that cost most": tells(
        "bus.publish",
        lambda n: {"topic": f"busy.a.x1.b.y2.c.d.e.f.g.h.i.j.z{n}", "payload": n},
        setup=[("bus.subscribe", {"pattern": f"busy.#.x1.*.y2.*.#.z{n}"}) for n in range(12)],
    ),
    "answers to its own requests": Flood(
        frames=lambda n: rpc.request("bus.request", {"topic": "busy.asked", "payload": n}, n),
        setup=subscribed("busy.asked"),
        links=1,
    ),
    "batches": plain(batch, answered=True),
    "batches within batches": plain(lambda n: b"[%b]" % b",".join([b"[[],[{}]]"] * 256)),
    "replays that are cancelled": plain(cancelled("bus.replay", PATTERN)),
    "messages with long headers": tells(
        "bus.publish",
        lambda n: {"topic": "busy.heads", "payload": n, "headers": {"a": HEADER, "b": HEADER}},
        setup=subscribed("busy.heads"),
    ),
    "requests with long ids": plain(
        lambda n: (
            rpc.request("session.ping", {}, n)
            .replace(b'"id":', b'"id":"%b' % LONG_ID, 1)
            .replace(b',"method"', b'","method"', 1)
        )
    ),
    "bus.continue of all topics": calls("bus.continue", lambda _: {"pattern": "busy.#"}),
    "bus.watchSubscribers with many subscriptions": calls(
        "bus.watchSubscribers",
        lambda n: {"enabled": True},
        setup=[("bus.subscribe", {"pattern": f"busy.seen.n{n}"}) for n in range(500)],
    ),
    "session.resume with ten thousand seqs": Flood(
        frames=lambda _: b"", visits=lambda visit, n: visit.resume(n, LAST_SEQS), links=2
    ),
    "chunks of one byte to the web gateway": of_stranger(in_chunks, b"1\r\n \r\n" * 10_000),
    "WebSocket messages of one byte": of_stranger(handshake, messages(b"{")),
    "WebSocket messages about no channel": of_stranger(handshake, messages(b"#1+1")),
    "gzip that unpacks to the limit of a frame": unpacked("gzip", MAX_FRAME_BYTES),
    "Brotli that unpacks to the limit of a frame": unpacked("br", MAX_FRAME_BYTES),
    "gzip that unpacks to far beyond it": unpacked("gzip", 10 * MAX_FRAME_BYTES),
    "Brotli that unpacks to far beyond it": unpacked("br", 10 * MAX_FRAME_BYTES),
}


def flood_of(name: str) -> Flood:
    """The flood of a method, or another; a method without a row is called without parameters,
    which is refused where it needs some.
    """
    if name in OTHERS:
        return OTHERS[name]
    if name in OF_METHODS:
        return OF_METHODS[name]
    return calls(name, lambda _: {})


def names() -> list[str]:
    """Of every flood."""
    methods = [
        row.name
        for row in METHODS.values()
        if row.handled_by == "backend" and row.callers != "shell"
    ]
    return [*methods, *OTHERS]


class Visit:
    """A client that comes back on a new link each time, subscribes, and is gone."""

    def __init__(self, pipe: str, ticket: str) -> None:
        self._pipe = pipe
        self._token = ""
        self._come("session.open", {"ticket": ticket, "app": APP}, 0)

    def resume(self, n: int, last_seqs: Mapping[str, int] | None = None) -> None:
        params = {"resumeToken": self._token, "lastSeqs": last_seqs or {}}
        self._come("session.resume", params, n)

    def _come(self, method: str, params: Mapping[str, object], n: int) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.connect(self._pipe)
            answers = Answers(link)
            full = {**params, "protocolVersion": PROTOCOL_VERSION}
            link.sendall(rpc.request(method, full, 1) + b"\n")
            self._token = answers.next()["result"]["resumeToken"]
            pattern = {"pattern": f"busy.*.s{n // 2 % 50}.#"}
            subscribing = ("bus.subscribe", "bus.unsubscribe")[n % 2]
            link.sendall(rpc.request(subscribing, pattern, 2) + b"\n")
            answers.next()


class Answers:
    """The answers that come on a link, one after the other."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._held = b""

    def next(self) -> dict[str, Any]:
        while True:
            while b"\n" not in self._held:
                data = self._link.recv(65536)
                if not data:
                    raise ConnectionResetError("the backend closed the link")
                self._held += data
            line, _, self._held = self._held.partition(b"\n")
            frame: dict[str, Any] = msgspec.json.decode(line)
            if "method" not in frame:
                return frame


class Link:
    """One of the app's links: writes what it can, reads and counts what comes."""

    def __init__(
        self, pipe: str, ticket: str, flood: Flood, numbers: Iterator[int], folder: str
    ) -> None:
        self._flood = flood
        self._numbers = numbers
        self._folder = json.dumps(folder)[1:-1].encode()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(pipe)
        answers = Answers(self.socket)
        opening = {"ticket": ticket, "app": APP, "protocolVersion": PROTOCOL_VERSION}
        encodings = {} if flood.encoding is None else {"encodings": [flood.encoding]}
        for method, params in (("session.open", {**opening, **encodings}), *flood.setup):
            self.socket.sendall(rpc.request(method, params, 1) + b"\n")
            answers.next()
        self.socket.setblocking(False)
        self._out = b""
        self._tail = b""
        self._owed = 0

    def fill(self) -> None:
        """Makes more to send, as far as answers are not waited for."""
        block: list[bytes] = []
        size = 0
        while size < BLOCK_BYTES and not (self._flood.answered and self._owed >= AHEAD):
            frame = self._flood.frames(next(self._numbers)).replace(b"{folder}", self._folder)
            block.append(frame)
            size += len(frame) + 1
            self._owed += 1
        if block:
            end = b"\n" if self._flood.encoding is None else b""
            self._out += b"".join(frame + end for frame in block)

    @property
    def wants_to_write(self) -> bool:
        if not self._out:
            self.fill()
        return bool(self._out)

    def write(self) -> None:
        try:
            self._out = self._out[self.socket.send(self._out) :]
        except BlockingIOError:
            pass

    def read(self) -> None:
        try:
            data = self.socket.recv(1024 * 1024)
        except BlockingIOError:
            return
        if not data:
            raise ConnectionResetError("the backend closed the link")
        # A frame that answers begins so; one that spans two reads is counted by its end.
        self._owed -= (self._tail + data).count(b'\n{"jsonrpc":"2.0","id":')
        self._owed = max(self._owed, 0)
        self._tail = data[-22:]


def flood_by_links(flood: Flood, task: Mapping[str, Any]) -> None:
    numbers = count(1)

    def link(ticket: str) -> Link:
        return Link(task["pipe"], ticket, flood, numbers, task["folder"])

    tickets = task["tickets"]
    for ticket in tickets[flood.links :]:
        link(ticket).socket.close()
    links = [link(ticket) for ticket in tickets[: flood.links]]
    look = selectors.DefaultSelector()
    for each in links:
        look.register(each.socket, selectors.EVENT_READ, each)
    look.register(sys.stdin, selectors.EVENT_READ)
    sys.stdout.write("flooding\n")
    sys.stdout.flush()
    while True:
        for each in links:
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if each.wants_to_write else 0)
            look.modify(each.socket, events, each)
        for key, events in look.select():
            if key.data is None:
                return
            if events & selectors.EVENT_READ:
                key.data.read()
            if events & selectors.EVENT_WRITE:
                key.data.write()


def flood_by_strangers(flood: Flood, task: Mapping[str, Any]) -> None:
    for _ in range(flood.links):
        threading.Thread(target=be_strange, args=(flood, task["site"]), daemon=True).start()
    sys.stdout.write("flooding\n")
    sys.stdout.flush()
    sys.stdin.read()


def be_strange(flood: Flood, authority: str) -> None:
    """Comes again as often as it is sent away."""
    assert flood.greeting is not None
    address = ("127.0.0.1", int(authority.rpartition(":")[2]))
    while True:
        with suppress(OSError), socket.create_connection(address, timeout=1) as link:
            link.sendall(flood.greeting(authority))
            while True:
                link.sendall(flood.frames(0))
                with suppress(BlockingIOError):
                    link.recv(1024 * 1024, socket.MSG_DONTWAIT)


def flood_by_visits(flood: Flood, task: Mapping[str, Any]) -> None:
    assert flood.visits is not None
    visits = [Visit(task["pipe"], ticket) for ticket in task["tickets"]]
    look = selectors.DefaultSelector()
    look.register(sys.stdin, selectors.EVENT_READ)
    sys.stdout.write("flooding\n")
    sys.stdout.flush()
    for n in count():
        for visit in visits:
            flood.visits(visit, n)
        if look.select(0):
            return


def main() -> None:
    task = json.loads(sys.argv[1])
    flood = flood_of(task["name"])
    if flood.greeting is not None:
        flood_by_strangers(flood, task)
    elif flood.visits is None:
        flood_by_links(flood, task)
    else:
        flood_by_visits(flood, task)


if __name__ == "__main__":
    main()
